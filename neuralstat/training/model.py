"""A model before it is fitted: settings from arguments, a design from data, a network from both."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .. import formula as formulas
from ..checks import check_size
from ..cluster import ClusterDesign, active_client, cluster_design
from ..errors import ArgumentError, DataError, FitWarning, caller
from ..families import Distributional, Family, Ordinal, Survival, needs, resolve_objective
from ..formula import Design
from ..formula.outofcore import partitioned_design
from ..formula.rcompat import string_classes
from ..formula.sequences import as_table, brought
from ..layers import Dense
from ..network.expand import expanded
from ..network.network import Network, dense_network
from ..network.objective import ActivationSpec, resolve_activation
from ..network.scaling import scaled_constants
from . import surv
from .elsewhere import check_settings, check_terms
from .graph_inputs import activated, inputs_of
from .parameters import by_parameter, held_out, output_names, reads_inputs, with_known
from .settings import Settings
from .structured import has_towers, towered_network
from .words import hint

OF_OUTPUTS = ("identity", "logistic", "softmax")  # activations that output layers have
#: Settings that a design depends on
OF_DESIGN = ("weights", "freq_weights", "var_weights", "offset", "groups", "missing", "standardize", "err_fct", "family",
             "linear_output", "compat", "exclude", "constant_weights", "dispformula", "scale")  # fmt: skip


def merge_settings(base: Settings, given: Mapping[str, Any]) -> Settings:
    """Settings with some replaced.

    Raises
    ------
    ArgumentError
        For unknown names, with the one that may be meant, and for values that are not usable.
    DeviceError
        Where the device is not there.
    """
    unknown = [name for name in given if name not in Settings.names()]
    if unknown:
        raise ArgumentError(f"unknown argument {unknown[0]!r}.{hint(unknown[0], Settings.names())}")
    settings = replace(base, **given)
    if settings.device != "cpu":
        from ..engine.cuda import find_device

        find_device(settings.device)
    return settings


@dataclass(frozen=True, eq=False)
class Source:
    """Where a design comes from: a formula and data, or arrays.

    Attributes
    ----------
    formula : str or None
    data : table, or the response where there is no formula
    exog : array, where there is no formula
    context : mapping, optional
        Further names for the formula.
    said : set of str
        Warnings that were given, and are not given again for another design of the same data.
    brought : str or None
        The column of the weights that batches of the data brought.
    """

    formula: str | None
    data: Any
    exog: Any = None
    context: Mapping[str, Any] | None = None
    said: set[str] = field(default_factory=set, repr=False)
    brought: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.formula is not None and not (formulas.is_dask(self.data) and active_client() is not None):
            made = as_table(self.formula, self.data)
            object.__setattr__(self, "brought", brought(self.data, made))
            object.__setattr__(self, "data", made)

    def weighed(self, settings: Settings) -> Settings:
        """Settings with the weights that batches of the data brought.

        Raises
        ------
        ArgumentError
            Where others were given.
        """
        if self.brought is None:
            return settings
        given = next((name for name in ("weights", "var_weights") if getattr(settings, name) is not None), None)
        if given is not None:
            raise ArgumentError(f"{given}: the batches (x, y, weights) of the data bring weights; give them there alone.")
        return replace(settings, weights=self.brought)

    def design(self, settings: Settings) -> Design:
        """The design that settings ask for."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            made = self._design(settings)
        for warning in caught:
            if str(warning.message) not in self.said:
                self.said.add(str(warning.message))
                warnings.warn(warning.message, stacklevel=caller())
        return made

    def _design(self, settings: Settings) -> Design:
        family = settings.distribution
        options: dict[str, Any] = {
            "weights": settings.weights,
            "freq_weights": settings.freq_weights,
            "var_weights": settings.var_weights,
            "offset": settings.offset,
            "groups": settings.groups,
            "missing": settings.missing,
            "standardize": settings.scaled,
            "scale_response": bool(settings.scaled) and scalable_response(settings),
            "err_needs": needs(settings.err_fct, family),
            "factor_outputs": "binary" if family is not None and family.kin == "binomial" else "all",
        }
        design = self._arrays(options) if self.formula is None else self._formula(self.formula, settings, options)
        if design.groups is not None and design.n_groups < 2:
            raise DataError("groups: all rows used are of one cluster; standard errors and folds by clusters need 2 or more.")
        held = settings.exclude is not None or not all(getattr(k, "use_bias", True) for k in settings.layers or ())
        if settings.scaled == "auto" and held and not _holdable(design, settings):
            return self._design(replace(settings, standardize=False))
        if family is not None and family.name == "multinomial" and len(design.y_names) < 2:
            raise DataError(
                f"response {design.response!r}: family='multinomial' needs a factor, or several responses (counts or "
                "proportions of the classes)."
            )
        if not isinstance(family, Distributional):
            return design
        _check_response(design, family)
        make = functools.partial(self._formula, settings=settings, options=options)
        return with_known(by_parameter(design, self.formula, family, settings.dispformula, make), family)

    def _arrays(self, options: dict[str, Any]) -> Design:
        return formulas.from_arrays(self.data, self.exog, **options)

    def _survival(self, formula: str, settings: Settings, options: dict[str, Any]) -> Design:
        """The design of Surv() on the left."""
        if not isinstance(settings.distribution, Survival):
            raise ArgumentError("formula: Surv() needs a survival family, as 'cox', 'weibull' or 'piecewise_exponential'.")
        made = self._formula(surv.as_rows(formula), settings, options)
        response = formula.partition("~")[0].strip()
        made = replace(made, response=response)
        surv.check_events(made)
        return surv.told(made, settings.distribution.targets(made.y))

    def _formula(self, formula: str, settings: Settings, options: dict[str, Any]) -> Design:
        if surv.terms_of(formula) is not None:
            return self._survival(formula, settings, options)
        data = self.data
        if formulas.is_dask(data):  # it was left where it is
            client = active_client()
            if client is None:
                raise DataError("the Dask client that was active when this model was made is closed: make it anew, with one.")
            check_settings(settings)
            check_terms(formula, [str(name) for name in data.columns], self.context)
            return cluster_design(formula, data, client, context=self.context, **options)
        parts = formulas.as_partitions(data)
        if settings.compat == "R":
            if parts is not None:
                parts = parts.map(functools.partial(string_classes, formula))
            else:
                data = string_classes(formula, data)
        if parts is None:
            return formulas.design(formula, data, context=self.context, **options)
        return partitioned_design(formula, parts, context=self.context, **options)


