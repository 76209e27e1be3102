"""AnomalyCLIP (Zhou et al., ICLR 2024)."""
