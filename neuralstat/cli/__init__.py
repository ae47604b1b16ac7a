"""The command line: ``neuralstat fit | predict | demo | warmup | version``. The work is done in `commands`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from ..errors import ArgumentError, NeuralStatError
from ..training.interrupts import noted

INTERRUPTED, BROKEN_PIPE = 130, 141  # as shells report SIGINT and SIGPIPE

_FIT_EXAMPLES = """\
examples:
  Three random starts of a network with hidden layers of 10, 5 and 15 units; keep the fit, draw it:
    neuralstat fit "y ~ x" data.csv --hidden 10,5,15 --rep 3 --save fit.nst --plot fit.png --diagram net.png

  Everything but the response as covariates, scaled; weight decay; the same numbers at every run:
    neuralstat fit "price ~ ." houses.csv --hidden 8 --standardize --decay 0.1 --rep 10 --random-state 1

  A binary response (cross entropy), and one with several classes:
    neuralstat fit "case ~ age + parity" infert.csv --hidden 2 --family binomial
    neuralstat fit "Species ~ ." iris.csv --hidden 3 --family multinomial --standardize

  No hidden layer is a generalised linear model:
    neuralstat fit "case ~ age + parity" infert.csv --hidden 0 --family binomial

  Hold weights out of the fit, by name or by R's rows (layer, input neuron with the bias as 1, output neuron):
    neuralstat fit "y ~ x" data.csv --hidden 2,2 --exclude x.to.1layhid2 1layhid1.to.2layhid1
    neuralstat fit "y ~ x" data.csv --hidden 2,2 --exclude "[[1,2,2],[2,2,1]]"

formulas:
  y ~ x + z   y ~ .   log(y) ~ poly(x, 3) + C(group)   y1 + y2 ~ x   y ~ x + offset(log(exposure))
  Put them in quotes, so that the shell leaves them alone. Names with dots or spaces: `Sepal.Length` in
  backticks (and the formula in single quotes).
"""

_PREDICT_EXAMPLES = """\
examples:
  The average over the converged repetitions, to the screen or to a file:
    neuralstat predict fit.nst new.csv
    neuralstat predict fit.nst new.csv --output predictions.csv

  Every repetition, or the best one; the most probable class instead of probabilities:
    neuralstat predict fit.nst new.csv --rep all
    neuralstat predict fit.nst new.csv --rep best --type class

The columns that the formula needs are found by name, in any order; others are ignored. There is one line of
output per line of data; where a value is missing, the prediction is empty.
"""

_DEMO_EXAMPLES = """\
examples:
  neuralstat demo doppler
  neuralstat demo doppler --output-dir pictures --rep 10 --random-state 7

