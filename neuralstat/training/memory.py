"""What a fit takes, before anything of it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..checks import check_size
from ..engine.batches import HISTORY
from ..optimizers import BFGS, LBFGS, LM
from .epoch_settings import EPOCHS, optimizer_of
from .stack import TRACE, threads

if TYPE_CHECKING:
    from ..network.network import Network
    from .settings import Settings

STATE = 6  # vectors of a running network: weights, gradients, rates, ...


def check_memory(network: Network, settings: Settings, n_free: int, n: int) -> None:
    """Refuse a fit whose weights, optimizers' memories and buffers the memory at hand does not hold.

    Parameters
    ----------
    network : Network
    settings : Settings
    n_free, n : int
        Weights that are trained; observations.

    Raises
    ------
    TooLargeError
        Says what would be made.
    """
    reps, given, batches = settings.repetitions, settings.algorithm, optimizer_of(settings)
    at_once = min(threads(settings.n_jobs), reps)
    each, running = STATE * network.n_params + TRACE, 3 * network.width * network.net().block
    said = f"rep={reps} network(s) of {network.n_params} weights"
    if batches is not None:
        epochs = EPOCHS if settings.epochs is None else settings.epochs
        each += (batches.slots + 1) * network.n_params + epochs * HISTORY + n
        said += f", epochs={epochs}"
    elif isinstance(given, LBFGS) or given == "lbfgs":
        running += 2 * (given.memory if isinstance(given, LBFGS) else LBFGS().memory) * n_free
        said += f", {given!r}"
    elif isinstance(given, LM | BFGS) or given in ("lm", "bfgs"):
        running += (3 if isinstance(given, LM) or given == "lm" else 1) * n_free**2
        said += f", {given!r}, whose matrices have {n_free}^2 elements"
    check_size(reps * each + at_once * running, said)
