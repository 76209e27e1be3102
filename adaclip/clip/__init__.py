"""CLIP, frozen: the only room that knows open_clip."""
