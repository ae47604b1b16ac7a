"""Words behind the numbers of texts."""

import json

import numpy as np
import pytest

from neuralstat import datasets
from neuralstat.errors import ArgumentError, FileFormatError

INDEX = {"the": 1, "film": 2, "was": 3, "great": 4, "dull": 5}


@pytest.fixture
def index(tmp_path):
    (tmp_path / "index.json").write_text(json.dumps(INDEX))
    return datasets.word_index(tmp_path / "index.json")


def test_texts_come_back_from_the_numbers_of_imdb(tmp_path, index):
    texts = ["the film was great", "was the film dull", "the"]
    lists = np.empty(3, dtype=object)
    lists[:] = [[INDEX[word] for word in text.split()] for text in texts]
    np.savez(tmp_path / "imdb.npz", x_train=lists, y_train=np.array([1, 0, 1]), x_test=lists, y_test=np.array([1, 0, 1]))
    read = datasets.imdb(tmp_path / "imdb.npz", num_words=50, length=8)
    assert read["words"].shape == (3, 8) and sorted(datasets.decode(read["words"], index)) == sorted(texts)
    rare = datasets.imdb(tmp_path / "imdb.npz", num_words=8, length=8)  # "dull", number 8, is rare
    assert "was the film ?" in datasets.decode(rare["words"], index)
    assert datasets.decode(read["words"][0], index) in texts


def test_one_text_and_several():
    assert datasets.decode([1, 4, 5, 6, 7], INDEX) == "the film was great"
    assert datasets.decode([[0, 0, 1, 8], []], INDEX) == ["dull", ""]
    assert datasets.decode(np.array([[4, 2]]), INDEX) == ["the ?"]


@pytest.mark.parametrize(("sequences", "message"), [
    ([1, 99], "^sequences holds 99"), ([[4], [3]], r"^sequences\[1\] holds 3"), ([1.5], "^sequences"),
    ("the", "^sequences must"), (3, "^sequences must"), ([-1], "^sequences holds -1"),
])  # fmt: skip
def test_numbers_of_no_word(sequences, message):
    with pytest.raises(ArgumentError, match=message):
        datasets.decode(sequences, INDEX)


@pytest.mark.parametrize("text", ["[1]", "{}", '{"a": "b"}', '{"a": 0}', '{"a": 1, "b": 1}', '{"a": true}', "not json"])
def test_files_that_hold_something_else(tmp_path, text):
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"index\.json"):
        datasets.word_index(tmp_path / "index.json")
