"""Networks as models of a study."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..checks import is_whole, shown
from ..checks.arguments import NONE, TEXT, Anything, Choice, Map, Whole, arguments
from ..errors import ArgumentError
from ..training.model import merge_settings
from ..training.settings import Settings
from ..training.validation import is_share
from .epochs import PreparedEpochs
from .fingerprint import text
from .netfits import PreparedNet
from .noise import Noise

REFUSED = ("weights", "freq_weights", "var_weights", "offset", "missing", "startweights", "callbacks", "checkpoint",
           "device", "dtype", "lifesign", "progress", "random_state", "n_jobs", "polish", "likelihood", "freeze",
           "lifesign_step", "augment", "class_weight")  # fmt: skip
COMBINE = Choice("best", "mean")
REFITS = Choice("fresh", "warm")
QUICK = ("lm", "bfgs", "lbfgs", "auto")  # algorithms that take a relative tolerance


@arguments(name=TEXT, size=Whole(0), settings=Map(Anything("a setting")), combine=COMBINE, kind=TEXT, refits=REFITS)
@dataclass(frozen=True, eq=False)
class Net:
    """A neural network as a model of a study; made by `net`.

    Attributes
    ----------
    name, kind : str
    size : int
        Hidden units.
    settings : dict
        Arguments of `neuralstat.neuralnet`.
    combine : {"best", "mean"}
    refits : {"fresh", "warm"}

    Examples
    --------
    >>> import neuralstat as ns
    >>> model = ns.study.net((4, 2), combine="mean")
    >>> type(model) is ns.study.Net, model.name, model.size, model.combine
    (True, 'net 4-2 mean', 6, 'mean')
    """

    name: str
    size: int
    settings: dict[str, Any] = field(default_factory=dict)
    combine: str = "best"
    kind: str = "net"
    refits: str = "fresh"

    def prepare(self, x: np.ndarray, columns: tuple[str, ...], restarts: int) -> PreparedNet | PreparedEpochs:
        """The network on a design (n, D)."""
        if self.by_epochs:
            return PreparedEpochs(self, x, self.networks(restarts))
        return PreparedNet(self, x, columns, self.networks(restarts))

    @property
    def by_epochs(self) -> bool:
        """Whether it is trained by minibatches."""
        return merge_settings(Settings(), self._plain).minibatch

    @property
    def _plain(self) -> dict[str, Any]:
        """Its settings, as one fit of one network has them."""
        return {**{k: v for k, v in self.settings.items() if k not in ("keep", "device")}, "rep": 1}

    def under(self, noise: Noise) -> Net:
        """The same model, fitted with the family of a noise that is not additive, unless it has a loss of its own."""
        if noise.additive or any(self.settings.get(name) is not None for name in ("family", "err_fct")):
            return self
        return replace(self, settings={**self.settings, "family": noise.family})

    def on(self, device: str) -> Net:
        """The same model, trained on another device."""
        return replace(self, settings={**self.settings, "device": device})

    def describe(self) -> str:
        """Text that names all settings."""
        return f"net({text(dict(sorted(self.settings.items())))}, combine={self.combine!r}, refits={self.refits!r})"

    def networks(self, restarts: int) -> int:
        """Networks per fit."""
        return int(self.settings.get("rep", restarts))


@arguments(hidden=Anything("units", 2, (3, 2)), combine=COMBINE, name=NONE | TEXT, refits=REFITS)
def net(
    hidden: Any = 1, *, combine: str = "best", name: str | None = None, refits: str = "fresh", **settings: Any
) -> Net:  # fmt: skip
    """A neural network for `study`.

    Parameters
    ----------
    hidden : int or sequence of int
        Hidden units; not used with `layers`.
    combine : {"best", "mean"}
        The fit is the restart of least error (among the converged ones, if any), or their mean.
    name : str, optional
        "net 10", or "net 10-5" for several layers, with the penalty, where not given.
    refits : {"fresh", "warm"}
        What refits of estimators begin with: new random starts, as many as the fit has; or the weights of the fit, once,
        which is three times as fast and leaves out the search. Estimates then fall: by 0.3 % of the prediction risk and
        less with a decay of 0.1, by 0.3 to 1 % with 0.01, by 1 to 5 % with 0.001, by 6 % and more without a penalty (means
        over networks of 2, 4, 8 units and three truths, standardised data: `benchmarks/study_speed.py --warm`). Without a
        penalty "warm" is of no use.
    **settings
        Arguments of `neuralstat.neuralnet` that belong to a fit: `act_fct`, `layers`, `family` (of the noise, where that
        has one and it is not given), `penalty`, `algorithm` (here "lm" unless given), `threshold`, `tol` (here 1e-6 with
        the optimizers that know it), `stepmax` (here 1000 with them), `standardize`, `init`, `exclude`, `keep` (of every
        replicate's restarts, this many go on after a trial), `rep` (restarts of this model, where they differ from the
        study's), ... By epochs (`algorithm` "adam", "sgd", ...) also `epochs`, `batch_size`, `early_stopping`, and
        `validation`, a share of the rows, which are any (their order is random) and are not trained on.

    Returns
    -------
    Net

    Raises
    ------
    ArgumentError
        For arguments that are not usable, or have no place in a study.

    Notes
    -----
    Restarts and replicates are trained as one stack; fits by epochs one after the other. These have no analytic degrees
    of freedom: criteria on refits ("cp:gdf", "coupled", "cv", ...) are for them.

    Examples
    --------
    >>> import neuralstat as ns
    >>> model = ns.study.net(3, algorithm="lm", penalty=ns.decay(0.01))
    >>> model.name, model.size
    ('net 3 decay(0.01)', 3)
    """
    wrong = [key for key in settings if key in REFUSED]
    if wrong:
        raise ArgumentError(
            f"net: {wrong[0]!r} has no place in a study (responses, start weights and threads are the study's)."
        )
    layered = settings.get("layers") is not None
    settings = {**({} if layered else {"hidden": hidden}), "algorithm": "lm", **settings}
    algorithm = settings["algorithm"]
    if (algorithm if isinstance(algorithm, str) else getattr(algorithm, "name", "")) in QUICK:
        settings = {"tol": 1e-6, "stepmax": 1000, **settings}
    keep: Any = settings.get("keep")
    checked = merge_settings(Settings(), {**settings, "rep": settings.get("rep", keep if is_whole(keep) and keep > 0 else 1)})
    if checked.validation is not None and not is_share(checked.validation):
        raise ArgumentError(f"net: validation must be a share of the rows in a study; got {shown(checked.validation)}.")
    units = [int(getattr(layer, "units", 0) or 0) for layer in checked.layers] if layered else list(checked.hidden)
    if name is None:
        words = "-".join(map(str, units)) or "0"
        name = "net " + ("-".join(type(layer).__name__.lower() for layer in checked.layers) if layered else words)
        if checked.penalty is not None:
            name += " " + " + ".join(str(part) for part in checked.penalty.parts)
        if combine == "mean":
            name += " mean"
    if refits == "warm" and (combine == "mean" or checked.minibatch):
        raise ArgumentError("net: refits='warm' is for the best of restarts that are trained on all observations at once.")
    return Net(name, int(sum(units)), settings, combine, refits=refits)
