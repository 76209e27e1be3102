"""Data sets: registry, raw layouts, preparation, simulated originals."""
