"""Networks of tables."""
