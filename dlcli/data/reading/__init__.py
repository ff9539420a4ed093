"""Files of text, tables and JSON lines as people have them: what a file is, its encoding, its rows with their lines."""
