"""Regression functions for tests and studies, and data drawn from them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.checks import arguments as kinds
from neuralstat.checks import check_size, shown
from neuralstat.checks.arguments import arguments
from neuralstat.errors import ArgumentError, DataError

RandomState = int | np.random.SeedSequence | np.random.Generator | None

FAR = 1e150  # ends of grids and sizes of noise are below it, so that responses are finite
SHARED = {"n": kinds.Whole(1), "noise": kinds.Number(0.0, FAR), "random_state": kinds.RANDOM_STATE}
COLUMNS = 64  # numbers per row that a generator holds at most, temporary ones too

# Donoho and Johnstone (1994), Table 1: positions and heights of the jumps and peaks, widths of the peaks.
_DJ_AT = np.array([0.10, 0.13, 0.15, 0.23, 0.25, 0.40, 0.44, 0.65, 0.76, 0.78, 0.81])
_BLOCKS_HEIGHT = np.array([4.0, -5, 3, -4, 5, -4.2, 2.1, 4.3, -3.1, 2.1, -4.2])
_BUMPS_HEIGHT = np.array([4.0, 5, 3, 4, 5, 4.2, 2.1, 4.3, 3.1, 5.1, 4.2])
_BUMPS_WIDTH = np.array([0.005, 0.005, 0.006, 0.01, 0.01, 0.03, 0.01, 0.01, 0.005, 0.008, 0.005])


def _doppler(x: np.ndarray) -> np.ndarray:
    return np.sin(1 / x)


def _blocks(x: np.ndarray) -> np.ndarray:
    return (1 + np.sign(x[:, None] - _DJ_AT)) / 2 @ _BLOCKS_HEIGHT


def _bumps(x: np.ndarray) -> np.ndarray:
    return (1 + np.abs((x[:, None] - _DJ_AT) / _BUMPS_WIDTH)) ** -4.0 @ _BUMPS_HEIGHT


def _heavisine(x: np.ndarray) -> np.ndarray:
    return 4 * np.sin(4 * np.pi * x) - np.sign(x - 0.3) - np.sign(0.72 - x)


def _doppler_dj(x: np.ndarray) -> np.ndarray:
    return np.sqrt(x * (1 - x)) * np.sin(2 * np.pi * 1.05 / (x + 0.05))


def _step(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0.5, 0.0, 1.0)


def _sine(x: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * x)


def _friedman1(x: np.ndarray) -> np.ndarray:
    return 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]


def _friedman2(x: np.ndarray) -> np.ndarray:
    return np.sqrt(x[:, 0] ** 2 + (x[:, 1] * x[:, 2] - 1 / (x[:, 1] * x[:, 3])) ** 2)


def _friedman3(x: np.ndarray) -> np.ndarray:
    return np.arctan((x[:, 1] * x[:, 2] - 1 / (x[:, 1] * x[:, 3])) / x[:, 0])


def _xor(x: np.ndarray) -> np.ndarray:
    return ((x[:, 0] > 0.5) != (x[:, 1] > 0.5)).astype(float)


def _two_spirals(x: np.ndarray) -> np.ndarray:
    """1 where the nearest arm at the point's angle is that of class 1: sin(angle - radius of the arm) < 0."""
    angle = np.arctan2(x[:, 1], x[:, 0])
    turn = np.hypot(x[:, 0], x[:, 1]) * _SPIRAL_TURNS
    return (np.cos(angle - turn) < 0).astype(float)


#: An arm winds by `_SPIRAL_TURNS` radians from the centre to radius 1 (three full turns).
_SPIRAL_TURNS = 6 * np.pi


@arguments(name=kinds.TEXT, columns=kinds.Several(kinds.TEXT), function=kinds.FUNCTION)
@dataclass(frozen=True)
class Truth:
    """A regression function: call it with covariates, get the mean of the response.

    Attributes
    ----------
    name : str
    columns : tuple of str
        Covariates in order.

    Examples
    --------
    >>> import neuralstat as ns
    >>> truth = ns.datasets.truth("sine")
    >>> truth.name, truth.columns
    ('sine', ('x',))
    >>> truth([0.0, 0.25, 0.5]).round(3)
    array([0., 1., 0.])
    """

    name: str
    columns: tuple[str, ...]
    function: Callable[[np.ndarray], np.ndarray]

    def __call__(self, x: Any) -> np.ndarray:
        """Evaluate the regression function.

        Parameters
        ----------
        x : DataFrame, or array of shape (n,) or (n, number of columns)
            A DataFrame is read by column names.

        Returns
        -------
        ndarray, shape (n,)
        """
        if isinstance(x, pd.DataFrame):
            missing = [c for c in self.columns if c not in x.columns]
            if missing:
                raise DataError(
                    f"truth({self.name!r}) needs the columns {self.columns}; {missing} are missing."
                )
            values = np.column_stack([kinds.as_numbers(x[c].to_numpy(), f"x[{c!r}]", _COLUMN) for c in self.columns])
        else:
            values = kinds.as_numbers(x, "x", _VALUES)
        d = len(self.columns)
        if values.ndim < 2 and d == 1:
            values = values.reshape(-1, 1)
        if values.ndim != 2 or values.shape[1] < d or (values.shape[1] > d and self.name != "friedman1"):
            raise DataError(f"truth({self.name!r}) needs {d} column(s) {self.columns}, not shape {values.shape}.")
        return self.function(values[:, 0] if d == 1 else values)


