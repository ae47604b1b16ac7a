"""Training by minibatches on a device: a launch per layer over blocks of observations and members of a stack.

Units lie as on a CPU, a row each with observations side by side: (member, row, observation). Everything that differs
between batches lies in the device's memory (`arrays.Turn`), so that the launches of a step are always the same ones.
"""
