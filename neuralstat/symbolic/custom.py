"""Users' own activation and error functions, with their derivatives worked out.

The derivative is found by running the function on symbols and differentiating (R's neuralnet uses ``Deriv``
for the same purpose), in a form that does not overflow where the textbook formula would. What is kept is a
small program of known operations, not the function: so these objects can be pickled, saved and compared.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from neuralstat.checks import shown
from neuralstat.checks.arguments import NONE, TEXT, Anything, arguments
from neuralstat.errors import ArgumentError, FileFormatError
from neuralstat.jit.call import UNCOMPILED
from neuralstat.symbolic import programs
from neuralstat.symbolic.programs import Extra, Program, Triple

__all__ = ["Activation", "Loss"]

GIVEN = Anything("a function of numbers")  # what it takes is looked at where it is used
_CONTRADICTING = (
    {"y", "y_true", "target", "response", "observed"},
    {"x", "y_pred", "y_hat", "output", "fitted", "mu"},
)


class _Custom:
    """What activations and errors have in common: a program, and functions it could not express."""

    _arguments: tuple[str, ...] = ()
    _kind = ""
    name: str
    program: Program
    _extra: Extra

    def __init__(
        self,
        f: Callable[..., Any],
        slope: Callable[..., Any] | None = None,
        name: str | None = None,
        curvature: Callable[..., Any] | None = None,
    ) -> None:
        given = {"f": f, "slope": slope, "curvature": curvature}
        order = {key: self._order(key, g) for key, g in given.items() if g is not None or key == "f"}
        program, extra = _build(self._kind, self._arguments, given, order)
        own = getattr(f, "__name__", None)
        own = own if isinstance(own, str) and own != "<lambda>" else "custom"
        object.__setattr__(self, "name", own if name is None else name)
        object.__setattr__(self, "program", program)
        object.__setattr__(self, "_extra", extra)

    def __setattr__(self, key: str, value: Any) -> None:
        raise AttributeError(f"{self._kind} objects cannot be changed")

    def __delattr__(self, key: str) -> None:
        raise AttributeError(f"{self._kind} objects cannot be changed")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return (self.program, self._extra) == (other.program, other._extra)

    def __hash__(self) -> int:
        return hash((self._kind, self.program, self._extra))

    def __repr__(self) -> str:
        return f"<{self._kind} {self.name}>"

    def _order(self, key: str, function: Any) -> tuple[str, ...]:
        """Names of our arguments in the order in which the function takes them."""
        return _match(key, function, self._arguments)

    @property
    def address(self) -> int:
        """Address of the compiled C function, valid until the process ends (see `programs.address`)."""
        return programs.address(self.program, self._extra)

    @property
    def source(self) -> str:
        """Readable Python source of value, slope and curvature."""
        return self.program.source(self.name if self.name.isidentifier() else "function")

    def to_json(self) -> dict[str, Any]:
        """Name and expressions, as JSON-serialisable lists.

        Raises
        ------
        ArgumentError
            If the function could not be written as an expression.
        """
        if self._extra:
            raise ArgumentError(
                f"{self._kind} {self.name!r} cannot be saved: it contains a Python function that is not an "
                "expression of arithmetic and elementary functions"
            )
        return {"kind": self._kind, "name": self.name, **self.program.to_json()}

    @classmethod
    def from_json(cls, stored: Any) -> Any:
        """Rebuild from `to_json`; nothing stored is executed before it is checked.

        Raises
        ------
        FileFormatError
            For anything but known operations on the known arguments.
        """
        if (
            not isinstance(stored, dict)
            or stored.get("kind") != cls._kind
            or not isinstance(stored.get("name"), str)
        ):
            raise FileFormatError(f"not a stored {cls._kind}: {stored!r:.80}")
        program = Program.from_json(
            {key: value for key, value in stored.items() if key not in {"kind", "name"}}
        )
        if program.arguments != cls._arguments:
            raise FileFormatError(f"a stored {cls._kind} must have the arguments {cls._arguments}")
        rebuilt = object.__new__(cls)
        for key, value in {"name": stored["name"], "program": program, "_extra": ()}.items():
            object.__setattr__(rebuilt, key, value)
        return rebuilt


@arguments(f=GIVEN, slope=NONE | GIVEN, name=NONE | TEXT, curvature=NONE | GIVEN)
class Activation(_Custom):
    """A custom activation function z -> f(z).

    Parameters
    ----------
    f : callable
        Function of one number: plain arithmetic, comparisons, conditions, functions of numpy, `math` or
        scipy.special, or just ``exp``, ``log``, ``tanh``, ... without any import.
    slope : callable, optional
        Its derivative, used instead of the one that would be worked out.
    name : str, optional
        For printing; the name of `f` by default.
    curvature : callable, optional
        Second derivative; needed only if `slope` is not made of the functions above.

    Raises
    ------
    ArgumentError
        If a derivative is needed and cannot be worked out; the message says what was not understood.

    Notes
    -----
    At kinks: |z| has slope sign(z), relu ``z * (z > 0)`` and ``np.maximum(z, 0)`` have slope 0 at 0, and
    conditions have derivative 0.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.Activation(lambda x: log(1 + exp(x))).python(0.0)
    (0.6931471805599453, 0.5, 0.25)
    """

    _arguments = ("z",)
    _kind = "Activation"

    def python(self, z: float) -> Triple:
        """(value, slope, curvature) at z, uncompiled."""
        return programs.python_function(self.program, self._extra)(z)


@arguments(f=GIVEN, slope=NONE | GIVEN, name=NONE | TEXT, curvature=NONE | GIVEN)
class Loss(_Custom):
    """A custom error function of the network's output x and the response y, per observation.

    Parameters
    ----------
    f : callable
        Function of two numbers. Arguments named ``x`` (output) and ``y`` (response) are matched by name, in
        whatever order; other names by position, output first.
    slope : callable, optional
        Its derivative with respect to the output, used instead of the one that would be worked out; its
        arguments are matched in the same way.
    name : str, optional
        For printing; the name of `f` by default.
    curvature : callable, optional
        Second derivative with respect to the output; needed only if `slope` cannot be differentiated.

    Raises
    ------
    ArgumentError
        If a derivative is needed and cannot be worked out, or if the arguments' names contradict their
        positions (such as ``f(y_true, y_pred)``).

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.Loss(lambda y, x: (y - x) ** 2 / 2).python(3.0, 1.0)
    (2.0, 2.0, 1.0)
    """

    _arguments = ("x", "y")
    _kind = "Loss"

    def python(self, x: float, y: float) -> Triple:
        """(value, slope, curvature) at output x and response y, uncompiled; derivatives with respect to x."""
        return programs.python_function(self.program, self._extra)(x, y)


def _match(key: str, function: Any, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Order in which a function takes our arguments; checks that it takes as many."""
    count = len(arguments)
    what = "one number" if count == 1 else "two numbers, x (output) and y (response)"
    if not callable(function):
        raise ArgumentError(f"{key} must be a function of {what}, not {shown(function)}")
    if isinstance(function, np.ufunc):
        names, required, most = [f"a{i}" for i in range(function.nin)], function.nin, function.nin
    else:
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (ValueError, TypeError):  # a builtin that does not tell its arguments
            return arguments
        except Exception:  # of a foreign object's own methods
            raise ArgumentError(f"{key} must be a function of {what}, not {shown(function)}") from None
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        names = [p.name for p in positional]
        free = any(p.kind == p.VAR_POSITIONAL for p in parameters)
        required = sum(p.default is p.empty for p in positional)
        required += sum(p.kind == p.KEYWORD_ONLY and p.default is p.empty for p in parameters) * 100
        most = 100 if free else len(positional)
    if not required <= count <= most:
        raise ArgumentError(f"{key} must be a function of {what}; its arguments are ({', '.join(names)})")
    if count == 2:
        first, second = (*names[:2], "", "")[:2]
        if (first, second) == ("y", "x"):
            return ("y", "x")
        if (first, second) != ("x", "y") and (first in _CONTRADICTING[0] or second in _CONTRADICTING[1]):
            raise ArgumentError(
                f"{key} has the arguments ({first}, {second}), but the output comes first and the response "
                "second: name them x (output) and y (response), in any order"
            )
    return arguments


