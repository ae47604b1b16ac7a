"""What the arguments of a fit may be; `Settings` checks what depends on other arguments."""

from __future__ import annotations

from ..checks.arguments import (
    FLAG,
    FUNCTION,
    N_JOBS,
    NONE,
    NOT_NEGATIVE,
    PATH,
    POSITIVE,
    RANDOM_STATE,
    Anything,
    Choice,
    Instance,
    Kind,
    Several,
    Whole,
)
from ..network.penalties import Penalty, decay
from ..network.start import INITS
from ..schedules import Schedule
from .stopping import EarlyStopping

PER_ROW = Anything("the name of a column, or one number per row", None)

_X2 = Choice("X2")
_X2.words = "'X2', which estimates the dispersion (standardize= scales the data)"

FIT: dict[str, Kind] = {
    "hidden": Anything("a whole number >= 0, or a sequence of whole numbers >= 1", 1, 0, (2, 2)),
    "layers": Anything("None or a sequence of neuralstat.layers", None),
    "act_fct": Anything("a name, an Activation, a function, or one of them per layer", "logistic", "tanh"),
    "output_act_fct": Anything("a name, an Activation or a function", "logistic"),
    "linear_output": FLAG,
    "err_fct": Anything("'sse', 'ce', 'mae', a Loss or a function err(x, y)", "sse", "mae"),
    "family": Anything("None, a name or a Family", None, "gaussian"),
    "exclude": Anything("None, rows, positions or names of weights, or masks", None),
    "constant_weights": Anything("None or numbers, one per weight of exclude", None),
    "algorithm": Anything("a name of an algorithm, or an instance from neuralstat.optimizers", "rprop+", "lm"),
    "threshold": NONE | NOT_NEGATIVE,
    "stepmax": Whole(1),
    "rep": NONE | Whole(1),
    "startweights": Anything("None, numbers, lists of weight matrices, or dicts of arrays", None),
    "learningrate": NONE | POSITIVE | Instance(Schedule, "one of neuralstat.schedules"),
    "learningrate_limit": Anything("two numbers (min, max)", None, (1e-10, 0.1)),
    "learningrate_factor": Anything("two numbers (minus, plus)", None, (0.5, 1.2)),
    "penalty": NONE | Instance(Penalty, "made by decay(), elimination(), l1() or elastic_net()", decay(0.1)),
    "weights": PER_ROW,
    "freq_weights": PER_ROW,
    "var_weights": PER_ROW,
    "offset": PER_ROW,
    "groups": Anything("the name of a column, or one label per row", None),
    "standardize": Choice("auto") | FLAG,
    "missing": Choice("drop", "raise"),
    "likelihood": FLAG,
    "lifesign": Choice("none", "minimal", "full"),
    "lifesign_step": Whole(1),
    "progress": FLAG,
    "device": Anything("'cpu', 'cuda' or 'cuda:<number>'", "cpu"),
    "dtype": Anything("'float64' or 'float32'", "float64", "float32"),
    "n_jobs": N_JOBS,
    "compat": NONE | Choice("R"),
    "random_state": RANDOM_STATE,
    "tol": NONE | NOT_NEGATIVE,
    "polish": FLAG,
    "init": NONE | Choice(*INITS),
    "keep": NONE | Whole(1),
    "epochs": NONE | Whole(0),
    "batch_size": NONE | Whole(1),
    "shuffle": FLAG,
    "validation": Anything("a share of the rows, or data", None),
    "early_stopping": NONE | Instance(EarlyStopping, "an EarlyStopping, as EarlyStopping(patience=5)", EarlyStopping(1)),
    "augment": NONE | FUNCTION,
    "callbacks": NONE | FUNCTION | Several(FUNCTION, 0),
    "class_weight": Anything("None, 'balanced' or a dict of classes and weights", None),
    "checkpoint": NONE | PATH,
    "metrics": Anything("names of metrics, functions f(y, prediction), or a list of them", None, "mae"),
    "freeze": Anything("None, or names of layers or arrays", None),
    "dispformula": Anything(
        "None, '~ 1', a formula of the dispersion as '~ x + z', True, or a mapping of these by parameter", None, "~ 1", True
    ),
    "scale": NONE | _X2,
    "towers": Anything("a mapping of names to sequences of neuralstat.layers", None),
    "orthogonal": FLAG,
}
