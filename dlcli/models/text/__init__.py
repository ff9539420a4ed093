"""Networks of texts: (N, T) token numbers and (N,) lengths to (N, C) logits. What is padding changes no answer."""
