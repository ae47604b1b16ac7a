"""What is shown while a fit runs: R's lifesign lines, or a progress bar."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine import cpu
from ..engine.batches import LOSS, VAL_LOSS
from .fit import STATUS, Fit

if TYPE_CHECKING:
    from ..cluster import Rows
    from ..network.network import Network
    from .settings import Settings


def hidden_units(settings: Settings) -> str:
    """Units per hidden layer, or the kinds of the layers."""
    if settings.layers is not None:
        return ", ".join(type(layer).__name__ for layer in settings.layers) or "0"
    return ", ".join(map(str, settings.hidden)) or "0"


class Lifesign:
    """Prints or draws the state of a running stack; a context manager.

    Parameters
    ----------
    settings : Settings
        `lifesign`, `lifesign_step`, `progress` and what R's line names.
    network : Network
    rows : Rows, optional
        Of a cluster: the bar says how much was sent.
    """

    def __init__(self, settings: Settings, network: Network, rows: Rows | None = None) -> None:
        self.settings, self.network, self.rows = settings, network, rows
        self._bar: Any = None
        self._said = np.zeros(settings.repetitions, np.int64)
        self._began = time.perf_counter()

    @property
    def chunk(self) -> int | None:
        """Steps per compiled call: `lifesign_step` where every such step is printed."""
        return self.settings.lifesign_step if self.settings.lifesign == "full" else None

    def __enter__(self) -> Lifesign:
        if self.settings.progress:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=self.settings.repetitions, desc="repetitions", unit="rep", leave=True)
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
                moved = {} if self.rows is None else {"moved": f"{self.rows.moved / 1e6:,.1f} MB"}
                self._bar.set_postfix(
                    steps=f"{int(stack.steps.sum()):,}", error=f"{np.nanmin(loss):.4g}",
                    gradient=f"{np.nanmin(reached):.3g}", refresh=False, **moved,
                )  # fmt: skip
            self._bar.refresh()
        if self.settings.lifesign == "full":
            for b in np.flatnonzero(stack.steps - self._said >= self.settings.lifesign_step):
                at = int(stack.steps[b]) // self.settings.lifesign_step * self.settings.lifesign_step
                self._said[b] = at
                sys.stdout.write(f"{self._head(int(b))} {at:>8}  min thresh: {stack.reached[b]:.6g}\n")

    def finish(self, fit: Fit) -> None:
        """R's closing line of every repetition."""
        if self.settings.lifesign == "none":
            return
        for b in range(fit.steps.size):
            if fit.converged[b]:
                end = f"{fit.steps[b]:>8}  error: {fit.loss[b]:.5f}  time: {fit.seconds:.2f} secs"
            else:
                end = f"stepmax  min thresh: {fit.reached[b]:.6g}"
            sys.stdout.write(f"{self._head(int(b))} {end}\n")

    def _head(self, b: int) -> str:
        hidden = hidden_units(self.settings)
        return (
            f"hidden: {hidden}    thresh: {self.settings.threshold:g}    rep: {b + 1}/{self.settings.repetitions}    steps:"
        )


class EpochLifesign(Lifesign):
    """The same for fits by epochs: a bar that counts epochs, or a line per repetition or epoch.

    Parameters
    ----------
    settings : Settings
    network : Network
    epochs : int
    """

    def __init__(self, settings: Settings, network: Network, epochs: int) -> None:
        super().__init__(settings, network)
        self.epochs = epochs

    def __enter__(self) -> EpochLifesign:
        if self.settings.progress:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=self.settings.repetitions * self.epochs, desc="epochs", unit="epoch", leave=True)
        return self

    def watch(self, stack: Any) -> None:
        """Look at the running state (see `engine.batches.State`)."""
        if self._bar is not None:
            self._bar.n = int(np.sum(stack.epoch))
            done = np.flatnonzero(stack.epoch > 0)
            if done.size:
                last = stack.history[done, stack.epoch[done] - 1]
                shown = {"loss": f"{np.nanmin(last[:, LOSS]):.4g}"}
                if np.isfinite(last[:, VAL_LOSS]).any():
                    shown["val_loss"] = f"{np.nanmin(last[:, VAL_LOSS]):.4g}"
                self._bar.set_postfix(shown, refresh=False)
            self._bar.refresh()
        if self.settings.lifesign == "full":
            for b in np.flatnonzero(stack.epoch > self._said):
                epoch = int(stack.epoch[b])
                self._said[b] = epoch
                line = stack.history[b, epoch - 1]
                validation = "" if np.isnan(line[VAL_LOSS]) else f"  val_loss: {line[VAL_LOSS]:.6g}"
                sys.stdout.write(f"{self._head(int(b))} {epoch:>6}/{self.epochs}  loss: {line[LOSS]:.6g}{validation}\n")

    def finish(self, fit: Fit) -> None:
        """A closing line for every repetition."""
        if self.settings.lifesign == "none":
            return
        for b in range(fit.steps.size):
            epochs = 0 if fit.history is None else int(fit.history.epochs[b])
            sys.stdout.write(f"{self._head(int(b))} {epochs:>6}  {STATUS[int(fit.status[b])]}  error: {fit.loss[b]:.5f}  "
                             f"time: {fit.seconds:.2f} secs\n")  # fmt: skip

    def _head(self, b: int) -> str:
        hidden = hidden_units(self.settings)
        return f"hidden: {hidden}    rep: {b + 1}/{self.settings.repetitions}    epoch:"
