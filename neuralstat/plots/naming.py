"""What axes are called."""

from __future__ import annotations

import numpy as np

from neuralstat.families import Binomial
from neuralstat.fitted import Fitted


def mean_name(fitted: Fitted, k: int | None) -> str:
    """What a mean of output k is: ``P(species = Adelie)`` of a class, ``P(y = 1)`` of zeros and ones, else the output's name.

    `k` None: of all outputs, ``P(species)`` of classes.
    """
    design = fitted.design
    if k is None:
        return design.response if design.classes is None else f"P({design.response})"
    if design.classes is not None:
        level = design.classes[1] if len(fitted.mean_names) == 1 else design.classes[k]
        return f"P({design.response} = {level})"
    name = fitted.mean_names[k]
    if isinstance(fitted.family, Binomial) and np.isin(design.y[k], (0.0, 1.0)).all():
        return f"P({name})" if design.spec.y_kinds[k] == "boolean" else f"P({name} = 1)"
    return name
