"""What a policy learns from: recorded episodes with corrections in them, how much each step counts, and what it is mixed with."""
