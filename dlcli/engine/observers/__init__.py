"""Callbacks: what is written, shown and limited while training."""
