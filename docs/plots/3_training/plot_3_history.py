"""
Loss by epoch
=============

Of fits by minibatches; the best epoch is marked where training stopped early.
"""

import neuralstat as ns

data = ns.datasets.friedman1(n=600, noise=1.0, random_state=1)
fit = ns.neuralnet(
    "y ~ .", data, hidden=64, act_fct="relu", algorithm="adam", learningrate=0.01, epochs=200,
    validation=0.3, early_stopping=ns.EarlyStopping(patience=20), random_state=1,
)
fit.plot_history()
