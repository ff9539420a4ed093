"""Parts shared by the tasks of annotated images."""
