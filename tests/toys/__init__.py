"""Tasks that are small enough for a test, and whole: each shows the loop something that no built-in task has yet."""
