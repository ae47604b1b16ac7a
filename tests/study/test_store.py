"""Folders of studies: what is there stays as it is, one study at a time, and nothing in a file is taken on trust."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError
from neuralstat.study.fingerprint import fingerprint
from neuralstat.study.store import Store, seeds_to_plain

S = ns.study


def arguments(folder, **more):
    return {"models": [S.bs(5), S.cr(4)], "truth": "sine", "noise": 0.1, "n": 30, "replicates": 4, "n_jobs": 1, "chunk": 2,
            "random_state": 1, "checkpoint": folder, "estimators": ["training", "cp"], **more}  # fmt: skip


def same(a, b):
    keys = ["model", "replicate", "estimator"]
    frames = [r.frame.drop(columns="seconds").sort_values(keys).reset_index(drop=True) for r in (a, b)]
    pd.testing.assert_frame_equal(*frames, check_exact=True)


def held(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


FOREIGN = {"thesis.part": b"mine", "chunk-0.part": b"mine", "chunk-0000-0000-0000000-0000002.npz.part": b"mine",
           "x.npz": b"?"}  # fmt: skip


def test_files_of_others_stay(tmp_path):
    for name, data in FOREIGN.items():
        (tmp_path / name).write_bytes(data)
    S(**arguments(tmp_path))
    S(**arguments(tmp_path, replicates=6))
    assert held(tmp_path).items() >= FOREIGN.items()


@pytest.mark.parametrize("change", [{"noise": 0.2}, {"random_state": 2}, {"estimators": ["gcv"]}])
def test_a_folder_that_is_refused_is_not_touched(tmp_path, change):
    S(**arguments(tmp_path))
    (tmp_path / "study.json.part").write_bytes(b"mine")
    (tmp_path / "chunk-0000-0000-0000000-0000002.abcdefgh.part").write_bytes(b"of another run")
    before = held(tmp_path)
    with pytest.raises(ArgumentError, match="holds another study"):
        S(**arguments(tmp_path, **change))
    assert held(tmp_path) == before


@pytest.mark.parametrize("text", [
    "[]", "3", "null", '"text"', "{", "", "\0", "[" * 100_000, '{"version": 2}', '{"version": 1}', "{}",
    '{"version": 2, "seeds": 3}', '{"version": 2, "seeds": {"entropy": 1}}',
    '{"version": 2, "seeds": {"entropy": 1, "spawn_key": [], "pool_size": 1000000000}}',
    '{"version": 2, "seeds": {"entropy": -1, "spawn_key": [], "pool_size": 4}}',
    '{"version": 2, "seeds": {"entropy": "1", "spawn_key": [], "pool_size": 4}}',
    '{"version": 2, "seeds": {"entropy": [1, [2]], "spawn_key": [], "pool_size": 4}}',
    '{"version": 2, "seeds": {"entropy": 1.5, "spawn_key": [1, null], "pool_size": 4}}',
])  # fmt: skip
def test_damaged_manifests(tmp_path, text):
    (tmp_path / "study.json").write_text(text)
    before = held(tmp_path)
    for state in (1, None):
        with pytest.raises(ArgumentError, match=r"^checkpoint: "):
            S(**arguments(tmp_path, random_state=state))
    assert held(tmp_path) == before


@pytest.mark.parametrize("where", ["pool_size", "entropy", "spawn_key"])
def test_seeds_of_the_folder_are_checked(tmp_path, where):
    S(**arguments(tmp_path))
    stored = json.loads((tmp_path / "study.json").read_text())
    stored["seeds"][where] = 10**9 if where == "pool_size" else "no"
    (tmp_path / "study.json").write_text(json.dumps(stored))
    with pytest.raises(ArgumentError, match="is damaged"):
        S(**arguments(tmp_path, random_state=None))


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "study.json")
    with pytest.raises(ArgumentError, match="it is no file"):
        S(**arguments(tmp_path))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "study.lock").symlink_to("/dev/zero")
    with pytest.raises(ArgumentError, match="is no file"):
        S(**arguments(tmp_path / "b"))
    one = S(**arguments(None))
    S(**arguments(tmp_path / "c"))
    chunk = next((tmp_path / "c").glob("chunk-*"))
    chunk.unlink()
    os.mkfifo(chunk)
    same(one, S(**arguments(tmp_path / "c")))  # done again, put in its place


def test_a_chunk_over_another(tmp_path):
    S(**arguments(tmp_path / "a"))
    S(**arguments(tmp_path / "b", random_state=2))
    first, second = sorted((tmp_path / "a").glob("chunk-*"))[:2]
    kept = second.read_bytes()
    second.write_bytes(first.read_bytes())
    with pytest.raises(ArgumentError, match=rf"{second.name}' is of chunk 0-0-0-2 of this study; it was copied or renamed"):
        S(**arguments(tmp_path / "a"))
    second.write_bytes((tmp_path / "b" / second.name).read_bytes())
    with pytest.raises(ArgumentError, match=rf"{second.name}' is of another study"):
        S(**arguments(tmp_path / "a"))
    second.write_bytes(kept)
    same(S(**arguments(tmp_path / "a")), S(**arguments(None)))


def changed(path, how):
    """A chunk with some arrays changed and zipped again, as it was named."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    how(arrays)
    np.savez(path, **arrays)


