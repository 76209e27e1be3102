"""Training, evaluating and scoring, one job at a time."""
