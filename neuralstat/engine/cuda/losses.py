"""Losses on a device: which of them a device has, what kernels are told of them, and the function that sums them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...functions.distributions import COUPLED, DISTRIBUTION, OWN, WIDTH
from ...functions.losses import FAMILY, loss_rows
from ...layers.codes import Layered
from ..cpu import Net
from .device import Target

#: Distributions that the CPU's kernels alone know, and why
CPU_ONLY: dict[int, str] = {
    OWN: "custom distributions are Python functions, compiled for the CPU",
    **dict.fromkeys(COUPLED, "losses that couple all observations run on the CPU only"),
}


def cpu_only(code: int) -> str | None:
    """Why a loss of several outputs has no kernel for devices; None where it has one.

    Parameters
    ----------
    code : int
        Of the loss.
    """
    return CPU_ONLY.get((code - DISTRIBUTION) % WIDTH) if code >= DISTRIBUTION else None


def compiled_layers(layered: Layered) -> Layered | None:
    """What kernels are compiled for: None for a dense network, else None for each family of layers that it lacks."""
    return Layered(*(0 if has else None for has in layered)) if layered.any else None  # type: ignore[arg-type]


def compiled_rare(net: Net) -> int | None:
    """None where a network has common activations and losses only: others are then not compiled."""
    return 0 if net.rare else None


def code_of(net: Net) -> int | None:
    """Code of a family or a distribution, for which kernels are compiled; None where they are told the loss when they run."""
    return net.loss if net.loss >= FAMILY else None


def parameters_of(net: Net) -> Any:
    """What kernels are told beside the code of a loss: its parameter, or an array of a family's or a distribution's."""
    return np.ascontiguousarray(net.parameters, np.float64) if net.loss >= FAMILY else float(net.loss_parameter)


def build_loss(target: Target, rare: Any, code: int | None) -> Any:
    """Make the device function of a loss.

    Parameters
    ----------
    rare : None or int
        None leaves out the rarer losses.
    code : None or int
        See `code_of`.

    Returns
    -------
    function : (loss, parameter, value, response, case, delta, first, outputs, lane, m, lanes)
        As `losses.loss_rows`; `parameter` is what `parameters_of` gives.
    """
    function = target.function
    if code is None:
        sum_loss = target.to_device(loss_rows)

        @function
        def known_when_run(loss, parameter, value, response, case, delta, first, outputs, lane, m, lanes):
            return sum_loss(loss, parameter, 0, value, response, case, delta, first, outputs, lane, m, lanes, None, rare)

        return known_when_run
    sum_one = target.to_device.decided(loss_rows, {"code": code})

    @function
    def of_family(loss, parameter, value, response, case, delta, first, outputs, lane, m, lanes):
        return sum_one(loss, 0.0, 0, value, response, case, delta, first, outputs, lane, m, lanes, None, None, parameter)

    @function
    def of_distribution(loss, parameter, value, response, case, delta, first, outputs, lane, m, lanes):
        return sum_one(loss, 0.0, 0, value, response, case, delta, first, outputs, lane, m, lanes, None, None, None,
                       parameter)  # fmt: skip

    return of_distribution if code >= DISTRIBUTION else of_family
