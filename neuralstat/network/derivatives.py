"""Derivatives of a fitted network: gradient, scores, Jacobian, exact Hessian, slopes in the covariates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..engine import cpu
from ..engine.data import make_data
from ..functions.losses import SSE
from ..functions.penalties import DECAY, ELIMINATION, SCALE, penalise
from ..jit.compile import as_python
from .array_weights import ArrayWeights, passes_of
from .network import Network
from .objective import resolve_activation
from .passes import Passes, suits
from .upstream import wanted_table

CHUNK = 2048  # observations whose derivatives are worked out together
FEW = 2**15  # numbers of derivatives of coupled observations that are held at a time, about eight times
READ = 2**20  # numbers of inputs that are read together where they are read by rows
Weights = np.ndarray | ArrayWeights
STEP = 1e-30  # of the complex step: its square vanishes beside every number


def _at(network: Network, x: np.ndarray, offset: np.ndarray | None) -> cpu.Data:
    """Covariates (D, m) as kernels want them; a network with a known part always has one."""
    if offset is None and network.offset:
        offset = np.zeros((1, x.shape[1]))
    if offset is not None and len(offset) > network.n_outputs:  # kernels do not check
        raise ValueError(f"offset has {len(offset)} rows, the network {network.n_outputs} outputs.")
    return make_data(x, np.zeros((network.n_outputs, x.shape[1])), offset=offset)


def _flat(network: Network, theta: np.ndarray) -> np.ndarray:
    """One network's weights, or a stack of them, as kernels take them; they do not check sizes."""
    if theta.shape[-1] != network.n_params:
        raise ValueError(f"theta has {theta.shape[-1]} weights, the network {network.n_params}.")
    return np.ascontiguousarray(theta)


def gradient(
    network: Network, data: cpu.Data, theta: np.ndarray, penalty: np.ndarray | None = None, free: np.ndarray | None = None
) -> np.ndarray:
    """Gradient (P,) of the error of one network, with the penalty's; with `free`, (P,) bool, right at these weights only."""
    known = _uncoupled(network, data, theta)
    if known is None:
        n = as_python(cpu.n_seen)(data, 0)
        grad = np.empty(network.n_params)
        net = network.net(rows=n) if free is None else network.net(rows=n)._replace(table=wanted_table(network, free))
        cpu.loss_gradient(net, data, _flat(network, theta), 0, 0, n, grad)
    else:
        grad = pullback(network, data.x, theta, known.eta, known.slopes[np.newaxis], known.offset)
    add_penalty_gradient(penalty, theta, grad)
    return grad


class Uncoupled(NamedTuple):
    """What a loss that couples n observations is made of where it goes through them in blocks; one output."""

    eta: np.ndarray  # (1, n) outputs
    weights: np.ndarray  # (n,) case weights
    slopes: np.ndarray  # (n,) of the weighted loss in the outputs
    bend: np.ndarray  # (n,) diagonal of its curvature, but for what is taken off (`Cox.curvature`)
    offset: np.ndarray | None


def _uncoupled(network: Network, data: cpu.Data, theta: np.ndarray) -> Uncoupled | None:
    """None of other losses, and where the family knows no blocks of these observations."""
    if not network.objective.coupled or data.rows.size:
        return None
    offset = data.offset if data.offset.size else None
    weights = np.ones(data.x.shape[1]) if data.weight.size == 0 else data.weight[0]
    eta = outputs(network, data.x, theta[np.newaxis], offset)[0]
    with np.errstate(all="ignore"):  # of a network that diverged
        found = network.objective.family.working(eta[0], data.y[0], weights)
    return None if found is None else Uncoupled(eta, weights, found[0], found[1], offset)


def add_penalty_gradient(penalty: np.ndarray | None, theta: np.ndarray, grad: np.ndarray) -> None:
    """Add the gradient of a penalty (P, 4), if there is one, at weights (P,) to `grad` (P,)."""
    if penalty is not None:
        as_python(penalise)(penalty, theta, grad)


def penalty_value(coefficients: np.ndarray, theta: np.ndarray) -> float:
    """The penalty of weights (P,)."""
    return float(as_python(penalise)(coefficients, theta, np.zeros(theta.size)))


