"""The right answers to inputs that went wrong once; `pytest -k cases` runs them."""
