"""Calls with arguments that nobody means: campaigns of them, each call one line of text that repeats it.

`call(campaign, seed, number)` is the call of that number, the same in every process. What is called is found in the
package (methods of a fit, the names of `__all__`, what `checks.arguments` has in its table); what is right for an argument
comes from its kind's examples, else from `RIGHT`, by name.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import hostile
import numpy as np

import neuralstat as ns
from neuralstat.checks.arguments import DECLARED
from neuralstat.results import NeuralNetResults

# What is right for an argument of this name, and small, where no kind says it or its examples are large.
RIGHT: dict[str, tuple[str, ...]] = {
    "formula": ("'y ~ x'", "'y ~ x + g'"), "data": ("data()", "None"), "new": ("data()", "None"),
    "context": ("None", "{'q': 2}"), "endog": ("data()['y']", "np.arange(12.0)"),
    "exog": ("data()[['x', 'z']]", "np.ones((12, 2)) * np.arange(12.0)[:, None]"), "hidden": ("2", "(2, 1)", "0"),
    "layers": ("None", "[ns.layers.Dense(2, 'tanh')]"), "act_fct": ("'logistic'", "'tanh'"),
    "output_act_fct": ("'logistic'",), "err_fct": ("'sse'",),
    "family": ("None", "'gaussian'", "ns.families.Gaussian()"), "exclude": ("None", "[1]"),
    "constant_weights": ("None",), "algorithm": ("'rprop+'", "'lm'", "'adam'"), "threshold": ("0.5",),
    "stepmax": ("20",), "rep": ("1", "'best'", "'mean'"), "startweights": ("None",), "learningrate": ("None",),
    "learningrate_limit": ("(1e-10, 0.1)",), "learningrate_factor": ("(0.5, 1.2)",),
    "penalty": ("ns.decay(0.1)", "None"), "weights": ("None", "'w'"), "freq_weights": ("None", "'k'"),
    "var_weights": ("None",), "offset": ("None", "'z'"), "standardize": ("'auto'",), "random_state": ("1",),
    "n_jobs": ("None", "1"), "keep": ("None",), "epochs": ("1",), "batch_size": ("6",),
    "early_stopping": ("None", "ns.EarlyStopping(1)"), "callbacks": ("None",), "checkpoint": ("None",),
    "freeze": ("None",), "device": ("'cpu'",), "progress": ("False",), "draws": ("3",), "repeats": ("1",), "k": ("3",),
    "bootstrap": ("0", "3"), "starts": ("1", "None"), "inner_draws": ("2",), "restarts": ("1", "'same'"),
    "points": ("7",), "replicates": ("2",), "population": ("5",), "generations": ("2",), "steps": ("3",), "n": ("12",),
    "generator": ("None",), "fit": ("fit('gaussian')", "fit('epochs')", "fit('multinomial')"),
    "fit_or_model": ("fit('gaussian')",), "loss": ("None",), "variable": ("'x'",), "variables": ("None", "['x']"),
    "covariate": ("'x'",), "response": ("None", "'y'"), "grid": ("None", "5"), "bins": ("None", "3"),
    "quantiles": ("(0.2, 0.8)",), "layer": ("'conv2d'", "'dense'"), "filter": ("0",), "channel": ("None",),
    "crit": ("'aic'",), "path": ("'x.npz'",), "folder": ("'x'",), "source": ("data()", "'best'"),
    "restricted": ("fit('smaller')",), "fits": ("fit('gaussian')",), "size": ("5", "(4, 4)"), "width": ("4",),
    "length": ("3",), "sequences": ("[[1, 2], [3]]",), "y": ("np.arange(12.0)", "None"),
    "x": ("np.arange(12.0)", "None"), "fitted": ("np.arange(12.0)",), "sigma": ("1.0", "None"),
    "values": ("np.arange(12.0)",), "table": ("data()[['x', 'z']]",), "labels": ("None",), "images": ("arrays()['p']",),
    "saliency": ("arrays()['p']",), "curves": ("np.ones((5, 2))",), "mean": ("np.ones(5)", "None"),
    "errors": ("[1.0, 2.0]",), "traces": ("[([1, 2], [3.0, 1.0])]",), "converged": ("None", "[True, False]"),
    "history": ("fit('epochs').history",), "spectrum": ("fit('gaussian').hessian_spectrum()",), "x_names": ("['x']",),
    "y_names": ("['y']",), "name": ("'x'",), "input_shape": ("(4, 4, 1)",), "procedure": ("lambda y: 0.5 * y",),
    "models": ("ns.study.net(1, stepmax=20)", "[ns.study.bs(4)]"), "truth": ("'doppler'",), "noise": ("0.1",),
    "estimators": ("('training',)", "['cp']"), "chunk": ("None",), "f": ("lambda x: x",),
    "slope": ("None", "lambda x: 1.0"), "curvature": ("None",), "lam": ("0.1",), "l1": ("0.1",), "l2": ("0.1",),
    "terms": ("None",), "biases": ("True",), "arrays": ("{'x': np.ones(3)}",), "function": ("lambda x: x",),
    "target": ("None", "0", "'y'"), "max_bytes": ("10**6",), "units": ("2",), "activation": ("None", "'relu'"),
    "kernel_size": ("3",), "filters": ("2",), "strides": ("1",), "padding": ("'valid'",), "pool_size": ("2",),
    "target_shape": ("(4, 4)",), "rate": ("0.5",), "input_dim": ("5",), "output_dim": ("2",),
    "scale": ("None", "1.0", "'link'"), "ax": ("None", "axes()"), "df": ("None", "2.0"),
    "cov_type": ("None", "'hessian'", "'sandwich'"), "alpha": ("0.1",), "method": (), "kind": (), "type": (), "at": (),
    "method_name": (), "settings": ("{}",), "options": ("{}",), "tables": ("lambda: [data()]",), "what": ("'x'",),
    "value": ("1.0",), "frame": ("data()",), "designs": ("{}",), "design": ("None",), "combine": ("'best'",),
    "size_": ("3",), "degree": ("1",), "columns": ("None",), "sd": ("0.1",), "given": ("'gaussian'",),
    "link": ("None", "'log'"), "boundaries": ("(2.0,)",), "rows": ("4",), "criterion": ("'aic'", "'cv'"),
    "inputs": ("False", "True"), "decay": ("None", "[0.1]"), "predictions": ("np.eye(3)[:, :2]",),
    "class_index": ("'x.json'",), "image": ("np.zeros((4, 4))",), "groups": ("None", "'g'"), "folds": ("None",),
    "stratify": ("False",), "test_size": ("0.3",), "classes": ("3",), "blocks": ("[(1, 2)]",), "dense": ("[2]",),
    "head": ("ns.layers.Dense(2)",), "augment": ("None",), "validation": ("None", "0.25"), "class_weight": ("None",),
    "hidden_act": ("None",), "test": ("None",), "max_units": ("8",), "band": ("None",), "outer": ("None",),
    "random": ("1",), "initial_rate": ("0.1",), "max_rate": ("0.1",), "learning_rate": ("0.1",), "monitor": ("None",),
    "image_size": ("4",), "argv": ("['version']",), "X": ("data()[['x', 'z']]",), "sample_weight": ("None",),
    "input_name": ("'x'",), "index": ("0",),
}  # fmt: skip
# Always given, small, unless an argument of the call is something else: what would take long by itself.
ALWAYS = {
    "draws", "repeats", "k", "inner_draws", "replicates", "population", "generations", "steps", "stepmax", "points",
    "n", "restarts", "size", "threshold", "random_state", "noise", "estimators", "max_units", "input_shape",
}  # fmt: skip
# Right for a function, where its argument is not what others call so.
OF = {
    **{(start, name): ("None",) for start in ("ns.neuralnet", "ns.NeuralNet", "ns.select", "ns.study.net", "fit(")
       for name in ("tol", "keep", "compat", "learningrate", "class_weight")},
    ("fit('gaussian').plot_effects", "variable"): ("'x'",), ("fit('arrays')", "covariate"): ("'x1'",),
    ("fit('arrays').replace_head", "data"): ("(np.arange(12.0), np.ones((12, 2)))",),
    ("fit('arrays').update", "data"): ("None",), ("fit('arrays')", "variable"): ("'x1'",),
    ("fit('arrays')", "new"): ("np.ones((5, 2))", "None"), ("fit('epochs')", "variable"): ("'p'",),
    ("fit('epochs')", "covariate"): ("'p[0,0,0]'",), ("fit('gaussian')", "layer"): ("'dense'",),
    ("fit('multinomial')", "layer"): ("'dense'",), ("fit('arrays')", "layer"): ("'dense'",),
    ("fit('multinomial')", "response"): ("None", "'a'"), ("fit('binomial')", "response"): ("None", "'h'"),
    ("fit('epochs')", "layer"): ("'conv2d'", "'dense'"), ("fit", "restarts"): ("'same'",),
    ("ns.study.study", "restarts"): ("1", "None"), ("ns.study.estimator", "restarts"): ("'same'",),
    ("fit('multinomial')", "restricted"): ("fit('multinomial')",),
    ("fit('binomial')", "restricted"): ("fit('binomial')",), ("fit", "source"): ("'best'", "1"),
    ("ns.anova", "restarts"): ("None",), ("ns.risk", "restarts"): ("'same'",), ("fit", "draws"): ("19", "20"),
    ("ns.families", "given"): ("'gaussian'",), ("ns.insight", "type"): ("'response'",),
    ("ns.elimination", "scale"): ("1.0",), ("ns.families.resolve_link", "given"): ("'log'",),
    ("ns.Loss", "f"): ("lambda x, y: (x - y)**2",), ("ns.Loss", "slope"): ("None", "lambda x, y: x"),
    ("ns.neuralnet", "layers"): ("None",), ("ns.NeuralNet", "layers"): ("None",),
    ("ns.NeuralNet", "weights"): ("None",), ("ns.NeuralNet", "freq_weights"): ("None",),
    ("ns.NeuralNet", "offset"): ("None",), ("ns.select", "layers"): ("None",), ("ns.neuralnet", "data"): ("data()",),
    ("ns.NeuralNet", "data"): ("data()",), ("ns.select", "data"): ("data()",),
    ("ns.neuralnet", "algorithm"): ("'rprop+'", "'lm'", "'auto'"), ("ns.NeuralNet", "algorithm"): ("'rprop+'", "'lm'"),
    ("ns.nonlinearity_test", "data"): ("data()",), ("ns.select", "algorithm"): ("'rprop+'", "'lm'"),
    ("ns.study", "algorithm"): ("'rprop+'",), ("fit('gaussian')", "algorithm"): ("'lm'", "'rprop+'"),
    ("fit('multinomial')", "algorithm"): ("'rprop+'",), ("fit('binomial')", "algorithm"): ("'auto'",),
    ("fit('arrays')", "algorithm"): ("'rprop+'",), ("fit('epochs')", "algorithm"): ("'adam'",),
    ("fit('epochs')", "data"): ("arrays()",), ("fit", "data"): ("data()", "None"),
    ("ns.anova", "fits"): ("fit('gaussian'), fit('smaller')",), ("ns.insight", "new"): ("arrays()",),
    ("ns.plots", "grid"): ("np.arange(5.0)",), ("ns.plots", "y"): ("np.arange(5.0)",),
    ("ns.plots", "x"): ("np.arange(5.0)",), ("ns.plots", "fitted"): ("np.arange(5.0)",),
    ("ns.plots.plot_layers", "table"): ("fit('epochs').layer_table",),
    ("ns.plots.plot_network", "weights"): ("[np.ones((2, 1))]",), ("ns.plots.plot_confusion", "table"): ("np.eye(2)",),
    ("ns.plots", "scale"): ("1.0",), ("ns.insight", "fit"): ("fit('epochs')",),
    ("ns.insight.filters", "layer"): ("'conv2d'",), ("ns.insight.feature_maps", "layer"): ("'conv2d'",),
    ("ns.select", "rep"): ("1",), ("ns.study", "n"): ("12",), ("ns.study", "rep"): ("1",), ("ns.study", "size"): ("4",),
    ("ns.datasets", "scale"): ("True",), ("ns.neuralnet", "rep"): ("1", "2"), ("ns.NeuralNet", "rep"): ("1",),
    ("ns.study", "x"): ("None", "lambda rng, n: rng.uniform(size=n)"), ("ns.study", "target"): ("'same_x'",),
    ("ns.study", "kind"): ("'t'",), ("ns.study", "df"): ("5.0",), ("ns.study", "link"): ("None",),
    ("ns.study", "criterion"): ("'aic'",), ("ns.study", "models"): ("[ns.study.bs(4)]",),
    ("ns.gdf", "y"): ("np.arange(12.0)",), ("fit", "rep"): ("1", "'best'"),
    ("ns.schedules", "steps"): ("5.0",), ("ns.augment", "scale"): ("1.0",),
    ("fit('epochs')", "new"): ("arrays()", "None"), ("ns.families", "parameter"): ("0.0",),
    ("ns.layers", "rate"): ("0.5",), ("fit", "path"): ("'x.nst'",), ("ns.applications", "classes"): ("3",),
    ("ns.applications", "input_shape"): ("(32, 32, 3)",),
    ("ns.applications", "layers"): ("[ns.layers.Flatten()]",),
    ("ns.nonlinearity_test", "test"): ("'terasvirta'", "'white'"), ("ns.augment", "steps"): ("1",),
    ("ns.chunks", "source"): ("[data()]",), ("ns.kaplan_meier", "data"): ("data()",),
    ("ns.kaplan_meier", "weights"): ("None", "'w'"), ("fit('survival')", "times"): ("None", "[0.5, 1.0]"),
    ("fit('survival')", "new"): ("data()", "None"), ("ns.kaplan_meier('Surv", "times"): ("[0.5, 1.0]",),
}  # fmt: skip
# Requests for that much work, by text of the value: what is meant by it cannot be told from a mistake.
WORK = {
    ("n", "10**7 + 1"), ("hidden", "10**7 + 1"), ("stepmax", "2**31 - 1"), ("stepmax", "10**7 + 1"),
    ("epochs", "2**31 - 1"), ("epochs", "10**7 + 1"), ("steps", "10**7 + 1"),
}  # fmt: skip
# Functions with **options: what the options are, and what has to be given with them.
PLAIN: tuple[tuple[str, dict[str, str]], ...] = (("api.neuralnet", {}),)
OPTIONS: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "ale": (("effects.ale", {}),), "compare_lr_test": (("inference.nested.compare_lr_test", {}),),
    "ice": (("effects.ice", {}),), "coverage": (("inference.coverage.coverage", {}),),
    "criteria": (("", {}), ("df.DF['gdf']", {"df": "'gdf'"})),
    "df": (("", {}), *((f"df.DF[{m!r}]", {"method": repr(m)}) for m in ("gdf", "covariance", "sure"))),
    "get_prediction": (("inference.get_prediction.get_prediction", {}),), "gwplot": (("plots.gwplot", {}),),
    "importance": (("effects.importance", {}),), "lek_profile": (("effects.lek_profile", {}),),
    "marginal_effects": (("effects.marginal_effects", {}),),
    "partial_dependence": (("effects.partial_dependence", {}),),
    "plot": (("plots.plot_network", {}), ("plots.plot_layers", {})),
    "plot_diagnostics": (("plots.plot_diagnostics", {}),),
    "plot_effects": (("effects.partial_dependence", {}), ("effects.ale", {"kind": "'ale'"}),
                     ("effects.ice", {"kind": "'ice'"})),
    "plot_survival": (("plots.plot_survival", {}),), "plot_calibration": (("plots.plot_calibration", {}),),
    "plot_error": (("plots.plot_error", {}),), "plot_fit": (("plots.results.plot_fit", {}),),
    "plot_restarts": (("plots.plot_restarts", {}),), "replace_head": PLAIN, "update": PLAIN, "procedure": PLAIN,
    "fit": PLAIN, "NeuralNet": PLAIN, "from_formula": PLAIN, "select": PLAIN, "net": PLAIN,
    "stability": (("inference.wald.stability", {}),), "term_tests": (("inference.term_tests.term_tests", {}),),
    "wald_test_terms": (("inference.wald.wald_test_terms", {}),),
    "anova": (("inference.nested.compare_lr_test", {"test": "'lr'"}), ("", {})),
    "risk": tuple((f"assessment.RISK[{m!r}]", {"method": repr(m)})
                  for m in ("cv", "bootstrap", "632", "632+", "holdout", "cp", "gcv", "sure", "nested_cv", "loo",
                            "alo", "coupled", "rcp", "rcp+", "thinning", "aic", "aicc")),
    "estimator": tuple((f"assessment.RISK[{m!r}]", {"method": repr(m)}) for m in ("cv", "holdout", "cp")),
}  # fmt: skip
# Objects with methods beside fits.
OBJECTS = (
    "ns.risk(fit('gaussian'), 'holdout', repeats=2, random_state=1)", "fit('gaussian').get_prediction()",
    "fit('multinomial').get_prediction()",
    "fit('gaussian').get_influence()", "fit('gaussian').df()", "fit('gaussian').summary()",
    "fit('gaussian').wald_test_terms()",
    "fit('gaussian').confidence_interval()", "fit('gaussian').compare_lr_test(fit('smaller'))", "chosen()", "studied()",
    "ns.nonlinearity_test('y ~ x', data())", "ns.chunks([data()], rows=5)", "ns.schedules.Performance(0.1)",
    "ns.NeuralNet.from_formula('y ~ x', data(), stepmax=20)", "fit('gaussian').compute(data())",
    "ns.kaplan_meier('Surv(w, h) ~ g', data())",
    "fit('survival').concordance()",
)  # fmt: skip
# Public, and not called with hostile arguments, each with its reason.
EXEMPT = {
    "ns.NeuralNetResults": "made by fits, not by hand",
    "ns.weights.WeightFile": "made by read_weights",
    "ns.study.StudyResult": "made by study",
    "ns.insight.Attack": "made by one_pixel_attack",
    "ns.insight.Maximised": "made by maximise_filter",
    "ns.augment.change_rows": "for rooms above: called by a fit, with its own arrays",
    "ns.families.family_from_json": "for rooms above: reads what a fit wrote",
    "ns.families.needs": "for rooms above: arguments that are checked",
    "ns.families.resolve_objective": "for rooms above: arguments that are checked",
    "ns.families.Link": "the base of links",
    "ns.families.Family": "the base of families",
    "ns.study.resolve_models": "for rooms above: called by study, which says the same",
    "ns.schedules.Performance(0.1).at": "for `rates`: an array of steps",
    "ns.NeuralNet.from_formula('y ~ x', data(), stepmax=20).network": "for rooms above: settings that are made by fits",
}


class Argument(NamedTuple):
    """How an argument is given ("first" by position or name, "named", "all" the rest), whether it must be, what is right."""

    how: str
    needed: bool
    right: tuple[str, ...]


class Target(NamedTuple):
    """What can be called."""

    text: str
    arguments: Mapping[str, Argument]


class Call(NamedTuple):
    """A call: its text, and which of the arguments are hostile."""

    target: str
    positional: tuple[str, ...]
    named: Mapping[str, str]
    odd: tuple[str, ...]

    @property
    def text(self) -> str:
        """Python that makes the call (names are those of `hostile.NAMES`)."""
        return f"{self.target}({', '.join([*self.positional, *(f'{k}={v}' for k, v in self.named.items())])})"


def _resolved(path: str) -> Any:
    """An object of the package by its path below it, with an index as in `df.DF['gdf']`."""
    path, _, item = path.partition("[")
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(f"neuralstat.{module}"), name)
    return found[item.strip("']")] if item else found


def import_all() -> None:
    """Import every module of the package, so that all that is declared is in the table."""
    for module in pkgutil.walk_packages(ns.__path__, "neuralstat."):
        if ".cuda" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


@functools.cache
def _declared() -> dict[Any, str]:
    import_all()
    keys = {}
    for key, declared in DECLARED.items():
        keys[declared.function] = key
        keys[inspect.unwrap(declared.function)] = key
    return keys


def _literal(thing: Any) -> str | None:
    """The text of a plain value."""
    if thing is None or isinstance(thing, bool | int | str):
        return repr(thing)
    if isinstance(thing, float):
        return repr(thing)
    if isinstance(thing, tuple | list) and all(_literal(item) for item in thing):
        return repr(thing)
    return None


def _right(text: str, name: str, key: str | None, default: Any) -> tuple[str, ...]:
    for (start, argument), right in OF.items():
        if argument == name and text.startswith(start):
            return right
    found: list[str] = list(RIGHT.get(name, ()))
    if key is not None and name in DECLARED[key].kinds and name not in ALWAYS:
        for number, thing in enumerate(DECLARED[key].kinds[name].examples):
            found.append(_literal(thing) or f"example({key!r}, {name!r}, {number})")
    if not found and default is not inspect.Parameter.empty and (literal := _literal(default)):
        found.append(literal)
    return tuple(found)


def target(text: str, function: Any, *, method: bool = False) -> list[Target]:
    """A callable with its arguments; several, where its options depend on another argument."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return []
    key = _declared().get(function) or _declared().get(inspect.unwrap(function))
    parameters = list(signature.parameters.values())
    if method and parameters and parameters[0].name == "self":
        parameters = parameters[1:]
    own: dict[str, Argument] = {}
    for p in parameters:
        if p.kind is not p.VAR_KEYWORD:
            how = "all" if p.kind is p.VAR_POSITIONAL else "named" if p.kind is p.KEYWORD_ONLY else "first"
            own[p.name] = Argument(how, p.default is p.empty and how != "named", _right(text, p.name, key, p.default))
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        return [Target(text, own)] if own else []
    found = []
    for path, given in OPTIONS.get(text.rpartition(".")[2], (("", {}),)):
        every = dict(own)
        if path:
            inner = _resolved(path)
            inner_key = _declared().get(inner) or _declared().get(inspect.unwrap(inner))
            for p in inspect.signature(inner).parameters.values():
                if p.name not in (*own, *INNER) and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
                    every[p.name] = Argument("named", False, _right(text, p.name, inner_key, p.default))
        for name, right in given.items():
            every[name] = Argument("named", True, (right,))
        found += [Target(text, every)] if every else []
    return found


