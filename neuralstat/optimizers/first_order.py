"""Updates of the first-order minibatch optimizers, with Keras 3's formulas: one pass over flat vectors.

Gradient descent with momentum (Polyak 1964) and Nesterov's (Sutskever et al. 2013, ICML, 1139); Adagrad (Duchi, Hazan &
Singer 2011, JMLR 12:2121); RMSprop (Hinton 2012, lecture 6e; centred: Graves 2013, arXiv:1308.0850); Adam (Kingma & Ba
2015, arXiv:1412.6980), and Adamax there; AMSGrad (Reddi, Kale & Kumar 2018, arXiv:1904.09237); Nadam (Dozat 2016, ICLR
workshop); Adadelta (Zeiler 2012, arXiv:1212.5701); Lion (Chen et al. 2023, arXiv:2302.06675); decoupled weight decay
(Loshchilov & Hutter 2019, arXiv:1711.05101).

Every pass reads and writes each vector once, has no branches, scales the gradient to the batch mean, takes off the
weight decay, and leaves a gradient of zeros for the next batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit.compile import jit
from ..jit.late import late
from ..jit.vectors import fill

SGD, MOMENTUM, NESTEROV, ADAGRAD, RMSPROP, ADAM, AMSGRAD, NADAM, ADADELTA, ADAMAX, LION = range(11)

# Positions in the vector of settings
DECAY, EPSILON, MOVE, RHO, BETA1, BETA2, CENTERED, CLIP_VALUE, CLIP_NORM, CLIP_GLOBAL = range(10)
SETTINGS = 10

# Positions in the constants of a step, which have the kind of number of the weights
_SCALE, _RATE, _SHRINK, _EPS, _A, _B, _C, _D = range(8)
CONSTANTS = 8


@late
def _sgd(theta: Any, grad: Any, c: Any) -> None:
    scale, rate, shrink = c[_SCALE], c[_RATE], c[_SHRINK]
    for j in range(theta.size):
        w = theta[j]
        theta[j] = w - w * shrink - rate * (grad[j] * scale)
        grad[j] = 0


@late
def _momentum(theta: Any, grad: Any, velocity: Any, c: Any) -> None:
    scale, rate, shrink, momentum = c[_SCALE], c[_RATE], c[_SHRINK], c[_A]
    for j in range(theta.size):
        w = theta[j]
        v = velocity[j] * momentum - rate * (grad[j] * scale)
        velocity[j] = v
        theta[j] = w - w * shrink + v
        grad[j] = 0


@late
def _nesterov(theta: Any, grad: Any, velocity: Any, c: Any) -> None:
    scale, rate, shrink, momentum = c[_SCALE], c[_RATE], c[_SHRINK], c[_A]
    for j in range(theta.size):
        w = theta[j]
        step = rate * (grad[j] * scale)
        v = velocity[j] * momentum - step
        velocity[j] = v
        theta[j] = w - w * shrink + (v * momentum - step)
        grad[j] = 0


@late
def _adagrad(theta: Any, grad: Any, sums: Any, c: Any) -> None:
    scale, rate, shrink, eps = c[_SCALE], c[_RATE], c[_SHRINK], c[_EPS]
    for j in range(theta.size):
        w = theta[j]
        g = grad[j] * scale
        s = sums[j] + g * g
        sums[j] = s
        theta[j] = w - w * shrink - rate * g / np.sqrt(s + eps)
        grad[j] = 0


@late
def _rmsprop(theta: Any, grad: Any, square: Any, c: Any) -> None:
    scale, rate, shrink, eps, rho, rest = c[_SCALE], c[_RATE], c[_SHRINK], c[_EPS], c[_A], c[_B]
    for j in range(theta.size):
        w = theta[j]
        g = grad[j] * scale
        s = rho * square[j] + rest * (g * g)
        square[j] = s
        theta[j] = w - w * shrink - rate * g / np.sqrt(s + eps)
        grad[j] = 0


@late
def _rmsprop_more(theta: Any, grad: Any, square: Any, mean: Any, velocity: Any, c: Any) -> None:
    """RMSprop with momentum, centred, or both."""
    scale, rate, shrink, eps = c[_SCALE], c[_RATE], c[_SHRINK], c[_EPS]
    rho, rest, momentum, centered = c[_A], c[_B], c[_C], c[_D]
    for j in range(theta.size):
        w = theta[j]
        g = grad[j] * scale
        s = rho * square[j] + rest * (g * g)
        a = rho * mean[j] + rest * g
        square[j], mean[j] = s, a
        v = momentum * velocity[j] + rate * g / np.sqrt(s - centered * (a * a) + eps)
        velocity[j] = v
        theta[j] = w - w * shrink - v
        grad[j] = 0


@late
def _adam(theta: Any, grad: Any, mean: Any, square: Any, c: Any) -> None:
    scale, rate, shrink, eps, rest1, rest2 = c[_SCALE], c[_RATE], c[_SHRINK], c[_EPS], c[_A], c[_B]
    for j in range(theta.size):
        w = theta[j]
        g = grad[j] * scale
        m = mean[j] + (g - mean[j]) * rest1
        v = square[j] + (g * g - square[j]) * rest2
        mean[j], square[j] = m, v
        theta[j] = w - w * shrink - m * rate / (np.sqrt(v) + eps)
        grad[j] = 0


@late
def _amsgrad(theta: Any, grad: Any, mean: Any, square: Any, largest: Any, c: Any) -> None:
    scale, rate, shrink, eps, rest1, rest2 = c[_SCALE], c[_RATE], c[_SHRINK], c[_EPS], c[_A], c[_B]
    for j in range(theta.size):
        w = theta[j]
        g = grad[j] * scale
        m = mean[j] + (g - mean[j]) * rest1
        v = square[j] + (g * g - square[j]) * rest2
        top = max(largest[j], v)
        mean[j], square[j], largest[j] = m, v, top
        theta[j] = w - w * shrink - m * rate / (np.sqrt(top) + eps)
        grad[j] = 0


@late
def _nadam(theta: Any, grad: Any, mean: Any, square: Any, c: Any) -> None:
    scale, rate, shrink, eps, rest1, rest2 = c[_SCALE], c[_RATE], c[_SHRINK], c[_EPS], c[_A], c[_B]
    ahead, now = c[_C], c[_D]
    for j in range(theta.size):
        w = theta[j]
        g = grad[j] * scale
        m = mean[j] + (g - mean[j]) * rest1
        v = square[j] + (g * g - square[j]) * rest2
        mean[j], square[j] = m, v
        theta[j] = w - w * shrink - rate * (ahead * m + now * g) / (np.sqrt(v) + eps)
        grad[j] = 0


@late
def _adadelta(theta: Any, grad: Any, square: Any, moves: Any, c: Any) -> None:
    scale, rate, shrink, eps, rho, rest = c[_SCALE], c[_RATE], c[_SHRINK], c[_EPS], c[_A], c[_B]
    for j in range(theta.size):
        w = theta[j]
        g = grad[j] * scale
        s = rho * square[j] + rest * (g * g)
        move = np.sqrt(moves[j] + eps) * g / np.sqrt(s + eps)
        square[j] = s
        moves[j] = rho * moves[j] + rest * (move * move)
        theta[j] = w - w * shrink - rate * move
        grad[j] = 0


@late
def _adamax(theta: Any, grad: Any, mean: Any, largest: Any, c: Any) -> None:
    scale, rate, shrink, eps, rest1, kept = c[_SCALE], c[_RATE], c[_SHRINK], c[_EPS], c[_A], c[_B]
    for j in range(theta.size):
        w = theta[j]
        g = grad[j] * scale
        m = mean[j] + (g - mean[j]) * rest1
        u = max(kept * largest[j], abs(g))
        mean[j], largest[j] = m, u
        theta[j] = w - w * shrink - rate * m / (u + eps)
        grad[j] = 0


@late
def _lion(theta: Any, grad: Any, mean: Any, c: Any) -> None:
    scale, rate, shrink = c[_SCALE], c[_RATE], c[_SHRINK]
    for j in range(theta.size):
        w = theta[j]
        g = grad[j] * scale
        toward = mean[j] * c[_A] + g * c[_B]
        mean[j] = mean[j] * c[_C] + g * c[_D]
        theta[j] = w - w * shrink - rate * np.sign(toward)
        grad[j] = 0


@jit
def momentum_schedule(b1: float, t: int) -> Any:
    """What Nadam multiplies the mean and the gradient by at step t (from 1).

    ``u_t = b1 (1 - 0.96^t / 2)`` is the share of the mean that is kept, and U_t the product of all so far: the mean of this
    step counts as ``u_(t+1) / (1 - U_(t+1))``, the gradient as ``(1 - u_t) / (1 - U_t)``.
    """
    product, power = 1.0, 1.0
    for _ in range(min(t, 1000)):  # beyond, 0.96^t is nothing beside 1
        power *= 0.96
        product *= b1 * (1 - 0.5 * power)
    if t > 1000:
        product *= b1 ** (t - 1000)
    now, following = b1 * (1 - 0.5 * 0.96**t), b1 * (1 - 0.5 * 0.96 ** (t + 1))
    return following / (1 - product * following), (1 - now) / (1 - product)


@jit
def step(algorithm: int, settings: Any, rate: float, t: int, theta: Any, grad: Any, memory: Any, constants: Any,
         scale: float) -> None:
    """One step of the optimizer with that code along ``scale * grad``.

    Parameters
    ----------
    algorithm : int
        Code.
    settings : (SETTINGS,) float64 array
        Of the optimizer.
    rate : float
        Learning rate of this step.
    t : int
        Number of this step, from 1.
    theta, grad : (P,) arrays
        Weights, updated; gradient, set to zero.
    memory : (slots, P) array
        The optimizer's memory, updated.
    constants : (CONSTANTS,) array
        Scratch, in the kind of number of theta.
    """
    constants[_SCALE] = scale
    constants[_RATE] = rate
    constants[_SHRINK] = rate * settings[DECAY]
    constants[_EPS] = settings[EPSILON]
    if algorithm == SGD:
        _sgd(theta, grad, constants)
    elif algorithm == MOMENTUM or algorithm == NESTEROV:  # noqa: SIM109
        constants[_A] = settings[MOVE]
        if algorithm == MOMENTUM:
            _momentum(theta, grad, memory[0], constants)
        else:
            _nesterov(theta, grad, memory[0], constants)
    elif algorithm == ADAGRAD:
        _adagrad(theta, grad, memory[0], constants)
    elif algorithm == RMSPROP:
        constants[_A] = settings[RHO]
        constants[_B] = 1 - settings[RHO]
        constants[_C] = settings[MOVE]
        if settings[MOVE] == 0 and settings[CENTERED] == 0:
            _rmsprop(theta, grad, memory[0], constants)
        else:
            constants[_D] = settings[CENTERED]
            _rmsprop_more(theta, grad, memory[0], memory[1], memory[2], constants)
    elif algorithm == ADADELTA:
        constants[_A] = settings[RHO]
        constants[_B] = 1 - settings[RHO]
        _adadelta(theta, grad, memory[0], memory[1], constants)
    elif algorithm == LION:
        constants[_A], constants[_B] = settings[BETA1], 1 - settings[BETA1]
        constants[_C], constants[_D] = settings[BETA2], 1 - settings[BETA2]
        _lion(theta, grad, memory[0], constants)
    elif algorithm == ADAMAX:
        constants[_RATE] = rate / (1 - settings[BETA1] ** t)
        constants[_A], constants[_B] = 1 - settings[BETA1], settings[BETA2]
        _adamax(theta, grad, memory[0], memory[1], constants)
    elif algorithm == NADAM:
        corrected = np.sqrt(1 - settings[BETA2] ** t)
        constants[_RATE], constants[_EPS] = rate * corrected, settings[EPSILON] * corrected
        constants[_A], constants[_B] = 1 - settings[BETA1], 1 - settings[BETA2]
        constants[_C], constants[_D] = momentum_schedule(settings[BETA1], t)
        _nadam(theta, grad, memory[0], memory[1], constants)
    else:
        b1, b2 = settings[BETA1], settings[BETA2]
        constants[_RATE] = rate * np.sqrt(1 - b2**t) / (1 - b1**t)
        constants[_A] = 1 - b1
        constants[_B] = 1 - b2
        if algorithm == ADAM:
            _adam(theta, grad, memory[0], memory[1], constants)
        else:
            _amsgrad(theta, grad, memory[0], memory[1], memory[2], constants)


@late
def clip(settings: Any, groups: Any, norms: Any, grad: Any) -> None:
    """Limit a finished gradient by value, by the norm of each weight array, or by the norm of all.

    Parameters
    ----------
    settings : (SETTINGS,) array
        Limits, 0 for none.
    groups : (P or 0,) int64 array
        Weight array that each weight belongs to; used for the second kind.
    norms : (number of groups,) array
        Scratch.
    grad : (P,) array
        Updated.
    """
    if settings[CLIP_VALUE] > 0:
        limit = grad[0] * 0
        limit += settings[CLIP_VALUE]
        for j in range(grad.size):
            grad[j] = min(max(grad[j], -limit), limit)
    elif settings[CLIP_GLOBAL] > 0:
        total = grad[0] * 0
        for j in range(grad.size):
            total += grad[j] * grad[j]
        norm = np.sqrt(total)
        if norm > settings[CLIP_GLOBAL]:
            factor = settings[CLIP_GLOBAL] / norm
            for j in range(grad.size):
                grad[j] *= factor
    elif settings[CLIP_NORM] > 0:
        fill(norms, 0)
        for j in range(grad.size):
            norms[groups[j]] += grad[j] * grad[j]
        for k in range(norms.size):
            norms[k] = settings[CLIP_NORM] / max(np.sqrt(norms[k]), settings[CLIP_NORM])
        for j in range(grad.size):
            grad[j] *= norms[groups[j]]


@jit
def clips(settings: Any) -> bool:
    """Whether gradients are clipped."""
    return settings[CLIP_VALUE] > 0 or settings[CLIP_NORM] > 0 or settings[CLIP_GLOBAL] > 0
