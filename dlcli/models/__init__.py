"""Networks: plain modules with plain arguments."""