def _check_response(design: Design, family: Distributional) -> None:
    """Raise DataError where the response is none of the distribution."""
    if isinstance(family, Ordinal):
        kinds = tuple(design.spec.response_kinds.values())
        if design.classes is None or not all(kind.ordered for kind in kinds):
            raise DataError(
                f"response {design.response!r}: family='ordinal' needs an ordered Categorical, whose order is the levels'; "
                "as pandas.Categorical(values, categories=[...], ordered=True)."
            )
    elif not isinstance(family, Survival) and (design.classes is not None or (len(design.y_names) > 1 and not family.joint)):
        raise DataError(f"response {design.response!r}: the family {family.name!r} needs one response of numbers.")
    if family.coupled and design.frequencies is not None:
        raise ArgumentError(
            f"freq_weights: with ties a row of the family {family.name!r} is not as many rows as it is often (Efron's "
            "method): repeat the rows, or give weights=, as in R's survival."
        )
    family.check(design.of_responses if isinstance(design, ClusterDesign) else design.y, design.response)


def _holdable(design: Design, settings: Settings) -> bool:
    """Whether weights that are held in original units can be held in the design's internal units, too."""
    if design.scaling is None:
        return True
    network = build_network(design, settings)
    free, constants = held_out(network, design, settings)
    try:
        scaled_constants(network, design.scaling, free, constants)
    except ArgumentError:
        return False
    return True


def scalable_response(settings: Settings) -> bool:
    """Whether the response may be centred and scaled: squared error of a linear output."""
    family = settings.distribution
    if isinstance(family, Distributional):
        return family.located and family.link.name == "identity"
    if family is not None:
        return family.name == "gaussian" and family.link.name == "identity"
    return isinstance(settings.err_fct, str) and settings.err_fct == "sse" and settings.linear_output


def build_network(design: Design, settings: Settings) -> Network:
    """The network that settings ask for on a design, without weights.

    Raises
    ------
    TooLargeError
        Where the memory at hand does not hold the weights.
    """
    made = _network(design, settings)
    check_size(made.n_params, f"a network of {made.n_params} weights")
    return made


