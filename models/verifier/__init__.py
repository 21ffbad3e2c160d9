"""Learned verifiers: a value function and a preference model over what the policy sees and what a candidate would do."""
