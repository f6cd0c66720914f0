"""Forget-topic classifiers: features, heads, calibration and the artifact they are kept in."""
