"""Fits as files."""
