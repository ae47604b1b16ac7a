"""The compiled loop over batches and epochs, for one network of a stack per call.

What is minimised is ``(1/n) sum_i w_i loss_i + penalty``: a batch gives ``(1/m) sum_{i in batch} w_i loss_i`` with its own
number m of rows (the last batch of an epoch may be smaller), and the whole penalty is added at every step, as Keras does
with sample weights and regularizers.

All state lies in `State`; a call may stop after any batch, and the next goes on where it stopped. Random numbers depend
on the repetition's key and the number of the epoch only (`engine.random`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..functions.penalties import penalise
from ..jit.buffers import few_floats, few_ints
from ..jit.compile import entry, jit
from ..jit.late import late
from ..jit.random import permute
from ..jit.vector_code import PAD
from ..jit.vectors import fill
from ..layers.codes import N_OUT, OFFSET, TARGET
from ..layers.training import after_batch, predict_mode, training_mode
from ..optimizers.constraints import constrain
from ..optimizers.first_order import CONSTANTS, clip, clips, step
from .chain import forward
from .cpu import CONVERGED, NONFINITE, RUNNING, STEPMAX, accumulate, block_loss, largest_free, padded, room_for
from .sparse import sparse_gradient, turn_back, turned_weights

EPOCHS_DONE, STOPPED_EARLY, STOPPED_BY_CALLBACK = 20, 21, 22  # further values of a network's status

NO_METRIC, LARGEST, ABOVE, SQUARES = range(4)  # kinds of metric
LOSS, METRIC, VAL_LOSS, VAL_METRIC, RATE = range(5)  # columns of the history
HISTORY = 5
BEST, WAIT, BEST_EPOCH = range(3)  # columns of State.stopping
FACTOR, LEAST, STILL, COOLING = range(4)  # columns of State.plateau
TRAIN, FINISH, CHECK, GRADIENT, END = range(5)  # what a call of `train_batches` is to do


class Rows(NamedTuple):
    """Observations, each with its inputs side by side."""

    inputs: np.ndarray  # (n, D); or (m, D) of some observations that follow one another
    data: Any  # cpu.Data without x: responses, weights, offsets; of all observations
    first: int = -1  # place in the order of the epoch of the first of `inputs`; negative: they are all observations by number
    sparse: Any = None  # None, or sparse.Nonzeros in place of `inputs`; `first` is then the place of the first of them


class Room(NamedTuple):
    """Buffers of one running thread, which calls leave as the next can take them."""

    work: Any  # cpu.Work
    grad: np.ndarray  # (P,), zero
    constants: np.ndarray  # (CONSTANTS,) of a step
    kept: np.ndarray  # (H,) weights that do not move
    norms: np.ndarray  # (n_groups,) of weight arrays


class Plan(NamedTuple):
    """What is to be done; the same for all networks."""

    batch: int  # rows in a batch
    epochs: int
    shuffle: bool
    code: int  # of the optimizer
    settings: np.ndarray  # see optimizers.first_order
    groups: np.ndarray  # (P or 0,) weight array of each weight, for clipping by norm
    n_groups: int
    held: np.ndarray  # (H,) weights that do not move
    threshold: float  # largest absolute partial derivative at which training stops; negative for no such rule
    stepmax: int
    metric: int  # kind of metric
    cut: float  # of ABOVE
    patience: int  # of early stopping; negative for none
    min_delta: float
    watch: int  # column of the history that early stopping looks at
    restore: bool
    plateau: np.ndarray  # (5,) factor, patience, min_delta, cooldown, least rate; factor 1 for no such rule
    plateau_watch: int
    momentum: np.ndarray  # (layers,) of moving averages; negative for layers that keep theirs, or have none
    bound: Any  # weights under constraints: optimizers.constraints.Bound
    staged: bool = False  # whether observations come window by window, and the caller ends epochs (`END`)
    checked: int = 0  # validation rows that come so
    together: int = 1  # observations that follow one another in every order


def room_of(net: Any, plan: Plan, outputs: int, theta: np.ndarray) -> Room:
    """A thread's buffers for weights (..., P) of networks with so many outputs."""
    kind = theta.dtype
    return Room(room_for(net, outputs, kind), np.zeros(theta.shape[-1], kind), np.empty(CONSTANTS, kind),
                np.empty(plan.held.size, kind), np.empty(plan.n_groups))  # fmt: skip


