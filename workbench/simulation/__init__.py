"""The MuJoCo world: scenes, tasks, cameras, low-level control, exact states."""
