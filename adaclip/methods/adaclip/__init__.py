"""AdaCLIP (Cao et al., ECCV 2024)."""
