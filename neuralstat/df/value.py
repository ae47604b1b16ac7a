"""What estimators of degrees of freedom return: a float that knows where it comes from."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import is_real, shown
from ..checks.arguments import NONE, TEXT, Anything, Map, Numbers, Several, Whole, arguments
from ..errors import ArgumentError

_NUMBERS = Numbers(None, finite=False)


def _number(value: Any, name: str) -> float:
    """A number, NaN where it is not known."""
    if not is_real(value) or (isinstance(value, int) and abs(value) > 2**1000):
        raise ArgumentError(f"{name} must be a number, got {shown(value)}.")
    return float(value)


class DegreesOfFreedom(float):
    """Degrees of freedom of a fit.

    A float in every computation; the attributes say how it was found.

    Attributes
    ----------
    method : str
        "jacobian", "divergence", "gdf", "covariance", "sure", "nic" or "weights".
    se : float or None
        Monte-Carlo standard error, where there is one.
    per_observation : (n,) array or None
        The part of each observation; they add up to the value.
    sigma : float, array or None
        Standard deviation of the noise that was assumed (units of the response), where one was.
    sigma_source : str or None
        Where it came from.
    draws : int or None
        Number of Monte-Carlo draws.
    notes : tuple of str
        What the reader must know.
    details : dict
        Further figures, such as "rank" and "smallest_eigenvalue".
    parts : dict
        "local" and "search", which add up to the value.

    Examples
    --------
    >>> import neuralstat as ns
    >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
    >>> df = fit.df()
    >>> round(float(df), 3), df.method
    (2.0, 'jacobian')
    """

    method: str
    se: float | None
    per_observation: np.ndarray | None
    sigma: Any
    sigma_source: str | None
    draws: int | None
    notes: tuple[str, ...]
    details: dict[str, Any]

    @arguments(
        value=Anything("a number", 1.0), method=TEXT, se=Anything("None or a number", None), sigma_source=NONE | TEXT,
        per_observation=Anything("None or numbers", None), sigma=Anything("None or numbers", None), draws=NONE | Whole(),
        notes=Several(TEXT, 0), details=NONE | Map(Anything("anything", 1)),
    )  # fmt: skip
    def __new__(
        cls,
        value: float,
        method: str,
        *,
        se: float | None = None,
        per_observation: np.ndarray | None = None,
        sigma: Any = None,
        sigma_source: str | None = None,
        draws: int | None = None,
        notes: tuple[str, ...] = (),
        details: dict[str, Any] | None = None,
    ) -> DegreesOfFreedom:
        """See the class."""
        value, se = _number(value, "value"), None if se is None else _number(se, "se")
        for name, given in (("per_observation", per_observation), ("sigma", sigma)):
            if given is not None:
                _NUMBERS.check(given, name)
        self = super().__new__(cls, value)
        self.method = method
        self.se = se
        self.per_observation = per_observation
        self.sigma = sigma
        self.sigma_source = sigma_source
        self.draws = draws
        self.notes = tuple(notes)
        self.details = dict(details or {})
        return self

    @property
    def parts(self) -> dict[str, float]:
        """What adds up to the value: "local", by derivatives at the fit ("jacobian"), and "search", the rest.

        The rest is what choice among optima costs (Ye 1998; Tibshirani 2015, Statistica Sinica 25:1265), less what an early
        stop saves. Of methods that refit; others are local altogether.
        """
        near = self.details.get("local", float(self))
        return {"local": near, "search": float(self) - near}

    def __getnewargs_ex__(self) -> tuple[tuple[float, str], dict[str, Any]]:
        """Arguments of `__new__`, for copies and pickles."""
        names = ("se", "per_observation", "sigma", "sigma_source", "draws", "notes", "details")
        return (float(self), self.method), {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        error = "" if self.se is None else f" (se {self.se:.2g})"
        parts = [self.method]
        if self.draws is not None:
            parts.append(f"{self.draws} draws")
        if self.sigma is not None:
            size = ", ".join(f"{s:.4g}" for s in np.unique(np.atleast_1d(self.sigma))[:4])
            parts.append(f"sigma {size}" + ("" if self.sigma_source is None else f" {self.sigma_source}"))
        return f"{float(self):.4g}{error} df [{'; '.join(parts)}]"

    __str__ = float.__repr__  # as a number, so that tables and f-strings stay numbers


def averaged(members: list[DegreesOfFreedom]) -> DegreesOfFreedom:
    """Degrees of freedom of the mean of several fits: the mean of theirs, since the divergence is linear."""
    if len(members) == 1:
        return members[0]
    first = members[0]
    parts = [m.per_observation for m in members if m.per_observation is not None]
    mean = np.mean(parts, axis=0) if len(parts) == len(members) else None
    errors = [m.se for m in members if m.se is not None]
    details: dict[str, Any] = {"members": [float(m) for m in members]}
    for key in first.details:
        details[key] = [m.details[key] for m in members]
    return DegreesOfFreedom(
        float(np.mean([float(m) for m in members])), first.method,
        se=float(np.sqrt(np.sum(np.square(errors))) / len(members)) if errors else None,
        per_observation=mean, sigma=first.sigma, sigma_source=first.sigma_source, draws=first.draws,
        notes=tuple(dict.fromkeys(note for m in members for note in m.notes)), details=details,
    )  # fmt: skip
