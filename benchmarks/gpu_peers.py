"""What `gpu.py` is compared with: PyTorch on the same device (or on the CPU, to test the programs themselves)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gpu import Sizes

    from neuralstat.network.network import Network

Programs = dict[str, Callable[[], object]]
WITHOUT = "PyTorch for CUDA is not installed: no peer was timed"


def torch_for(device: str) -> Any:
    """PyTorch where it can run on that device, else None. TF32 is switched off."""
    try:
        import torch
    except ImportError:
        return None
    if device != "cpu" and not torch.cuda.is_available():
        return None
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return torch


def waited(torch: Any, device: str, run: Callable[[], object]) -> Callable[[], object]:
    """A program that ends when the device has."""

    def program() -> object:
        out = run()
        if device != "cpu":
            torch.cuda.synchronize()
        return out

    return program


def dense_loss(torch: Any, table: np.ndarray) -> Callable[..., Any]:
    """Half the squared error of a network of logistic layers, from its flat vector of weights."""
    rows = [(int(r[1]), int(r[3]), int(r[5])) for r in table]  # first weight, inputs, outputs

    def loss(theta: Any, x: Any, y: Any) -> Any:
        a = x
        for k, (at, n_in, n_out) in enumerate(rows):
            w = theta[at : at + n_out * (n_in + 1)].view(n_out, n_in + 1)
            a = w[:, 1:] @ a + w[:, :1]
            if k < len(rows) - 1:
                a = torch.sigmoid(a)
        return 0.5 * (a - y).square().sum()

    return loss


class Stack:
    """rprop+ of a stack of networks: gradients by torch.func's vmap, updates of whole tensors."""

    def __init__(self, torch: Any, network: Network, x: np.ndarray, y: np.ndarray, theta: np.ndarray, device: str) -> None:
        from torch.func import grad, vmap

        self.torch, self.start = torch, torch.tensor(theta, device=device)
        kind = self.start.dtype
        self.x, self.y = torch.tensor(x, dtype=kind, device=device), torch.tensor(y, dtype=kind, device=device)
        self.gradient = vmap(grad(dense_loss(torch, network.table)), in_dims=(0, None, None))
        self.theta, self.before, self.rate = (torch.empty_like(self.start) for _ in range(3))
        self.reset()

    def reset(self) -> None:
        """Back to the start."""
        self.theta.copy_(self.start)
        self.before.zero_()
        self.rate.fill_(0.1)

    def step(self) -> None:
        """One step of rprop+, in place."""
        torch = self.torch
        sign = self.gradient(self.theta, self.x, self.y).sign()
        change = self.before * sign
        turned = change < 0
        new = torch.where(turned, (self.rate * 0.5).clamp(min=1e-10),
                          torch.where(change > 0, (self.rate * 1.2).clamp(max=0.1), self.rate))  # fmt: skip
        self.theta.sub_(torch.where(turned, -self.before * self.rate, sign * new))
        self.rate.copy_(new)
        self.before.copy_(torch.where(turned, torch.zeros_like(sign), sign))

    def run(self, steps: int) -> Any:
        """So many steps from the start."""
        self.reset()
        for _ in range(steps):
            self.step()
        return self.theta

    def graph(self) -> Any:
        """A CUDA graph of one step."""
        torch = self.torch
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step()
        return graph

    def replay(self, graph: Any, steps: int) -> Any:
        """So many steps from the start, by a graph."""
        self.reset()
        for _ in range(steps):
            graph.replay()
        return self.theta


def stack_programs(
    network: Network, x: np.ndarray, y: np.ndarray, theta: np.ndarray, steps: int, device: str
) -> tuple[Programs, str]:
    """PyTorch's vmap over networks, with and without a CUDA graph, and a note where there is none."""
    torch = torch_for(device)
    if torch is None:
        return {}, WITHOUT
    stack = Stack(torch, network, x, y, theta, device)
    programs = {"PyTorch vmap": waited(torch, device, lambda: stack.run(steps))}
    if device != "cpu":
        graph = stack.graph()
        programs["PyTorch vmap, CUDA graph"] = waited(torch, device, lambda: stack.replay(graph, steps))
    return programs, ""


def _minibatches(torch: Any, model: Any, x: Any, y: Any, steps: int) -> Callable[[], object]:
    optimizer = torch.optim.Adam(model.parameters())
    loss = torch.nn.CrossEntropyLoss()

    def run() -> object:
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            loss(model(x), y).backward()
            optimizer.step()
        return model

    return run


def cnn_programs(sizes: Sizes, device: str) -> tuple[Programs, str]:
    """Steps of Adam on a convolutional network 32-64-128 for images 28 x 28 x 1, float32 without TF32."""
    torch = torch_for(device)
    if torch is None:
        return {}, WITHOUT
    nn = torch.nn
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128 * 9, 10),
    ).to(device)  # fmt: skip
    x = torch.randn(sizes.images, 1, 28, 28, device=device)
    y = torch.randint(0, 10, (sizes.images,), device=device)
    return {"PyTorch": waited(torch, device, _minibatches(torch, model, x, y, sizes.minibatches))}, ""


def lstm_programs(sizes: Sizes, device: str) -> tuple[Programs, str]:
    """Steps of Adam on an LSTM over sequences, float32 without TF32."""
    torch = torch_for(device)
    if torch is None:
        return {}, WITHOUT
    batch, times, units = sizes.sequences
    torch.manual_seed(1)

    class Last(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.out = torch.nn.LSTM(1, units, batch_first=True), torch.nn.Linear(units, 10)

        def forward(self, x: Any) -> Any:
            return self.out(self.lstm(x)[0][:, -1])

    model = Last().to(device)
    x, y = torch.randn(batch, times, 1, device=device), torch.randint(0, 10, (batch,), device=device)
    return {"PyTorch": waited(torch, device, _minibatches(torch, model, x, y, sizes.minibatches))}, ""
