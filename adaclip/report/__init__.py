"""From metrics to tables, figures and the page; nothing here computes with a model."""