INNER = ("fit", "fitted", "procedure", "loss", "large", "small", "formula", "data", "unknown", "traces", "self")


@functools.cache
def fit_targets() -> list[Target]:
    """The ways to fit."""
    ways = ("ns.neuralnet", "ns.neuralnet", "ns.neuralnet", "ns.NeuralNet.from_formula", "ns.NeuralNet")
    return [t for text in ways for t in target(text, hostile.value(text))]


@functools.cache
def method_targets() -> list[Target]:
    """Methods of fits of several kinds."""
    found: list[Target] = []
    for name in hostile.FITS:
        for method in dir(NeuralNetResults):
            static = inspect.getattr_static(NeuralNetResults, method)
            if not method.startswith("_") and not isinstance(static, property):
                found += target(f"fit({name!r}).{method}", getattr(NeuralNetResults, method), method=True)
    return found


def names_of(module: Any) -> list[str]:
    """What a public module has for others: its `__all__`, else what is defined there."""
    own = [k for k, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__ and not k.startswith("_")]
    return list(getattr(module, "__all__", own))


@functools.cache
def function_targets() -> list[Target]:
    """Functions and classes of `__all__` there and in public modules, and methods of what calls return."""
    found: list[Target] = []
    for name in ns.__all__:
        thing = getattr(ns, name)
        if not inspect.ismodule(thing):
            found += target(f"ns.{name}", thing)
        elif name != "errors":
            members = [(inner, getattr(thing, inner)) for inner in names_of(thing)]
            found += [t for inner, member in members if callable(member) for t in target(f"ns.{name}.{inner}", member)]
    for text in OBJECTS:
        kind = type(hostile.value(text))
        for method in dir(kind):
            static = inspect.getattr_static(kind, method)
            own = getattr(inspect.unwrap(getattr(kind, method)), "__module__", "") or ""
            plain = callable(getattr(kind, method)) and not isinstance(static, property)
            if plain and not method.startswith("_") and own.startswith("neuralstat"):
                found += target(f"{text}.{method}", getattr(kind, method), method=True)
    return [t for t in found if t.text not in EXEMPT]


