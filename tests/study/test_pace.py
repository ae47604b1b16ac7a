"""Sizes of chunks follow the time that they take; what is given out is every replicate, once."""

from __future__ import annotations

import pytest

from neuralstat.study.pace import GROWTH, TARGET, Feed


def covered(chunks):
    return sorted((c, m, r) for c, m, first, last in chunks for r in range(first, last))


@pytest.mark.parametrize(("seconds", "least", "most"), [(TARGET / 100, 30, 40), (TARGET / 10, 8, 12), (TARGET * 3, 1, 1)])
def test_chunks_become_as_long_as_they_should(seconds, least, most):
    """Replicates take `seconds` each; the first chunks have 5 of them."""
    chunks = [(0, 1, at, at + 5) for at in range(0, 400, 5)]
    feed, given = Feed(chunks, True), []
    for chunk in feed:
        given.append(chunk)
        feed.learn(chunk, seconds * (chunk[3] - chunk[2]))
    assert covered(given) == covered(chunks)
    sizes = [last - first for *_, first, last in given]
    assert sizes[0] == 5 and sizes[1] <= 5 * GROWTH
    assert min(sizes[1:-1]) >= least and max(sizes[1:2]) <= most


def test_only_neighbours_of_one_model_are_joined():
    chunks = [(0, 0, 0, 2), (0, 0, 2, 4), (0, 1, 0, 2), (0, 0, 6, 8), (0, 0, 8, 9)]
    feed = Feed(chunks, True)
    feed.learn((0, 0, 0, 2), 1e-9)
    assert list(feed) == [(0, 0, 0, 4), (0, 1, 0, 2), (0, 0, 6, 9)]


def test_sizes_that_were_asked_for_stay():
    chunks = [(0, 0, at, at + 2) for at in range(0, 20, 2)]
    feed, given = Feed(chunks, False), []
    for chunk in feed:
        given.append(chunk)
        feed.learn(chunk, 100.0)
    assert given == chunks and feed.left() == []
