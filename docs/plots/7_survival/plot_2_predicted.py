"""
Predicted survival
==================

Of a network for the hazard: groups of predicted risk, beside what happened.
"""

import neuralstat as ns

veteran = ns.datasets.veteran()
fit = ns.neuralnet(
    "Surv(time, status) ~ karno + celltype + age", veteran, hidden=3, family="cox", penalty=ns.decay(0.1), random_state=1
)
fit.plot_survival()
