"""A SAM 2 of bench size, trained on the simulator's own pictures."""
