"""
A study: fits over replicates
=============================

The truth, the mean fit, and bands.
"""

import neuralstat as ns

models = [ns.study.net(h, penalty=ns.decay(0.01)) for h in (1, 2, 4, 8)] + [ns.study.bs(k) for k in (4, 6, 10, 16)]
result = ns.study(
    models, "sine", noise=0.3, n=100, replicates=30, estimators=["training", "cp", "gcv"], restarts=2,
    random_state=1, n_jobs=1,
)
result.plot("fits")
