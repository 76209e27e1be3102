"""CLIP as it is."""
