"""Data that come in parts: files, tables, a function that gives tables, a Dask DataFrame."""

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pandas as pd

from neuralstat.checks import shown
from neuralstat.checks.arguments import FUNCTION, PATH, TEXT, Anything, Whole, arguments
from neuralstat.checks.values import told
from neuralstat.errors import ArgumentError, DataError, NeuralStatError
from neuralstat.formula import frames

ROWS = 2**17  # rows of a file that are read at a time
PARQUET = (".parquet", ".pq")
CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")


@arguments(tables=FUNCTION, what=TEXT)
class Partitions:
    """Tables that together are the data, read one after the other, as often as needed; made by `chunks`.

    Parameters
    ----------
    tables : callable
        ``tables()`` gives an iterator of tables, the same at every call.
    what : str
        For messages.

    Examples
    --------
    >>> import pandas as pd
    >>> import neuralstat as ns
    >>> parts = ns.chunks([pd.DataFrame({"x": [1.0, 2.0]}), pd.DataFrame({"x": [3.0]})])
    >>> parts
    <Partitions: 2 tables>
    """

    def __init__(self, tables: Callable[[], Iterable[Any]], what: str) -> None:
        self._tables, self.what = tables, what

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Read all tables, in order."""
        for table in self._tables():
            yield frames.as_frame(table, self.what)

    @arguments(function=FUNCTION)
    def map(self, function: Callable[[pd.DataFrame], pd.DataFrame]) -> "Partitions":
        """The same with a function applied to every table."""
        return Partitions(lambda: (function(table) for table in self), self.what)

    def __repr__(self) -> str:
        return f"<Partitions: {self.what}>"


@arguments(source=Anything("files, tables, a function or a Dask DataFrame"), rows=Whole(1))
def chunks(source: Any, *, rows: int = ROWS) -> Partitions:
    """Data in parts, for fits of more rows than memory holds: ``neuralnet(formula, ns.chunks(source))``.

    Parameters
    ----------
    source : str, path, or list of them; list of tables; callable; Dask DataFrame
        Parquet and CSV files (``.parquet``, ``.pq``, ``.csv``, ``.csv.gz``, ``.tsv``; a string may have wildcards, and
        files are then read in the order of their names); tables of any kind that `neuralnet` takes; a function
        without arguments that gives an iterator of tables, the same ones whenever it is called. Arrays per row are
        written, as they are, to a file that is mapped into memory.
    rows : int
        Rows of a file that are read at a time.

    Returns
    -------
    Partitions

    Raises
    ------
    ArgumentError
        Where `source` is none of these, is a generator (which could be read once only), or names no file.

    Notes
    -----
    What a formula finds from the data (levels, means, knots, smooths) is found by passes over the parts, which are read once
    more for each depth of transforms: twice for ``bs(scale(x), df=5)``. What needs neighbouring rows, or all rows at once in
    a way of its own, is refused.

    Large arrays of several dimensions need no parts: they stay as they are (whole numbers of few bits, float32, mapped files,
    sparse matrices of scipy, ``{"y": y, "words": csr_matrix}``) until a fit by epochs reads its next batches; elementwise
    expressions such as ``{pixels / 255}`` are evaluated then. An array may also be an object with ``shape``, ``dtype`` and
    ``read(rows)``, as `neuralstat.datasets.image_folder` gives with ``lazy=True``.

    The data of a formula with one response and one covariate may be an object like Keras' ``Sequence``, whose ``[k]`` gives a
    batch (x, y) or (x, y, weights), the same whenever it is asked for. All batches are gone through once for the responses;
    in a fit they are shuffled as a whole and are its batches (`batch_size` is theirs); ``on_epoch_end`` is not called. Where
    rows are read from objects, only fits by epochs on a CPU are made, each repetition reads for itself, and what needs all
    rows afterwards (errors, summaries) reads them again.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> fit = ns.neuralnet("accel ~ times", ns.chunks([data[:70], data[70:]]), hidden=0)
    >>> fit.params.round(2).to_dict()
    {'Intercept.to.accel': -53.01, 'times.to.accel': 1.09}
    """
    if isinstance(source, Partitions):
        return source
    if is_dask(source):
        return Partitions(lambda: (source.get_partition(i).compute() for i in range(source.npartitions)), "a Dask DataFrame")
    if isinstance(source, str | os.PathLike):
        name = os.fspath(PATH.check(source, "source")) if not isinstance(source, str) else str(source)
        PATH.check(name, "source")
        found = sorted(glob.glob(name))
        if not found:
            raise ArgumentError(f"chunks: no file {shown(name)}.")
        source = found
    if callable(source) and not isinstance(source, type):
        name = getattr(source, "__name__", "a function")
        return Partitions(_checked(source), f"the tables of {name if isinstance(name, str) else 'a function'}()")
    if not isinstance(source, list | tuple):
        once = hasattr(type(source), "__next__")
        hint = " A generator can be read only once: give the function that makes it." if once else ""
        raise ArgumentError(
            f"chunks: source must be files, tables, a function or a Dask DataFrame, got {type(source).__name__}.{hint}"
        )
    if not source:
        raise ArgumentError("chunks: the list is empty.")
    items = list(source)
    files = [isinstance(item, str | os.PathLike) for item in items]
    if any(files) and not all(files):
        raise ArgumentError("chunks: the list mixes files and tables.")
    if not any(files):
        return Partitions(lambda: iter(items), f"{len(items)} tables")
    paths = [str(PATH.check(path, f"source[{k}]")) for k, path in enumerate(items)]
    for path in paths:
        if not os.path.isfile(path):
            raise ArgumentError(f"chunks: no file {shown(path)}.")
        if not path.lower().endswith(PARQUET + CSV):
            raise ArgumentError(f"chunks: {shown(path)} is neither Parquet (.parquet, .pq) nor text (.csv, .tsv).")
    return Partitions(lambda: (part for path in paths for part in read(path, rows)), f"{len(paths)} files")


def as_partitions(data: Any) -> Partitions | None:
    """Partitions of what is in parts (`chunks`, a Dask DataFrame); None for ordinary tables."""
    return chunks(data) if isinstance(data, Partitions) or is_dask(data) else None


def is_dask(data: Any) -> bool:
    """Whether something is a Dask DataFrame, without importing Dask."""
    return str(type(data).__module__).partition(".")[0] in ("dask", "dask_expr") and hasattr(type(data), "get_partition")


def read(path: str, rows: int) -> Iterator[pd.DataFrame]:
    """Tables of a file.

    Raises
    ------
    DataError
        Naming the file, where it cannot be read, or not as a table.
    """
    try:
        yield from _tables(path, rows)
    except (NeuralStatError, MemoryError):
        raise
    except Exception as error:  # pandas and pyarrow raise many kinds
        raise DataError(f"chunks: {shown(path)} cannot be read as a table ({told(error)[:200]}).") from error


def _tables(path: str, rows: int) -> Iterator[pd.DataFrame]:
    lower = path.lower()
    if lower.endswith(PARQUET):
        try:
            from pyarrow.parquet import ParquetFile
        except ImportError:
            raise ArgumentError("chunks: reading Parquet files needs pyarrow: pip install 'neuralstat[dask]'.") from None
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=rows):
                yield batch.to_pandas()
    else:
        with pd.read_csv(path, sep="\t" if ".tsv" in lower else ",", chunksize=rows) as file:
            yield from file


def _checked(function: Callable[[], Iterable[Any]]) -> Callable[[], Iterable[Any]]:
    seen: list[Any] = []

    def tables() -> Iterator[Any]:
        try:
            found = function()
            if not hasattr(found, "__iter__"):
                raise ArgumentError(f"chunks: the function must give an iterator of tables, not {type(found).__name__}.")
            if hasattr(found, "__next__"):
                if any(found is s for s in seen):
                    raise DataError("chunks: the function gave the same iterator twice; it must make a new one each time.")
                seen.append(found)
            yield from found
        except (NeuralStatError, MemoryError):
            raise
        except Exception as error:  # of the user's function
            raise DataError(f"chunks: the function raised {told(error)[:200]}.") from error

    return tables
