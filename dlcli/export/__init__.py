"""Files that leave the house, proven equal to the run they came from."""
