"""APRIL-GAN, zero-shot (Chen, Han and Zhang, VAND 2023)."""
