"""Survival curves of data, without a model: `kaplan_meier`."""

from __future__ import annotations

from .kaplan_meier import KaplanMeier, kaplan_meier

__all__ = ["KaplanMeier", "kaplan_meier"]
