"""Training: settings, one stack from start weights to weights, the whole procedure."""
