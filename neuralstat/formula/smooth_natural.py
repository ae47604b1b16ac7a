"""Bases turned so that their penalties are diagonal."""

import numpy as np

FLAT = 1e-8  # directions that vary by less, relative to the basis, are not told apart from 0 by the rows


def _signed(turn: np.ndarray) -> np.ndarray:
    """Columns with the sign that makes their largest entry positive, so that no library's choice shows."""
    largest = np.take_along_axis(turn, np.argmax(np.abs(turn) > (1 - 1e-6) * np.abs(turn).max(axis=0), axis=0)[None], axis=0)
    return turn * np.where(largest < 0, -1.0, 1.0)


def natural(
    values: np.ndarray, mean: np.ndarray | None, bent: np.ndarray, null: np.ndarray, rows: int | None = None
) -> tuple[np.ndarray, np.ndarray] | None:
    """The natural parameterisation of one penalised basis (Wood 2017, section 5.4.2).

    Parameters
    ----------
    values : ndarray, shape (n, width)
        The basis at the rows of the fit, times a `by` variable where there is one; or any matrix with its cross products, as
        triangles that QR decompositions of its parts gave.
    mean : ndarray, shape (width,), or None
        Means of the basis over rows where the functions that are kept sum to 0. None keeps all functions.
    bent : ndarray, shape (width, r)
        Coefficients for which the penalty matrix is the identity.
    null : ndarray, shape (width, m)
        Coefficients that are not penalised, those of the constant 1 first.
    rows : int, optional
        Number of rows, where `values` has others.

    Returns
    -------
    turn : ndarray, shape (width, p)
        What is not penalised first, then from smooth to rough: the columns of values @ turn are orthogonal, and their mean
        square is 1 (columns of no variance on these rows, as where a level has few different values, are nearly 0).
    diagonal : ndarray, shape (p,)
        The penalty of their weights, up to a constant: that of the penalised columns has geometric mean 1.

    None where the rows do not identify what is not penalised.
    """
    n, rank = len(values) if rows is None else rows, bent.shape[1]
    if mean is not None:  # constants are not penalised
        bent = bent - null[:, :1] * (mean @ bent)
        null = null[:, 1:] - null[:, :1] * (mean @ null[:, 1:])
    q, r = np.linalg.qr(values @ null)
    scale = np.abs(np.diag(r))
    if null.shape[1] and scale.min() <= 1e-10 * max(scale.max(), np.abs(values).max() * np.sqrt(n)):
        return None
    null = np.linalg.solve(r.T, null.T).T * np.sqrt(n)
    seen = values @ bent
    whole = np.sqrt((seen**2).sum())
    bent = bent - null @ (q.T @ seen) / np.sqrt(n)  # the penalty does not see what is taken away
    seen = values @ bent
    _, spread, turned = np.linalg.svd(np.linalg.qr(seen, mode="r"))
    spread = np.pad(spread, (0, rank - len(spread)))
    varied = spread > FLAT * whole
    spread = np.maximum(spread, spread[varied].min() if varied.any() else 1.0)  # of the others the penalty alone decides
    turn = bent @ turned.T / spread * np.sqrt(n)
    diagonal = n / spread**2
    diagonal /= np.exp(np.log(diagonal[varied] if varied.any() else diagonal).mean())
    return _signed(np.column_stack([null, turn])), np.concatenate([np.zeros(null.shape[1]), diagonal])


def turned_margin(bent: np.ndarray, null: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An orthogonal matrix that makes a margin's penalty diagonal, and its diagonal; the constant is the first coordinate.

    The margin's coefficients are function values; `bent` and `null` are as in `natural`. Since the matrix is orthogonal, the
    identity in the Kronecker products of a tensor product's penalties stays what it is.
    """
    m = null.shape[1]
    basis, _ = np.linalg.qr(null, mode="complete")
    turned, size, _ = np.linalg.svd(basis[:, m:].T @ bent)  # this is the inverse of a root of the penalty
    size = np.maximum(size, np.finfo(float).eps * size[0])
    return _signed(np.column_stack([basis[:, :m], basis[:, m:] @ turned])), np.concatenate([np.zeros(m), size**-2.0])


def tensor_columns(margins: list[np.ndarray]) -> np.ndarray:
    """Products of all columns of several matrices, (n, k1 k2 ...), the last varying fastest."""
    made = margins[0]
    for values in margins[1:]:
        made = (made[:, :, None] * values[:, None, :]).reshape(len(made), made.shape[1] * values.shape[1])
    return made


def tensor_diagonals(diagonals: list[np.ndarray]) -> list[np.ndarray]:
    """Diagonals of S_1 x I x ..., I x S_2 x ..., of turned margins, in the order of `tensor_columns`."""
    grids = np.meshgrid(*diagonals, indexing="ij")
    return [grid.ravel() for grid in grids]
