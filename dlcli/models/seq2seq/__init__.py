"""Networks that translate one sequence of tokens into another."""