doppler: y = sin(1/x) + N(0, 0.1^2) at 200 points, fitted by a network with hidden layers of 10, 5 and 15
units from several random starts. Writes the network as a diagram, and the fit with the truth, as PNG.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process unless given.

    Returns
    -------
    int
        0; 1 for an error, in one line on stderr; 130 after Ctrl-C; 141 where the reader of the output left.
        Wrong usage ends the process with 2.
    """
    with warnings.catch_warnings(), noted() as pressed:
        try:
            arguments = _parsed(argv)
            warnings.simplefilter("default")
            warnings.showwarning = _show_warning  # type: ignore[assignment]
            code = _run(arguments)
            sys.stdout.flush()
            return INTERRUPTED if pressed and code else code
        except BrokenPipeError:
            # what is left in the buffer has no reader; without this Python complains once more at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return BROKEN_PIPE
        except KeyboardInterrupt:
            return _fail("interrupted", INTERRUPTED)
        except Exception as error:
            if not pressed:  # a fault, of this package or of another: named in a line, too
                return _fail(f"{type(error).__name__}: {error}")
            return _fail("interrupted", INTERRUPTED)  # extension modules make other errors of it while they are imported


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    top = parser()
    arguments = top.parse_args(argv)
    for name, value in vars(arguments).items():
        if value == [] and name != "hidden":  # argparse makes nothing of the value "--"
            top.error(f"argument --{name.replace('_', '-')}: expected a value")
    return arguments


def _run(arguments: argparse.Namespace) -> int:
    try:
        return arguments.run(arguments)
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _fail(f"{error.strerror}{where}" if error.strerror else str(error))
    except NeuralStatError as error:
        return _fail(str(error))


def _fail(message: str, code: int = 1) -> int:
    print(f"neuralstat: error: {' '.join(message.split())}", file=sys.stderr)
    return code


def _show_warning(message: Any, category: Any, *_: Any) -> None:
    print(f"neuralstat: warning: {' '.join(str(message).split())}", file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """All commands with their arguments."""
    top = argparse.ArgumentParser(
        prog="neuralstat",
        description="Neural networks as statistical models: fit a formula to a table, predict.",
        epilog="neuralstat COMMAND --help explains, with examples. Start with: neuralstat demo doppler",
    )
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _fit(commands)
    _predict(commands)
    _demo(commands)
    warm = _command(
        commands, "warmup", "compile ahead, so that later first fits start at once",
        "examples:\n  neuralstat warmup --all\n\n"
        "  Compile once for a class, a cluster or a container; the others must have the same processor and versions:\n"
        "    neuralstat warmup --all --export kernels.zip\n    neuralstat warmup --import kernels.zip\n\n"
        "Compiled kernels are kept in ~/.cache/neuralstat, or in $NEURALSTAT_CACHE_DIR. They are machine code, which is\n"
        "run: import them from whom you trust.",
    )  # fmt: skip
    warm.add_argument("--all", action="store_true", help="every optimizer, family and kind of number, too")
    between = warm.add_mutually_exclusive_group()
    between.add_argument("--export", metavar="FILE", help="then write all compiled kernels to a zip")
    between.add_argument("--import", dest="take", metavar="FILE", help="take kernels from such a zip; compile nothing")
    warm.set_defaults(run=_late("warmup"))
    version = commands.add_parser("version", help="print the version", description="Print the version.")
    version.set_defaults(run=_late("version"))
    return top


def _late(name: str) -> Any:
    """The command, imported when it is run: ``--help`` needs no numpy."""

    def run(arguments: argparse.Namespace) -> int:
        from . import commands

        return getattr(commands, name)(arguments)

    return run


def _command(commands: Any, name: str, line: str, epilog: str) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=line,
        description=line[0].upper() + line[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=_late(name))
    return command


def _fit(commands: Any) -> None:
    fit = _command(commands, "fit", "fit a neural network to a formula and a table", _FIT_EXAMPLES)
    fit.add_argument("formula", help='such as "y ~ x + z"')
    fit.add_argument("data", help="CSV (also compressed), Parquet (.parquet), or - for CSV on standard input")
    _data_options(fit)

    net = fit.add_argument_group("network")
    net.add_argument("--hidden", type=_units, default=1, metavar="10,5,15",
                     help="units per hidden layer; 0 for none (default: 1)")  # fmt: skip
    net.add_argument(
        "--act-fct",
        type=_words,
        default="logistic",
        metavar="NAME",
        help="hidden activation, or one per layer: logistic, tanh, relu, softplus, ... (default: logistic)",
    )
    net.add_argument(
        "--output-act-fct",
        default="logistic",
        metavar="NAME",
        help="output activation where the output is not linear (default: logistic)",
    )
    net.add_argument(
        "--linear-output",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether outputs are linear (default: yes)",
    )
    net.add_argument(
        "--err-fct",
        choices=("sse", "ce"),
        default="sse",
        help="half the sum of squares, or cross entropy (default: sse)",
    )
    net.add_argument(
        "--family",
        metavar="NAME",
        help="gaussian, binomial, multinomial, ...: half the deviance and the link; instead of --err-fct",
    )
    net.add_argument(
        "--exclude", nargs="+", metavar="WEIGHT", help="weights held out: names, or JSON rows or positions"
    )
    net.add_argument("--constant-weights", type=_numbers, metavar="0.5,1", help="their values (default: 0)")
    net.add_argument("--decay", type=float, metavar="LAMBDA", help="penalty LAMBDA/2 sum w^2")
    net.add_argument(
        "--elimination", type=float, metavar="LAMBDA", help="penalty LAMBDA/2 sum w^2 / (1 + w^2)"
    )
    net.add_argument("--l1", type=float, metavar="LAMBDA", help="penalty LAMBDA sum |w|")
    net.add_argument(
        "--penalize-biases",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether penalties hold for biases, too (default: yes)",
    )

    algorithm = fit.add_argument_group("algorithm")
    algorithm.add_argument(
        "--algorithm",
        metavar="NAME",
        help="rprop+, rprop-, sag, slr, backprop, lm, ... (default: rprop+, finished by lm where it takes long)",
    )
    algorithm.add_argument(
        "--threshold",
        type=float,
        default=0.01,
        help="stop where no partial derivative of the error is larger (default: 0.01)",
    )
    algorithm.add_argument(
        "--stepmax", type=int, default=100_000, help="at most so many steps (default: 100000)"
    )
    algorithm.add_argument(
        "--rep", type=int, help="repetitions from random starts (default: 5, without hidden units and by epochs 1)"
    )
    algorithm.add_argument("--learningrate", type=float, metavar="RATE", help="of backprop")
    algorithm.add_argument("--learningrate-limit", type=_numbers, metavar="MIN,MAX")
    algorithm.add_argument("--learningrate-factor", type=_numbers, metavar="MINUS,PLUS")
    algorithm.add_argument(
        "--random-state", type=int, metavar="SEED", help="a whole number: the same starts at every run"
    )
    algorithm.add_argument("--n-jobs", type=int, metavar="N", help="threads (default: all cores)")
    algorithm.add_argument(
        "--dtype", choices=("float64", "float32"), default="float64", help="(default: float64)"
    )

    rows = fit.add_argument_group("data and reporting")
    rows.add_argument("--weights", metavar="COLUMN", help="precision weights; of proportions numbers of trials")
    rows.add_argument("--freq-weights", metavar="COLUMN", help="how many equal observations a row stands for")
    rows.add_argument("--offset", metavar="COLUMN", help="known part of the linear predictor")
    rows.add_argument("--groups", metavar="COLUMN", help="clusters, for standard errors, bootstrap and folds")
    rows.add_argument(
        "--standardize", action=argparse.BooleanOptionalAction, default="auto",
        help="centre and scale inside the model (default: covariates, and a gaussian response)",
    )
    rows.add_argument(
        "--missing",
        choices=("drop", "raise"),
        default="drop",
        help="rows with missing values are left out, or are an error (default: drop)",
    )
    rows.add_argument("--likelihood", action="store_true", help="add R's aic and bic, which count weights")
    rows.add_argument("--compat", choices=("R",), help="R's behaviour also where it is a mistake")

    out = fit.add_argument_group("output")
    out.add_argument(
        "--save", metavar="FILE", help="keep the fit, for neuralstat predict and neuralstat.load"
    )
    out.add_argument("--plot", metavar="FILE", help="draw data and fit (.png, .pdf, .svg)")
    out.add_argument("--response", metavar="NAME", help="output that --plot draws, where there are several")
    out.add_argument("--diagram", metavar="FILE", help="draw the network with its weights")
    out.add_argument("--plot-error", metavar="FILE", help="draw the error against the step")
    out.add_argument("--predictions", metavar="FILE", help="write the fitted values (.csv, .parquet)")
    out.add_argument("--json", action="store_true", help="print the summary as JSON instead of text")
    out.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="show a progress bar (default: on a terminal)",
    )


def _predict(commands: Any) -> None:
    predict = _command(commands, "predict", "predict new data with a saved fit", _PREDICT_EXAMPLES)
    predict.add_argument("fit", help="file that neuralstat fit --save wrote")
    predict.add_argument(
        "data", help="CSV (also compressed), Parquet (.parquet), or - for CSV on standard input"
    )
    _data_options(predict)
    predict.add_argument(
        "--output", metavar="FILE", help="where to write (.csv, .parquet); the screen unless given"
    )
    predict.add_argument(
        "--rep",
        type=_rep,
        default="mean",
        metavar="mean|best|all|N",
        help="average of the repetitions, best one, all, or a number from 1 (default: mean)",
    )
    predict.add_argument(
        "--type",
        choices=("response", "link", "class"),
        default="response",
        help="in the units of the response, linear predictor, or most probable class (default: response)",
    )


def _demo(commands: Any) -> None:
    demo = _command(commands, "demo", "fit a network to generated data, and draw it", _DEMO_EXAMPLES)
    demo.add_argument("name", choices=("doppler",), help="which demonstration")
    demo.add_argument(
        "--output-dir", default=".", metavar="DIR", help="folder of the pictures (default: here)"
    )
    demo.add_argument("--rep", type=int, default=3, help="repetitions (default: 3)")
    demo.add_argument("--random-state", type=int, default=1, metavar="SEED", help="(default: 1)")
    demo.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="show a progress bar (default: on a terminal)",
    )


def _data_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--sep", type=_separator, metavar="CHAR",
        help="separator of a CSV file, one character; \\t is a tab, \\s+ any white space (default: comma; tab for .tsv)",
    )  # fmt: skip


def _separator(text: str) -> str:
    text = {"\\t": "\t"}.get(text, text)
    if (len(text) != 1 or text in "\n\r\0\"") and text != r"\s+":
        raise argparse.ArgumentTypeError(f"must be one character, not {text!r}")
    return text


def _words(text: str) -> str | list[str]:
    words = [w.strip() for w in text.split(",")]
    return words if len(words) > 1 else words[0]


def _units(text: str) -> list[int]:
    return [int(part) for part in text.strip("()[] ").split(",") if part.strip()]


_units.__name__ = "hidden (whole numbers with commas, such as 10,5,15)"


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


_numbers.__name__ = "numbers with commas"


def _rep(text: str) -> str | int:
    if text in ("mean", "best", "all"):
        return text
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be mean, best, all or a number from 1, not {text!r}")
    return int(text)


def exclude(given: list[str] | None) -> Any:
    """Names as they are; JSON rows or positions where the text begins with a bracket.

    Raises
    ------
    ArgumentError
        Where the JSON is none.
    """
    if given is None or not given[0].lstrip().startswith("["):
        return given
    try:
        return json.loads(" ".join(given))
    except (ValueError, RecursionError) as error:
        raise ArgumentError(
            f'--exclude: {" ".join(given)!r:.80} is not JSON ({error}); write "[[1,2,2],[2,3,1]]".'
        ) from None