class State(NamedTuple):
    """Where training is; row b of every array belongs to network b."""

    theta: np.ndarray  # (B, P)
    free: np.ndarray  # (B or 1, P)
    memory: np.ndarray  # (B, slots, P)
    steps: np.ndarray  # (B,) batches seen
    epoch: np.ndarray  # (B,) finished epochs
    place: np.ndarray  # (B,) next batch of the running epoch
    order: np.ndarray  # (B or 0, n) order of the observations in it
    sums: np.ndarray  # (B, 2) of loss and metric in it
    status: np.ndarray  # (B,)
    loss: np.ndarray  # (B,) mean loss of the last epoch; at the end n times the mean loss at the final weights
    reached: np.ndarray  # (B,)
    history: np.ndarray  # (B, epochs, HISTORY)
    best: np.ndarray  # (B, P or 0) weights of the best epoch
    stopping: np.ndarray  # (B, 3)
    plateau: np.ndarray  # (B, 4)
    keys: np.ndarray  # (B, 2)
    checked: np.ndarray  # (B, 2) sums of loss and metric over the validation rows that came so far, window by window
    total: np.ndarray  # (B,) loss over the observations that came so far,
    whole: np.ndarray  # (B, P or 0) and its gradient


@late
def collect(net: Any, rows: Any, b: int, order: Any, first: int, m: int, work: Any) -> None:
    """Observations ``order[first : first + m]`` into the buffers (in their own order where `order` is empty).

    Inputs are turned round by tiles of PAD observations, so that every row is read from front to back.
    """
    data = rows.data
    y = data.y[b % data.y.shape[0]]
    weight = data.weight[b % data.weight.shape[0]]
    known = net.table[net.table.shape[0] - 1, OFFSET]
    at, lies = work.at[0], work.at[1]
    for start in range(0, padded(m), PAD):
        for i in range(PAD):
            row = first + min(start + i, m - 1)  # padding repeats an observation
            at[i] = order[row] if order.size > 0 else row
            lies[i] = row - rows.first if rows.first >= 0 else at[i]
        for d in range(rows.inputs.shape[1]):
            for i in range(PAD):
                work.value[d, start + i] = rows.inputs[lies[i], d]
        if known >= 0:
            for k in range(data.offset.shape[0]):
                for i in range(PAD):
                    work.value[known + k, start + i] = data.offset[k, at[i]]
        for k in range(y.shape[0]):
            for i in range(PAD):
                work.target[k, start + i] = y[k, at[i]]
        if weight.size > 0:
            for i in range(PAD):
                work.case[start + i] = weight[at[i]]


@jit
def score(plan: Any, net: Any, work: Any, m: int) -> float:
    """Sum over a block of the metric: right classes, or squared errors averaged over outputs."""
    end = net.table.shape[0] - 1
    first, outputs = net.table[end, TARGET], net.table[end, N_OUT]
    total = 0.0
    if plan.metric == LARGEST:
        for i in range(m):
            said, true = 0, 0
            for k in range(1, outputs):
                if work.value[first + k, i] > work.value[first + said, i]:
                    said = k
                if work.target[k, i] > work.target[true, i]:
                    true = k
            total += 1.0 if said == true else 0.0
    elif plan.metric == ABOVE:
        for k in range(outputs):
            for i in range(m):
                total += 1.0 if (work.value[first + k, i] > plan.cut) == (work.target[k, i] > 0.5) else 0.0
        total /= outputs
    elif plan.metric == SQUARES:
        for k in range(outputs):
            for i in range(m):
                residual = float(work.value[first + k, i] - work.target[k, i])
                total += residual * residual
        total /= outputs
    return total