def pick(draw: np.random.Generator, texts: Any) -> Any:
    """One of several."""
    return texts[int(draw.integers(len(texts)))]


def hostile_text(draw: np.random.Generator, right: tuple[str, ...]) -> str:
    """A value that is not meant: of the pool, or a right one in a wrong place or wrapping."""
    chance = draw.random()
    if chance < 0.6 or not right:
        return pick(draw, pick(draw, hostile.POOL))
    if chance < 0.7:
        return pick(draw, pick(draw, list(RIGHT.values())) or ("None",))
    text = pick(draw, right)
    if chance < 0.85:  # right by itself, and rarely given
        return text
    return pick(draw, hostile.WRAPPED).replace("{}", text) if "lambda" not in text else f"[{text}]"


# Given in a quarter of the calls that can be by epochs; else what belongs to epochs is not given.
BY_EPOCHS = {"algorithm": "'adam'", "epochs": "1", "batch_size": "6"}
OF_EPOCHS = ("epochs", "batch_size", "shuffle", "validation", "early_stopping", "augment", "callbacks", "class_weight",
    "freeze",
    "checkpoint")


def call_of(draw: np.random.Generator, chosen: Target, often: float = 0.2) -> Call:
    """A call with one to three hostile arguments."""
    by_epochs = draw.random() < 0.25
    names = list(chosen.arguments)
    count = min(1 + int(draw.choice(3, p=(0.6, 0.3, 0.1))), len(names))
    odd = {names[i] for i in draw.choice(len(names), count, replace=False)}
    positional: list[str] = []
    named: dict[str, str] = {}
    skipped = False
    for name, (how, needed, right) in chosen.arguments.items():
        if name in odd:
            text = hostile_text(draw, right)
            if (name, text) in WORK:
                text = "-1"
        elif "epochs" in chosen.arguments and name in BY_EPOCHS and by_epochs:
            text = BY_EPOCHS[name]
        elif name in OF_EPOCHS and not by_epochs:
            text = ""
        elif needed or name in ALWAYS or draw.random() < often:
            text = pick(draw, right) if right else pick(draw, pick(draw, hostile.POOL)) if needed else ""
        else:
            text = ""
        if not text:
            skipped = skipped or how == "first"
        elif how == "all" or (how == "first" and needed and not skipped and not named):
            positional.append(text)
        else:
            named[name] = text
    if draw.random() < 0.01:
        named["unheard_of"] = pick(draw, hostile.NUMBERS)
    elif draw.random() < 0.01 and not any(how == "all" for how, *_ in chosen.arguments.values()):
        positional.extend(pick(draw, pick(draw, hostile.POOL)) for _ in range(3))
    return Call(chosen.text, tuple(positional), named, tuple(sorted(odd)))


