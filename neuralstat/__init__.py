"""neuralstat: R-style statistical modelling with neural networks.

>>> import neuralstat as ns
>>> data = ns.datasets.doppler(n=200, noise=0.1, random_state=1)
>>> fit = ns.neuralnet("y ~ x", data, hidden=(10, 5, 15), rep=3, random_state=1)  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> module; loaded on first use, so that `import neuralstat` stays light.
_LAZY = {
    "neuralnet": "api",
    "NeuralNet": "api",
    "NeuralNetResults": "results",
    "load": "api",
    "Activation": "symbolic.custom",
    "Loss": "symbolic.custom",
    "decay": "network.penalties",
    "elimination": "network.penalties",
    "l1": "network.penalties",
    "elastic_net": "network.penalties",
    "anova": "inference.nested",
    "nonlinearity_test": "inference.nonlinearity",
    "gdf": "df",
    "kaplan_meier": "survival",
    "risk": "assessment",
    "select": "selection.select",
    "chunks": "formula.partitions",
    "Partitions": "formula.partitions",
    "DegreesOfFreedom": "df",
    "from_keras": "applications.keras_model",
    "EarlyStopping": "training.stopping",
    "read_weights": "weights",
    "write_safetensors": "weights",
}
_MODULES = (
    "datasets", "families", "layers", "errors", "optimizers", "plots", "schedules", "study", "weights", "augment",
    "applications", "insight",
)  # fmt: skip

__all__ = [*_LAZY, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
