"""One full-batch gradient at n = 1e6, p = 20, hidden = (32, 16): neuralstat against PyTorch, one thread each.

Peak memory is that of a fresh process that makes the data and takes the gradient (Linux), beside the data's own size.

Usage: python benchmarks/large.py [repeats]
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import alternate, write

N, P, HIDDEN = 1_000_000, 20, (32, 16)


def ours(dtype: type) -> Callable[[], object]:
    """A call that takes one gradient."""
    from neuralstat.engine import cpu
    from neuralstat.engine.data import make_data
    from neuralstat.network.network import dense_network
    from neuralstat.network.objective import objective, resolve_activation

    rng = np.random.default_rng(0)
    net = dense_network(P, HIDDEN, [resolve_activation("logistic")] * 2,
                        objective("sse", resolve_activation("identity")), [f"x{j}" for j in range(P)],
                        ["y"])  # fmt: skip
    x, y = rng.standard_normal((P, N), dtype), rng.standard_normal((1, N), dtype)
    data = make_data(x, y, dtype=dtype)
    theta = rng.standard_normal(net.n_params).astype(dtype)
    grad = np.empty_like(theta)
    kernel = net.net()
    return lambda: cpu.loss_gradient(kernel, data, theta, 0, 0, N, grad)


def torch_gradient(dtype: type) -> Callable[[], object]:
    """The same in PyTorch."""
    import torch

    torch.set_num_threads(1)
    kind = torch.float64 if dtype is np.float64 else torch.float32
    model = torch.nn.Sequential(torch.nn.Linear(P, 32), torch.nn.Sigmoid(), torch.nn.Linear(32, 16), torch.nn.Sigmoid(),
                                torch.nn.Linear(16, 1)).to(kind)  # fmt: skip
    x, y = torch.randn(N, P, dtype=kind), torch.randn(N, 1, dtype=kind)

    def run() -> None:
        model.zero_grad()
        (0.5 * (model(x) - y).square().sum()).backward()

    return run


def main(repeats: int) -> None:
    """Measure and write."""
    rows: list[dict[str, object]] = []
    for dtype in (np.float64, np.float32):
        seconds = alternate({"neuralstat": ours(dtype), "PyTorch": torch_gradient(dtype)}, repeats)
        base = float(np.median(seconds["neuralstat"]))
        for name, s in seconds.items():
            peak = float(subprocess.run([sys.executable, __file__, "memory", name, dtype.__name__], check=True,
                                        capture_output=True, text=True).stdout)  # fmt: skip
            rows.append({"what": name, "dtype": dtype.__name__, "min_s": min(s), "median_s": float(np.median(s)),
                         "ratio_of_medians": float(np.median(s)) / base, "peak_mb": peak,
                         "data_mb": (P + 1) * N * np.dtype(dtype).itemsize / 1e6})  # fmt: skip
    write("large", rows)


def memory(name: str, dtype: str) -> None:
    """Print how much the peak memory of this process grows over that after a small gradient (MB)."""
    global N
    make = {"neuralstat": ours, "PyTorch": torch_gradient}[name]
    large, N = N, 1000
    make(getattr(np, dtype))()  # imports, compiled code
    before, N = peak(), large
    make(getattr(np, dtype))()
    print(peak() - before)


def peak() -> float:
    """Peak memory of this process (MB); what the parent used does not count, as it does in `getrusage`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1e3


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "memory":
        memory(sys.argv[2], sys.argv[3])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
