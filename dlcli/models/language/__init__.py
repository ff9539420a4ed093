"""Language models: how probable a text is, and what comes next."""
