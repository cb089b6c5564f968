"""Darks and references: which one fits a sample, whether one is due, whether a dark is dark, what a dark would show."""
