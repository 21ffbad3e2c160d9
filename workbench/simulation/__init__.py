"""The MuJoCo world: scenes, tasks, cameras, low-level control, exact states."""

import os
import sys

if sys.platform == "linux" and "DISPLAY" not in os.environ:
    # Decided when MuJoCo is first imported: without a display, draw off screen.
    os.environ.setdefault("MUJOCO_GL", "egl")
