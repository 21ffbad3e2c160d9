"""Several candidates for what to do next: drawn, checked, scored, chosen; and chunks of several calls put together."""
