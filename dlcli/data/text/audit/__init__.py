"""What in prepared texts would make a figure too good: leaks and duplicates."""
