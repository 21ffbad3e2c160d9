"""Campaigns of seeded trials, their statistics, and the published findings that they are held against."""
