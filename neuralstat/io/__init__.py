"""Fits as files: `save` writes one, `read` reads it."""

from __future__ import annotations

from .files import read, save

__all__ = ["read", "save"]
