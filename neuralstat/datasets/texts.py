"""Keras' data sets of numbered words and of houses, from their `.npz` files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.checks import arguments as kinds
from neuralstat.checks import check_size, shown
from neuralstat.checks.arguments import NONE, PATH, SHARE, arguments
from neuralstat.checks.files import open_regular, parse_json
from neuralstat.datasets.files import as_path, npz
from neuralstat.errors import ArgumentError, FileFormatError

START, UNKNOWN, SHIFT = 1, 2, 3  # Keras' numbers: of the start of a text, of rare words, and how words are moved up
MOST_BYTES = 2**26  # of an index of words
_WORDS = kinds.Anything("a sequence of sequences of whole numbers >= 0", [[1, 2], [3]])
_ROW = kinds.Anything("a sequence of whole numbers", [1, 2])
_SHARED = {"path": PATH, "num_words": kinds.Whole(1), "length": NONE | kinds.Whole(1), "n": NONE | kinds.Whole(1)}
BOSTON = ("CRIM", "ZN", "INDUS", "CHAS", "NOX", "RM", "AGE", "DIS", "RAD", "TAX", "PTRATIO", "B", "LSTAT")


@arguments(sequences=_WORDS, length=kinds.Whole(1))
def pad_sequences(sequences: Sequence[Sequence[int]], length: int) -> np.ndarray:
    """Lists of numbers as rows of one length: the last `length` numbers, zeros before shorter ones; as Keras does.

    Returns
    -------
    array, shape (n, length), int64

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.pad_sequences([[1, 2], [3, 4, 5, 6]], length=3)
    array([[0, 1, 2],
           [4, 5, 6]])
    """
    rows = _numbers(sequences)
    check_size(len(rows) * length, f"length={length}, {len(rows)} rows")
    out = np.zeros((len(rows), length), np.int64)
    for row, own in zip(out, rows, strict=True):
        last = own[-length:]
        row[length - len(last) :] = last
    return out


@arguments(sequences=_WORDS, width=kinds.Whole(1))
def multi_hot(sequences: Sequence[Sequence[int]], width: int) -> np.ndarray:
    """Which numbers below `width` occur in each list.

    Returns
    -------
    array, shape (n, width), uint8
        1 where the number occurs.

    Raises
    ------
    ArgumentError
        Where a number is not in 0, ..., width - 1.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.multi_hot([[0, 2], [1]], width=3)
    array([[1, 0, 1],
           [0, 1, 0]], dtype=uint8)
    """
    rows = _numbers(sequences)
    check_size(len(rows) * width, f"width={width}, {len(rows)} rows", 1)
    out = np.zeros((len(rows), width), np.uint8)
    for row, own in zip(out, rows, strict=True):
        if own.size and (own.min() < 0 or own.max() >= width):
            raise ArgumentError(f"width={width}, but a sequence holds {own.max() if own.max() >= width else own.min()}.")
        row[own] = 1
    return out


def _numbers(sequences: Any) -> list[np.ndarray]:
    """Whole numbers of each sequence."""
    several = isinstance(sequences, Sequence | np.ndarray | pd.Series) and not isinstance(sequences, str | bytes)
    if not several or (isinstance(sequences, np.ndarray) and sequences.ndim == 0):
        raise _WORDS.refuse(sequences, "sequences")
    out = []
    for k, item in enumerate(sequences):
        own = kinds.as_numbers(item, f"sequences[{k}]", _ROW) if not isinstance(item, np.ndarray) else item
        whole = own.dtype.kind in "iu" or (own.dtype.kind == "f" and np.isfinite(own).all() and (own == np.round(own)).all())
        if own.ndim != 1 or not whole or np.abs(own).max(initial=0) > 2**53:
            raise _ROW.refuse(item, f"sequences[{k}]")
        out.append(own.astype(np.int64))
    return out


def _is_row(given: Any) -> bool:
    """Whether something holds items: an array of some dimension, a list, a range; not text."""
    if isinstance(given, np.ndarray):
        return given.ndim > 0
    return isinstance(given, Sequence) and not isinstance(given, str | bytes)


def _texts(x: Any, y: Any, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Lists of numbers and labels, checked."""
    if x is None or y is None:
        raise FileFormatError(f"{what}: it lacks the arrays of texts and labels")
    y = np.asarray(y)
    if x.ndim != 1 or y.shape != x.shape or y.dtype.kind not in "iu" or (y.size and y.min() < 0):
        raise FileFormatError(f"{what}: texts {x.shape} and labels {y.shape} do not belong together")
    for item in x:
        if not isinstance(item, list) or not all(type(word) is int and word >= 0 for word in item):
            raise FileFormatError(f"{what}: a text is no list of numbers of words")
    return x, y.astype(np.int64)


