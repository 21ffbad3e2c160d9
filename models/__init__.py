"""Policies, interpreters and their weights or endpoints; loaded only when asked for."""
