"""The leakage audit: images that occur twice, within a prepared set and across sets."""
