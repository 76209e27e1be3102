"""A linear layer on CLIP's patches."""