def error(network: Network, data: cpu.Data, theta: np.ndarray) -> float:
    """Error of one network, without penalty."""
    if suits(network) and data.rows.size == 0 and not network.objective.coupled:
        made = outputs(network, data.x, theta, data.offset if data.offset.size else None)[0]
        losses = predictor_losses(network, made, data.y[0])[0]
        return float(losses.sum() if data.weight.size == 0 else losses @ data.weight[0])
    grad = np.empty(network.n_params)
    n = as_python(cpu.n_seen)(data, 0)
    return float(cpu.loss_gradient(network.net(rows=n), data, _flat(network, theta), 0, 0, n, grad))


def scores(network: Network, data: cpu.Data, theta: np.ndarray) -> np.ndarray:
    """d error_i / d theta, shape (n, P)."""
    out = np.empty((data.x.shape[1], network.n_params))
    if network.objective.coupled:
        w = np.ones(len(out)) if data.weight.size == 0 else data.weight[0]
        eta = outputs(network, data.x, theta[np.newaxis], data.offset if data.offset.size else None)[0, 0]
        return network.objective.family.scores(eta, data.y[0], w, jacobian(network, data, theta)[0])
    cpu.loss_scores(network.net(), data, _flat(network, theta), out)
    return out


def jacobian(network: Network, data: cpu.Data, theta: np.ndarray) -> np.ndarray:
    """d output_k / d theta at every observation, shape (K, n, P); of the linear predictor where the loss is."""
    if network.plain and data.rows.size == 0 and network.objective.inside.name != "softmax":
        return _dense_jacobian(network, data, _flat(network, theta))
    out = np.empty((network.n_outputs, data.x.shape[1], network.n_params))
    cpu.output_jacobian(network.net(), data, _flat(network, theta), out)
    return out


def _dense_jacobian(network: Network, data: cpu.Data, theta: np.ndarray) -> np.ndarray:
    """`jacobian` of a chain of dense layers, as products of whole arrays."""
    k, n = network.n_outputs, data.x.shape[1]
    out = np.zeros((k, n, network.n_params))
    last = len(network.shapes) - 1
    kinds = [*(resolve_activation(layer.activation) for layer in network.layers[:last]), network.objective.inside]
    matrices = [theta[s].reshape(units, per) for s, (per, units) in zip(network.slices, network.shapes, strict=True)]
    for first in range(0, n, CHUNK):
        part = slice(first, min(first + CHUNK, n))
        ones = np.ones((1, part.stop - first))
        values, slopes = [np.vstack([ones, data.x[:, part]])], []
        for i, (matrix, kind) in enumerate(zip(matrices, kinds, strict=True)):
            z = matrix @ values[-1]
            if i == last and data.offset.size:
                z[: len(data.offset)] += data.offset[:, part]
            slopes.append(kind.slopes(z))
            if i < last:
                values.append(np.vstack([ones, kind.values(z)]))
        for o in range(k):
            per, _ = network.shapes[last]
            own = network.slices[last].start + o * per
            delta = slopes[last][o : o + 1]
            out[o, part, own : own + per] = (delta * values[last]).T
            back = matrices[last][o : o + 1, 1:]
            for i in range(last - 1, -1, -1):
                delta = (back.T @ delta) * slopes[i]
                block = delta[:, np.newaxis, :] * values[i]
                out[o, part, network.slices[i]] = block.reshape(-1, block.shape[2]).T
                back = matrices[i][:, 1:]
    return out


def pullback(
    network: Network, x: np.ndarray, theta: np.ndarray, values: np.ndarray, pull: np.ndarray, offset: np.ndarray | None = None
) -> np.ndarray:
    """Sum of ``pull_ki d output_k(x_i) / d theta`` over outputs and rows, shape (P,), in one pass back.

    It is the gradient of half the squared errors at responses ``values - pull``, so no Jacobian is held.

    Parameters
    ----------
    network : Network
    x : (D, m) array
    theta : (P,) array
    values : (K, m) array
        What `outputs` gives there.
    pull : (K, m) array
    offset : (K, m) array, optional
    """
    largest = float(np.abs(pull).max(initial=0.0))
    if not largest > 0:
        return np.full(network.n_params, 0.0 if largest == 0 else np.nan)
    unit = max(float(np.abs(values).max()), 1.0) / largest  # a pull that is small beside the values would round away
    data = make_data(x, values - unit * pull, offset=offset)
    net = network.net()._replace(loss=SSE)
    grad = np.empty(network.n_params)
    cpu.loss_gradient(net, data, _flat(network, theta), 0, 0, x.shape[1], grad)
    return grad / unit


