"""Figures for the panels."""
