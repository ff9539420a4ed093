"""Networks for texts: (N, T) token ids and (N,) lengths to (N, C) logits. Padding never changes a result."""