_VALUES, _COLUMN = kinds.Numbers(None, finite=False), kinds.Numbers(1, finite=False)


def _names(d: int) -> tuple[str, ...]:
    return tuple(f"x{j + 1}" for j in range(d))


TRUTHS: dict[str, Truth] = {
    name: Truth(name, columns, function)
    for name, columns, function in (
        ("doppler", ("x",), _doppler),
        ("blocks", ("x",), _blocks),
        ("bumps", ("x",), _bumps),
        ("heavisine", ("x",), _heavisine),
        ("doppler_dj", ("x",), _doppler_dj),
        ("step", ("x",), _step),
        ("sine", ("x",), _sine),
        ("friedman1", _names(5), _friedman1),
        ("friedman2", _names(4), _friedman2),
        ("friedman3", _names(4), _friedman3),
        ("xor", _names(2), _xor),
        ("two_spirals", _names(2), _two_spirals),
    )
}


@arguments(name=kinds.Anything("the name of a generator", "doppler"))
def truth(name: str) -> Truth:
    """Give the regression function of a generator.

    Parameters
    ----------
    name : str
        Name of a generator in this package, such as ``"doppler"``.

    Returns
    -------
    Truth
        Callable with a DataFrame or array of covariates; gives E(y | x), for the two-class sets the class
        that data without noise have.

    Raises
    ------
    ArgumentError
        For an unknown name.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=50, noise=0.1, random_state=1)
    >>> mean = ns.datasets.truth("doppler")(data)
    >>> float((data["y"] - mean).std().round(2))  # the noise
    0.09
    """
    if not isinstance(name, str) or name not in TRUTHS:
        raise ArgumentError(f"truth must be one of {', '.join(map(repr, TRUTHS))}, not {shown(name)}.")
    return TRUTHS[name]


def _stream(n: int, random_state: RandomState) -> np.random.Generator:
    """The generator of random numbers, where n rows fit in memory."""
    check_size(n * COLUMNS, f"n={n} rows")
    return np.random.default_rng(random_state)


