"""Networks: plain modules with plain arguments, built without a config."""
