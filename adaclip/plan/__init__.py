"""From a configuration to what must be computed; without PyTorch."""
