"""What the commands of the command line do."""

from __future__ import annotations

import json
import math
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import __version__
from ..datasets import doppler
from ..errors import ArgumentError, DataError, NeuralStatError
from . import INTERRUPTED, exclude
from .warmup import warmup as compile_ahead

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..results import NeuralNetResults

_PARQUET = (".parquet", ".pq")
_PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".webp", ".eps", ".ps", ".tif", ".tiff")
_DPI = 200


def version(arguments: Namespace) -> int:
    """Print the version."""
    _say(f"neuralstat {__version__}")
    return 0


def warmup(arguments: Namespace) -> int:
    """Compile kernels into the cache, with a line for each kind; or take those that another machine compiled."""
    from . import travel

    if arguments.take is not None:
        new = travel.take(arguments.take)
        _say(f"{new} new files from {arguments.take}; cache: {travel.cache_folder()}")
        return 0
    if arguments.export is not None:
        _check_targets([], [arguments.export])
        travel.here()
    seconds = compile_ahead(arguments.all, lambda name, s: _say(f"{name:<24}{s:6.1f} s"))
    folder = travel.cache_folder()
    where = "no folder is writable: set NEURALSTAT_CACHE_DIR" if folder is None else str(folder)
    _say(f"compiled in {seconds:.1f} s; cache: {'none with plain numba' if travel.PLAIN else where}")
    if arguments.export is not None:
        kernels, size = travel.export(arguments.export)
        _say(f"{kernels} kernels, {size / 1e6:.1f} MB, for this processor: {arguments.export}")
    return 0


def fit(arguments: Namespace) -> int:
    """Fit, print the summary, write what is asked for."""
    from ..api import neuralnet

    pictures = [arguments.plot, arguments.diagram, arguments.plot_error]
    _check_targets(pictures, [arguments.save, arguments.predictions])  # before the work, not after it
    given = {
        name: getattr(arguments, name)
        for name in (
            "hidden", "act_fct", "output_act_fct", "linear_output", "err_fct", "family", "constant_weights",
            "threshold", "stepmax", "rep", "learningrate", "weights", "freq_weights", "offset", "groups",
            "standardize", "missing", "likelihood", "random_state", "n_jobs", "dtype", "compat",
        )
    }  # fmt: skip
    for name in ("learningrate_limit", "learningrate_factor", "algorithm"):
        if getattr(arguments, name) is not None:
            given[name] = getattr(arguments, name)
    data = read_table(arguments.data, arguments.sep)
    results = neuralnet(
        arguments.formula,
        data,
        exclude=exclude(arguments.exclude),
        penalty=_penalty(arguments),
        progress=_progress(arguments),
        **given,
    )
    if arguments.save is not None:
        results.save(arguments.save)
    if arguments.predictions is not None:
        write_table(_frame(results.predict(rep=_averaged(results)), results), arguments.predictions)
    _say(json.dumps(report(results), indent=2, allow_nan=False) if arguments.json else str(results.summary()))
    _draw(results.plot_fit, arguments.plot, response=arguments.response)
    _draw(results.plot, arguments.diagram)
    _draw(results.plot_error, arguments.plot_error)
    for target in (arguments.save, arguments.predictions, *pictures):
        if target is not None:
            _note(f"written: {target}")
    return INTERRUPTED if (results.reps["status"] == "interrupted").any() else 0


def predict(arguments: Namespace) -> int:
    """Predict a table with a saved fit."""
    from ..api import load

    _check_targets([], [arguments.output])
    results = load(arguments.fit)
    data = read_table(arguments.data, arguments.sep)
    table = _frame(results.predict(data, rep=arguments.rep, type=arguments.type), results)
    if arguments.output is None:
        table.to_csv(sys.stdout, index=False)
    else:
        write_table(table, arguments.output)
    return 0