@pytest.mark.parametrize("how", [
    lambda a: a.update(risk=a["risk"] * 0), lambda a: a.pop("digest"), lambda a: a.pop("study"), lambda a: a.pop("fitted"),
    lambda a: a.update(more=np.zeros(3)), lambda a: a.update(estimates=a["estimates"].T.copy()),
    lambda a: a.update(chunk=np.zeros(2)), lambda a: a.update(status=np.array([1.0, 2.0])),
    lambda a: a.update(risk=a["risk"].astype("float32")), lambda a: a.update(fitted=np.zeros((2, 10**6))),
])  # fmt: skip
def test_chunks_that_were_changed_are_done_again(tmp_path, how):
    one = S(**arguments(tmp_path))
    for path in tmp_path.glob("chunk-*"):
        changed(path, how)
    same(one, S(**arguments(tmp_path)))


def test_names_of_chunks_are_not_believed(tmp_path):
    one = S(**arguments(tmp_path))
    chunk = next(tmp_path.glob("chunk-*")).read_bytes()
    for name in ("chunk-0000-0000-0000003-0000001", "chunk-0000-0099-0000000-0000002", "chunk-" + "9" * 50 + "-0-0-1",
                 "chunk-0000-0000-0000000-999999999"):  # fmt: skip
        (tmp_path / f"{name}.npz").write_bytes(chunk)
    same(one, S(**arguments(tmp_path)))


def by_one(work):
    return work.training


def test_estimators_models_and_noise_are_known_by_their_code(tmp_path):
    def estimator(factor):
        def mine(work):
            return factor * work.training

        return mine

    class Model:
        def fit(self, x, y):
            self.value = y.mean()
            return self

        def predict(self, x):
            return np.full(len(x), self.value)

    class Other(Model):
        def predict(self, x):
            return np.full(len(x), 2 * self.value)

    Other.__qualname__, Other.__name__ = Model.__qualname__, Model.__name__
    given = {"models": {"mine": Model()}, "estimators": {"mine": estimator(1.0)}}
    one = S(**arguments(tmp_path, **given))
    same(one, S(**arguments(tmp_path, models={"mine": Model()}, estimators={"mine": estimator(1.0)})))
    for change, said in (
        ({"estimators": {"mine": estimator(2.0)}}, "code .'estimator mine'"),
        ({"estimators": {"mine": S.estimator("training")}}, "estimators"),
        ({"models": {"mine": Other()}}, "code .'model mine'"),
    ):
        with pytest.raises(ArgumentError, match=f"Different: .*{said}"):
            S(**arguments(tmp_path, **{**given, **change}))


FINGERPRINTS = """
    import numpy as np
    import neuralstat as ns
    from neuralstat.study.fingerprint import fingerprint

    class Model:
        sizes = {"a": 1, "b": {3, 1, 2}}
        def fit(self, x, y): return self
        def predict(self, x): return helper(x)

    def helper(x): return np.zeros(len(x)) in {"a", "b", "c"}
    thing = Model()
    thing.names = {"u", "v", "w"}
    print([fingerprint(t) for t in (thing, helper, Model, ns.study.net(3, act_fct=lambda x: x**2), ns.study.bs(5),
                                    {"b": np.ones(3), "a": object()})])
"""


def test_fingerprints_are_the_same_in_every_process():
    runs = {
        subprocess.run([sys.executable, "-c", textwrap.dedent(FINGERPRINTS)], env={**os.environ, "PYTHONHASHSEED": seed},
                       capture_output=True, check=True).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(runs) == 1


def test_fingerprints_tell_apart():
    things = [1, 1.0, True, "1", b"1", None, [1], (1,), {1}, {"a": 1}, {"a": 2}, np.ones(2), np.ones(2, int), np.zeros(2),
              pd.Series([1.0]), pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1.0]}), lambda x: x + 1, lambda x: x + 2,
              by_one, ns.decay(1), ns.decay(2), S.net(2), S.net(3), S.bs(4), np.sin, np.cos, S.estimator("cv", k=3),
              S.estimator("cv", k=4), np.random.default_rng(1), np.random.default_rng(2)]  # fmt: skip
    assert len({fingerprint(t) for t in things}) == len(things)
    endless: list = []
    endless.append(endless)
    assert fingerprint(endless) == fingerprint(endless)


RUNNING = """
    import sys, time
    import numpy as np
    import neuralstat as ns

    class Slow:
        def fit(self, x, y):
            print("running", flush=True)
            time.sleep(60)

        def predict(self, x):
            return x[:, 0]

    ns.study({"slow": Slow()}, "sine", 0.1, 20, replicates=1, n_jobs=1, checkpoint=sys.argv[1])
"""


def test_one_study_at_a_time_and_locks_of_the_dead(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(RUNNING), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "running\n"
            before = held(tmp_path)
            second = subprocess.run(command, capture_output=True, text=True, check=False)
            assert f"a study is running in {str(tmp_path)!r} (process {process.pid} on" in second.stderr
            assert held(tmp_path) == before
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    (tmp_path / "study.json").unlink()
    S(**arguments(tmp_path))  # the lock of a process that died is free
    assert f"process {os.getpid()} on" in (tmp_path / "study.lock").read_text()


def test_two_stores_of_one_process(tmp_path):
    first = Store(tmp_path, {"a": 1}, np.random.SeedSequence(1))
    with pytest.raises(ArgumentError, match="a study is running in"):
        Store(tmp_path, {"a": 1}, None)
    first.close()
    again = Store(tmp_path, {"a": 1}, None)
    assert seeds_to_plain(again.seeds) == seeds_to_plain(first.seeds) and again.study == first.study
    again.close()
    with pytest.raises(ArgumentError, match="holds another study"):
        Store(tmp_path, {"a": 2}, None)
    Store(tmp_path, {"a": 1}, None).close()
