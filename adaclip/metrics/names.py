"""What metrics are called."""

from __future__ import annotations

#: (level, metric) in the order of tables, and what they are called.
METRICS = {
    ("image", "auroc"): "Image AUROC",
    ("image", "f1_max"): "Image F1-max",
    ("image", "ap"): "Image AP",
    ("pixel", "auroc"): "Pixel AUROC",
    ("pixel", "f1_max"): "Pixel F1-max",
    ("pixel", "ap"): "Pixel AP",
    ("pixel", "aupro"): "Pixel AUPRO",
}
