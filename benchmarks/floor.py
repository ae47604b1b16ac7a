"""What this processor can do at most, measured beside what is compared: the floor of a step.

A chain of fused multiply-adds in registers, sixteen independent ones, gives nanoseconds per vector instruction; a
step's arithmetic is counted in such instructions. The clock of a shared machine moves by a factor of two within
minutes, so a floor counts only in the run in which it was measured.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from neuralstat.jit import simd

CHAINS = 16  # more than latency times throughput of any current processor
ROUNDS = 200_000
# Vector instructions of a logistic unit and its slope (`simd_activations`): limits 3, reduction 4, polynomial 11, scale 4,
# reciprocal 5 (an estimate and two Newton steps; without 512-bit vectors a division, which takes the time of ten), slope 2
LOGISTIC = 29 if simd.WIDE else 34


@intrinsic
def _chains(typingctx: Any, seed: Any, rounds: Any) -> Any:
    signature = types.float64(types.float64, types.int64)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = simd.Code(context, builder, ir.DoubleType())
        start, factor = code.splat(arguments[0]), code.constant(0.999)
        sums = [code.cell(code.vector) for _ in range(CHAINS)]
        for k, cell in enumerate(sums):
            builder.store(builder.fadd(start, code.constant(float(k))), cell)

        def body(_: ir.Value) -> None:
            for cell in sums:
                builder.store(code.fma(builder.load(cell), factor, start), cell)

        code.loop(code.index(0), arguments[1], 1, body)
        total = builder.load(sums[0])
        for cell in sums[1:]:
            total = builder.fadd(total, builder.load(cell))
        return code.total(total)

    return signature, codegen


@numba.njit
def _run(seed: float, rounds: int) -> float:
    return _chains(seed, rounds)


def vector_instructions() -> Callable[[], object]:
    """A call that does CHAINS * ROUNDS fused multiply-adds of vectors."""
    return lambda: _run(1e-3, ROUNDS)


def nanoseconds(seconds: float) -> float:
    """Per vector instruction, from the time of one such call."""
    return 1e9 * seconds / (CHAINS * ROUNDS)


def instructions(sizes: tuple[int, ...], n: int) -> dict[str, float]:
    """Vector instructions of one gradient of a dense network: products forward, back and for the weights; activations.

    Parameters
    ----------
    sizes : tuple of int
        Inputs, units of the hidden layers, outputs.
    n : int
        Observations.
    """
    lanes = 8 if simd.WIDE else 4
    forward = sum(a * b for a, b in itertools.pairwise(sizes))
    back = sum(a * b for a, b in itertools.pairwise(sizes[1:]))
    products = (2 * forward + back) * n / lanes
    return {"products": products, "activations": LOGISTIC * sum(sizes[1:-1]) * n / lanes}


if __name__ == "__main__":
    call = vector_instructions()
    call()
    best = 1.0
    for _ in range(50):
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    count = instructions((1, 10, 5, 15, 1), 200)
    per = nanoseconds(best)
    print(f"{per:.3f} ns per vector instruction; {count}; floor {sum(count.values()) * per / 1e3:.2f} us")
