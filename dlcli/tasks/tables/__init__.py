"""Regression and classification on tables."""