@late(returns="theta")
def batch_gradient(net: Any, rows: Any, plan: Any, theta: Any, b: int, order: Any, first: int, last: int, work: Any,
                   grad: Any, sums: Any, collected: bool, training: bool, key: Any, step: int) -> Any:
    """Sum of the loss over a batch; its gradient is added to `grad`, the metric to ``sums[1]``.

    Parameters
    ----------
    training : bool
        Whether layers that differ in training are as there, with `key` and `step`; else all are as in prediction.
    """
    total = theta[0] * 0
    for start in range(first, last, net.block):
        m = min(net.block, last - start)
        if not collected:
            collect(net, rows, b, order, start, m, work)
        if training:
            training_mode(net.table, net.constants, plan.momentum, work.value, key, step, order, start, m)
        total += accumulate(net, rows.data, theta, b, 0, m, work, grad, True)
        if plan.metric != NO_METRIC:
            sums[1] += score(plan, net, work, m)
    return total


@jit
def sparse_batch(net: Any, rows: Any, plan: Any, theta: Any, b: int, order: Any, first: int, last: int, work: Any, grad: Any,
                 sums: Any, training: bool, key: Any, step: int, sparse: Any) -> Any:
    """`batch_gradient` of observations most of whose inputs are zero."""
    total = theta[0] * 0
    turned = turned_weights(sparse, theta)
    into, bias = np.zeros_like(turned), np.zeros(turned.shape[1], theta.dtype)
    for start in range(first, last, net.block):
        m = min(net.block, last - start)
        collect(net, rows, b, order, start, m, work)
        if training:
            training_mode(net.table, net.constants, plan.momentum, work.value, key, step, order, start, m)
        total += sparse_gradient(net, sparse, theta, turned, start - rows.first, m, work, grad, bias, into)
        if plan.metric != NO_METRIC:
            sums[1] += score(plan, net, work, m)
    turn_back(sparse, bias, into, grad)
    return total


@jit
def as_predicted(net: Any, work: Any) -> None:
    """Layers as in prediction, where the network has some that differ in training."""
    if net.layered.training:
        predict_mode(net.table, work.value)


@jit
def training_gradient(net: Any, rows: Any, plan: Any, state: Any, b: int, order: Any, first: int, last: int, work: Any,
                      grad: Any, collected: bool, sparse: Any) -> Any:
    """`batch_gradient` of a training step."""
    training = net.layered.training == 1
    if sparse is not None:
        return sparse_batch(net, rows, plan, state.theta[b], b, order, first, last, work, grad, state.sums[b], training,
                            state.keys[b], state.steps[b], sparse)
    return batch_gradient(net, rows, plan, state.theta[b], b, order, first, last, work, grad, state.sums[b], collected,
                          training, state.keys[b], state.steps[b])


@jit
def after_step(net: Any, plan: Any, theta: Any, work: Any) -> None:
    """Moving averages, where the network has some."""
    if net.layered.training:
        after_batch(net.table, plan.momentum, theta, work.value)


@jit
def evaluate(net: Any, rows: Any, plan: Any, theta: Any, b: int, work: Any, none: Any, sums: Any) -> None:
    """Mean loss (without penalty) and metric over all rows, into ``sums[0]`` and ``sums[1]``."""
    n = rows.inputs.shape[0]
    sums[0] = 0
    sums[1] = 0
    add_values(net, rows, plan, theta, b, work, none, sums)
    sums[0] /= n
    sums[1] /= n


@late
def add_values(net: Any, rows: Any, plan: Any, theta: Any, b: int, work: Any, none: Any, sums: Any) -> None:
    """Add loss (without penalty) and metric over the rows that are there to ``sums[0]`` and ``sums[1]``."""
    begin = max(rows.first, 0)
    end = begin + rows.inputs.shape[0]
    fill(work.case, 1)
    as_predicted(net, work)
    for start in range(begin, end, net.block):
        m = min(net.block, end - start)
        collect(net, rows, b, none, start, m, work)
        sums[0] += block_loss(net, theta, work, m)
        if plan.metric != NO_METRIC:
            sums[1] += score(plan, net, work, m)
    fill(work.case, 1)


