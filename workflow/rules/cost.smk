"""What the planned jobs cost, printed beside Snakemake's own counts before anything runs.

Reads: the plan, and how many images the sets have.
Writes: nothing.
"""

import logging

from snakemake.logging import logger as snakemake_logger
from snakemake_interface_logger_plugins.common import LogEvent

from adaclip.cost import count_images, estimate


class CostPrinter(logging.Handler):
    """Adds the cost to the counts of jobs, in a dry run and at the start of a real one."""

    def emit(self, record):
        if getattr(record, "event", None) == LogEvent.RUN_INFO:
            jobs = [
                (job.rule.name, dict(job.wildcards_dict)) for job in workflow.dag.needrun_jobs(exclude_finished=False)
            ]
            images = count_images(PLAN, {name: REGISTRY[name].test for name in PLAN.sets})
            for line in estimate(PLAN, images, jobs).lines():
                snakemake_logger.info(line)


snakemake_logger.addHandler(CostPrinter())
