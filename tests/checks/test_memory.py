"""Memory within a container: copies of files that the system lets go are no memory in use."""

import pytest

from neuralstat.checks.memory import _left_in_container


def _group(folder, limit, used, stat, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in zip((*names, "memory.stat"), (limit, used, stat), strict=True):
        (folder / name).write_text(f"{text}\n")


TWO = ("memory.max", "memory.current")
ONE = ("memory.limit_in_bytes", "memory.usage_in_bytes")


@pytest.mark.parametrize(
    ("below", "names", "stat", "left"),
    [
        ("", TWO, "anon 300\nfile 500\ninactive_file 250\nactive_file 200\nslab_reclaimable 40", 1000 - 900 + 490),
        ("", TWO, "anon 850", 100),
        ("memory", ONE, "cache 500\ninactive_file 1\ntotal_inactive_file 250\ntotal_active_file 200", 1000 - 900 + 450),
    ],
)
def test_files_in_memory_are_free(tmp_path, below, names, stat, left):
    _group(tmp_path / below, 1000, 900, stat, names)
    assert _left_in_container(tmp_path) == [left]


@pytest.mark.parametrize(("limit", "stat"), [("max", "anon 5"), ("1000", "no two words"), ("12x", "anon 5")])
def test_no_limit_that_can_be_read_is_none(tmp_path, limit, stat):
    _group(tmp_path, limit, 900, stat, TWO)
    assert _left_in_container(tmp_path) == []


def test_no_control_group_is_none(tmp_path):
    assert _left_in_container(tmp_path) == []
