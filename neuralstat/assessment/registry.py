"""Estimators of risk by name: a function is one by being decorated with ``@estimator("name", target)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .value import TARGETS, Risk

Function = TypeVar("Function", bound=Callable[..., Risk])

#: method -> function of the procedure, the loss and options
RISK: dict[str, Callable[..., Risk]] = {}


def estimator(name: str, target: str) -> Callable[[Function], Function]:
    """Register a function of a procedure, a loss and options; `target` is "same_x" or "new_x" (see `Risk`)."""

    def register(function: Function) -> Function:
        RISK[name], TARGETS[name] = function, target
        return function

    return register
