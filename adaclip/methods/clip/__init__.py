"""CLIP as it is (Radford et al., ICML 2021), asked for normal and anomalous objects in three ways."""
