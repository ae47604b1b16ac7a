"""
Quantiles
=========

Levels that cannot cross, of one network.
"""

import neuralstat as ns

data = ns.datasets.mcycle()
family = ns.families.Quantile(q=(0.05, 0.25, 0.5, 0.75, 0.95))
fit = ns.neuralnet(
    "accel ~ times", data, hidden=6, family=family, penalty=ns.decay(0.01), random_state=1
)
fit.plot_fit()
