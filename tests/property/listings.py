"""Images anywhere, and a list that says what they are; some of the lists are faulty."""

from __future__ import annotations

import csv
import io
import json
from pathlib import PurePosixPath
from typing import Any

from hypothesis import strategies as st

from tests.property.drawn import FAULTS, Draw, Names, Tree, categories_of, counts_of


def listing(draw: Draw) -> Tree:
    """Images anywhere, and a list that says what they are."""
    tree, names = Tree(), Names(draw)
    form = draw(st.sampled_from(("meta.json", "meta.json", "manifest.csv", "manifest.csv", "meta.jsonl", "labels.csv")))
    fault = draw(st.sampled_from(("", "", "", "", *FAULTS)))
    place = draw(st.sampled_from(("photos", "a/b", "test/good", "{category}/imgs")))
    with_masks = draw(st.booleans())
    tree.promised = form in ("meta.json", "manifest.csv") and fault in ("", "placeholder", "more keys")
    entries = []
    for category in categories_of(draw):
        category = category or "thing"
        folder = place.format(category=category)
        for index in range(sum(counts_of(draw))):
            label = draw(st.integers(0, 1))
            split = draw(st.sampled_from(("test", "test", "test", "train"))) if label == 0 else "test"
            image, mask = f"{folder}/{category}{names.image(index)}", ""
            if label and with_masks:
                mask = f"lists of masks/{category}{names.mask(index)}"
            tree.add(image, split, category, label, mask)
            entries.append((split, category, image, mask, label))
    if fault == "unlisted":
        tree.spare.append(f"{PurePosixPath(entries[0][2]).parent}/nobody knows.png")
        tree.images[tree.spare[0]] = len(tree.images)
    if fault == "mask of a normal one" and not entries[0][4]:
        tree.masks["lists of masks/of a normal one.png"] = 0
        entries[0] = (*entries[0][:3], "lists of masks/of a normal one.png", 0)
        tree.must_refuse = entries[0][0] == "test"
        tree.promised = False
    if fault == "file is missing":
        entries.append(("test", entries[0][1], "photos/nowhere.png", "", 0))
        tree.must_refuse = True
    if fault == "two labels":
        entries.append((*entries[0][:3], entries[0][3], 1 - entries[0][4]))
        tree.must_refuse = True
    if fault == "placeholder" and form.startswith("meta.json"):
        entries.append(("train", entries[0][1], "", "", 0))
    if fault == "another list":
        # Of the same images with the other labels: one of the two is wrong.
        other = draw(st.sampled_from([name for name in ("meta.json", "manifest.csv", "list.csv") if name != form]))
        turned = [(*entry[:3], "", 1 - entry[4]) for entry in entries if entry[0] == "test"]
        tree.texts[other] = _text(draw, other, turned, "")
        tree.must_refuse, tree.promised = True, False
    text = _text(draw, form, entries, fault)
    if fault == "cut":
        # In the middle of a path, so that no list of fewer images is left.
        text = text[: text.rindex(str(entries[-1][2]).encode()) + 3]
    tree.must_refuse = tree.must_refuse or fault in ("cut", "no image column")
    tree.texts[form] = text
    return tree


def _text(draw: Draw, form: str, entries: list[tuple[Any, ...]], fault: str) -> bytes:
    if form.endswith(".csv"):
        separator = draw(st.sampled_from((",", ";", "\t")))
        capitals, bom = draw(st.booleans()), draw(st.booleans())
        words = draw(st.sampled_from((("0", "1"), ("good", "bad"), ("normal", "anomaly"))))
        header = ["shot" if fault == "no image column" else "image", "label", "mask", "category", "split"]
        stream = io.StringIO()
        writer = csv.writer(stream, delimiter=separator)
        writer.writerow([name.upper() if capitals else name for name in header])
        for split, category, image, mask, label in entries:
            writer.writerow([image, words[label], mask, category, split])
        return stream.getvalue().encode("utf-8-sig" if bom else "utf-8")
    records = [
        {
            "shot" if fault == "no image column" else "img_path": image,
            "mask_path": mask,
            "cls_name": category,
            "specie_name": "x" if label else "good",
        }
        | {"anomaly": label}
        for _, category, image, mask, label in entries
    ]
    if form.endswith(".jsonl"):
        lines = [{**record, "split": entry[0]} for record, entry in zip(records, entries, strict=True)]
        return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode()
    value: dict[str, dict[str, list[object]]] = {"train": {}, "test": {}}
    for record, entry in zip(records, entries, strict=True):
        value[entry[0]].setdefault(entry[1], []).append(record)
    if fault == "more keys":
        value["info"] = {"made by": ["somebody"]}
    return json.dumps(value, ensure_ascii=False, indent=draw(st.sampled_from((None, 2)))).encode()
