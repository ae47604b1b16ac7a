"""Error functions and families: what a user names becomes an `Objective`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import ArgumentError
from .losses import CUSTOM, LOSSES
from .network import ActivationSpec, Objective, objective, resolve_activation

FAMILIES = {"gaussian": "sse", "binomial": "ce_logit", "multinomial": "multinomial"}

# Built-in activations whose values lie in (0, 1), as cross entropy needs.
_UNIT = {"logistic", "softmax"}


def needs(err_fct: Any, family: Any) -> str | None:
    """What the error function or family demands of the response (see `formula.design`)."""
    if family is not None:
        return {"binomial": "unit", "multinomial": "unit"}.get(family)
    return "binary" if err_fct == "ce" else None


def resolve_objective(
    err_fct: Any, linear_output: bool, output_act_fct: Any, family: Any, hidden_act: ActivationSpec, compat: str | None
) -> Objective:
    """The objective of a fit.

    Parameters
    ----------
    err_fct, linear_output, output_act_fct, family, compat
        As in `neuralstat.neuralnet`.
    hidden_act : ActivationSpec
        R looks at it to decide on its shortcut for cross entropy.

    Raises
    ------
    ArgumentError
        For unknown names, and for cross entropy of outputs that can leave (0, 1).
    """
    if isinstance(output_act_fct, str) or not callable(output_act_fct):
        resolve_activation(output_act_fct, "output_act_fct")  # checked even where it is not used
    if family is not None:
        if family not in FAMILIES:
            raise ArgumentError(f"family must be one of {', '.join(map(repr, FAMILIES))}; got {family!r}.")
        kind = LOSSES[FAMILIES[family]]
        return objective(FAMILIES[family], resolve_activation(kind.inverse_link))
    output = resolve_activation("identity" if linear_output else output_act_fct, "output_act_fct")
    if isinstance(err_fct, str):
        if err_fct == "sse":
            return objective("sse", output)
        if err_fct == "ce":
            return _cross_entropy(output, linear_output, hidden_act, compat)
        raise ArgumentError(f"err_fct: unknown error function {err_fct!r}. Known: 'sse', 'ce'; or a function err(x, y).")
    from .custom import Loss

    if isinstance(err_fct, Callable) and not isinstance(err_fct, Loss):  # type: ignore[arg-type]
        try:
            err_fct = Loss(err_fct)
        except ArgumentError as error:
            raise ArgumentError(f"err_fct: {error}") from error
    if not isinstance(err_fct, Loss):
        raise ArgumentError(f"err_fct must be 'sse', 'ce', a Loss or a function err(x, y), got {err_fct!r}.")
    return Objective(err_fct.name, CUSTOM, output, False, 0.0, err_fct.address, err_fct)


def _cross_entropy(output: ActivationSpec, linear: bool, hidden: ActivationSpec, compat: str | None) -> Objective:
    if compat == "R":  # R's shortcut looks at the hidden activation only
        if not linear and hidden.name == "logistic":
            return objective("ce_r", output)
        return objective("ce", output)
    if linear or (output.name not in _UNIT and output.custom is None):
        what = "linear outputs" if linear else f"{output.name} outputs"
        raise ArgumentError(
            f"err_fct='ce' needs outputs between 0 and 1, but {what} can leave that range: "
            "set linear_output=False and output_act_fct='logistic', or family='binomial'."
        )
    return objective("ce_logit" if output.name == "logistic" else "ce", output)
