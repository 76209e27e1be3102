"""Methods of zero-shot anomaly detection, one folder for each."""