def hessian(
    network: Network, data: cpu.Data, theta: np.ndarray, penalty: np.ndarray | None = None
) -> np.ndarray:
    """Exact Hessian (P, P) of the error of one network, with the penalty's.

    Column j is the imaginary part of the gradient at ``theta + i h e_j``, divided by h (complex step: no
    subtraction, hence exact to rounding, at any depth and for every layer). Where the loss couples observations, it goes
    through them in blocks all the same where it can.
    """
    known = _uncoupled(network, data, theta)
    if known is None:
        columns = _by_complex_steps(network.net(rows=as_python(cpu.n_seen)(data, 0)), data, _flat(network, theta))
    else:
        columns = _uncoupled_hessian(network, data, theta, known)
    if penalty is not None:
        columns[np.diag_indices(len(columns))] += penalty_curvature(penalty, theta)
    return columns


def _by_complex_steps(net: cpu.Net, data: cpu.Data, theta: np.ndarray) -> np.ndarray:
    p, n = theta.size, as_python(cpu.n_seen)(data, 0)
    columns = np.empty((p, p))
    grad = np.empty(p, np.complex128)
    for j in range(p):
        moved = np.array(theta, np.complex128)
        moved[j] += 1j * STEP
        cpu.loss_gradient(net, data, moved, 0, 0, n, grad)
        columns[:, j] = grad.imag / STEP
    return (columns + columns.T) / 2