def fits(draw: np.random.Generator) -> Call:
    """A fit on twelve rows."""
    return call_of(draw, pick(draw, fit_targets()), 0.08)


def methods(draw: np.random.Generator) -> Call:
    """A method of a fit."""
    return call_of(draw, pick(draw, method_targets()))


def functions(draw: np.random.Generator) -> Call:
    """Any other public function or class."""
    return call_of(draw, pick(draw, function_targets()))


FORMULAS = (
    "y ~ x", "y ~ x + z + g", "y ~ .", "y ~ x*z", "log(w) ~ poly(x, 2) + C(g):z", "y + z ~ x", "g ~ x", "{h > 0} ~ x",
    "y ~ x - 1",
    "y ~ bs(x, df=4)", "y ~ (x + z)**2", "y ~ x | z", "y ~ lags(z, 2)", "leads(y, 2) ~ lags(x, 3)", "y ~ window(x, 1)",
    "y ~ offset(z) + x", "y ~ tokens(s, max_features=3)", "y ~ sequences(s, 3)", "y ~ {x / 2} + scale(z)", "y ~ center(x)",
    "y ~ t.dt.month", "y ~ cr(x, df=3)", "h ~ x", "y ~ 1", "y ~ 0 + x", "y ~ `x` + np.log(x)", "k ~ x + I(x**2)",
    "y ~ x %in% g",
    "y ~ g / x", "y ~ lags(x, 2, by=g)", "y ~ C(g, contr.sum)", "y ~ C(g, Treatment('b'))",
)  # fmt: skip
NAMES = (*"xzxzxzxzxwg", "y", "g", "h", "w", "k", "t", "s", ".", "q", "`x`", "`no such`", "_", "X", "\u00e9", "x.y", "None",
    "1x")
