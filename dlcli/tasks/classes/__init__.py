"""What the tasks that put items into classes share."""
