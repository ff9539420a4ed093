"""Tables: the prepared form, its reader and its writer."""
