"""What types kernels: numba's typing context, which remembers what operations on types give.

numba tries the hundred meanings of an operator (on numbers, arrays, strings, sets, dates) at each place where it stands.
"""

from __future__ import annotations

import operator
from typing import Any

from numba.core import types
from numba.core.typing import Context

OPERATORS = frozenset({*(known for name, known in vars(operator).items() if not name.startswith("_") and callable(known)),
                       "static_getitem", "getitem"})  # fmt: skip

_KNOWN: dict[Any, Any] = {}  # with what they are typed by, which has to live as long


class Remembering(Context):
    """numba's context, with all that it knows, and the signatures of operators that were asked for."""

    __slots__ = ("own",)

    def __init__(self, own: Any) -> None:  # not numba's, which would begin an empty context
        self.__dict__ = own.__dict__  # type: ignore[misc]  # shared: what either learns, both know
        self.own = own

    def __hash__(self) -> int:
        return hash(self.own)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Context) and other.__dict__ is self.__dict__

    def resolve_function_type(self, func: Any, args: Any, kws: Any) -> Any:
        """Signature of what is called, from memory where it is an operator on known types."""
        meaning = func.typing_key if isinstance(func, types.Function) else func
        if kws or meaning not in OPERATORS:
            return super().resolve_function_type(func, args, kws)
        return self._remembered(func, args, lambda: super(Remembering, self).resolve_function_type(func, args, kws))

    def resolve_setitem(self, target: Any, index: Any, value: Any) -> Any:
        """Signature of an assignment to an element."""
        return self._remembered(operator.setitem, (target, index, value),
                                lambda: super(Remembering, self).resolve_setitem(target, index, value))  # fmt: skip

    def _remembered(self, func: Any, args: tuple[Any, ...], found: Any) -> Any:
        kind = func if isinstance(func, types.Function) else self._lookup_global(func)  # another one once there are more
        key = (func, id(kind), len(self._functions.get(func, ())), args)
        try:
            known = _KNOWN.get(key)
        except TypeError:  # a slice
            return found()
        if known is not None:
            return known[1]
        signature = found()
        if signature is not None and all(a.is_precise() for a in args if isinstance(a, types.Type)):
            _KNOWN[key] = kind, signature
        return signature
