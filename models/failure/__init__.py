"""The trained failure detector: its weights, the episodes that it is trained on, and its training."""
