"""What a method of somebody else's may say of a batch, and what is refused in one line before it is judged."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import adaclip
from adaclip.methods.card import Card
from adaclip.metrics.settings import EvaluateSettings
from adaclip.runs.evaluate import checked_prediction, evaluate

CARD = Card(id="theirs", title="Theirs", kind="training-free", model="elsewhere.model:Theirs")
GOOD = adaclip.Prediction(torch.zeros(2, 16, 16), torch.zeros(2))
IMAGES = torch.zeros(2, 3, 16, 16)


class Theirs(adaclip.Method):
    """Says whatever it is told to."""

    card = CARD

    def __init__(self, backbone, answer):
        super().__init__(backbone, None)
        self.answer = answer

    def predict(self, images, class_names, frozen=None, text=None):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture(scope="module")
def backbone():
    return adaclip.load_backbone("tiny", image_size=16)


def test_a_prediction_that_can_be_judged_passes(backbone):
    assert checked_prediction(Theirs(backbone, GOOD), IMAGES, ["a", "b"], None, None) is GOOD


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "anomaly_map a NoneType, wanted is a tensor of shape"),
        ((GOOD.anomaly_map, GOOD.anomaly_score), "anomaly_map a NoneType"),
        (dataclasses.replace(GOOD, anomaly_map=GOOD.anomaly_map.numpy()), "anomaly_map a ndarray"),
        (dataclasses.replace(GOOD, anomaly_map=torch.zeros(2, 1, 16, 16)), r"of shape \(2, 1, 16, 16\), wanted"),
        (dataclasses.replace(GOOD, anomaly_score=torch.zeros(2, 1)), r"anomaly_score of shape \(2, 1\), wanted"),
        (ValueError("no such layer"), "predict ended in ValueError: no such layer"),
    ],
    ids=["nothing", "tuple", "numpy", "channels", "column", "fault"],
)
def test_what_cannot_be_judged_is_one_line(backbone, answer, words):
    with pytest.raises(adaclip.AdaclipError, match=f"method theirs .*{words}"):
        checked_prediction(Theirs(backbone, answer), IMAGES, ["a", "b"], None, None)


def released(path, prepared, **options):
    adaclip.save_checkpoint(adaclip.load_method("april_gan", "tiny", image_size=16), path / "theirs.pth")
    backbone = adaclip.load_backbone("tiny", image_size=16).settings
    evaluate(
        path / "theirs.pth",
        prepared("head_scans"),
        None,
        EvaluateSettings(size=16, panels=0),
        path / "out",
        device=torch.device("cpu"),
        backbone=dataclasses.replace(backbone, activation=None, positions=None),
        method="april_gan",
        **options,
    )


@pytest.mark.parametrize(
    ("id", "meant"), [("headscans", "head_scans"), ("HeadCT", "headct"), ("mvtek", "mvtec"), ("clinic_db", "clinicdb")]
)
def test_a_set_that_is_misspelt_is_refused_where_it_would_hide_leakage(tmp_path, prepared, id, meant):
    with pytest.raises(
        adaclip.UsageError, match=f"--auxiliary {id}: no such data set is known: did you mean '{meant}'"
    ):
        released(tmp_path, prepared, auxiliary=[id])


def test_a_set_of_ones_own_may_be_named(tmp_path, prepared):
    released(tmp_path, prepared, auxiliary=["bolts_of_ours", "visa2"])
    assert (tmp_path / "out" / "metrics.json").is_file()


def test_a_checkpoint_of_a_method_that_learns_nothing_needs_no_auxiliary_sets(tmp_path, prepared):
    path = tmp_path / "c.safetensors"
    adaclip.save_checkpoint(adaclip.load_method("winclip", "tiny", image_size=32), path)
    settings, cpu = EvaluateSettings(size=32, panels=0), torch.device("cpu")
    evaluate(path, prepared("toy"), None, settings, tmp_path / "out", device=cpu)
    with pytest.raises(adaclip.UsageError, match="learns nothing: leave --auxiliary out"):
        evaluate(path, prepared("toy"), None, settings, tmp_path / "out", device=cpu, auxiliary=["visa"])