@entry
def kept_units(net: Any, rows: Any, theta: Any, at: Any, first: int, last: int, out: Any, work: Any) -> None:
    """Units ``at`` (F,) of the observations first .. last, as in prediction, into rows of `out` (n, F)."""
    none = few_ints(0)
    as_predicted(net, work)
    for start in range(first, last, net.block):
        m = min(net.block, last - start)
        collect(net, rows, 0, none, start, m, work)
        forward(net.table, net.constants, theta, work.value, work.slope, padded(m))
        for f in range(at.size):
            for i in range(m):
                out[start + i, f] = work.value[at[f], i]


@jit
def penalty_alone(net: Any, theta: Any, grad: Any) -> Any:
    """The penalty; `grad` is scratch, and zero afterwards."""
    value = penalise(net.penalty, theta, grad)
    if net.penalty.shape[0] > 0:
        fill(grad, 0)
    return value


@late
def whole_gradient(net: Any, rows: Any, plan: Any, state: Any, b: int, work: Any, none: Any, grad: Any) -> None:
    """Loss and largest partial derivative over all rows, in the scale of sums over observations."""
    fill(grad, 0)
    state.total[b] = 0
    add_gradient(net, rows, plan, state, b, work, none, grad)
    close_gradient(net, state, b, rows.data.y.shape[2], grad)


@late
def add_gradient(net: Any, rows: Any, plan: Any, state: Any, b: int, work: Any, none: Any, grad: Any) -> None:
    """Add loss and gradient over the rows that are there to ``state.total`` and `grad`."""
    spare = few_floats(2)  # what is added to it is not wanted
    fill(spare, 0)
    begin = max(rows.first, 0)
    end = begin + rows.inputs.shape[0]
    as_predicted(net, work)
    for start in range(begin, end, net.block):
        state.total[b] += batch_gradient(net, rows, plan, state.theta[b], b, none, start, min(start + net.block, end), work,
                                         grad, spare, False, False, state.keys[b], 0)


@late
def close_gradient(net: Any, state: Any, b: int, n: int, grad: Any) -> None:
    """Loss and largest partial derivative with the penalty, from their sums over all n rows; `grad` is zero afterwards."""
    theta, total = state.theta[b], state.total[b]
    if net.penalty.shape[0] > 0:
        for j in range(grad.size):
            grad[j] /= n
        total = n * (total / n + penalise(net.penalty, theta, grad))
        for j in range(grad.size):
            grad[j] *= n
    state.loss[b] = total
    state.reached[b] = largest_free(grad, state.free[b % state.free.shape[0]])
    fill(grad, 0)


@late(returns="theta")
def take(net: Any, plan: Any, theta: Any, grad: Any, memory: Any, t: int, rate: float, scale: float, norms: Any,
         constants: Any, kept: Any) -> Any:
    """Penalty, clipping, and the optimizer's step along ``scale * grad``; returns the penalty."""
    value = theta[0] * 0
    held = plan.held
    for h in range(held.size):
        kept[h] = theta[held[h]]
    clipped = clips(plan.settings)
    if net.penalty.shape[0] > 0 or clipped:
        constants[0] = scale
        factor = constants[0]
        for j in range(grad.size):
            grad[j] *= factor
        scale = 1.0
        value = penalise(net.penalty, theta, grad)
    for h in range(held.size):
        grad[held[h]] = 0
    if clipped:
        clip(plan.settings, plan.groups, norms, grad)
    step(plan.code, plan.settings, rate, t, theta, grad, memory, constants, scale)
    constrain(plan.bound, theta)
    for h in range(held.size):
        theta[held[h]] = kept[h]
    return value


