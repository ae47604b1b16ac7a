"""Saved fits that claim more than they hold: refused at once, before memory is taken."""

import os
import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import stored
from fits import quiet

import neuralstat as ns
from neuralstat.errors import FileFormatError

MIB = 2**20
MANY = 10**9


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=20), "text": rng.choice(["some words", "other words"], 20)})
    frame["y"] = frame["x"] + rng.normal(size=20)
    frame.index = pd.RangeIndex(20)
    path = tmp_path_factory.mktemp("claims") / "fit.nst"
    quiet("y ~ x + sequences(text, 3, 5) + lags(y, 2)", frame, hidden=1, threshold=1e3, stepmax=20, random_state=1).save(path)
    return stored.parts_of(path)


def refused(path):
    tracemalloc.start()
    begun = time.process_time()
    try:
        with pytest.raises(FileFormatError, match=path.name):
            ns.load(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()
    assert time.process_time() - begun < 2


def ranges(n, start=0):
    return {"kind": "range", "start": start, "stop": start + n, "step": 1, "name": None}


def interval(n):
    return {"kind": "interval", "left": ranges(n), "right": ranges(n, 1), "closed": "left", "name": None}


def multi(n):
    return {"kind": "multi", "names": [None], "levels": [ranges(n)], "codes": [{"array": "codes"}]}


def category(n):
    return {"kind": "category", "categories": ranges(n), "codes": {"array": "codes"}, "ordered": False, "name": None}


@pytest.mark.parametrize("place", ["index", "full_index"])
@pytest.mark.parametrize("make", [ranges, interval, multi, category])
def test_labels(saved, tmp_path, place, make):
    document = stored.document_of(saved)
    for n in (MANY, 2**62, 10**7):
        changed = stored.changed(document, ("model", "design", place), make(n))
        refused(stored.with_document(saved, changed, tmp_path / "bad.nst"))


def test_shapes_and_lengths(saved, tmp_path):
    document = stored.document_of(saved)
    spec = document["model"]["spec"]

    def everywhere(old, new):
        """All entries of a kind replaced."""
        text = stored.json.dumps(spec)
        assert old in text
        return stored.changed(document, ("model", "spec"), stored.json.loads(text.replace(old, new)))

    changes = (
        everywhere('{"tuple": [3]}', f'{{"tuple": [{MANY}]}}'), everywhere('["length", 3]', f'["length", {MANY}]'),
        everywhere('{"tuple": [2, 1]}', f'{{"tuple": [{MANY}, 1]}}'),
        everywhere('{"tuple": [2, 1]}', '{"tuple": [65536, 65536]}'),
        everywhere('{"tuple": [-2, -1]}', f'{{"tuple": [{-MANY * 10**9}, -1]}}'),
        everywhere('{"tuple": [3]}', '{"tuple": [0]}'), everywhere("sequences(text, 3, 5)", f"sequences(text, {MANY}, 5)"),
    )  # fmt: skip
    for change in changes:
        refused(stored.with_document(saved, change, tmp_path / "bad.nst"))


def test_expressions_that_ask_for_more_than_they_made(tmp_path):
    path = tmp_path / "fit.nst"
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=50), "y": rng.normal(size=50)})
    quiet("y ~ bs(x, df=4) + poly(x, 2)", frame, hidden=1, threshold=1e3, stepmax=20, random_state=1).save(path)
    parts = stored.parts_of(path)
    for old, new in (("df=4", "df=400000"), ("x, 2)", "x, 2000000)")):
        text = parts["model.json"].decode().replace(old, new)
        refused(stored.write({**parts, "model.json": text.encode()}, tmp_path / "bad.nst"))


def test_networks(saved, tmp_path):
    document = stored.document_of(saved)
    for hidden in ([MANY], [10**5, 10**5], [1] * 2000, [2**62]):
        entry = stored.changed(document, ("model", "settings", "hidden"), {"tuple": hidden})
        refused(stored.with_document(saved, entry, tmp_path / "bad.nst"))
    for name in ("rep", "keep"):
        entry = stored.changed(document, ("model", "settings", name), MANY)
        refused(stored.with_document(saved, entry, tmp_path / "bad.nst"))


def test_functions_of_many_operations(tmp_path):
    path = tmp_path / "fit.nst"
    data = ns.datasets.sine(n=20, noise=0.1, random_state=1)
    quiet("y ~ x", data, hidden=1, act_fct=lambda z: z / (1 + abs(z)), threshold=1e3, stepmax=20, random_state=1).save(path)
    parts = stored.parts_of(path)
    document = stored.document_of(parts)
    steps = [["s0", ["tanh", "z"]], *([f"s{k}", ["tanh", ["+", f"s{k - 1}", "z"]]] for k in range(1, 1500))]
    for key, value in (("steps", steps), ("results", [["+", *["z"] * 6000], "z", "z"])):
        place = ("model", "settings", "act_fct", "custom", key)
        refused(stored.with_document(parts, stored.changed(document, place, value), tmp_path / "bad.nst"))


def test_arrays_used_twice(saved, tmp_path):
    document = stored.document_of(saved)
    same = stored.changed(document, ("model", "fit", "start"), {"array": "theta"})
    refused(stored.with_document(saved, same, tmp_path / "bad.nst"))


def test_places_that_there_are_not(saved, tmp_path):
    """An archive whose directory points before its beginning."""
    raw = bytearray(stored.write(saved, tmp_path / "fit.nst").read_bytes())
    end = raw.rindex(b"PK\x05\x06")
    for at in (12, 16):
        changed = raw.copy()
        changed[end + at : end + at + 4] = b"\xff\xff\xff\x7f"
        (tmp_path / "bad.nst").write_bytes(changed)
        refused(tmp_path / "bad.nst")


def test_pipes_and_devices(tmp_path):
    os.mkfifo(tmp_path / "pipe.nst")
    refused(tmp_path / "pipe.nst")
    refused(tmp_path)
