"""The methods of `NeuralNetResults` that tell what its covariates do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from ..errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("pdp", "ice", "ale", "lek", "importance", "marginal")


class EffectsMixin:
    """Effects over all repetitions, with standard errors where they are defined."""

    def marginal_effects(self, at: str = "overall", method: str = "dydx", **options: Any) -> pd.DataFrame:
        """Average slopes and discrete changes; see `effects.marginal_effects`."""
        from . import marginal_effects

        return marginal_effects(self, at, method, **options)

    def partial_dependence(self, variable: str, grid: Any = 50, **options: Any) -> pd.DataFrame:
        """Mean prediction with one variable set to each value; see `effects.partial_dependence`."""
        from . import partial_dependence

        return partial_dependence(self, variable, grid, **options)

    def ice(self, variable: str, grid: Any = 50, **options: Any) -> pd.DataFrame:
        """Individual curves; see `effects.ice`."""
        from . import ice

        return ice(self, variable, grid, **options)

    def ale(self, variable: str, bins: Any = 20, **options: Any) -> pd.DataFrame:
        """Accumulated local effects; see `effects.ale`."""
        from . import ale

        return ale(self, variable, bins, **options)

    def importance(self, method: str = "permutation", **options: Any) -> pd.DataFrame:
        """Garson's, Olden's or permutation importance; see `effects.importance`."""
        from . import importance

        return importance(self, method, **options)

    def lek_profile(self, variable: str | None = None, grid: Any = 100, **options: Any) -> pd.DataFrame:
        """Profiles with the other variables at quantiles; see `effects.lek_profile`."""
        from . import lek_profile

        return lek_profile(self, variable, grid, **options)

    def plot_effects(self, variable: str | None = None, kind: str = "pdp", *, ax: Axes | None = None,
                     **options: Any) -> Axes:  # fmt: skip
        """Draw an effect.

        Parameters
        ----------
        variable : str, optional
            Needed by "pdp", "ice", "ale", "lek", unless there is one.
        kind : {"pdp", "ice", "ale", "lek", "importance", "marginal"}
        **options
            Of the effect.
        """
        from ..plots import effects as draw

        if kind not in KINDS:
            raise ArgumentError(f"kind must be one of {', '.join(map(repr, KINDS))}; got {kind!r}.")
        response = options.get("response") or self.design.response  # type: ignore[attr-defined]
        if kind == "importance":
            frame = self.importance(**options)
            return draw.plot_importance(frame, label="importance", ax=ax)
        if kind == "marginal":
            frame = self.marginal_effects(**options)
            return draw.plot_importance(frame, label=str(frame.columns[0]), ax=ax)
        known = self.design.spec.covariates  # type: ignore[attr-defined]
        if variable is None and len(known) == 1:
            variable = known[0]
        if variable is None:
            raise ArgumentError(f"plot_effects: which variable? One of {', '.join(map(repr, known))}.")
        if kind == "ice":
            return draw.plot_curves(self.ice(variable, **options), label=f"{response}", ax=ax)
        if kind == "lek":
            return draw.plot_lek(self.lek_profile(variable, **options), label=f"{response}", ax=ax)
        from .functional import covariate

        frame = self.ale(variable, **options) if kind == "ale" else self.partial_dependence(variable, **options)
        label = f"effect on {response}" if kind == "ale" else f"{response}"
        return draw.plot_profile(frame, label=label, rug=covariate(self, variable), ax=ax)  # type: ignore[arg-type]
