"""The audit of prepared texts for what would inflate metrics: leaks and duplicates."""
