"""Where the tests' files lie."""

from __future__ import annotations

from pathlib import Path

SUPPORT = Path(__file__).parent
TESTS = SUPPORT.parent
ROOT = TESTS.parent
REFERENCE = TESTS / "reference"  # stored values of other programs
TARGETS = REFERENCE / "targets"
KERAS = REFERENCE / "keras"
KERAS_WEIGHTS = KERAS / "weights"
