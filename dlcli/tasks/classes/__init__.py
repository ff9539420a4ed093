"""Parts shared by the classification tasks."""
