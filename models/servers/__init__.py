"""Programs that serve policies from environments of their own; see docs/policies.md."""
