"""What docstrings need on their way to pages."""

from __future__ import annotations

from typing import Any


def setup(app: Any) -> dict[str, bool]:
    """For Sphinx."""
    return {"parallel_read_safe": True, "parallel_write_safe": True}
