"""What stands in a results folder: whose it is, what is stale, lost or damaged."""
