"""
A network, weight by weight
===========================

Blue edges are positive weights, orange ones negative; the width goes with the size of what they carry.
"""

import neuralstat as ns

infert = ns.datasets.infert()
fit = ns.neuralnet(
    "case ~ age + parity + induced + spontaneous", infert, hidden=2, family="binomial", random_state=1
)
fit.plot()
