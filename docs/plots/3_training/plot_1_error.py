"""
Error by step
=============

A line for each repetition.
"""

import neuralstat as ns

data = ns.datasets.doppler(n=200, noise=0.1, random_state=1)
fit = ns.neuralnet("y ~ x", data, hidden=10, rep=10, random_state=1)
fit.plot_error()