@late
def stop_early(plan: Any, state: Any, b: int, epoch: int) -> None:
    """Keep the best weights; stop where nothing has improved for too long."""
    value = state.history[b, epoch, plan.watch]
    stopping = state.stopping[b]
    if value + plan.min_delta < stopping[BEST] or epoch == 0:
        if value == value:
            stopping[BEST] = value
        stopping[WAIT] = 0
        stopping[BEST_EPOCH] = epoch
        if plan.restore:
            for j in range(state.theta.shape[1]):  # devices call this as Python
                state.best[b, j] = state.theta[b, j]
        return
    stopping[WAIT] += 1
    if stopping[WAIT] >= plan.patience:
        state.status[b] = STOPPED_EARLY


@late
def reduce_rate(plan: Any, state: Any, b: int, epoch: int, rate: float) -> None:
    """Multiply the learning rate's factor where the loss has not improved for too long."""
    rule, now = plan.plateau, state.plateau[b]
    if now[COOLING] > 0:
        now[COOLING] -= 1
        now[STILL] = 0
    value = state.history[b, epoch, plan.plateau_watch]
    if value + rule[2] < now[LEAST]:
        now[LEAST] = value
        now[STILL] = 0
    elif now[COOLING] == 0:
        now[STILL] += 1
        if now[STILL] >= rule[1]:
            now[FACTOR] *= max(rule[0], rule[4] / rate)
            now[COOLING] = rule[3]
            now[STILL] = 0


@late
def end_epoch(net: Any, rows: Any, check: Any, plan: Any, state: Any, b: int, rate: float, work: Any, none: Any,
              grad: Any) -> None:
    """History, validation, early stopping, and the limit of epochs."""
    n = rows.data.y.shape[2]
    epoch = state.epoch[b]
    line = state.history[b, epoch]
    line[LOSS], line[METRIC], line[RATE] = state.sums[b, 0] / n, state.sums[b, 1] / n, rate
    if check.inputs.shape[0] > 0:
        evaluate(net, check, plan, state.theta[b], b, work, none, state.sums[b])
        line[VAL_LOSS] = state.sums[b, 0] + penalty_alone(net, state.theta[b], grad)
        line[VAL_METRIC] = state.sums[b, 1]
    elif plan.checked > 0:
        line[VAL_LOSS] = state.checked[b, 0] / plan.checked + penalty_alone(net, state.theta[b], grad)
        line[VAL_METRIC] = state.checked[b, 1] / plan.checked
        fill(state.checked[b], 0)
    state.loss[b] = line[LOSS] * n
    fill(state.sums[b], 0)
    state.epoch[b] = epoch + 1
    state.place[b] = 0
    if plan.threshold >= 0:
        if plan.staged:
            close_gradient(net, state, b, n, state.whole[b])
        else:
            whole_gradient(net, rows, plan, state, b, work, none, grad)
        if state.reached[b] <= plan.threshold:
            state.status[b] = CONVERGED
    if plan.patience >= 0 and state.status[b] == RUNNING:
        stop_early(plan, state, b, epoch)
    if plan.plateau[0] < 1:
        reduce_rate(plan, state, b, epoch, rate)
    if state.status[b] == RUNNING and state.epoch[b] >= plan.epochs:
        state.status[b] = EPOCHS_DONE


@jit
def stop_at_limit(plan: Any, state: Any, b: int) -> None:
    """Stop after the greatest number of batches."""
    if state.steps[b] >= plan.stepmax and state.status[b] == RUNNING:
        state.status[b] = STEPMAX


@entry
def train_batches(net: Any, rows: Any, check: Any, plan: Any, state: Any, rates: Any, b: int, budget: int,
                  one_epoch: bool, task: int, room: Any) -> None:
    """Up to `budget` batches of network b; call again to go on.

    Parameters
    ----------
    net : Net
    rows, check : Rows
        Training and validation data (without rows where there are none).
    plan : Plan
    state : State
        Row b of all arrays is updated.
    rates : (budget,) float64 array
        Learning rates of the next steps.
    b, budget : int
    one_epoch : bool
        Return at the end of an epoch.
    task : int
        TRAIN. FINISH: take no step, and evaluate loss and gradient over all rows. Where observations come window by
        window, epochs end with the caller: CHECK adds the values of the validation rows that are there, GRADIENT loss and
        gradient of the rows that are there, END closes the epoch, and FINISH closes loss and gradient.
    room : Room
        No other thread's.
    """
    if task == TRAIN:
        take_steps(net, rows, check, plan, state, rates, b, budget, one_epoch, room, few_ints(0))
    else:
        do_task(net, rows, check, plan, state, rates, b, task, room.work, room.grad, few_ints(0))