def _build(
    kind: str, arguments: tuple[str, ...], given: dict[str, Any], order: dict[str, tuple[str, ...]]
) -> tuple[Program, Extra]:
    """Trace and differentiate what can be; keep functions given by hand that cannot be traced as they are."""
    from neuralstat.symbolic import derive  # imports sympy

    variable = arguments[0]
    extra: list[tuple[str, Callable[..., float]]] = []

    def part(key: str, may_be_opaque: bool) -> Any:
        try:
            return derive.trace(given[key], order[key])
        except ArgumentError:
            if not may_be_opaque:
                raise
            function = _opaque(kind, key, given[key], len(arguments))
            extra.append((f"user_{key}", function))
            return derive.opaque(f"user_{key}", order[key])

    value = part("f", given["slope"] is not None)
    if given["slope"] is None:
        first, derived = derive.differentiate(value, variable)
    else:
        first, derived = part("slope", True), None
    if given["curvature"] is not None:
        second = part("curvature", True)
    elif derived is not None:
        second = derived
    elif any(name == "user_slope" for name, _ in extra):
        raise ArgumentError(
            f"the derivative of slope cannot be worked out: give it too, ns.{kind}(f, slope, curvature=...), "
            "or write slope with arithmetic, comparisons, np.where and functions such as exp, log, tanh"
        )
    else:
        second = derive.slope_of(first, variable)
    return derive.program((value, first, second), arguments), tuple(extra)


def _opaque(kind: str, key: str, function: Any, count: int) -> Callable[..., float]:
    """Check that a function that could not be traced can at least be compiled, and gives a number."""
    function = getattr(function, "py_func", function)
    try:
        compiled = function if UNCOMPILED else numba.njit(error_model="numpy")(function)
        result = compiled(*(0.5,) * count)
        ok = isinstance(result, (float, int, np.floating, np.integer)) and not isinstance(result, bool)
    except Exception as error:  # the user's function and numba's compiler may raise anything
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ArgumentError(
            f"{key} of ns.{kind} can neither be differentiated nor compiled: {first_line}"
        ) from error
    if not ok:
        raise ArgumentError(f"{key} of ns.{kind} must return a number, not {shown(result)}")
    return function
