"""
Generalized weights
===================

Slopes of the log-odds at each row, as R's ``gwplot``.
"""

import neuralstat as ns

infert = ns.datasets.infert()
fit = ns.neuralnet(
    "case ~ age + parity + induced + spontaneous", infert, hidden=2, err_fct="ce", linear_output=False, random_state=1
)
fit.gwplot("parity")
