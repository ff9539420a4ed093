"""Callbacks that log, display, save and limit a training."""
