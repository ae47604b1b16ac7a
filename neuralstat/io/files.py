"""Fits as files: one zip of plain arrays and JSON, from which nothing can be executed.

The zip holds ``model.json`` and arrays in numpy's format (``np.load`` reads them), stored uncompressed,
so that a file can never claim more memory than it has bytes. Reading checks every entry before it is used.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import zipfile
from typing import Any, BinaryIO

import numba
import numpy as np
import pandas as pd

from .. import __version__
from ..checks.arguments import FLAG, NONE, PATH
from ..checks.arrays import DAMAGES, read_array
from ..checks.files import is_damage, open_regular, parse_json, replacing
from ..errors import FileFormatError
from ..fitted import Fitted, fitted_of
from ..formula import Design
from ..formula.arrays import WithoutCovariates, reads_arrays
from . import model as plain
from .encoding import Reader, Writer, write_array

FORMAT, VERSION = "neuralstat-fit", 2  # 1 where covariates are there: what older ones read
MODEL = "model.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # one time stamp for all members: equal fits give equal members


def save(fit: Any, path: str | os.PathLike[str], data: bool | None = None) -> None:
    """Write a fit to a file.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    path : str or Path
        The usual suffix is ``.nst``. A file that exists is replaced at the end, in one step.
    data : bool, optional
        Whether the covariates of the fit are saved too. None: unless they are arrays of several axes, as images are, which
        take far more room than weights. Without them a fit that was loaded predicts new rows; what looks at the rows of the
        fit (fitted values, residuals, degrees of freedom, a summary) says that it lacks them.

    Raises
    ------
    ArgumentError
        Where a part of the fit cannot be stored as plain data: functions of the user that are no expressions,
        index labels of unusual kinds.
    DataError
        Where ``data=True`` is asked of a fit that was itself saved without.
    OSError
        Where the folder does not exist or is not writable.

    See Also
    --------
    read
    """
    fitted, target = fitted_of(fit), PATH.check(path, "path")
    data = (FLAG | NONE).check(data, "data")
    bare = isinstance(fitted.design, WithoutCovariates)
    if data is None:
        data = not (bare or reads_arrays(fitted.design))
    writer = Writer()
    model = plain.pack(fitted, writer, data)
    document = {"format": FORMAT, "version": 1 if data else 2, "saved": _provenance(fitted), "model": model}
    text = json.dumps(document, allow_nan=False)
    with replacing(target) as half, zipfile.ZipFile(half, "w", zipfile.ZIP_STORED) as file:
        file.writestr(zipfile.ZipInfo(MODEL, _EPOCH), text.encode())
        for name, array in writer.arrays.items():
            file.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), write_array(array))


def read(path: str | os.PathLike[str]) -> Fitted:
    """Read a fit that `save` wrote.

    Nothing in the file is executed, whatever it holds.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Fitted
        With ``saved``: versions, date and hash of the data when it was saved; and ``call`` as it was then.

    Raises
    ------
    FileFormatError
        Where the file is no saved fit, is damaged, or comes from a newer neuralstat.
    OSError
        Where there is no such file, or it cannot be read.
    """
    source = PATH.check(path, "path")
    with open_regular(source) as file:
        try:
            return _read(file)
        except FileFormatError as error:
            raise FileFormatError(f"{source}: {error}") from None
        except (ArithmeticError, AttributeError, TypeError, *DAMAGES) as error:
            said = f"{type(error).__name__}: {str(error)[:200]}"
            raise FileFormatError(f"{source}: not a saved fit, or damaged ({said})") from None
        except OSError as error:
            if not is_damage(error):
                raise
            raise FileFormatError(f"{source}: not a saved fit, or damaged ({str(error)[:200]})") from None


def _read(source: BinaryIO) -> Fitted:
    size = source.seek(0, os.SEEK_END)
    with zipfile.ZipFile(source) as file:
        members = _members(file, size)
        if MODEL not in members:
            raise FileFormatError(f"not a saved fit: it lacks {MODEL}")
        document = _document(file.read(MODEL))
        _check_version(document)
        arrays = {name[:-4]: read_array(file.read(name), name) for name in members if name != MODEL}
    reader = Reader(arrays, size)
    fitted = plain.unpack(document.get("model"), reader, document.get("saved"))
    if reader.unread:
        raise FileFormatError(f"it has members that do not belong to it: {', '.join(sorted(reader.unread))}")
    return fitted


def _members(file: zipfile.ZipFile, size: int) -> list[str]:
    """Names of the members, after checks that bound what reading them takes."""
    entries = file.infolist()
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise FileFormatError("two members have the same name")
    for entry in entries:
        if entry.filename != MODEL and not entry.filename.endswith(".npy"):
            raise FileFormatError(f"member {entry.filename!r} does not belong to a saved fit")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise FileFormatError(f"member {entry.filename!r} is compressed; a saved fit is stored as it is")
    if sum(entry.file_size for entry in entries) > size:
        raise FileFormatError("its members claim more bytes than the file has")
    return names


def _document(raw: bytes) -> dict[str, Any]:
    document = parse_json(raw, MODEL, None)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FileFormatError(f"not a saved fit: {MODEL} does not have the format {FORMAT!r}")
    return document


def _check_version(document: dict[str, Any]) -> None:
    version, saved = document.get("version"), document.get("saved")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise FileFormatError(f"its version is {version!r:.40}, not a number from 1 to {VERSION}")
    if not isinstance(saved, dict) or not all(
        isinstance(k, str) and isinstance(v, str) for k, v in saved.items()
    ):
        raise FileFormatError("the record of how it was saved is damaged")
    if version > VERSION:
        raise FileFormatError(
            f"it was saved by a newer neuralstat ({saved.get('neuralstat', 'unknown')!s:.20}, file version "
            f"{version}); "
            f"this is {__version__}, which reads file versions up to {VERSION}: upgrade neuralstat to read it"
        )


def _provenance(fitted: Fitted) -> dict[str, str]:
    """Versions, date, and a hash of the data."""
    import scipy

    design = fitted.design
    bare = isinstance(design, WithoutCovariates)
    digest = None if bare else _digest(design)
    known = (fitted.saved or {}).get("data", "sha256:")
    return {
        "neuralstat": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "pandas": pd.__version__,
        "scipy": scipy.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "data": known if digest is None else f"sha256:{digest}",
    }


def _digest(design: Design) -> str:
    digest = hashlib.sha256()
    for part in (design.x, design.y, design.weights, design.frequencies, design.offset):
        if part is not None:
            digest.update(str(part.shape).encode())
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()