def _encode(texts: Any, num_words: int, length: int | None) -> np.ndarray:
    """As Keras' `load_data` numbers words, then rows of one length, or 0/1 for every word."""
    def number(word: int) -> int:
        return word + SHIFT if word + SHIFT < num_words else UNKNOWN

    lists = [[START, *map(number, text)] for text in texts]
    return multi_hot(lists, num_words) if length is None else pad_sequences(lists, length)


@arguments(**_SHARED, subset=kinds.Choice("train", "test"))
def imdb(
    path: str | os.PathLike[str], subset: str = "train", *, num_words: int = 10_000, length: int | None = None,
    n: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Read Keras' ``imdb.npz``, reviews of films as numbers of words, from a file that you have.

    Parameters
    ----------
    path : str or Path
    subset : "train" or "test"
        25,000 reviews each, in the order in which Keras shuffles them.
    num_words : int
        Words are numbered by how common they are; those from this number on become 2.
    length : int, optional
        Given: the last `length` words of every review, for an Embedding layer; else a column of 0 and 1 per word.
    n : int, optional
        The first n reviews only.

    Returns
    -------
    dict
        ``positive``, 0 or 1; ``words``, shape (n, length) or (n, num_words).

    Raises
    ------
    FileFormatError
        Naming the file, where it is damaged or holds other objects.

    References
    ----------
    Maas, A. L. et al. (2011). Learning word vectors for sentiment analysis. ACL, 142-150.

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstat as ns
    >>> x = np.array([[1, 14, 22], [1, 9]], dtype=object)
    >>> np.savez("imdb.npz", x_train=x, y_train=[1, 0], x_test=x, y_test=[1, 0])
    >>> reviews = ns.datasets.imdb("imdb.npz", length=4)
    >>> {name: np.asarray(values).tolist() for name, values in reviews.items()}
    {'positive': [1, 0], 'words': [[1, 4, 17, 25], [0, 1, 4, 12]]}
    """
    arrays = npz(path, names=(f"x_{subset}", f"y_{subset}", "y_train"))
    x, y = _texts(arrays.get(f"x_{subset}"), arrays.get(f"y_{subset}"), str(path))
    rng = np.random.RandomState(113)  # Keras' seed; it shuffles the training set, then the test set
    if subset == "test":
        rng.shuffle(np.arange(len(arrays.get("y_train", ()))))
    order = np.arange(len(x))
    rng.shuffle(order)
    x, y = x[order[:n]], y[order[:n]]
    return {"positive": y, "words": _encode(x, num_words, length)}


@arguments(**_SHARED, subset=kinds.Choice("train", "test", "all"), test_share=SHARE)
def reuters(
    path: str | os.PathLike[str], subset: str = "train", *, num_words: int = 10_000, length: int | None = None,
    n: int | None = None, test_share: float = 0.2,
) -> dict[str, Any]:  # fmt: skip
    """Read Keras' ``reuters.npz``, newswires of 46 topics as numbers of words, from a file that you have.

    Parameters
    ----------
    path, num_words, length, n
        As in `imdb`.
    subset : "train", "test" or "all"
    test_share : float
        Share of the newswires in the test set.

    Returns
    -------
    dict
        ``topic``, a Categorical of whole numbers; ``words``, shape (n, length) or (n, num_words).

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstat as ns
    >>> x = np.array([[1, 14, 22], [1, 9]], dtype=object)
    >>> np.savez("reuters.npz", x=x, y=[3, 4])
    >>> news = ns.datasets.reuters("reuters.npz", "all", length=4)
    >>> {name: np.asarray(values).tolist() for name, values in news.items()}
    {'topic': [3, 4], 'words': [[1, 4, 17, 25], [0, 1, 4, 12]]}
    """
    arrays = npz(path)
    x, y = _texts(arrays.get("x"), arrays.get("y"), str(path))
    topics = list(range(int(y.max(initial=0)) + 1))
    if len(topics) > 1000:
        raise FileFormatError(f"{path}: a topic has the number {len(topics) - 1}")
    order = np.arange(len(x))
    np.random.RandomState(113).shuffle(order)
    cut = int(len(x) * (1 - test_share))
    order = {"train": order[:cut], "test": order[cut:], "all": order}[subset][:n]
    words = _encode(x[order], num_words, length)
    return {"topic": pd.Categorical.from_codes(y[order], topics), "words": words}


@arguments(path=PATH)
def word_index(path: str | os.PathLike[str]) -> dict[str, int]:
    """Read Keras' ``imdb_word_index.json`` or ``reuters_word_index.json``, from a file that you have.

    Returns
    -------
    dict
        Word -> how common it is, from 1; in `imdb` and `reuters` its number is larger by 3. See `decode`.

    Raises
    ------
    FileFormatError
        Where the file holds something else, or two words have one number.

    Examples
    --------
    >>> from pathlib import Path
    >>> import neuralstat as ns
    >>> n = Path("imdb_word_index.json").write_text('{"the": 1, "film": 2}')
    >>> ns.datasets.word_index("imdb_word_index.json")
    {'the': 1, 'film': 2}
    """
    source = as_path(path)
    with open_regular(source) as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise FileFormatError(f"{source}: it has more than {MOST_BYTES} bytes")
    try:
        found = parse_json(raw, "it", None)
    except FileFormatError as error:
        raise FileFormatError(f"{source}: {error}") from None
    if not isinstance(found, dict) or not found or not all(type(k) is int and k > 0 for k in found.values()):
        raise FileFormatError(f"{source}: it is no table of words and their numbers from 1")
    if len(set(found.values())) < len(found):
        raise FileFormatError(f"{source}: two words have one number")
    return found


@arguments(sequences=kinds.Anything("numbers of words, of one text or of several", [1, 14, 22]),
           index=kinds.Map(kinds.Whole(1)))
def decode(sequences: Any, index: Mapping[str, int]) -> Any:
    """Texts from the numbers that `imdb` and `reuters` give with ``length=``.

    Parameters
    ----------
    sequences : sequence of int, or of such sequences
    index : mapping
        From `word_index`.

    Returns
    -------
    str, or list of str
        Words with a space between them; "?" for those that are too rare to have a number of their own. Zeros before short
        texts, and the mark of a text's start, are left out.

    Raises
    ------
    ArgumentError
        Where a number belongs to no word of the index.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.decode([[4, 5]], {"good": 1, "film": 2})
    ['good film']
    """
    if not _is_row(sequences):
        raise ArgumentError(f"sequences must be numbers of words, of one text or of several, got {shown(sequences)}.")
    check_size(len(sequences), "sequences", 100)  # as a list
    items = list(sequences)
    one = not any(map(_is_row, items))
    for item in filter(_is_row, items):
        check_size(len(item), "sequences", 100)
    words: dict[int, str] = {0: "", START: "", UNKNOWN: "?", **{k + SHIFT: word for word, k in index.items()}}
    out = []
    for k, row in enumerate(_numbers([items] if one else items)):
        strange = next((int(number) for number in row if int(number) not in words), None)
        if strange is not None:
            where = "" if one else f"[{k}]"
            raise ArgumentError(f"sequences{where} holds {strange}, which is no word of the index.")
        out.append(" ".join(word for number in row if (word := words[int(number)])))
    return out[0] if one else out


@arguments(path=PATH)
def boston_housing(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read Keras' ``boston_housing.npz``, 506 census tracts, from a file that you have.

    Returns
    -------
    DataFrame
        CRIM, ..., LSTAT, and MEDV, the median value of homes in 1000 dollars; in the file's order. One covariate, B, was
        made from the share of black inhabitants on a discriminatory assumption; leave it out of models that matter.

    References
    ----------
    Harrison, D. & Rubinfeld, D. L. (1978). Hedonic prices and the demand for clean air. Journal of Environmental
    Economics and Management 5, 81-102.

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstat as ns
    >>> x = np.ones((2, 13))
    >>> np.savez("boston_housing.npz", x=x, y=[24.0, 21.6])
    >>> ns.datasets.boston_housing("boston_housing.npz")["MEDV"].tolist()
    [24.0, 21.6]
    """
    arrays = npz(as_path(path))
    x, y = arrays.get("x"), arrays.get("y")
    if x is None or y is None or x.shape != (len(y), len(BOSTON)) or x.dtype.kind != "f" or y.dtype.kind != "f":
        raise FileFormatError(f"{path}: it has no arrays x (rows, {len(BOSTON)}) and y")
    return pd.DataFrame(x, columns=list(BOSTON)).assign(MEDV=y)
