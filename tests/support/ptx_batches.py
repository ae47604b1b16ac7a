"""Kernels of minibatch training, for `ptx`: which there are, and arguments of the types that they have on a device."""

from __future__ import annotations

import functools

import numpy as np
from observations import SEVERAL, problem

from neuralstat.engine.cuda import losses
from neuralstat.layers.codes import COLUMNS
from neuralstat.optimizers.constraints import Bound

#: Kernel: (module, kind or tile, name)
PRODUCTS = {
    f"{name}, {tile} tiles": ("products", tile, name)
    for tile in ("large", "flat", "small")
    for name in ("sums", "returns", "shares")
}
PRODUCTS.update({f"float64 {name}": PRODUCTS[name] for name in PRODUCTS if "flat" in name})  # the largest that fit
UNITS = {
    name: ("units", "", name)
    for name in ("collect", "responses", "activation", "through", "objective", "pool", "pool_back", "embed",
                 "embed_gradient", "copy", "copy_back", "clear")
}  # fmt: skip
SPECIAL = {
    name: ("special", "", name)
    for name in ("norm", "norm_back", "norm_gradient", "prelu", "prelu_back", "prelu_gradient", "noise", "noise_back", "drop",
                 "drop_back")
}  # fmt: skip
ATTENTION = {
    f"{kind}{name}": ("attention", "", f"{kind}{name}")
    for kind in ("attention", "position") for name in ("", "_back", "_gradient")
}  # fmt: skip
MERGING = {name: ("merging", "", name) for name in ("merge", "merge_back")}
DEPTHWISE = {f"depthwise{name}": ("depthwise", "", f"depthwise{name}") for name in ("", "_back", "_gradient")}
UPDATE = {
    name: ("update", "", name)
    for name in ("add", "prepare", "norms", "step", "constrain", "finish", "advance", "forget")
}
NORMALIZATION = {f"batch norm {name}": ("normalization", "", name) for name in ("forward", "backward", "move")}
MOVES = {f"move {name}": ("moves", "", name) for name in ("forward", "backward")}
RECURRENT = {
    f"{kind} {name}": ("recurrent", kind, name)
    for kind in ("lstm", "gru", "first", "simple")
    for name in ("turn", "forward", "backward")
}
RECURRENT.update({f"other {name}": ("recurrent", f"other {entry[1]}", entry[2]) for name, entry in RECURRENT.items()
                  if entry[2] != "turn"})  # fmt: skip
MASKS = {f"masks: {name}": ("masks", "", name) for name in ("of_numbers", "masking", "masking_back", "mean", "mean_back")}
KERNELS = {**PRODUCTS, **UNITS, **SPECIAL, **DEPTHWISE, **ATTENTION, **MERGING, **MOVES, **UPDATE, **NORMALIZATION,
           **RECURRENT, **MASKS}  # fmt: skip
#: The loss of every distribution with every link, and of some families
LOSSES = {f"loss of {name}": ("units", name, "objective") for name in (*SEVERAL, "poisson log", "tweedie power")}


def _same(function):
    return function


@functools.cache
def _built(module: str, kind: str, dtype: str):
    """Undecorated kernels."""
    from neuralstat.engine.cuda.batches import (
        attention,
        depthwise,
        masks,
        merging,
        moves,
        normalization,
        products,
        program,
        recurrent,
        special,
        units,
        update,
    )

    if module == "products":
        return {
            tile: products.build(dtype, (products.SHARES if tile == "shares" else products.TILES)[kind], False, _same)
            for tile in ("shares", "others")
        }
    if module == "units":
        code = losses.code_of(problem(kind)[0].net()) if kind else None
        return units.build(dtype, 0, program.LANES, program.EDGE, False, _same, code)
    if module == "recurrent":
        return recurrent.build(dtype, kind.split()[-1], 2, True, 64, False, _same, usual=not kind.startswith("other"))
    if module == "masks":
        return masks.build(program.LANES, False, _same)
    modules = {
        "attention": attention, "depthwise": depthwise, "merging": merging, "moves": moves, "normalization": normalization,
        "special": special, "update": update,
    }  # fmt: skip
    return modules[module].build(dtype, program.LANES, False, _same)


def dtype_of(name: str) -> str:
    """Kind of number with which a kernel is compiled."""
    return "float64" if name.startswith("float64") else "float32"


def kernel(name: str, dtype: str):
    """The undecorated kernel."""
    module, kind, entry = {**KERNELS, **LOSSES}[name]
    found = _built(module, kind, dtype)
    if module == "products":
        found = found["shares" if entry == "shares" else "others"]
    return getattr(found, entry)


def arguments(name: str, dtype: str):
    """Its arguments."""
    from neuralstat.engine.cuda.batches.arrays import Buffers, Memory, Model, Rows, Turn

    def real(*shape):
        return np.zeros(shape, dtype)

    def whole(*shape):
        return np.zeros(shape, np.int64)

    def double(*shape):
        return np.zeros(shape)

    model = Model(whole(2, COLUMNS), real(2), real(2, 9), real(2, 9), whole(2, 21))
    turn = Turn(whole(3, 4), whole(1), whole(2), whole(2, 5))
    buffers = Buffers(real(2, 8, 32), real(2, 8, 32), real(2, 8, 32), real(2, 1, 32), real(2, 32), double(2, 1, 2),
                      real(2, 9), real(2, 9))  # fmt: skip
    rows = Rows(real(1, 5, 2), real(1, 1, 5), real(1, 5), real(1, 5))
    memory = Memory(real(2, 2, 9), np.ones(9, bool), real(9, 4), whole(9), double(2, 1), whole(2), double(2, 2),
                    double(2, 1), real(3, 1, 8), np.zeros((2, 2), np.uint64), real(2),
                    Bound(whole(3), whole(2), double(1, 4)))  # fmt: skip
    plain = model, 1, turn, buffers
    module, kind, entry = {**KERNELS, **LOSSES}[name]
    if entry in ("collect", "responses"):
        return model, turn, rows, buffers
    if entry == "objective":
        told = losses.parameters_of(problem(kind)[0].net()) if kind else 0.0
        return model, turn, buffers, 0, told, 1, 0.5
    if entry in ("shares", "add"):
        return *plain, 4
    if entry in ("drop", "noise") or (module, entry) in (("normalization", "forward"), ("attention", "attention")):
        return *plain, memory, 1
    if (module, entry) == ("normalization", "backward"):
        return *plain, memory, 1, 1
    if entry == "move":
        return *plain, memory
    other = {"prepare": (model, turn, memory, 0), "norms": (model, turn, memory), "constrain": (model, turn, memory),
             "finish": (turn, buffers, memory),
             "step": (model, turn, memory, 5, 0, 0.5, 1), "advance": (turn,), "forget": (model, turn)}  # fmt: skip
    return other[entry] if module == "update" else plain
