"""Text as numbers: bags of words and sequences of words, by scikit-learn's tokenizer."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuralstat.errors import ArgumentError, DataError

PAD, UNKNOWN, FIRST = 0, 1, 2  # numbers that stand for no word, for an unknown word, for the most frequent word


def _vectorizer(**settings: Any) -> Any:
    try:
        from sklearn.feature_extraction.text import CountVectorizer
    except ImportError:
        raise ArgumentError(
            "formula: tokens() and sequences() need scikit-learn: pip install 'neuralstat[sklearn]'."
        ) from None
    return CountVectorizer(**settings)


def check_size(value: Any, name: str, function: str, least: int = 1) -> int:
    """A whole number from `least`, else an `ArgumentError` that names the function and the argument."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ArgumentError(f"formula: {function}(): {name} must be a whole number >= {least}, got {value!r}.")
    return value


def learn_bag(
    texts: Sequence[str], max_features: int | None, min_df: int, lowercase: bool, stop_words: Any, column: str
) -> list[str]:
    """Words that occur, in alphabetical order: the `max_features` most frequent, in at least `min_df` texts.

    Raises
    ------
    DataError
        Where no word is left.
    """
    made = _vectorizer(max_features=max_features, min_df=min_df, lowercase=lowercase, stop_words=stop_words)
    try:
        made.fit(texts)
    except ValueError as error:
        raise DataError(f"formula: tokens({column}): {error}.") from error
    return [str(w) for w in made.get_feature_names_out()]


def count_words(texts: Sequence[str], vocabulary: Sequence[str], binary: bool, lowercase: bool) -> np.ndarray:
    """How often each word of the vocabulary occurs in each text (or whether it does), shape (n, words)."""
    made = _vectorizer(vocabulary=list(vocabulary), binary=binary, lowercase=lowercase)
    return made.transform(texts).toarray().astype(np.float64)


def learn_order(texts: Sequence[str], max_features: int, lowercase: bool, column: str) -> list[str]:
    """The ``max_features - 2`` most frequent words, the most frequent first, equals in alphabetical order."""
    analyze = _vectorizer(lowercase=lowercase).build_analyzer()
    counts = Counter(word for text in texts for word in analyze(text))
    if not counts:
        raise DataError(f"formula: sequences({column}): the texts hold no words.")
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [word for word, _ in ranked[: max_features - FIRST]]


def number_words(texts: Sequence[str], vocabulary: Sequence[str], length: int, lowercase: bool) -> np.ndarray:
    """Numbers of the last `length` words of each text, shape (n, length); 0 before a short text, 1 for unknown words.

    The same as Keras' ``pad_sequences``, which pads and cuts in front: a recurrent layer ends with the text.
    """
    analyze = _vectorizer(lowercase=lowercase).build_analyzer()
    numbers = {word: FIRST + k for k, word in enumerate(vocabulary)}
    out = np.full((len(texts), length), float(PAD))
    for row, text in zip(out, texts, strict=True):
        words = [numbers.get(word, UNKNOWN) for word in analyze(text)][-length:]
        if words:
            row[length - len(words) :] = words
    return out
