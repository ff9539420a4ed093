"""Option values found by trial runs."""
