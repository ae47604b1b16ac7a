"""Tasks of a study take the time that they should; what is given out is every replicate, once."""

from __future__ import annotations

import itertools

import pytest

from neuralstat.cluster.pace import LEAST, SHARES, TARGET, Parts
from neuralstat.study.pace import GROWTH, Feed


def covered(tasks):
    return sorted((c, m, r) for task in tasks for c, m, first, last in task for r in range(first, last))


def run(feed, seconds):
    """Tasks one after the other, each replicate taking `seconds(cell, model)`; the time of each task."""
    given, times = [], []
    for task in feed:
        given.append(task)
        took = [seconds(*chunk[:2]) * (chunk[3] - chunk[2]) for chunk in task]
        for chunk, each in zip(task, took, strict=True):
            feed.learn(chunk, each)
        times.append(sum(took))
    return given, times


@pytest.mark.parametrize("seconds", [TARGET / 1000, TARGET / 100, TARGET / 10, TARGET * 3])
def test_tasks_become_as_long_as_they_should(seconds):
    """The first chunks have 5 replicates."""
    chunks = [(0, 1, at, at + 5) for at in range(0, 4000, 5)]
    given, times = run(Feed(chunks, True, lambda: 2), lambda cell, model: seconds)
    assert covered(given) == covered([chunks])
    assert given[0] == [(0, 1, 0, 5)]
    sizes = [last - first for task in given for *_, first, last in task]
    assert all(size <= GROWTH * before for before, size in itertools.pairwise(sizes))
    assert max(times[1:]) <= max(TARGET, seconds) * 1.001
    half = next(k for k in range(len(times)) if sum(times[:k]) >= sum(times) / 2)
    assert all(took > 0.5 * LEAST for took in times[3:half])


def test_tasks_become_shorter_towards_the_end():
    chunks = [(0, 0, at, at + 10) for at in range(0, 2000, 10)]
    _, times = run(Feed(chunks, True, lambda: 2), lambda cell, model: 0.01)
    left = [sum(times[k:]) for k in range(len(times))]
    for took, rest in zip(times[5:], left[5:], strict=True):
        assert took <= max(rest / (SHARES * 2), LEAST) * 1.05
    assert len(times) < 40  # a tenth of the chunks that were given


def test_short_chunks_of_several_models_are_one_task():
    chunks = [(cell, model, at, at + 50) for cell in range(4) for model in range(12) for at in (0, 50)]
    given, _ = run(Feed(chunks, True, lambda: 2), lambda cell, model: 1e-4 * (1 + model))
    assert covered(given) == covered([chunks])
    assert any(len({chunk[:2] for chunk in task}) > 1 for task in given) and len(given) < len(chunks) / 3
    order = [chunk[:3] for task in given for chunk in task]
    assert order == sorted(order)


def test_only_neighbours_of_one_model_are_joined():
    chunks = [(0, 0, 0, 2), (0, 0, 2, 4), (0, 1, 0, 2), (0, 0, 6, 8), (0, 0, 8, 9)]
    feed = Feed(chunks, True)
    feed.learn((0, 0, 0, 2), 1e-9)
    assert [chunk for task in feed for chunk in task] == [(0, 0, 0, 4), (0, 1, 0, 2), (0, 0, 6, 9)]


def test_sizes_that_were_asked_for_stay():
    chunks = [(0, 0, at, at + 2) for at in range(0, 20, 2)]
    feed = Feed(chunks, False)
    given, _ = run(feed, lambda cell, model: 50.0)
    assert given == [[chunk] for chunk in chunks] and feed.left() == []


@pytest.mark.parametrize("seconds", [1e-4, 0.01, 5.0])
@pytest.mark.parametrize("count", [1, 7, 1000])
def test_parts_of_equal_items(seconds, count):
    parts, given = Parts(count, lambda: 2), []
    for numbers in parts:
        given.append(numbers)
        parts.learn(numbers, seconds * len(numbers))
    assert [k for numbers in given for k in numbers] == list(range(count))
    assert len(given[0]) == 1
    longest = max(len(numbers) for numbers in given) * seconds
    assert longest <= max(TARGET, seconds) * 1.001
    assert max(map(len, given)) == 1 if seconds > TARGET else len(given) < 80


def test_nothing_is_known_before_the_first_is_measured():
    given = iter(Parts(10, lambda: 2))
    assert [next(given) for _ in range(4)] == [range(k, k + 1) for k in range(4)]
