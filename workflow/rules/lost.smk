"""Pictures that are gone and that are no output by name: what lists them is void, and made again with them.

Reads: manifests of prepared sets, overviews, indexes of figures.
Writes: nothing.
"""

from snakemake.logging import logger as snakemake_logger

from adaclip.upkeep import lost


def lists_of_lost():
    """What is gone, by the file that has to be made again for it."""
    # A set that cannot be prepared again keeps what it has: results that are finished stay so.
    again = [name for name in PLAN.used_sets() if Path(raw_of(name)).exists() or state_of(name) == FETCHED]
    prepared = [Path(manifest_of(name)) for name in again]
    pictured = [name for name in PLAN.used_sets() if has_pictures(name)]
    overviews = [Path(f"{RESULTS}/overview/{name}/overview.json") for name in pictured]
    figures = Path(f"{AUDIT}/figures/index.json")
    parts = {Path(f"{RESULTS}/parts/{name}"): part for name, part in PARTS.items()}
    return {
        **{path.with_name("SHA256SUMS"): lost.lost_of_set(path) for path in prepared},
        **{path: lost.lost_of_overview(path) for path in overviews},
        # Where pictures are not here, those of the audit are not either.
        figures: lost.lost_of_figures(figures) if len(pictured) == len(PLAN.used_sets()) else [],
        **{path / "tables" / "index.json": lost.lost_of_part(part, path) for path, part in parts.items()},
    }


# Jobs are other processes, which read this file while files are being made.
if workflow.is_main_process:
    try:
        for line in lost.void(lists_of_lost()):
            snakemake_logger.warning(line)
    except AdaclipError as error:
        end(error)
