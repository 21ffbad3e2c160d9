"""An instruction of several steps: taken apart, watched, tried again, undone when it changes. Knows no simulator."""
