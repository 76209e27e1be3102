"""Metrics against the figures that the published implementation gives for the same scores."""

import json

import pytest

from adaclip.metrics.measures import PixelMetrics, image_metrics
from tests.parity.drawing import NUMBERS

pytestmark = pytest.mark.parity
EXPECTED = json.loads(str(NUMBERS["metrics/json"]))


def test_image_level():
    result = image_metrics(NUMBERS["metrics/image_gt"], NUMBERS["metrics/image_pred"])
    assert {name: 100 * value for name, value in result.items()} == pytest.approx(EXPECTED["image"], abs=0.005)


def test_pixel_level():
    meter = PixelMetrics()
    meter.update(NUMBERS["metrics/gt"].squeeze(), NUMBERS["metrics/pred"].squeeze())
    result = meter.compute()
    for name, value in EXPECTED["pixel"].items():
        assert 100 * result[name] == pytest.approx(value, abs=0.005)
