"""Fits whose rows stay where they are: on the workers of a Dask cluster."""

from .design import ClusterDesign, cluster_design, part_design
from .objective import Objective
from .rows import Rows, active_client

__all__ = ["ClusterDesign", "Objective", "Rows", "active_client", "cluster_design", "part_design"]
