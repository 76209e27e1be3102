"""Sets that teach nothing, masks that vanish, words that are cut, counts of real sets."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from PIL import Image

import adaclip
from adaclip.cli import main
from adaclip.data import checks
from adaclip.data.prepare import prepare
from adaclip.data.registry import Dataset, chosen_sources, dataset_for, load_registry
from adaclip.errors import UsageError
from adaclip.methods.adaclip.card import CARD
from adaclip.methods.adaclip.sentences import sentences
from adaclip.methods.words import _context, refuse_long_words
from adaclip.report.results import Results
from adaclip.report.tables.compare import measured_figure
from tests.cases.saying import TINY, one_line
from tests.inventing import invent
from tests.raw import draw_image, draw_mask

# --- sets that teach nothing ---


def trained(tmp_path: Path, manifests: list[Path], train: str = "{}") -> list[object]:
    features = [tmp_path / f"features-{number}.safetensors" for number in range(len(manifests))]
    for manifest, path in zip(manifests, features, strict=True):
        arguments = ["features", "--backbone", TINY, "--manifest", manifest, "--out", path]
        assert main([str(argument) for argument in arguments]) == 0
    model = '{"prompt_depth": 2, "clusters": 2}'
    return [
        *("train", "--backbone", TINY, "--model", model, "--train", train, "--manifest", *manifests),
        *("--features", *features, "--out", tmp_path / "run" / "c.safetensors"),
    ]


def test_a_training_set_without_an_anomalous_image_is_refused(tmp_path, prepared, capsys):
    command = trained(tmp_path, [prepared("nuts", anomalous=0)])
    text = one_line(capsys, command)
    assert "no anomalous image in the auxiliary data (nuts, 3 normal images)" in text
    assert not (tmp_path / "run" / "c.safetensors").exists()


def test_a_set_of_normal_images_beside_another_is_told(tmp_path, prepared, capsys):
    command = trained(tmp_path, [prepared("nuts", anomalous=0), prepared("bolts")], '{"epochs": 1}')
    assert main([str(argument) for argument in command]) == 0
    assert "warning: run run: no anomalous image in" in capsys.readouterr().err


def test_training_without_any_mask_is_refused_or_told(tmp_path, prepared, capsys):
    command = trained(tmp_path, [prepared("nuts", masks=False, labels=["image"])])
    assert "no anomalous image of the auxiliary data (nuts) has a mask" in one_line(capsys, command)
    command[command.index("{}")] = '{"epochs": 1, "unmasked": "skip"}'
    assert main([str(argument) for argument in command]) == 0
    assert "warning: run run: no anomalous image of the auxiliary data (nuts) has a mask" in capsys.readouterr().err


def test_a_plan_knows_what_a_prepared_set_lacks(tmp_path, capsys):
    raw = tmp_path / "raw"
    draw_image(raw / "test" / "good" / "0.png")
    prepare(Dataset("nuts", "Nuts"), raw, tmp_path / "data" / "prepared" / "nuts", jobs=1)
    config = tmp_path / "own.yaml"
    config.write_text(
        f"title: t\ndata: {tmp_path}/data\nbackbones: {{tiny: {{model: tiny, image_size: 56}}}}\n"
        f"datasets: {{nuts: {{raw: {raw}}}}}\n"
        "experiments: {e: {title: e, auxiliary: [nuts], evaluate: [mvtec]}}\n"
    )
    assert "no anomalous image in the auxiliary data (nuts)" in one_line(capsys, ["check", config], 2)
    # One that is damaged is prepared anew by the run.
    (tmp_path / "data" / "prepared" / "nuts" / "prepared.json").write_text("{")
    assert main(["check", str(config)]) == 0


def test_a_plan_that_trains_on_sets_without_anomalous_images_is_refused(tmp_path, capsys):
    config = tmp_path / "own.yaml"
    config.write_text(
        "title: t\nbackbones: {tiny: {model: tiny, image_size: 56}}\n"
        "datasets: {nuts: {raw: photos, test: {normal: 4, anomalous: 0}}}\n"
        "experiments: {e: {title: e, auxiliary: [nuts], evaluate: [mvtec]}}\n"
    )
    assert "no anomalous image in the auxiliary data (nuts)" in one_line(capsys, ["check", config], 2)


# --- masks that vanish ---


def test_defects_that_vanish_at_the_evaluations_size_are_counted(tmp_path, capsys):
    raw = tmp_path / "raw" / "nut"
    for index in range(2):
        draw_image(raw / "test" / "good" / f"{index:03}.png", size=(512, 512))
    for index, rows in enumerate((slice(9, 11), slice(40, 240), slice(300, 302))):
        draw_image(raw / "test" / "spot" / f"{index:03}.png", size=(512, 512))
        mask = draw_mask(raw / "ground_truth" / "spot" / f"{index:03}_mask.png", size=(512, 512), rows=slice(0))
        pixels = Image.open(mask)
        pixels.paste(255, (20, rows.start, 22 if rows.stop - rows.start == 2 else 200, rows.stop))
        pixels.save(mask)
    prepare(Dataset("nuts", "Nuts"), raw.parent, tmp_path / "set", jobs=1)
    command = ["baseline", "--method", "random", "--manifest", tmp_path / "set" / "manifest.csv"]
    command += ["--evaluation", '{"size": 56}', "--out", tmp_path / "out"]
    assert main([str(argument) for argument in command]) == 0
    said = capsys.readouterr().err
    assert "adaclip: warning: nuts: the defects of 2 of 3 masks vanish at the evaluation's size" in said
    assert "(nut 2)" in said
    entry = json.loads((tmp_path / "out" / "metrics.json").read_text())["categories"]["nut"]
    assert (entry["vanished"], entry["anomalous"]) == (2, 3)


def test_the_report_says_how_many_vanished(tmp_path):
    plan = invent(
        {
            "backbones": {"tiny": {"model": "tiny", "image_size": 56}},
            "experiments": {"a": {"title": "A", "auxiliary": ["visa"], "evaluate": ["mvtec"]}},
        },
        tmp_path,
    )
    path = tmp_path / "results" / "runs" / "a" / "seed-0" / "mvtec" / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["categories"]["bottle"]["vanished"] = 3
    metrics["categories"]["cable"]["vanished"] = 1
    path.write_text(json.dumps(metrics))
    results = Results(plan)
    for level, said in (("pixel", {"vanished"}), ("image", set())):
        found = results.measured("a", "mvtec", level, "auroc")
        figure = measured_figure(results, [], found, [("a", "mvtec")], ("mvtec", level, "auroc"))
        assert set(figure.cautions) == said
        assert all("In 4 images the defect vanishes" in text for text in figure.cautions.values())
    assert results.vanished("a", "mvtec", "cable") == 1


# --- words ---

LONG = ("m 5 nut " * 30).strip()


def test_words_that_the_text_tower_would_cut_are_refused_by_every_verb_that_asks_with_them(
    tiny, tmp_path, prepared, capsys
):
    long = prepared("long", categories=[LONG])
    # Before the features are read: there are none.
    command = [
        "train",
        "--backbone",
        TINY,
        "--manifest",
        long,
        "--features",
        "gone",
        "--out",
        tmp_path / "t.safetensors",
    ]
    assert "tokens, but tiny takes 77" in one_line(capsys, command, 2)
    command = ["baseline", "--method", "winclip", "--backbone", TINY, "--manifest", long, "--out", tmp_path / "out"]
    assert "tokens, but tiny takes 77" in one_line(capsys, command, 2)
    adaclip.save_checkpoint(adaclip.AdaCLIP(tiny), tmp_path / "c.safetensors")
    draw_image(tmp_path / "images" / "a.png")
    for arguments in (
        ["score", "--images", tmp_path / "images", "--category", LONG],
        ["evaluate", "--manifest", long],
    ):
        command = [*arguments, "--checkpoint", tmp_path / "c.safetensors", "--out", tmp_path / "out"]
        if arguments[0] == "evaluate":
            stored = adaclip.load_model(tmp_path / "c.safetensors")[0]
            adaclip.save_checkpoint(
                stored,
                tmp_path / "c.safetensors",
                {"run": "r", "method": "m", "seed": 0, "auxiliary": [], "selection": None},
            )
        assert "tokens, but tiny takes 77" in one_line(capsys, command, 2)


def test_words_that_just_fit_are_taken_and_one_more_is_not():
    import open_clip

    encode = open_clip.SimpleTokenizer().encode
    fitting = next(
        " ".join(["nut"] * count)
        for count in range(90, 0, -1)
        if max(len(encode(line)) + 2 for state in sentences(" ".join(["nut"] * count)) for line in state) == 77
    )
    refuse_long_words([fitting], CARD, "tiny", "set")
    with pytest.raises(UsageError, match="makes a text prompt of 78 tokens, but tiny takes 77"):
        refuse_long_words([f"{fitting} nut"], CARD, "tiny", "set")
    refuse_long_words([f"{fitting} nut"], CARD, "no-such-model", "set")
    assert _context("ViT-L-14-336") == 77


def test_check_refuses_long_words_and_prints_all_others(tmp_path, capsys):
    raw = tmp_path / "photos"
    draw_image(raw / "good" / "0.png")
    config = tmp_path / "own.yaml"
    text = (
        "title: t\nbackbones: {{tiny: {{model: tiny, image_size: 56}}}}\n"
        "datasets: {{nuts: {{raw: {raw}, categories: {{m5: {words}}}}}, bare: {{raw: {raw}}}}}\n"
        "experiments: {{e: {{title: e, auxiliary: [nuts], evaluate: [btad, bare]}}}}\n"
    )
    config.write_text(text.format(raw=raw, words="metal nut"))
    assert main(["check", str(config)]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert 'nuts: m5 is called "metal nut"' in lines
    assert "btad: 01, 02, 03" in lines
    assert any(line.startswith('bare: what its folders are called, or "bare"') for line in lines)
    config.write_text(text.format(raw=raw, words=LONG))
    assert "data set 'nuts'" in one_line(capsys, ["check", config], 2)


@pytest.mark.parametrize(
    ("folders", "categories", "note"),
    [
        (["good", "bad"], {}, "the text prompts call the images 'own', the id of the set"),
        (["good", "bad"], {"own": "metal nut"}, ""),
        (["a/test/good", "a/test/hole", "b/test/good", "b/test/hole"], {}, "as they are found (a, b)"),
        (["a/test/good", "a/test/hole", "b/test/good", "b/test/hole"], {"a": "nut", "b": "bolt"}, ""),
    ],
)
def test_a_set_of_ones_own_says_what_its_prompts_call_it(tmp_path, folders, categories, note):
    for folder in folders:
        draw_image(tmp_path / "raw" / folder / "0.png")
    made = prepare(Dataset("own", "Own", categories=categories), tmp_path / "raw", tmp_path / "set", jobs=1)
    said = [text for text in made.notes if "text prompts" in text]
    assert len(said) == bool(note)
    assert all(note in text for text in said)


# --- counts of real sets ---


def category(folder: Path, normal: int, anomalous: int) -> None:
    for kind, count in (("good", normal), ("hole", anomalous)):
        for index in range(count):
            draw_image(folder / "test" / kind / f"{index:03}.png", size=(3, 2))
            if kind == "hole":
                draw_mask(folder / "ground_truth" / kind / f"{index:03}_mask.png", size=(3, 2), rows=slice(0, 1))


def said_of_counts(dataset: Dataset, raw: Path, out: Path) -> list[str]:
    return [text for text in prepare(dataset, raw, out, jobs=1).warnings if "test images" in text]


def test_counts_of_dtd_are_checked_and_any_order_of_the_woven_ones_is_right(tmp_path):
    dtd = load_registry()["dtd"]
    shrunk = dataclasses.replace(
        dtd,
        test={},
        test_by_category={"Blotchy_099": {"normal": 2, "anomalous": 3}},
        test_in_some_order=((1, 2), (2, 2), (3, 1)),
    )
    counts = {"Blotchy_099": (2, 3), "Woven_001": (3, 1), "Woven_068": (1, 2), "Woven_127": (2, 2)}
    for name, (normal, anomalous) in counts.items():
        category(tmp_path / "raw" / name, normal, anomalous)
    assert said_of_counts(shrunk, tmp_path / "raw", tmp_path / "set") == []
    (tmp_path / "raw/Woven_001/test/good/000.png").rename(tmp_path / "raw/Woven_127/test/good/009.png")
    assert said_of_counts(shrunk, tmp_path / "raw", tmp_path / "set") == [
        "dtd: 2 + 1 test images of Woven_001 (normal + anomalous), the published set has 2 + 2 or 3 + 1 of it",
        "dtd: 3 + 2 test images of Woven_127 (normal + anomalous), the published set has 2 + 2 or 3 + 1 of it",
    ]


def test_the_registry_has_the_counts_of_every_category_of_dtd_and_dagm():
    dtd, dagm = (load_registry()[name] for name in ("dtd", "dagm"))
    assert dtd.test_by_category["Matted_069"] == {"normal": 20, "anomalous": 79}
    assert dtd.test_by_category["Mesh_114"] == {"normal": 36, "anomalous": 80}
    assert sorted(dtd.test_in_some_order) == [(20, 79), (20, 80), (30, 70), (51, 79), (80, 80)]
    for dataset in (dtd, dagm):
        by_category = [tuple(counts.values()) for counts in dataset.test_by_category.values()]
        everything = [*by_category, *dataset.test_in_some_order]
        assert len(everything) == len(dataset.categories)
        assert tuple(map(sum, zip(*everything, strict=True))) == tuple(dataset.test.values())


def kolektor(root: Path) -> None:
    """399 images with 52 defective ones, two of them across a cut: small, but of the real counts."""
    for number in range(399):
        path = root / f"kos{number // 8 + 1:02}" / f"Part{number % 8}.jpg"
        draw_image(path, mode="L", size=(3, 9))
        rows = slice(0) if number >= 52 else slice(2, 4) if number < 2 else slice(0, 2)
        draw_mask(path.with_name(f"Part{number % 8}_label.bmp"), size=(3, 9), rows=rows)


def repackaged(root: Path, normal: int = 181, anomalous: int = 74) -> None:
    category(root / "SDD", normal, anomalous)
    entries = [
        {
            "img_path": path.relative_to(root).as_posix(),
            "mask_path": "" if path.parent.name == "good" else f"SDD/ground_truth/hole/{path.stem}_mask.png",
            "cls_name": "SDD",
            "specie_name": path.parent.name,
            "anomaly": int(path.parent.name == "hole"),
        }
        for path in sorted(root.glob("SDD/test/*/*.png"))
    ]
    (root / "meta.json").write_text(json.dumps({"train": {}, "test": {"SDD": entries}}))


def test_both_test_sets_of_kolektorsdd_are_right_and_each_can_be_asked_for(tmp_path):
    kolektor(tmp_path / "original")
    repackaged(tmp_path / "repackaged")
    counts = {"original": {"normal": 286, "anomalous": 54}, "repackaged": {"normal": 181, "anomalous": 74}}
    for kind, other in (("original", "repackaged"), ("repackaged", "original")):
        for arrangement in ("any", kind):
            made = prepare(dataset_for("ksdd", {"arrangement": arrangement}), tmp_path / kind, tmp_path / "s", jobs=1)
            assert [text for text in made.warnings if "test images" in text] == []
            assert checks.count(made.rows)["test"] == counts[kind]
        with pytest.raises(UsageError, match=f"is its {kind} .*, but its entry says arrangement: {other}"):
            prepare(dataset_for("ksdd", {"arrangement": other}), tmp_path / kind, tmp_path / "s", jobs=1)


def test_only_the_sources_of_the_arrangement_that_is_asked_for_are_tried():
    kinds = {
        arrangement: [source.kind for source in chosen_sources(dataset_for("ksdd", {"arrangement": arrangement}))]
        for arrangement in ("any", "original", "repackaged")
    }
    assert kinds == {"any": ["http", "gdrive"], "original": ["http"], "repackaged": ["gdrive"]}
