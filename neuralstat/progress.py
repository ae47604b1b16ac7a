"""What is shown while a fit runs: R's lifesign lines, or a progress bar."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from .engine import cpu

if TYPE_CHECKING:
    from .network import Network
    from .settings import Settings
    from .train import Fit


class Lifesign:
    """Prints or draws the state of a running stack; a context manager.

    Parameters
    ----------
    settings : Settings
        `lifesign`, `lifesign_step`, `progress` and what R's line names.
    network : Network
    """

    def __init__(self, settings: Settings, network: Network) -> None:
        self.settings, self.network = settings, network
        self._bar: Any = None
        self._said = np.zeros(settings.rep, np.int64)
        self._began = time.perf_counter()

    @property
    def chunk(self) -> int | None:
        """Steps per compiled call: `lifesign_step` where every such step is printed."""
        return self.settings.lifesign_step if self.settings.lifesign == "full" else None

    def __enter__(self) -> Lifesign:
        if self.settings.progress:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=self.settings.rep, desc="repetitions", unit="rep", leave=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def watch(self, stack: Any) -> None:
        """Look at the running stack (called from the main thread, about ten times a second)."""
        if self._bar is not None:
            done = int(np.sum(stack.status != cpu.RUNNING))
            self._bar.n = done
            started = np.flatnonzero(stack.steps > 0)
            if started.size:
                loss, reached = stack.loss[started], stack.reached[started]
                self._bar.set_postfix(
                    steps=f"{int(stack.steps.sum()):,}", error=f"{np.nanmin(loss):.4g}",
                    gradient=f"{np.nanmin(reached):.3g}", refresh=False,
                )  # fmt: skip
            self._bar.refresh()
        if self.settings.lifesign == "full":
            for b in np.flatnonzero(stack.steps - self._said >= self.settings.lifesign_step):
                at = int(stack.steps[b]) // self.settings.lifesign_step * self.settings.lifesign_step
                self._said[b] = at
                sys.stdout.write(f"{self._head(b)} {at:>8}  min thresh: {stack.reached[b]:.6g}\n")

    def finish(self, fit: Fit) -> None:
        """R's closing line of every repetition."""
        if self.settings.lifesign == "none":
            return
        for b in range(fit.steps.size):
            if fit.converged[b]:
                end = f"{fit.steps[b]:>8}  error: {fit.loss[b]:.5f}  time: {fit.seconds:.2f} secs"
            else:
                end = f"stepmax  min thresh: {fit.reached[b]:.6g}"
            sys.stdout.write(f"{self._head(b)} {end}\n")

    def _head(self, b: int) -> str:
        hidden = ", ".join(map(str, self.settings.hidden)) or "0"
        return f"hidden: {hidden}    thresh: {self.settings.threshold:g}    rep: {b + 1}/{self.settings.rep}    steps:"
