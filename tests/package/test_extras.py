"""Extras of the package: what `all` brings."""

from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib")
EXTRAS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]


def named(lines):
    return {line.partition(">")[0].partition("[")[0] for line in lines}


def test_all_brings_what_calls_ask_for_and_no_tools():
    """Devices need drivers, and are asked for by themselves; the site and the tests are for work on the package."""
    (whole,) = (line for line in EXTRAS["all"] if line.startswith("neuralstat["))
    parts = set(whole.removeprefix("neuralstat[").removesuffix("]").split(","))
    assert parts == set(EXTRAS) - {"all", "test", "docs", "cuda", "cuda12"}
    brought = named(line for part in parts for line in EXTRAS[part]) | named(EXTRAS["all"])
    assert not brought & named(EXTRAS["docs"]) and {"h5py", "onnx", "pillow", "scikit-learn", "xarray"} <= brought