def _uncoupled_hessian(network: Network, data: cpu.Data, theta: np.ndarray, known: Uncoupled) -> np.ndarray:
    """`hessian` without penalty, of a loss that couples observations.

    With s the slopes of the loss in the outputs f, and V its curvature, it is J'VJ and the sum of s_i d2 f_i. Squared errors
    of weights c_i = a_i + |s_i| at responses f_i - s_i / c_i have the Hessian sum c_i J_i'J_i + s_i d2 f_i; a is `bend`.
    """
    slopes, p = known.slopes, network.n_params
    weights = known.bend + np.abs(slopes)
    response = known.eta - np.divide(slopes, weights, out=np.zeros_like(slopes), where=weights > 0)
    squares = make_data(data.x, response, weights, known.offset)
    second = _by_complex_steps(network.net()._replace(loss=SSE), squares, _flat(network, theta))

    def jacobian_of(rows: np.ndarray) -> np.ndarray:
        offset = None if known.offset is None else np.ascontiguousarray(known.offset[:, rows])
        return jacobian(network, _at(network, np.ascontiguousarray(data.x[:, rows]), offset), theta)[0]

    family, step = network.objective.family, max(FEW // p, p)
    with np.errstate(all="ignore"):
        return second + family.curvature(known.eta[0], data.y[0], known.weights, jacobian_of, step, -np.abs(slopes))


def penalty_curvature(penalty: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Second derivatives (P,) of the smooth part of a penalty."""
    u2 = (theta / penalty[:, SCALE]) ** 2
    bend = penalty[:, ELIMINATION] / penalty[:, SCALE] ** 2 * (1 - 3 * u2) / (1 + u2) ** 3
    return penalty[:, DECAY] + bend


def slopes(network: Network, x: np.ndarray, theta: Weights, offset: np.ndarray | None = None) -> np.ndarray:
    """d output_k / d x_d, shape (K, D, n); of the linear predictor where the loss is of it."""
    if suits(network) and offset is None:
        made = passes_of(network, theta).slopes(np.ascontiguousarray(x.T, theta.dtype))
        return np.ascontiguousarray(made.transpose(0, 2, 1), float)
    theta = np.asarray(theta)
    k, n = network.n_outputs, x.shape[1]
    out = np.empty((k, x.shape[0], n))
    cpu.output_slopes(network.net(), _at(network, x, offset), _flat(network, theta), out)
    if network.skip:  # what goes by the hidden layers
        direct = network.matrices(theta)[-1][1 : 1 + x.shape[0]]
        out += direct.T[:, :, np.newaxis] * (1.0 if network.objective.of_predictor else network.objective.inside.slopes(
            outputs(network, x, theta, offset)[0])[:, np.newaxis])  # fmt: skip
    return out


def predictor_losses(
    network: Network, eta: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Loss (n,) of each observation and its derivatives (K, n), of outputs (K, n) and responses (L, n); complex ones too.

    Neither is multiplied by case weights (n,), which are needed where observations are coupled: the weighted sum is the loss.
    """
    if network.objective.coupled:
        if np.iscomplexobj(eta):
            raise ValueError("losses that couple observations have no complex steps row by row.")
        return network.objective.family.losses(eta, y, np.ones(eta.shape[1]) if weights is None else weights)
    losses, delta = _losses(network, eta.T[:, :, np.newaxis], y.T[:, :, np.newaxis], np.ones((eta.shape[1], 1)))
    return losses, delta[:, :, 0].T


def predictor_slopes(network: Network, eta: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The derivatives that `predictor_losses` gives, in a small part of the time: of losses that couple no observations."""
    return _losses(network, eta[np.newaxis], y[np.newaxis], np.ones((1, eta.shape[1])))[1][0]


def _losses(network: Network, eta: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Losses (B,) of blocks of observations and derivatives (B, K, m), of outputs (B, K, m) and responses (B, L, m)."""
    value = np.ascontiguousarray(eta, np.complex128 if np.iscomplexobj(eta) else np.float64)
    delta, losses = np.zeros_like(value), np.zeros(len(value), value.dtype)
    cpu.predictor_losses(network.net(), value, np.ascontiguousarray(y, np.float64), w, delta, losses)
    return losses, delta


def units(network: Network, x: np.ndarray, theta: np.ndarray, offset: np.ndarray | None = None) -> np.ndarray:
    """Values of every unit, inputs first, shape (width, n)."""
    n = x.shape[1]
    out = np.empty((network.width, n))
    data = _at(network, x, offset)
    cpu.unit_values(network.net(), data, _flat(network, theta), out)
    return out


def layer_units(
    network: Network, x: np.ndarray, theta: Weights, layer: int, offset: np.ndarray | None = None
) -> np.ndarray:
    """Units (n, ...) of a layer, by its number, in its shape."""
    row, first, shape = network.places[layer]
    size = int(np.prod(shape))
    if row >= 0 and suits(network):
        made = passes_of(network, theta).outputs(np.ascontiguousarray(x.T, theta.dtype), layer, offset)
    else:
        made = units(network, x, theta.astype(float), offset)[first : first + size].T.copy()
    return made.reshape(-1, *shape)


def outputs(network: Network, x: np.ndarray, theta: Weights, offset: np.ndarray | None = None) -> np.ndarray:
    """What the last layer gives for a stack theta (B, P), shape (B, K, n).

    The linear predictor where the loss is of it, else the output activation's values. Of networks that go through `passes`
    numbers have the type of `theta` on their way.
    """
    n = x.shape[1]
    if isinstance(theta, ArrayWeights):
        made = theta.passes().outputs(np.ascontiguousarray(x.T, theta.dtype), offset=offset)
        return np.ascontiguousarray(made.T[np.newaxis], float)
    theta = _flat(network, np.atleast_2d(theta))
    out = np.empty((theta.shape[0], network.n_outputs, n))
    if not isinstance(x, np.ndarray):  # read by rows
        block = network.net().block
        step = max(1, READ // max(1, x.shape[0] * block)) * block
        for first in range(0, n, step):
            part = slice(first, min(first + step, n))
            some = np.empty((part.stop - first, x.shape[0]))
            x.read(np.arange(first, part.stop), some)
            known = None if offset is None else np.ascontiguousarray(offset[:, part])
            out[..., part] = outputs(network, np.ascontiguousarray(some.T), theta, known)
        return out
    if suits(network):
        inputs = np.ascontiguousarray(x.T, theta.dtype)
        for b, own in enumerate(theta):
            out[b] = Passes.of_theta(network, own).outputs(inputs, offset=offset).T
        return out
    net = network.net()
    cpu.output_values(net, _at(network, x, offset), theta.astype(float, copy=False), out,
                      cpu.room_for(net, network.n_outputs, float))  # fmt: skip
    return out
