"""Fits whose rows stay where they are, on the workers of a Dask cluster; calculations whose parts run there."""

from .design import ClusterDesign, cluster_design, part_design
from .objective import Objective
from .rows import Rows, active_client
from .tasks import Packed, Workers, in_parts, joblib_client, unpacked

__all__ = ["ClusterDesign", "Objective", "Packed", "Rows", "Workers", "active_client", "cluster_design", "in_parts",
           "joblib_client", "part_design", "unpacked"]
