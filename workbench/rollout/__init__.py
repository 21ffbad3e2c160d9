"""The running of episodes: the one control loop, the live controller and the live view."""
