"""Estimators of degrees of freedom by name: a function is one by being decorated.

``@local("name")`` for functions ``(fitted, b)`` of one repetition, from derivatives at the fit, without random numbers;
``@estimator("name")`` for functions ``(fitted, rep, **options)``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from ..fitted import Fitted
from .value import DegreesOfFreedom, averaged

Function = TypeVar("Function", bound=Callable[..., DegreesOfFreedom])

#: method -> function of the fit, repetition, options
DF: dict[str, Callable[..., DegreesOfFreedom]] = {}
#: methods that draw no random numbers
LOCAL: list[str] = []
#: method -> the options that it takes
OPTIONS: dict[str, tuple[str, ...]] = {}


def estimator(name: str) -> Callable[[Function], Function]:
    """Register a function of a fit, a repetition ("mean", "best" or a number) and options."""

    def register(function: Function) -> Function:
        DF[name] = function
        keywords = inspect.signature(function).parameters.values()
        OPTIONS[name] = tuple(p.name for p in keywords if p.kind is p.KEYWORD_ONLY)
        return function

    return register


def local(name: str, *takes: str) -> Callable[[Function], Function]:
    """Register a function of a fit and one repetition (from 0).

    Of the mean of several repetitions: the mean of their degrees of freedom (the divergence is linear). `takes`: names of
    its options.
    """

    def register(function: Function) -> Function:
        def method(fitted: Fitted, rep: Any = "best", **options: Any) -> DegreesOfFreedom:
            return averaged([function(fitted, b, **options) for b in fitted.numbers(rep)])

        DF[name] = method
        LOCAL.append(name)
        OPTIONS[name] = takes
        return function

    return register
