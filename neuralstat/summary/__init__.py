"""Summaries: text, HTML, LaTeX."""
