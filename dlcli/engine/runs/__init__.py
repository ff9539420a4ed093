"""Runs from request to report: training, checkpoints, restoring, evaluation, cross-validation, reruns."""
