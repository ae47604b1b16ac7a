"""Regression splines, and statsmodels' GLM and GAM, as models of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..checks import arguments as kinds
from ..checks import shown
from ..checks.arguments import NONE, NOT_NEGATIVE, TEXT, arguments
from ..errors import ArgumentError
from ..formula.bounds import check_columns, check_text
from .fingerprint import text
from .fits import Fits, one_by_one

SIZE = kinds.Whole(0, 1000)  # basis functions of a covariate
DEGREE = kinds.Whole(0, 20)


@arguments(name=TEXT, size=SIZE, terms=TEXT, kind=TEXT)
@dataclass(frozen=True, eq=False)
class Basis:
    """Least squares on the columns of a formula; made by `bs`, `cr` and `glm`.

    Attributes
    ----------
    name, kind : str
    size : int
        Number of basis functions per covariate.
    terms : str
        A right-hand side of formulaic; of other kinds than "glm" one with ``{x}`` for every covariate.
    """

    name: str
    size: int
    terms: str
    kind: str

    def prepare(self, x: np.ndarray, columns: tuple[str, ...], restarts: int) -> LinearSmoother:
        """The basis on a design (n, D)."""
        del restarts
        return LinearSmoother(Columns(self._terms(columns), x, columns))

    def _terms(self, columns: tuple[str, ...]) -> str:
        return self.terms if self.kind == "glm" else " + ".join(self.terms.replace("{x}", c) for c in columns)

    def describe(self) -> str:
        """Text that names all settings."""
        return f"{self.kind}({self.terms!r})"

    def networks(self, restarts: int) -> int:
        """Networks per fit: none."""
        del restarts
        return 0


class Columns:
    """Columns of a right-hand side on a design.

    Parameters
    ----------
    terms : str
    x : (n, D) array
    names : tuple of str

    Attributes
    ----------
    whole : (n, p) array
        Knots, centres and other states of transforms come from the whole design.
    """

    def __init__(self, terms: str, x: np.ndarray, names: tuple[str, ...]) -> None:
        self.terms, self.frame = terms, pd.DataFrame(x, columns=list(names))
        check_columns(terms_of(terms, names), len(x), {}, {})
        matrix = self._found(self.frame)
        self.whole, self.spec = _array(matrix), matrix.model_spec
        self.stateful = any(self.spec.transform_state.values())

    def of(self, rows: np.ndarray | None, new: np.ndarray | None = None) -> np.ndarray:
        """Columns (n, p) at the whole design, states of transforms found from some of its rows; then at new covariates."""
        whole, spec = self.whole, self.spec
        if rows is not None and self.stateful:
            spec = self._found(self.frame.iloc[rows].reset_index(drop=True)).model_spec
            whole = _array(spec.get_model_matrix(self.frame, context={}))
        if new is None:
            return whole
        frame = pd.DataFrame(new, columns=list(self.frame.columns))
        return np.concatenate([whole, _array(spec.get_model_matrix(frame, context={}))])

    def _found(self, frame: Any) -> Any:
        import formulaic

        return formulaic.model_matrix(self.terms, frame, na_action="raise", context={})


def terms_of(text: str, names: Sequence[str]) -> list[Any]:
    """Terms of a right-hand side, products of which are counted before they are made."""
    from ..formula.matrix import parse_terms

    check_text(text)
    return parse_terms(text, names)


def _array(matrix: Any) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(matrix, dtype=float))


@arguments(size=SIZE, degree=DEGREE, name=NONE | TEXT)
def bs(size: int, *, degree: int = 3, name: str | None = None) -> Basis:
    """A regression spline of B-splines by least squares (formulaic's ``bs``), knots at quantiles of the rows it sees.

    Beyond these rows (a fold's training part need not hold the extremes) its end pieces go on, as R's ``bs`` does.

    Parameters
    ----------
    size : int
        Number K of basis functions, the constant among them; at least ``degree + 1``. With several covariates the
        model is additive, with K - 1 functions of each and a constant.
    degree : int
    name : str, optional
        "bs 8" where not given.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.study.bs(8).terms
    "bs({x}, df=7, degree=3, extrapolation='extend')"
    """
    size = kinds.Whole(degree + 1, SIZE.most).check(size, "bs: size")
    return Basis(name or f"bs {size}", size, f"bs({{x}}, df={size - 1}, degree={degree}, extrapolation='extend')", "bs")


@arguments(size=kinds.Whole(3, SIZE.most), name=NONE | TEXT)
def cr(size: int, *, name: str | None = None) -> Basis:
    """A natural cubic regression spline by least squares (formulaic's ``cr``), knots at quantiles of the rows it sees.

    Beyond these rows it is a straight line.

    Parameters
    ----------
    size : int
        Number K of basis functions, the constant among them; at least 3. With several covariates the model is
        additive, with K - 1 functions of each and a constant.
    name : str, optional
        "cr 8" where not given.

    Examples
    --------
    >>> import neuralstat as ns
    >>> models = [ns.study.cr(k) for k in (4, 8)]
    >>> done = ns.study(models, "sine", 0.3, 60, replicates=10, random_state=1, n_jobs=1)
    >>> done.summary().index.get_level_values("model").unique().tolist()
    ['cr 4', 'cr 8']
    """
    return Basis(name or f"cr {size}", size, f"cr({{x}}, df={size})", "cr")


class LinearSmoother:
    """Least squares on columns (n, p), which need not be independent."""

    def __init__(self, columns: Columns) -> None:
        left, singular, right = np.linalg.svd(columns.whole, full_matrices=False)
        keep = singular > 1e-10 * singular[0]
        self.columns = columns
        self.basis = np.ascontiguousarray(left[:, keep])
        self.turn = right[keep].T / singular[keep]  # of columns, into the basis
        self.trace = np.sum(self.basis**2, axis=1)

    def fit(
        self,
        y: np.ndarray,
        seeds: Sequence[np.random.SeedSequence],
        rows: Sequence[np.ndarray] | None = None,
        local: bool = True,
        new: np.ndarray | None = None,
    ) -> Fits:
        """Fit T responses; see `fits.Prepared`."""
        del seeds, local
        q, m = self.basis, None if new is None else len(new)
        if rows is None:
            at = q if new is None else np.concatenate([q, self.columns.of(None, new)[y.shape[1] :] @ self.turn])
            return one_by_one(lambda t: (at @ (q.T @ y[t]), float(q.shape[1])), y, trace=self.trace, new=m)

        def part(t: int) -> tuple[np.ndarray, float]:
            plain = new is None and not self.columns.stateful
            columns = q if plain else self.columns.of(rows[t], new)
            weights, _, rank, _ = np.linalg.lstsq(columns[: y.shape[1]][rows[t]], y[t][rows[t]], rcond=None)
            return columns @ weights, float(rank)

        return one_by_one(part, y, new=m)


@arguments(name=TEXT, kind=kinds.Choice("glm", "gam"), terms=TEXT, size=SIZE, options=kinds.Map(kinds.Anything("an option")))
@dataclass(frozen=True, eq=False)
class Statsmodels:
    """A GLM or GAM of statsmodels; made by `glm` and `gam`."""

    name: str
    kind: str
    terms: str = "1"
    size: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def prepare(self, x: np.ndarray, columns: tuple[str, ...], restarts: int) -> PreparedStatsmodels:
        """The model on a design (n, D)."""
        del restarts
        return PreparedStatsmodels(self, x, columns)

    def describe(self) -> str:
        """Text that names all settings."""
        family = self.options.get("family")
        named = None
        if family is not None:
            values = {k: v for k, v in sorted(vars(family).items()) if isinstance(v, int | float | str)}
            named = f"{type(family).__name__}({type(family.link).__name__}, {values!r})"
        rest = {k: v for k, v in sorted(self.options.items()) if k != "family"}
        return f"{self.kind}({self.terms!r}, family={named}, {text(rest)})"

    def networks(self, restarts: int) -> int:
        """Networks per fit: none."""
        del restarts
        return 0


@arguments(formula=TEXT, family=kinds.Anything("a statsmodels family instance"), name=NONE | TEXT)
def glm(formula: str, *, family: Any = None, name: str | None = None) -> Statsmodels | Basis:
    """A generalised linear model (statsmodels' GLM; least squares for the gaussian family).

    Parameters
    ----------
    formula : str
        Right-hand side in the names of the covariates ("x", or "x1", "x2", ...): ``"poly(x, 3)"``, ``"x1 * x2"``; a
        left-hand side may be there and is not read.
    family : statsmodels family, optional
        Gaussian with identity link where not given.
    name : str, optional

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.study.glm("poly(x, 3)").name
    'glm poly(x, 3)'
    """
    terms = formula.partition("~")[2].strip() if "~" in formula else formula.strip()
    if not terms:
        raise ArgumentError(f"glm: formula {shown(formula)} has no right-hand side.")
    terms_of(terms, ("x",))
    title = name or f"glm {terms}"
    if family is None:
        return Basis(title, 0, terms, "glm")
    _check_family(family, "glm")
    return Statsmodels(title, "glm", terms, 0, {"family": family})


def _check_family(family: Any, what: str) -> None:
    from statsmodels.genmod.families import Family

    if not isinstance(family, Family):
        raise ArgumentError(f"{what}: family must be a statsmodels family instance, got {shown(family)}.")


@arguments(size=SIZE, alpha=NOT_NEGATIVE, degree=kinds.Whole(1, DEGREE.most), name=NONE | TEXT,
           family=kinds.Anything("a statsmodels family instance"))  # fmt: skip
def gam(size: int = 10, *, alpha: float = 1.0, degree: int = 3, family: Any = None, name: str | None = None) -> Statsmodels:
    """A generalised additive model of penalised B-splines (statsmodels' GLMGam).

    Parameters
    ----------
    size : int
        B-spline functions per covariate.
    alpha : float
        Penalty weight of every covariate.
    degree : int
    family : statsmodels family, optional
    name : str, optional

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.study.gam(8, alpha=0.5).name
    'gam 8, alpha 0.5'
    """
    size = kinds.Whole(degree + 1, SIZE.most).check(size, "gam: size")
    if family is not None:
        _check_family(family, "gam")
    options = {"alpha": alpha, "degree": degree, "family": family}
    return Statsmodels(name or f"gam {size}, alpha {alpha:g}", "gam", "1", size, options)


class PreparedStatsmodels:
    """A GLM or GAM on a design; knots are those of the rows that a fit sees, a GAM's outer ones the design's range."""

    def __init__(self, model: Statsmodels, x: np.ndarray, columns: tuple[str, ...]) -> None:
        self.model, self.x = model, x
        self.terms = Columns(model.terms, x, columns)

    def fit(
        self,
        y: np.ndarray,
        seeds: Sequence[np.random.SeedSequence],
        rows: Sequence[np.ndarray] | None = None,
        local: bool = True,
        new: np.ndarray | None = None,
    ) -> Fits:
        """Fit T responses; see `fits.Prepared`. Beyond the design's range a GAM goes on as at its ends."""
        del seeds, local

        def fit(t: int) -> tuple[np.ndarray, float]:
            model, columns = self._model(y[t], None if rows is None else rows[t], new)
            done = model.fit()
            df = float(done.edf.sum()) if self.additive else float(done.df_model + 1)
            return done.model.family.link.inverse(columns @ np.asarray(done.params)), df

        return one_by_one(fit, y, new=None if new is None else len(new))

    @property
    def additive(self) -> bool:
        """Whether it is a GAM."""
        return self.model.kind == "gam"

    def _model(self, y: np.ndarray, seen: np.ndarray | None, new: np.ndarray | None) -> tuple[Any, np.ndarray]:
        """A model of some rows, and the columns (n + m, p) of its linear predictor at all rows and new covariates."""
        import statsmodels.api as sm

        family = self.model.options.get("family")
        columns = self.terms.of(seen, new)
        rows = np.arange(y.size) if seen is None else seen
        if not self.additive:
            return sm.GLM(y[rows], columns[rows], family=family), columns
        from statsmodels.gam.api import BSplines, GLMGam

        d = self.x.shape[1]
        low, high = self.x.min(axis=0), self.x.max(axis=0)
        ends = [{"lower_bound": a, "upper_bound": b} for a, b in zip(low, high, strict=True)]
        smoother = BSplines(
            self.x[rows], df=[self.model.size] * d, degree=[self.model.options["degree"]] * d, knot_kwds=ends
        )
        alpha = [self.model.options["alpha"]] * d
        model = GLMGam(y[rows], columns[rows], smoother=smoother, alpha=alpha, family=family)
        at = self.x if new is None else np.concatenate([self.x, np.clip(new, low, high)])
        return model, np.column_stack([columns, smoother.transform(at)])
