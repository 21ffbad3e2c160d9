"""A human takes part: how the hand drives, how control is handed over, what is asked before acting, what was corrected and why."""
