"""The objective of a fit on a cluster: what optimizers ask for, of several networks in one round of messages."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.elsewhere import Elsewhere
from ..network.network import Network
from . import sums
from .rows import Rows, Shared, Stopped


class Objective:
    """Loss and gradient of a stack of networks over rows on workers.

    Each network of the stack is trained by a thread of its own, whose compiled loop waits here for its sums; what all
    threads wait for is asked for at once. What a network is told does not depend on which others ask.

    Parameters
    ----------
    rows : Rows
    network : Network
    free : (P,) bool array
        Weights that are trained.
    dtype : str
        Kind of number in training.
    stop : Event
        Set after Ctrl-C: a sum that is waited for is given up then, and all later ones.

    Attributes
    ----------
    stopped : bool
        Whether one was given up.
    """

    def __init__(self, rows: Rows, network: Network, free: np.ndarray, dtype: str, stop: threading.Event) -> None:
        self.rows, self.free, self._stop, self.stopped = rows, np.ascontiguousarray(free), stop, False
        self._job = Shared(sums.Job(network, self.free, dtype))
        self._asked: dict[int, tuple[np.ndarray, bool]] = {}
        self._told: dict[int, Any] = {}
        self._present = 0
        self._busy = False
        self._turn = threading.Condition()
        me = weakref.ref(self)  # a circle would keep the rows in the workers' memory until it is collected

        def ask(theta: np.ndarray, curved: bool) -> tuple[float, np.ndarray, np.ndarray | None]:
            asked = me()
            assert asked is not None, "its owner trains"
            return asked._ask(theta, curved)

        self.elsewhere = Elsewhere(ask, network.n_params, int(self.free.sum()))

    @property
    def address(self) -> int:
        """What kernels are told."""
        return self.elsewhere.address

    def attending(self, run: Callable[..., None]) -> Callable[..., None]:
        """A function that trains a network, in a thread that is waited for before others are told anything."""

        def attended(*arguments: Any) -> None:
            with self._turn:
                self._present += 1
            try:
                run(*arguments)
            finally:
                with self._turn:
                    self._present -= 1
                    self._turn.notify_all()

        return attended

    def check(self) -> None:
        """Raise what was raised where compiled code asked."""
        error, self.elsewhere.error = self.elsewhere.error, None
        if error is not None:
            raise error

    def _ask(self, theta: np.ndarray, curved: bool) -> tuple[float, np.ndarray, np.ndarray | None]:
        """What one thread is told; the last of those that wait asks for all."""
        me = threading.get_ident()
        if self.stopped:
            return self._nothing()
        with self._turn:
            self._asked[me] = theta, curved
            while me not in self._told:
                if not self._busy and self._asked and len(self._asked) >= self._present:
                    self._busy = True
                    batch, self._asked = self._asked, {}
                    self._turn.release()
                    try:
                        answers = self._round(batch)
                    except BaseException as error:
                        answers = dict.fromkeys(batch, error)
                        if isinstance(error, Stopped) or self._stop.is_set():  # nobody waits for what went wrong after Ctrl-C
                            self.stopped, answers = True, dict.fromkeys(batch, self._nothing())
                    finally:
                        self._turn.acquire()
                    self._told.update(answers)
                    self._busy = False
                    self._turn.notify_all()
                else:
                    self._turn.wait()
            answer = self._told.pop(me)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _nothing(self) -> tuple[float, np.ndarray, None]:
        """What stands for a sum that was given up."""
        return np.nan, np.full(self.free.size, np.nan), None

    def _round(self, batch: dict[int, tuple[np.ndarray, bool]]) -> dict[int, Any]:
        answers: dict[int, Any] = {}
        for curved, function in ((False, sums.losses), (True, sums.curvatures)):
            who = [me for me, (_, wanted) in batch.items() if wanted is curved]
            if not who:
                continue
            found = self.rows.total(function, self._job, np.stack([batch[me][0] for me in who]), stop=self._stop)
            for k, me in enumerate(who):
                matrix = found[2][k] if curved else None
                answers[me] = float(found[0][k]), np.where(self.free, found[1][k], 0.0), matrix
        return answers


