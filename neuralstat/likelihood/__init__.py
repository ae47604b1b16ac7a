"""Likelihood of a fit, and the distribution of its responses."""
