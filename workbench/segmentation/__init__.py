"""Objects as masks: what a person clicks is masked, tracked, carried to other cameras, and filtered by an action."""
