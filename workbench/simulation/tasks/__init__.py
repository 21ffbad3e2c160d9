"""One file a task, and the catalogue of them."""