COUNTS = ("0", "1", "2", "-1", "1.5", "3", "100", "1000000", "100000000", "1e308", "10**30", "x", "None", "''", "nan",
    "[1]", "(1, 2)")
CALLS = (
    "log({a})", "exp({a})", "poly({a}, {c})", "bs({a}, df={c})", "bs({a}, degree={c})", "cr({a}, df={c})", "C({a})",
    "lags({a}, {c})",
    "leads({a}, {c})", "window({a}, {c})", "tokens({a}, max_features={c})", "sequences({a}, {c})", "offset({a})",
    "center({a})",
    "scale({a})", "I({a})", "sin({a})", "nosuch({a})", "lags({a}, {c}, by={b})", "np.log({a})", "{{{a}}}", "C({a}, {b})",
    "hashed({a}, {c})",
    "{a}.dt.month", "log()", "poly({a})", "bs({a}, knots={c})", "Surv({a}, {b})", "lag({a})", "cc({a}, df={c})",
    "tensor({a}, {b})",
)  # fmt: skip
OPERATORS = (" + ", " - ", ":", "*", "/", " | ", " %in% ", "**", "^", " ~ ", "+", " in ", " == ", ", ", "")
SPOILED = "()[]{}`'\"~+-*/:|^%., \\\0\n#@!$&=<>?;_xyzg1290e\u00e9\u2713\ud800"


