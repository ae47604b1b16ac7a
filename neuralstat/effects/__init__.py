"""What a fitted network says about its covariates: effects with standard errors, profiles, importance."""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "ale": "accumulated", "ice": "profiles", "partial_dependence": "profiles", "marginal_effects": "marginal",
    "importance": "weights", "lek_profile": "weights",
}  # fmt: skip

__all__ = ["ale", "ice", "importance", "lek_profile", "marginal_effects", "partial_dependence"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f".{_WHERE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
