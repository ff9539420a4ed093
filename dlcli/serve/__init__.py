"""Trained models as an HTTP server: requests to sources, batches of them to answers, and what keeps it alive."""