def demo(arguments: Namespace) -> int:
    """Fit the Doppler function; print the summary; write two pictures."""
    from ..api import neuralnet

    folder = Path(arguments.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    data = doppler(n=200, noise=0.1, random_state=arguments.random_state)
    _note(
        f"y = sin(1/x) + N(0, 0.1^2) at 200 points; network 1-10-5-15-1; {arguments.rep} repetition(s). "
        "The first fit after an installation compiles, which takes some seconds."
    )
    results = neuralnet(
        "y ~ x", data, hidden=(10, 5, 15), threshold=0.01, rep=arguments.rep,
        random_state=arguments.random_state, progress=_progress(arguments),
    )  # fmt: skip
    _say(str(results.summary()))
    diagram, picture = folder / "doppler-network.png", folder / "doppler-fit.png"
    _draw(results.plot, str(diagram))
    _draw(results.plot_fit, str(picture), truth=lambda x: np.sin(1 / x))
    _say(f"\nThe network: {diagram}\nThe fit:     {picture}")
    return INTERRUPTED if (results.reps["status"] == "interrupted").any() else 0


def report(results: NeuralNetResults) -> dict[str, Any]:
    """The fit as JSON: call, sizes, repetitions, weights of the best; numbers not finite are null."""
    reps = results.reps
    return _finite(
        {
            "neuralstat": __version__,
            "call": results.call,
            "formula": results.formula,
            "topology": results.network.topology,
            "observations": results.nobs,
            "rows_dropped": int(results.design.kept.size - results.fitted.n_rows),
            "weights_trained": results.k_params,
            "converged": results.converged,
            "best": results.best,
            "entropy": str(results.seeds.entropy),
            "repetitions": [{"rep": int(r), **reps.loc[r].to_dict()} for r in reps.index],
            "params": results.params.to_dict(),
        }
    )


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


# tables ------------------------------------------------------------------------------------------------


def read_table(source: str, sep: str | None = None) -> pd.DataFrame:
    """Read a CSV or Parquet file; "-" is CSV on standard input.

    Raises
    ------
    DataError
        Where the file is no table.
    OSError
        Where it cannot be read.
    """
    path = Path(source)
    _check_source(source, path)
    try:
        if path.suffix.lower() in _PARQUET:
            return _parquet("reading", lambda: pd.read_parquet(path))
        if sep is None:
            sep = "\t" if ".tsv" in path.suffixes else ","
        engine: Any = "c" if len(sep) == 1 and sep.isascii() else "python"  # which takes patterns, and any character
        return pd.read_csv(sys.stdin if source == "-" else path, sep=sep, engine=engine)
    except OSError as error:
        if error.filename is None:  # pandas and pyarrow do not always say which file
            raise OSError(f"{source}: {error}") from None
        raise
    except (NeuralStatError, MemoryError):
        raise
    except Exception as error:  # pandas' and pyarrow's readers raise many kinds
        raise DataError(f"{source} cannot be read as a table: {error}") from None


def _check_source(source: str, path: Path) -> None:
    """Refuse what has no end, such as /dev/zero; a terminal and pipes have."""
    if source != "-" and (path.is_char_device() or path.is_block_device()):
        with path.open("rb") as file:
            if not file.isatty():
                raise DataError(f"{source} is a device, no file.")


def write_table(table: pd.DataFrame, target: str) -> None:
    """Write CSV, or Parquet where the name says so."""
    if Path(target).suffix.lower() in _PARQUET:
        _parquet("writing", lambda: table.to_parquet(target, index=False))
    else:
        table.to_csv(target, index=False)


def _parquet(what: str, work: Any) -> Any:
    try:
        return work()
    except ImportError:
        raise ArgumentError(f"{what} Parquet needs pyarrow: pip install pyarrow") from None


def _frame(values: Any, results: NeuralNetResults) -> pd.DataFrame:
    """Predictions as a table with plain column names."""
    if isinstance(values, pd.Series):
        return values.to_frame()
    if isinstance(values.columns, pd.MultiIndex):
        return values.set_axis([f"rep{r}.{name}" for r, name in values.columns], axis=1)
    if values.columns.name == "rep":
        return values.set_axis([f"rep{r}" for r in values.columns], axis=1)
    return values


# arguments and pictures --------------------------------------------------------------------------------


def _averaged(results: NeuralNetResults) -> str:
    """The mean, unless no repetition converged (which was warned of): then the best."""
    return "mean" if results.fit.finished.any() else "best"


def _penalty(arguments: Namespace) -> Any:
    from ..network.penalties import decay, elimination, l1

    biases = arguments.penalize_biases
    total = None
    for kind, strength in (
        (decay, arguments.decay),
        (elimination, arguments.elimination),
        (l1, arguments.l1),
    ):
        if strength is not None:
            part = kind(strength, biases=biases)
            total = part if total is None else total + part
    return total


def _progress(arguments: Namespace) -> bool:
    return sys.stderr.isatty() if arguments.progress is None else arguments.progress


def _check_targets(pictures: list[str | None], others: list[str | None]) -> None:
    """Check that files can be written before any work is done."""
    for name in [*pictures, *others]:
        if name is not None and not Path(name).parent.is_dir():
            raise FileNotFoundError(f"cannot write {name}: there is no folder {Path(name).parent}")
    for name in pictures:
        if name is not None and Path(name).suffix.lower() not in _PICTURES:
            raise ArgumentError(f"cannot draw {name}: the name must end in one of {', '.join(_PICTURES)}")


def _draw(plot: Any, target: str | None, **options: Any) -> None:
    if target is None:
        return
    if "matplotlib.pyplot" not in sys.modules:
        import matplotlib

        matplotlib.use("agg")  # the command line shows no windows
    ax: Axes = plot(**options)
    ax.figure.savefig(target, dpi=_DPI)  # type: ignore[union-attr]


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _note(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(text + "\n")
