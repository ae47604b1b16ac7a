"""Simulation studies of models and of estimators of their risk; the module itself is called.

>>> import neuralstat as ns
>>> result = ns.study([ns.study.net(h) for h in (1, 2, 4)], "sine", 0.3, 100, replicates=50)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from .api import study
from .choosing import select
from .estimators import Estimator, estimator
from .models import resolve_models
from .nets import Net, net
from .noise import Noise, noise
from .problems import Problem, truth
from .result import StudyResult
from .smoothers import bs, cr, gam, glm
from .splines import smoothing_spline

__all__ = [
    "Estimator",
    "Net",
    "Noise",
    "Problem",
    "StudyResult",
    "bs",
    "cr",
    "estimator",
    "gam",
    "glm",
    "net",
    "noise",
    "resolve_models",
    "select",
    "smoothing_spline",
    "study",
    "truth",
]


class _Callable(ModuleType):
    """The module, which may be called: ``ns.study(...)`` is ``ns.study.study(...)``."""

    def __call__(self, *args: Any, **options: Any) -> StudyResult:
        """See `study.study`."""
        return study(*args, **options)

    def __reduce__(self) -> tuple[Any, ...]:
        """By name, as modules are pickled: functions that call ``ns.study`` are sent to workers with it."""
        return importlib.import_module, (self.__name__,)


_Callable.__call__.__doc__ = study.__doc__
_Callable.__call__.__wrapped__ = study  # type: ignore[attr-defined]
sys.modules[__name__].__class__ = _Callable
