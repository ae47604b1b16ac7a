"""Weights of networks from files of other programs: Keras' HDF5 files and archives, and safetensors.

Files are read as arrays and JSON; nothing in them is executed, and no file can claim more memory than its bytes allow.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

from ..checks.arguments import PATH, Whole, arguments
from ..checks.files import named, open_regular
from ..errors import FileFormatError
from . import archive, hdf5, safetensors
from .match import WeightFile
from .safetensors import write_safetensors

__all__ = ["WeightFile", "read_weights", "write_safetensors"]

MAX_BYTES = 2**33
_HDF5 = b"\x89HDF\r\n\x1a\n"
_PICKLED = (b"\x80", b"PYTORCH", b"(dp")


@arguments(path=PATH, max_bytes=Whole(1, 2**62))
def read_weights(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> WeightFile:
    """Read the weights in a file of Keras or in a safetensors file.

    Parameters
    ----------
    path : str or Path
        What it is, is seen from its first bytes, not from its name: a model or weights in Keras' HDF5 format of versions
        1 and 2 (``.h5``), weights of Keras 3 (``.weights.h5``), a model of Keras 3 (``.keras``), or ``.safetensors``.
        HDF5 needs h5py, as ``pip install "neuralstat[hdf5]"`` brings it.
    max_bytes : int
        Files whose arrays take more memory are refused.

    Returns
    -------
    WeightFile
        A mapping of names, as ``"block1_conv1/kernel"``, and arrays in the file's shapes and dtypes (bfloat16 becomes
        float32), in the order of layers where the file tells it. ``.match(expected)`` maps it onto a model.

    Raises
    ------
    FileFormatError
        Where the file is none of these, is damaged, needs code to be executed (Lambda layers, pickles), points to other
        files, or claims more memory than it has bytes or than `max_bytes`.
    ArgumentError
        Where HDF5 is to be read and h5py is not installed.
    OSError
        Where there is no such file, or it cannot be read.

    Notes
    -----
    HDF5 files are taken apart by the HDF5 library. Its own handling of files that were damaged on purpose is not ours to
    check: read HDF5 files of unknown origin in a process of their own, or convert them to safetensors there.

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstat as ns
    >>> ns.write_safetensors("weights.safetensors", {"dense/kernel": np.arange(4.0).reshape(2, 2)})
    >>> ns.read_weights("weights.safetensors")["dense/kernel"]
    array([[0., 1.],
           [2., 3.]])
    """
    source = Path(path)
    try:
        with named(source):
            kind, arrays, config, ordered = _read(source, max_bytes)
    except FileFormatError as error:
        raise FileFormatError(f"{source}: {str(error).removeprefix(f'{source}: ')}") from None
    return WeightFile(source, kind, arrays, config, ordered)


def _read(source: Path, max_bytes: int) -> tuple[str, dict[str, Any], dict[str, Any] | None, bool]:
    """Kind, arrays, configuration, and whether the order is that of the layers."""
    with open_regular(source) as file:
        head = file.read(8)
    if head == _HDF5:
        return hdf5.read_file(source, source.stat().st_size, max_bytes)
    if head.startswith(b"PK") or zipfile.is_zipfile(source):
        return archive.read_archive(source, max_bytes)
    if head.startswith(_PICKLED):
        raise FileFormatError("it is a pickle, which would be executed when read; save the weights as safetensors or HDF5")
    arrays = safetensors.read_arrays(source, max_bytes)
    return "safetensors", arrays, None, True
