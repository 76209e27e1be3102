"""Scoring a folder: what one bad file costs, what is skipped, and what is said of it."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.raw import draw_image

torch = pytest.importorskip("torch")

import adaclip  # noqa: E402
from adaclip.errors import AdaclipError, UsageError  # noqa: E402
from adaclip.metrics.settings import EvaluateSettings  # noqa: E402
from adaclip.runs.evaluate import predictions  # noqa: E402
from adaclip.runs.score import find_images, score_folder  # noqa: E402


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "c.safetensors"
    adaclip.save_checkpoint(adaclip.AdaCLIP(adaclip.load_backbone("tiny", image_size=32), clusters=2), path)
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name in ("0.png", "1.png", "deep/2.png"):
        draw_image(tmp_path / "images" / name)
    return tmp_path / "images"


def run(checkpoint: Path, images: Path, out: Path | None = None) -> list[str]:
    """Score a folder; what was said of it."""
    said: list[str] = []
    settings = EvaluateSettings(batch_size=2)
    out = out or images.parent / "out"
    score_folder(checkpoint, None, images, "nut", settings, out, device=torch.device("cpu"), say=said.append)
    return said


def scored(images: Path) -> list[str]:
    with (images.parent / "out/scores.csv").open(newline="", encoding="utf-8") as stream:
        names = [row["image"] for row in csv.DictReader(stream)]
    maps = images.parent / "out/maps"
    assert sorted(f"{name}.png" for name in names) == sorted(
        path.relative_to(maps).as_posix() for path in maps.rglob("*") if path.is_file()
    )
    return names


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
@pytest.mark.parametrize("bad", ["0.png", "1.png", "deep/2.png"])
def test_one_broken_image_costs_only_itself(checkpoint: Path, images: Path, bad: str, content: bytes) -> None:
    (images / bad).write_bytes(content)
    with pytest.raises(AdaclipError, match=rf"1 of 3 images is not scored: .*{bad}.*the other 2 are in") as caught:
        run(checkpoint, images)
    assert "\n" not in str(caught.value)
    assert scored(images) == [name for name in ("0.png", "1.png", "deep/2.png") if name != bad]


def test_the_others_have_the_scores_that_they_have_alone(checkpoint: Path, images: Path) -> None:
    run(checkpoint, images)
    whole = (images.parent / "out/scores.csv").read_text(encoding="utf-8").splitlines()
    (images / "0.png").write_bytes(b"")
    with pytest.raises(AdaclipError):
        run(checkpoint, images)
    assert len(scored(images)) == 2, "the map of an earlier call is gone"
    for line in (images.parent / "out/scores.csv").read_text(encoding="utf-8").splitlines()[1:]:
        name, *values = line.split(",")
        [before] = [row.split(",")[1:] for row in whole if row.startswith(f"{name},")]
        assert [float(value) for value in values] == pytest.approx([float(value) for value in before], abs=1e-5)


def test_all_broken(checkpoint: Path, images: Path) -> None:
    for path in images.rglob("*.png"):
        path.write_bytes(b"")
    for number in range(7):
        (images / f"more{number}.jpg").write_bytes(b"")
    with pytest.raises(AdaclipError, match=r"10 of 10 images are not scored: .*; and 5 more \(nothing is written\)"):
        run(checkpoint, images)
    assert not (images.parent / "out/scores.csv").exists()


def test_what_macos_leaves_is_skipped_and_counted(checkpoint: Path, images: Path) -> None:
    for name in ("._0.png", ".hidden.png", "__MACOSX/0.png", "deep/._2.png", ".thumbnails/0.png"):
        (images / name).parent.mkdir(exist_ok=True)
        (images / name).write_bytes(b"\0\5\26\7 AppleDouble")
    assert run(checkpoint, images) == ["5 hidden image files are skipped"]
    assert scored(images) == ["0.png", "1.png", "deep/2.png"]


def test_pictures_that_are_not_read_are_named(checkpoint: Path, images: Path) -> None:
    (images / "photo.HEIC").write_bytes(b"x")
    draw_image(images / "no suffix", kind="PNG")
    (images / "notes").write_bytes(b"words")
    draw_image(images / "3.jfif", kind="JPEG")
    said = run(checkpoint, images)
    assert len(said) == 1
    assert said[0].startswith("2 pictures are not read for the suffix, such as no suffix: save them as PNG")
    assert scored(images) == ["0.png", "1.png", "3.jfif", "deep/2.png"]


def test_a_name_that_is_not_in_utf_8(checkpoint: Path, images: Path) -> None:
    draw_image(images / os.fsdecode(b"Gr\xf6\xdfe.png"))
    with pytest.raises(AdaclipError, match=r"the name of b'Gr\\xf6\\xdfe\.png' is not in UTF-8: rename it"):
        run(checkpoint, images)
    assert scored(images) == ["0.png", "1.png", "deep/2.png"]


def test_words_that_are_not_in_utf_8(checkpoint: Path, images: Path) -> None:
    with pytest.raises(UsageError, match="is not in UTF-8"):
        score_folder(
            checkpoint,
            None,
            images,
            os.fsdecode(b"Gr\xf6\xdfe"),
            EvaluateSettings(),
            images.parent / "out",
            device=torch.device("cpu"),
        )


def test_names_that_differ_in_suffix_only(checkpoint: Path, images: Path) -> None:
    draw_image(images / "0.jpg")
    draw_image(images / "0.png.png")
    run(checkpoint, images)
    assert scored(images) == ["0.jpg", "0.png", "0.png.png", "1.png", "deep/2.png"]


def test_a_map_that_cannot_be_written_costs_only_itself(checkpoint: Path, images: Path) -> None:
    # The map of 0.png would have the name of this folder.
    draw_image(images / "0.png.png/3.png")
    with pytest.raises(AdaclipError, match=r"1 of 4 images is not scored: cannot write"):
        run(checkpoint, images)
    assert len(scored(images)) == 3


def test_what_was_computed_before_the_end_is_written(
    checkpoint: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(*given: Any, **more: Any) -> Iterator[Any]:
        yield next(predictions(*given, **more))
        raise AdaclipError("a process that decodes was killed")

    monkeypatch.setattr("adaclip.runs.score.predictions", ends)
    with pytest.raises(AdaclipError, match="1 of 3 images is not scored: a process that decodes was killed"):
        run(checkpoint, images)
    assert scored(images) == ["0.png", "1.png"]


@pytest.mark.parametrize("out", ["", "scored", "deep/scored"])
def test_an_output_folder_among_the_images(checkpoint: Path, images: Path, out: str) -> None:
    with pytest.raises(UsageError, match="heat maps would be scored"):
        run(checkpoint, images, images / out)
    assert sorted(path.name for path in images.iterdir()) == ["0.png", "1.png", "deep"]


def test_images_among_the_output(checkpoint: Path, images: Path) -> None:
    inside = images.parent / "out/maps/today"
    inside.parent.mkdir(parents=True)
    images.rename(inside)
    with pytest.raises(UsageError, match="heat maps would be scored"):
        run(checkpoint, inside, images.parent / "out")


def test_links(checkpoint: Path, images: Path) -> None:
    elsewhere = draw_image(images.parent / "elsewhere/3.png").parent
    (images / "linked").symlink_to(elsewhere)
    (images / "round").symlink_to(images)
    (images / "nowhere.png").symlink_to(images / "gone.png")
    os.mkfifo(images / "pipe.png")
    found = find_images(images)
    assert found.images == ["0.png", "1.png", "deep/2.png", "linked/3.png", "nowhere.png"]
    assert found.faults == {"pipe.png": "pipe.png is no ordinary file"}
    with pytest.raises(
        AdaclipError, match=r"2 of 6 images are not scored: no such image: .*nowhere\.png; pipe\.png is"
    ):
        run(checkpoint, images)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(checkpoint: Path, images: Path) -> None:
    (images / "0.png").chmod(0)
    (images / "deep").chmod(0)
    try:
        with pytest.raises(AdaclipError, match=r"2 of 3 images are not scored: cannot read .*; cannot look into"):
            run(checkpoint, images)
        assert scored(images) == ["1.png"]
    finally:
        (images / "deep").chmod(0o755)


@pytest.mark.parametrize("words", ["", " "])
def test_no_words(checkpoint: Path, images: Path, words: str) -> None:
    out = images.parent / "out"
    with pytest.raises(UsageError, match="the category is empty"):
        score_folder(checkpoint, None, images, words, EvaluateSettings(), out, device=torch.device("cpu"))
    assert not (out / "scores.csv").exists()
