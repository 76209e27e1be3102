"""Controls, which prove the metrics: a random score, and the ground truth itself."""