def _term(draw: np.random.Generator, depth: int) -> str:
    chance = draw.random()
    if depth == 0 or chance < 0.35:
        return pick(draw, NAMES)
    if chance < 0.6:
        return pick(draw, CALLS).format(a=_term(draw, depth - 1), b=_term(draw, 0), c=pick(draw, COUNTS))
    if chance < 0.7:
        return f"({_term(draw, depth - 1)}){pick(draw, ('**', '^'))}{pick(draw, COUNTS[:9])}"
    if chance < 0.75:
        return pick(draw, COUNTS[:9])
    inner = f"{_term(draw, depth - 1)}{pick(draw, OPERATORS)}{_term(draw, depth - 1)}"
    return f"({inner})" if draw.random() < 0.3 else inner


def _spoiled(draw: np.random.Generator, text: str) -> str:
    letters = list(text)
    for _ in range(1 + int(draw.integers(3))):
        at = int(draw.integers(len(letters) + 1))
        chance = draw.random()
        if chance < 0.4 or at == len(letters):
            letters.insert(at, SPOILED[int(draw.integers(len(SPOILED)))])
        elif chance < 0.6:
            del letters[at]
        elif chance < 0.8:
            letters[at] = SPOILED[int(draw.integers(len(SPOILED)))]
        else:
            to = min(len(letters), at + int(draw.integers(1, 8)))
            letters[at:at] = letters[at:to] * int(draw.integers(1, 4))
        letters = letters or ["~"]
    return "".join(letters)