def _network(design: Design, settings: Settings) -> Network:
    if has_towers(design):
        family = _family(design, settings)
        goal = resolve_objective(
            settings.err_fct, settings.linear_output, settings.output_act_fct, family, resolve_activation("identity"), None
        )
        return towered_network(design, settings, goal, output_names(design, family))
    if settings.layers is not None:
        return _layered_network(design, settings)
    activations = _hidden_activations(settings)
    first = activations[0] if activations else resolve_activation(
        settings.act_fct[0] if isinstance(settings.act_fct, list | tuple) and settings.act_fct else
        "logistic" if isinstance(settings.act_fct, list | tuple) else settings.act_fct)  # fmt: skip
    family = _family(design, settings)
    objective = resolve_objective(
        settings.err_fct, settings.linear_output, settings.output_act_fct, family, first, settings.compat
    )
    return dense_network(
        design.x.shape[0], settings.hidden, activations, objective, design.x_names, output_names(design, family),
        offset=design.offset is not None, skip=reads_inputs(design),
    )  # fmt: skip


def _family(design: Design, settings: Settings) -> Family | None:
    """The family of the settings, with what the response says."""
    family = settings.distribution
    return family.of_response(design.y, design.weights) if isinstance(family, Distributional) else family


def _hidden_activations(settings: Settings) -> list[ActivationSpec]:
    n = len(settings.hidden)
    given = settings.act_fct
    if isinstance(given, list | tuple):
        if len(given) != n:
            raise ArgumentError(f"act_fct has {len(given)} entries, but there are {n} hidden layers.")
        return [resolve_activation(a) for a in given]
    return [resolve_activation(given)] * n


def _layered_network(design: Design, settings: Settings) -> Network:
    """The network of ``layers=``: these, then the output layer that response and family imply.

    A last layer that is that output layer (as many units, its activation), as Keras' models end, is taken for it; not where
    several outputs describe a response.
    """
    family = _family(design, settings)
    if reads_inputs(design):
        raise ArgumentError("dispformula: formulas of covariates need hidden=; with layers= give True or '~ 1'.")
    names = output_names(design, family)
    objective = resolve_objective(
        settings.err_fct, settings.linear_output, settings.output_act_fct, family, resolve_activation("identity"), None
    )
    flat, entries = inputs_of(expanded(settings.layers), design)
    layers = activated(flat.layers)
    wires, output = list(flat.wires), Dense(len(names))
    if layers and not objective.several and is_output(layers[-1], len(names), objective.output.name):
        output = replace(output, name=layers.pop().name)
    elif wires:
        wires.append((len(layers) - 1,))
    shape = design.input_shape if not wires else entries[0].shape if len(entries) == 1 else (len(design.x),)
    return Network(
        (*layers, output), shape, objective, design.x_names, names, design.offset is not None,
        0 if wires else design.n_beside, wires=tuple(wires), entries=entries,
    )  # fmt: skip


def is_output(layer: Any, units: int, activation: str) -> bool:
    """Whether a layer is an output layer of so many units and this activation."""
    return type(layer) is Dense and layer.units == units and resolve_activation(layer.activation).name == activation


def warn_output_layer(network: Network, settings: Settings) -> None:
    """Warn where the last of ``layers=`` looks like an output layer, and another one stands behind it.

    Warns
    -----
    FitWarning
    """
    last = settings.layers[-1] if settings.layers else None
    if type(last) is not Dense or len(network.layers) == len(expanded(settings.layers).layers):
        return
    name, units = resolve_activation(last.activation).name, network.layers[-1].units
    implied = network.objective.output.name
    if name not in OF_OUTPUTS or (last.units != units and name == "identity"):
        return
    family = {"logistic": "binomial", "softmax": "multinomial"}.get(name)
    remedy = f", or give family={family!r}" if family is not None and settings.family is None else ""
    warnings.warn(
        f"layers end in Dense({last.units}, {name!r}), which is a hidden layer here: the output layer behind it, which the "
        f"response and the family imply, is Dense({units}, {implied!r}). If it was meant to be the output layer, leave it "
        f"out{remedy}.",
        FitWarning, stacklevel=caller(),
    )  # fmt: skip
