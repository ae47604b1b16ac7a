"""The page on other programs: its code runs, but for what needs packages that no test installs."""

from __future__ import annotations

import re

import pytest
from places import ROOT
from raw import CUT_SHORT

PAGE = ROOT / "docs" / "ecosystem.md"
pytestmark = [
    CUT_SHORT, pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(not PAGE.is_file(), reason="needs the repository"),
]  # fmt: skip


def test_the_code_runs(tmp_path, monkeypatch):
    for name in ("onnx", "onnxruntime", "maketables", "polars", "h5py", "xarray", "sklearn"):
        pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 7
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), known)
    assert known["frame"].columns[-1] == "risk" and known["best"]["hidden"] in (2, 8)
    assert "parity" in known["tex"] and (tmp_path / "case.keras").is_file()