def formula(draw: np.random.Generator) -> str:
    """A formula: of a grammar, or a right one with letters changed."""
    chance = draw.random()
    if chance < 0.4:
        return _spoiled(draw, pick(draw, FORMULAS))
    left = pick(draw, ("y", "y", "y", "g", "h", "y + z", "", _term(draw, 1)))
    text = f"{left}{pick(draw, (' ~ ', ' ~ ', ' ~ ', '~', ' ~~ ', ' '))}{_term(draw, int(draw.integers(1, 5)))}"
    if chance < 0.43:
        text += " + " + " + ".join([text] * int(draw.integers(2, 200)))
    return text if chance < 0.9 else _spoiled(draw, text)


def formulas(draw: np.random.Generator) -> Call:
    """A fit by a formula that nobody means."""
    text = repr(formula(draw))
    chance = draw.random()
    if chance < 0.8:
        small = {"hidden": "1", "stepmax": "5", "rep": "1", "random_state": "1", "threshold": "10.0"}
        return Call("ns.neuralnet", (text, "data()"), small, ("formula",))
    if chance < 0.9:
        return Call("ns.NeuralNet.from_formula", (text, "data()"), {"hidden": "1"}, ("formula",))
    if chance < 0.95:
        return Call("ns.nonlinearity_test", (text, "data()"), {}, ("formula",))
    rest = {"hidden": "0", "rep": "1", "stepmax": "5", "criterion": "'aic'"}
    return Call("ns.select", (text, "data()"), rest, ("formula",))


