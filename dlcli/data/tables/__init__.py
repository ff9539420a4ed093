"""Tables: the prepared form and its reader."""