def _curve(name: str, x: np.ndarray, noise: float, rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame({"x": x, "y": TRUTHS[name](x) + noise * rng.standard_normal(len(x))})


@arguments(**SHARED, low=kinds.Number(1 / FAR, FAR), high=kinds.Number(1 / FAR, FAR))
def doppler(
    n: int = 200,
    noise: float = 0.1,
    random_state: RandomState = None,
    low: float = 0.05,
    high: float = 1.0,
) -> pd.DataFrame:
    """Draw y = sin(1/x) + noise * N(0, 1) on an even grid.

    Parameters
    ----------
    n : int
        Number of rows.
    noise : float
        Standard deviation of the noise.
    random_state : None, int, SeedSequence or Generator
    low, high : float
        Ends of the grid, 0 < low < high.

    Returns
    -------
    DataFrame
        Columns ``x``, ``y``.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=5, noise=0.1, random_state=1)
    >>> data.round(3)
           x      y
    0  0.050  0.948
    1  0.288 -0.248
    2  0.525  0.978
    3  0.762  0.836
    4  1.000  0.932
    """
    rng = _stream(n, random_state)
    if not low < high:
        raise ArgumentError(f"low and high must satisfy low < high, not low={low!r}, high={high!r}.")
    return _curve("doppler", np.linspace(low, high, n), noise, rng)


def _donoho_johnstone(name: str, n: int, noise: float, random_state: RandomState) -> pd.DataFrame:
    """Draw on Donoho and Johnstone's design, i/n for i = 1, ..., n."""
    rng = _stream(n, random_state)
    return _curve(name, np.arange(1, n + 1) / n, noise, rng)


@arguments(**SHARED)
def blocks(n: int = 2048, noise: float = 1.0, random_state: RandomState = None) -> pd.DataFrame:
    """Draw Donoho and Johnstone's Blocks: a piecewise constant function with eleven jumps, at i/n.

    Parameters
    ----------
    n, noise, random_state
        As in `doppler`.

    Returns
    -------
    DataFrame
        Columns ``x``, ``y``.

    References
    ----------
    Donoho, D. L. and Johnstone, I. M. (1994). Ideal spatial adaptation by wavelet shrinkage. Biometrika 81,
    425-455, Table 1 and Figure 1. The paper rescales the functions so that their standard deviation is 7
    times the noise; here they are as in Table 1.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.blocks(n=256, noise=0.5, random_state=1)
    >>> data.shape, data["y"].round(1).tolist()[:4]
    ((256, 2), [0.2, 0.4, 0.2, -0.7])
    >>> ns.datasets.truth("blocks")([0.05, 0.12, 0.2])  # before, between and after the first jumps
    array([0., 4., 2.])
    """
    return _donoho_johnstone("blocks", n, noise, random_state)


@arguments(**SHARED)
def bumps(n: int = 2048, noise: float = 1.0, random_state: RandomState = None) -> pd.DataFrame:
    """Draw Donoho and Johnstone's Bumps: eleven peaks of different width, at i/n; see `blocks`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.bumps(n=256, noise=0.0)
    >>> data.loc[data["y"].idxmax()].round(3).to_dict()  # the highest peak
    {'x': 0.25, 'y': 5.053}
    """
    return _donoho_johnstone("bumps", n, noise, random_state)


@arguments(**SHARED)
def heavisine(n: int = 2048, noise: float = 1.0, random_state: RandomState = None) -> pd.DataFrame:
    """Draw Donoho and Johnstone's HeaviSine: a sinusoid with two jumps, at i/n; see `blocks`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.heavisine(n=256, noise=0.0)
    >>> jumps = data["y"].diff().abs().nlargest(2)
    >>> data.loc[jumps.index, "x"].round(2).tolist()  # where they are
    [0.3, 0.72]
    """
    return _donoho_johnstone("heavisine", n, noise, random_state)


@arguments(**SHARED)
def doppler_dj(n: int = 2048, noise: float = 0.1, random_state: RandomState = None) -> pd.DataFrame:
    """Draw Donoho and Johnstone's Doppler, sqrt(x (1 - x)) sin(2.1 pi / (x + 0.05)), at i/n; see `blocks`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler_dj(n=256, noise=0.0)
    >>> data.describe().loc[["min", "max"]].round(3)
             x      y
    min  0.004 -0.497
    max  1.000  0.493
    """
    return _donoho_johnstone("doppler_dj", n, noise, random_state)


@arguments(**SHARED)
def step(n: int = 200, noise: float = 0.1, random_state: RandomState = None) -> pd.DataFrame:
    """Draw a step from 0 to 1 at x = 0.5, on an even grid over [0, 1].

    Parameters and columns are those of `doppler`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.step(n=4, noise=0.0)
              x    y
    0  0.000000  0.0
    1  0.333333  0.0
    2  0.666667  1.0
    3  1.000000  1.0
    """
    rng = _stream(n, random_state)
    return _curve("step", np.linspace(0, 1, n), noise, rng)


@arguments(**SHARED)
def sine(n: int = 200, noise: float = 0.1, random_state: RandomState = None) -> pd.DataFrame:
    """Draw one period of a sine, sin(2 pi x), on an even grid over [0, 1].

    Parameters and columns are those of `doppler`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.sine(n=5, noise=0.0).round(3)
          x    y
    0  0.00  0.0
    1  0.25  1.0
    2  0.50  0.0
    3  0.75 -1.0
    4  1.00 -0.0
    """
    rng = _stream(n, random_state)
    return _curve("sine", np.linspace(0, 1, n), noise, rng)


def _table(name: str, x: np.ndarray, noise: float, rng: np.random.Generator) -> pd.DataFrame:
    frame = pd.DataFrame(x, columns=list(_names(x.shape[1])))
    return frame.assign(y=TRUTHS[name](frame) + noise * rng.standard_normal(len(x)))


@arguments(**SHARED)
def friedman1(n: int = 200, noise: float = 1.0, random_state: RandomState = None) -> pd.DataFrame:
    """Draw Friedman's first problem: ten uniform covariates, of which five matter.

    y = 10 sin(pi x1 x2) + 20 (x3 - 1/2)^2 + 10 x4 + 5 x5 + noise.

    Returns
    -------
    DataFrame
        Columns ``x1`` to ``x10``, ``y``.

    References
    ----------
    Friedman, J. H. (1991). Multivariate adaptive regression splines. Annals of Statistics 19, 1-67.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.friedman1(n=100, noise=1.0, random_state=1)
    >>> list(data.columns)
    ['x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7', 'x8', 'x9', 'x10', 'y']
    >>> fit = ns.neuralnet("y ~ .", data, hidden=0)
    >>> fit.params.round(1).tolist()[3:7]  # x4 and x5 are linear, of slopes 10 and 5; x6 means nothing
    [-0.9, 9.0, 5.4, 1.7]
    """
    rng = _stream(n, random_state)
    return _table("friedman1", rng.uniform(size=(n, 10)), noise, rng)


def _circuit(n: int, rng: np.random.Generator) -> np.ndarray:
    """Resistance, angular frequency, inductance and capacitance of Friedman's circuit."""
    low = np.array([0.0, 40 * np.pi, 0.0, 1.0])
    high = np.array([100.0, 560 * np.pi, 1.0, 11.0])
    return rng.uniform(low, high, size=(n, 4))


@arguments(**SHARED)
def friedman2(n: int = 200, noise: float = 125.0, random_state: RandomState = None) -> pd.DataFrame:
    """Draw Friedman's second problem: the impedance of an alternating current circuit.

    y = sqrt(x1^2 + (x2 x3 - 1/(x2 x4))^2) + noise. The default noise gives about three to one signal to
    noise.

    Returns
    -------
    DataFrame
        Columns ``x1`` to ``x4``, ``y``.

    References
    ----------
    Friedman (1991), as in `friedman1`. As is usual (and as in scikit-learn), x4 is used as if its
    unit made 1/(x2 x4) comparable with x2 x3.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.friedman2(n=3, random_state=1).round(2)
          x1       x2    x3     x4       y
    0  51.18  1678.37  0.14  10.49  155.25
    1  31.18   817.22  0.83   5.09  656.77
    2  54.96   170.69  0.75   6.38   79.60
    """
    rng = _stream(n, random_state)
    return _table("friedman2", _circuit(n, rng), noise, rng)


@arguments(**SHARED)
def friedman3(n: int = 200, noise: float = 0.1, random_state: RandomState = None) -> pd.DataFrame:
    """Draw Friedman's third problem: the phase angle of the circuit of `friedman2`.

    y = arctan((x2 x3 - 1/(x2 x4)) / x1) + noise; columns ``x1`` to ``x4``, ``y``.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.friedman3(n=3, noise=0.0, random_state=1).round(3)
           x1        x2     x3      x4      y
    0  51.182  1678.368  0.144  10.486  1.362
    1  31.183   817.222  0.828   5.092  1.525
    2  54.959   170.685  0.754   6.381  1.167
    """
    rng = _stream(n, random_state)
    return _table("friedman3", _circuit(n, rng), noise, rng)


@arguments(**SHARED)
def xor(n: int = 4, noise: float = 0.0, random_state: RandomState = None) -> pd.DataFrame:
    """Give exclusive or: the four corners of the unit square, repeated until there are n rows.

    Parameters
    ----------
    n : int
    noise : float
        Standard deviation of normal noise added to the covariates; the response stays 0 or 1.
    random_state : None, int, SeedSequence or Generator

    Returns
    -------
    DataFrame
        Columns ``x1``, ``x2`` and the 0/1 response ``y``.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.xor()
        x1   x2    y
    0  0.0  0.0  0.0
    1  0.0  1.0  1.0
    2  1.0  0.0  1.0
    3  1.0  1.0  0.0
    """
    rng = _stream(n, random_state)
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    x = np.resize(corners, (n, 2))
    frame = pd.DataFrame(x + noise * rng.standard_normal(x.shape), columns=["x1", "x2"])
    return frame.assign(y=TRUTHS["xor"](x))


@arguments(**SHARED)
def two_spirals(n: int = 200, noise: float = 0.0, random_state: RandomState = None) -> pd.DataFrame:
    """Draw two classes on arms of a spiral that wind three times around each other.

    Parameters
    ----------
    n : int
        Rows, half of them (rounded up) of class 0.
    noise : float
        Standard deviation of normal noise added to the coordinates (the arms end at radius 1).
    random_state : None, int, SeedSequence or Generator

    Returns
    -------
    DataFrame
        Columns ``x1``, ``x2`` and the 0/1 response ``y``.

    References
    ----------
    Lang, K. J. and Witbrock, M. J. (1989). Learning to tell two spirals apart. Proceedings of the 1988
    Connectionist Models Summer School, 52-59.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.two_spirals(n=6, random_state=1)
    >>> data.round(2)
         x1    x2    y
    0 -0.13  0.06  0.0
    1  0.37 -0.29  1.0
    2  0.57 -0.29  0.0
    3  0.41 -0.66  1.0
    4 -0.33 -0.83  0.0
    5 -1.00  0.00  1.0
    """
    rng = _stream(n, random_state)
    label = np.arange(n) % 2
    radius = np.sqrt(np.linspace(0.02, 1.0, n))  # points lie evenly along an arm
    angle = radius * _SPIRAL_TURNS + np.pi * label
    x = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    frame = pd.DataFrame(x + noise * rng.standard_normal(x.shape), columns=["x1", "x2"])
    return frame.assign(y=label.astype(float))
