"""Trees whose folders say what their images are."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.property.drawn import (
    BAD,
    CATEGORIES,
    DEFECTS,
    IMAGE_FOLDERS,
    MASK_FOLDERS,
    NORMAL,
    OBSCURE,
    PROMISED,
    SECOND,
    Draw,
    Names,
    Tree,
    categories_of,
    counts_of,
)


def mvtec(draw: Draw) -> Tree:
    """`[category/]{train,test}/<kind>`, and masks in a folder of their own."""
    tree, names = Tree(), Names(draw)
    test, train = draw(st.sampled_from((("test", "train"), ("test", "train"), ("Test", "Train"), ("TEST", "TRAIN"))))
    good = draw(st.sampled_from(("good", "good", *NORMAL, *OBSCURE)))
    defects = list(draw(st.permutations(DEFECTS))[: draw(st.integers(1, 3))])
    folder = draw(st.sampled_from(("ground_truth", "ground_truth", *MASK_FOLDERS)))
    masked = draw(st.sampled_from(("all", "all", "none", "one lacks")))
    second = draw(st.sampled_from(("", "", "", *SECOND)))
    supervised = draw(st.sampled_from((False, False, False, False, True)))
    with_train, with_normal = draw(st.booleans()), draw(st.sampled_from((True, True, True, False)))
    tree.promised = not (second or supervised) and (
        (good, folder, masked in ("all", "none"), with_normal) == ("good", "ground_truth", True, True)
        and names.ending in ("", "_mask")
    )
    if good in OBSCURE and with_normal and not second:
        tree.must_refuse = True
    for category in categories_of(draw):
        top = f"{category}/" if category else ""
        normal, anomalous = counts_of(draw)
        for index in range(normal if with_normal and not (second and good in OBSCURE) else 0):
            tree.add(f"{top}{test}/{good}/{names.image(index)}", "test", category, 0)
        for index in range(1 if second else 0):
            tree.add(f"{top}{test}/{second}/{names.image(index)}", "test", category, 0)
        for index in range(2 if with_train else 0):
            tree.add(f"{top}{train}/{good}/{names.image(index)}", "train", category, 0)
        for defect in defects if supervised else ():
            tree.add(f"{top}{train}/{defect}/{names.image(70)}", "train", category, 1)
        for defect in defects:
            for index in range(anomalous):
                lacks = masked == "none" or (masked == "one lacks" and index == 0 and defect == defects[0])
                mask = "" if lacks else f"{top}{folder}/{defect}/{names.mask(index)}"
                tree.add(f"{top}{test}/{defect}/{names.image(index)}", "test", category, 1, mask)
    return tree


def splits_first(draw: Draw) -> Tree:
    """`{train,test}/<category>/<kind>`, `ground_truth/<category>/<kind>`."""
    tree, names = mvtec(draw), Tree(promised=False)

    def turned(path: str) -> str:
        parts = path.split("/")
        return "/".join([parts[1], parts[0], *parts[2:]]) if len(parts) == 4 else path

    names.images = {turned(path): number for path, number in tree.images.items()}
    names.masks = {turned(path): number for path, number in tree.masks.items()}
    names.test, names.train, names.must_refuse = tree.test, tree.train, tree.must_refuse
    return names


def kinds(draw: Draw) -> Tree:
    """`[category/]<kind>` without splits, masks in several places or nowhere."""
    tree, names = Tree(), Names(draw)
    good, bad = draw(
        st.sampled_from(
            (
                *PROMISED,
                *zip(NORMAL, BAD, strict=False),
                ("good", "scratch"),
                *((word, "scratch") for word in OBSCURE[:2]),
            )
        )
    )
    more = draw(st.sampled_from(((), (), ("hole",), ("dent", "Kratzer"))))
    place = draw(st.sampled_from(("none", "none", "flat", "by kind", "beside", "<kind>_masks")))
    folder = draw(st.sampled_from(MASK_FOLDERS))
    tree.promised = (good, bad) in PROMISED and not more and place == "none"
    tree.must_refuse = good in OBSCURE
    for category in categories_of(draw):
        top = f"{category}/" if category else ""
        normal, anomalous = counts_of(draw)
        offset = 0 if place != "flat" else 50
        for index in range(normal):
            tree.add(f"{top}{good}/{names.image(index)}", "test", category, 0)
        for kind_number, kind in enumerate((bad, *more)):
            for index in range(anomalous):
                number = index + offset * (kind_number + 1)
                mask = {
                    "none": "",
                    "flat": f"{top}{folder}/{names.mask(number)}",
                    "by kind": f"{top}{folder}/{kind}/{names.mask(number)}",
                    "beside": f"{top}{kind}/{names.mask(number)}" if names.ending else "",
                    "<kind>_masks": f"{top}{kind}_{folder}/{names.mask(number)}",
                }[place]
                tree.add(f"{top}{kind}/{names.image(number)}", "test", category, 1, mask)
        if category:
            tree.promised = False
    return tree


def public(draw: Draw) -> Tree:
    """MVTec AD 2's: `<category>/test_public/{good,bad}` with the masks inside, and splits without truth beside it."""
    tree, names = Tree(promised=False), Names(draw)
    with_private, with_train = draw(st.booleans()), draw(st.booleans())
    for category in categories_of(draw):
        top = f"{category}/" if category else ""
        normal, anomalous = counts_of(draw)
        for index in range(normal):
            tree.add(f"{top}test_public/good/{names.image(index)}", "test", category, 0)
        for index in range(anomalous):
            mask = f"{top}test_public/ground_truth/bad/{names.mask(index)}"
            tree.add(f"{top}test_public/bad/{names.image(index)}", "test", category, 1, mask)
        for folder in ("train", "validation") if with_train else ():
            tree.add(f"{top}{folder}/good/{names.image(9)}", folder, category, 0)
        if with_private:
            tree.spare.append(f"{top}test_private/{names.image(0)}")
            tree.images[tree.spare[-1]] = len(tree.images)
    return tree


