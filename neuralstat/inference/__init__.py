"""Inference: scores, Jacobians, Hessians, covariance of the weights, intervals."""
