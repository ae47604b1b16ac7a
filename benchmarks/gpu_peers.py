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


def _images(torch: Any, model: Any, edge: int, sizes: Sizes, device: str) -> Programs:
    """Steps of Adam on drawn images of ten classes."""
    x = torch.randn(sizes.images, 1, edge, edge, device=device)
    y = torch.randint(0, 10, (sizes.images,), device=device)
    return {"PyTorch": waited(torch, device, _minibatches(torch, model.to(device), x, y, sizes.minibatches))}


def cnn_programs(sizes: Sizes, device: str) -> tuple[Programs, str]:
    """Steps of Adam on a convolutional network 32-64-128 for images 28 x 28 x 1, float32 without TF32."""
    torch = torch_for(device)
    if torch is None:
        return {}, WITHOUT
    nn, f, edge = torch.nn, sizes.filters, sizes.edge
    left = ((edge - 2) // 2 - 2) // 2 - 2
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(1, f, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(f, 2 * f, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(2 * f, 4 * f, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * f * left**2, 10),
    )  # fmt: skip
    return _images(torch, model, edge, sizes, device), ""


def resnet_programs(sizes: Sizes, device: str) -> tuple[Programs, str]:
    """Steps of Adam on a residual network of three blocks, with batch normalisation, float32 without TF32."""
    torch = torch_for(device)
    if torch is None:
        return {}, WITHOUT
    nn, f = torch.nn, max(sizes.filters // 2, 1)
    torch.manual_seed(1)

    class Block(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self, inputs: int, count: int) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(inputs, count, 3, padding=1), nn.BatchNorm2d(count), nn.ReLU(),
                nn.Conv2d(count, count, 3, padding=1), nn.BatchNorm2d(count),
            )  # fmt: skip
            self.shortcut = nn.Identity() if inputs == count else nn.Conv2d(inputs, count, 1)

        def forward(self, x: Any) -> Any:
            return torch.relu(self.body(x) + self.shortcut(x))

    model = nn.Sequential(
        nn.Conv2d(1, f, 3, padding=1), nn.BatchNorm2d(f), nn.ReLU(), Block(f, f), Block(f, f), nn.MaxPool2d(2),
        Block(f, 2 * f), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * f, 10),
    )  # fmt: skip
    return _images(torch, model, sizes.maps, sizes, device), ""


def lstm_programs(sizes: Sizes, device: str) -> tuple[Programs, str]:
    """Steps of Adam on an LSTM over sequences, float32 without TF32."""
    return _recurrent(sizes, device, None)


def masked_lstm_programs(sizes: Sizes, device: str) -> tuple[Programs, str]:
    """The same on packed sequences, of the lengths that ours have."""
    from gpu_layers import lengths_of

    return _recurrent(sizes, device, lengths_of(sizes.sequences[0], sizes.sequences[1]))


def _recurrent(sizes: Sizes, device: str, lengths: np.ndarray | None) -> tuple[Programs, str]:
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
            if lengths is None:
                return self.out(self.lstm(x)[0][:, -1])
            packed = torch.nn.utils.rnn.pack_padded_sequence(
                x, torch.as_tensor(lengths), batch_first=True, enforce_sorted=False
            )
            return self.out(self.lstm(packed)[1][0][-1])

    model = Last().to(device)
    x, y = torch.randn(batch, times, 1, device=device), torch.randint(0, 10, (batch,), device=device)
    return {"PyTorch": waited(torch, device, _minibatches(torch, model, x, y, sizes.minibatches))}, ""
