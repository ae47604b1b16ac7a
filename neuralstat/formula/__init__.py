"""Formula and data -> `Design`: the only part of neuralstat that reads users' tables.

`design` evaluates a formula, `from_arrays` takes arrays; both give a `Design` whose `encode` turns new data
into inputs of the network. A `Spec` is what a saved model keeps of it.
"""

from neuralstat.formula.build import design, from_arrays
from neuralstat.formula.partitions import Partitions, as_partitions, chunks, is_dask
from neuralstat.formula.parts import Column, Design, NewData, Scaling
from neuralstat.formula.spec import Spec

__all__ = [
    "Column",
    "Design",
    "NewData",
    "Partitions",
    "Scaling",
    "Spec",
    "as_partitions",
    "chunks",
    "design",
    "from_arrays",
    "is_dask",
]
