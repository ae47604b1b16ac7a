"""A cluster of workers in this process, for the tests of a module."""

from __future__ import annotations

import logging
import warnings

import pytest


@pytest.fixture(scope="module")
def client():
    """Two workers of one thread each."""
    from distributed import Client, LocalCluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None,
                          silence_logs=logging.CRITICAL) as cluster, Client(cluster) as made:  # fmt: skip
            yield made
