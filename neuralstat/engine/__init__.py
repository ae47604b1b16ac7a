"""Compiled kernels: arrays in, arrays out; the only part of the package that knows a device."""