OPTION_VALUES = (
    "", "0", "1", "-1", "2", "1.5", "nan", "inf", "-inf", "1e308", "1e-400", str(10**30), "x", "y", "z", "g", "10,5",
    "1,,2", ",", "[", "]",
    "[[1,2,2]]", "[1,2]", "{}", "null", "[[[", "true", "yes", "\u2713", "\ud800", "-", "--", "x.to.1layhid1", "gaussian",
    "binomial",
    "nosuch", "lm", "adam", "relu", "tanh,", "0.1,0.5", "data.csv", "fit.nst", "nosuch.csv", ".", "/dev/null", "a b", "\t",
    "%", "\\", "*",
    "x.png", "x.nst", "x.xyz", "no/such/x.png", "best", "all", "mean", "class", "link", "y ~ x", "'", '"', "1_0", "0x10",
    "\u0663", "5" * 400,
)  # fmt: skip


@functools.cache
def _commands() -> dict[str, list[tuple[str, bool]]]:
    """Options by command: (name, whether a value follows)."""
    from neuralstat.cli import parser

    top = next(a for a in parser()._actions if getattr(a, "choices", None))
    return {name: [(text, action.nargs != 0) for action in command._actions for text in action.option_strings]
            for name, command in dict(top.choices or {}).items() if name != "warmup"}  # fmt: skip


def commands(draw: np.random.Generator) -> Call:
    """A command line."""
    known = _commands()
    name = pick(draw, ["fit"] * 12 + ["predict"] * 5 + ["demo", "version"])
    words = {"fit": ["y ~ x", "data.csv", "--stepmax", "20", "--rep", "1"], "predict": ["fit.nst", "data.csv"],
    "demo": ["doppler", "--rep", "1"]}
    line = [name, *words.get(name, [])]
    for _ in range(int(draw.integers(1, 4))):
        if known[name] and draw.random() < 0.85:
            option, value = pick(draw, known[name])
            line.append(option)
            if value and draw.random() < 0.95:
                line.append(pick(draw, OPTION_VALUES))
        else:
            at = int(draw.integers(1, len(line))) if len(line) > 1 else 0
            line[at] = formula(draw) if draw.random() < 0.3 else pick(draw, OPTION_VALUES)
    return Call("main", (repr(line),), {}, ("argv",))


CAMPAIGNS: dict[str, Callable[[np.random.Generator], Call]] = {
    "arguments of a fit": fits, "methods of a fit": methods, "other public functions": functions, "formulas": formulas,
    "command lines": commands,
}  # fmt: skip
SHARES = (0.22, 0.33, 0.33, 0.1, 0.02)


def call(campaign: str, seed: int, number: int) -> Call:
    """The call of a number."""
    stream = [seed, list(CAMPAIGNS).index(campaign), number]
    return CAMPAIGNS[campaign](np.random.default_rng(stream))
