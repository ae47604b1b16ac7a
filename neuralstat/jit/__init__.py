"""Compilation: the decorator and its cache, and what kernels are written with (scalars, vector code, random numbers)."""