@late
def do_task(net: Any, rows: Any, check: Any, plan: Any, state: Any, rates: Any, b: int, task: int, work: Any, grad: Any,
            none: Any) -> None:
    """What `train_batches` does beside steps."""
    n = rows.data.y.shape[2]
    if task == FINISH and plan.staged:
        close_gradient(net, state, b, n, state.whole[b])
    elif task == FINISH:
        whole_gradient(net, rows, plan, state, b, work, none, grad)
    elif task == CHECK:
        add_values(net, check, plan, state.theta[b], b, work, none, state.checked[b])
    elif task == GRADIENT:
        add_gradient(net, rows, plan, state, b, work, none, state.whole[b])
    elif task == END:
        rate = rates[0] * state.plateau[b, FACTOR] if plan.plateau[0] < 1 else rates[0]
        end_epoch(net, rows, check, plan, state, b, rate, work, none, grad)
        stop_at_limit(plan, state, b)


@late
def take_steps(net: Any, rows: Any, check: Any, plan: Any, state: Any, rates: Any, b: int, budget: int, one_epoch: bool,
               room: Any, none: Any) -> None:
    """The steps of `train_batches`."""
    theta, memory = state.theta[b], state.memory[b]
    work, grad = room.work, room.grad
    n = rows.data.y.shape[2]
    batches = (n + plan.batch - 1) // plan.batch
    order = none
    if plan.shuffle:
        order = state.order[b]
    single = n <= net.block and batches == 1 and not plan.shuffle and check.inputs.shape[0] == 0 and plan.threshold < 0
    single = single and not plan.staged
    for done in range(budget):
        if state.status[b] != RUNNING:
            break
        if plan.shuffle and state.place[b] == 0:
            permute_groups(order, state.epoch[b], state.keys[b], plan.together)
        first = state.place[b] * plan.batch
        last = min(first + plan.batch, n)
        total = training_gradient(net, rows, plan, state, b, order, first, last, work, grad, single and done > 0,
                                  rows.sparse)
        rate = rates[done]
        if plan.plateau[0] < 1:
            rate *= state.plateau[b, FACTOR]
        state.steps[b] += 1
        penalty = take(net, plan, theta, grad, memory, state.steps[b], rate, 1.0 / (last - first), room.norms,
                       room.constants, room.kept)
        after_step(net, plan, theta, work)
        state.sums[b, 0] += total + (last - first) * penalty
        state.place[b] += 1
        if not abs(total) < np.inf:
            state.status[b] = NONFINITE
        elif state.place[b] == batches and not plan.staged:
            end_epoch(net, rows, check, plan, state, b, rate, work, none, grad)
        if state.place[b] == batches:
            break
        stop_at_limit(plan, state, b)
        if one_epoch and state.place[b] == 0:
            break


@late
def permute_groups(order: Any, epoch: int, key: Any, together: int) -> None:
    """`permute` of groups of so many observations that follow one another; a smaller last group stays the last."""
    if together <= 1:
        permute(order, epoch, key)
        return
    groups = order.size // together
    for i in range(groups * together, order.size):
        order[i] = i
    permute(order[:groups], epoch, key)
    for k in range(groups - 1, -1, -1):
        number = order[k]
        for i in range(together):
            order[k * together + i] = number * together + i


@entry
def epoch_order(order: Any, epoch: int, key: Any, together: int) -> None:
    """The order of the observations in an epoch, into `order`; see `permute_groups`."""
    permute_groups(order, epoch, key, together)