def kind_first(draw: Draw) -> Tree:
    """`[test/]<kind>/<category>`, and perhaps masks in the same order."""
    tree, names = Tree(promised=False), Names(draw)
    good, bad = draw(st.sampled_from((("good", "bad"), ("normal", "abnormal"), ("OK", "NG"))))
    split = draw(st.sampled_from(("", "test/")))
    masked = draw(st.booleans())
    for category in list(draw(st.permutations(CATEGORIES)))[:2]:
        normal, anomalous = counts_of(draw)
        for index in range(normal):
            tree.add(f"{split}{good}/{category}/{names.image(index)}", "test", category, 0)
        for index in range(anomalous):
            mask = f"masks/{bad}/{category}/{names.mask(index)}" if masked else ""
            tree.add(f"{split}{bad}/{category}/{names.image(index)}", "test", category, 1, mask)
    return tree


def mixed(draw: Draw) -> Tree:
    """Categories that do not lie alike: one has splits, the other has not."""
    tree, names = Tree(promised=False), Names(draw)
    first, second = list(draw(st.permutations(CATEGORIES)))[:2]
    normal, anomalous = counts_of(draw)
    good, bad = draw(st.sampled_from(PROMISED))
    masked = draw(st.booleans())
    for index in range(normal):
        tree.add(f"{first}/test/good/{names.image(index)}", "test", first, 0)
        tree.add(f"{second}/{good}/{names.image(index)}", "test", second, 0)
    for index in range(anomalous):
        mask = f"{first}/ground_truth/hole/{names.mask(index)}" if masked else ""
        tree.add(f"{first}/test/hole/{names.image(index)}", "test", first, 1, mask)
        tree.add(f"{second}/{bad}/{names.image(index)}", "test", second, 1)
    return tree


def domains(draw: Draw) -> Tree:
    """`<domain>/<category>/{train,test}/<kind>`."""
    tree, names = Tree(promised=False), Names(draw)
    masked = draw(st.booleans())
    for category in list(draw(st.permutations(CATEGORIES)))[: draw(st.integers(2, 4))]:
        top = f"{draw(st.sampled_from(('metal', 'food', 'Elektronik')))}/{category}"
        tree.add(f"{top}/train/good/{names.image(0)}", "train", category, 0)
        tree.add(f"{top}/test/good/{names.image(0)}", "test", category, 0)
        mask = f"{top}/ground_truth/hole/{names.mask(0)}" if masked else ""
        tree.add(f"{top}/test/hole/{names.image(0)}", "test", category, 1, mask)
    return tree


def one_folder(draw: Draw) -> Tree:
    """Images and masks in one folder, told apart by their names alone."""
    tree, names = Tree(promised=False), Names(draw)
    folder = draw(st.sampled_from(("", "data/", "test/", "images/")))
    for index in range(draw(st.integers(1, 4))):
        mask = f"{folder}{names.mask(index)}" if names.ending else ""
        tree.add(f"{folder}{names.image(index)}", "test", "", 1, mask)
    # Without masks nobody knows what they show.
    tree.must_refuse = not names.ending
    return tree


def nested(draw: Draw) -> Tree:
    """Images and masks below each kind: `[test/]<kind>/{images,masks}`."""
    tree, names = Tree(promised=False), Names(draw)
    good, bad = draw(st.sampled_from((("good", "Ungood"), ("good", "bad"), ("normal", "abnormal"), ("ok", "ko"))))
    images, masks = draw(st.sampled_from((("img", "label"), ("images", "masks"), ("img", "anomaly_mask"))))
    split = draw(st.sampled_from(("", "test/")))
    empty = draw(st.booleans())
    for category in categories_of(draw):
        top = f"{category}/" if category else ""
        normal, anomalous = counts_of(draw)
        for label, kind, count in ((0, good, normal), (1, bad, anomalous)):
            for index in range(count):
                mask = f"{top}{split}{kind}/{masks}/{names.mask(index)}" if label or empty else ""
                path = f"{top}{split}{kind}/{images}/{names.image(index)}"
                tree.add(path, "test", category, label, mask, empty=not label)
    return tree


def pairs(draw: Draw) -> Tree:
    """`[split/]{images,masks}`: an empty mask stands for a normal image."""
    tree, names = Tree(), Names(draw)
    images, masks = draw(st.sampled_from(IMAGE_FOLDERS)), draw(st.sampled_from(MASK_FOLDERS))
    order = draw(st.sampled_from(("", "", "{split}/{content}", "{content}/{split}")))
    splits = ("test",) if not order else draw(st.sampled_from((("test",), ("train", "test"), ("train", "val", "test"))))
    empties = draw(st.sampled_from((0, 0, 1, 2)))
    tree.promised = (images, masks, order, empties) == ("images", "masks", "", 0) and names.ending in ("", "_mask")
    for category in categories_of(draw):
        top = f"{category}/" if category else ""
        tree.promised = tree.promised and not category
        for split in splits:
            pattern = order or "{content}"
            for index in range(draw(st.integers(1, 3)) + empties):
                empty = index < empties
                folders = (top + pattern.format(split=split, content=content) for content in (images, masks))
                image, mask = (
                    f"{f}/{n}" for f, n in zip(folders, (names.image(index), names.mask(index)), strict=True)
                )
                tree.add(image, split, category, 0 if empty else 1, mask, empty=empty)
    return tree
