"""
A curve with its band
=====================

The mean of the repetitions, and where 95 % of new observations will lie.
"""

import numpy as np

import neuralstat as ns

data = ns.datasets.doppler(n=200, noise=0.1, random_state=1)
fit = ns.neuralnet("y ~ x", data, hidden=12, algorithm="lm", penalty=ns.decay(0.001), rep=3, random_state=1)
fit.plot_fit(interval="obs", truth=lambda x: np.sin(1 / x))
