"""Pictures that stay in their files until their batch is read."""

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.augment import ImageAugmenter
from neuralstat.datasets import image_folder
from neuralstat.errors import FileFormatError
from neuralstat.layers import Dense, Flatten

Image = pytest.importorskip("PIL.Image")
pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.FitWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for name, low in (("cats", 0), ("dogs", 90)):
        (where / name).mkdir()
        for k in range(20):
            Image.fromarray(rng.integers(low, low + 160, (9, 7, 3), dtype=np.uint8)).save(where / name / f"{k:02}.png")
    return where


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_they_are_those_that_are_read_at_once(folder, scale, channels):
    want = image_folder(folder, (6, 8), channels=channels, scale=scale)
    lazy = image_folder(folder, (6, 8), channels=channels, scale=scale, lazy=True)
    assert list(lazy["file"]) == list(want["file"]) and lazy["label"].equals(want["label"])
    pixels = lazy["pixels"]
    assert pixels.shape == want["pixels"].shape and pixels.dtype == want["pixels"].dtype and len(pixels) == 40
    np.testing.assert_array_equal(pixels.read(np.array([39, 0, 39])), want["pixels"][[39, 0, 39]])
    np.testing.assert_array_equal(pixels[3], want["pixels"][3])
    np.testing.assert_array_equal(pixels[::7], want["pixels"][::7])
    assert repr(pixels) == f"<Pictures: 40 x 6 x 8 x {channels} of {pixels.dtype}>"


@pytest.mark.parametrize("scale", [True, False])
def test_fits_are_the_same_bits(folder, scale):
    term = "pixels" if scale else "{pixels / 255}"
    settings = {"layers": [Flatten(), Dense(3, "relu")], "family": "binomial", "algorithm": "adam", "epochs": 2,
                "batch_size": 8, "random_state": 1, "augment": ImageAugmenter(flip=True, shift=0.1)}  # fmt: skip
    held = {**image_folder(folder, 8, scale=scale, n=5)}
    checks = [{**image_folder(folder, 8, scale=scale, n=5, lazy=lazy)} for lazy in (False, True)]
    one, other = (
        ns.neuralnet(f"label ~ {term}", image_folder(folder, 8, scale=scale, lazy=lazy), validation=checks[lazy], **settings)
        for lazy in (False, True)
    )
    np.testing.assert_array_equal(one.fitted.fit.theta, other.fitted.fit.theta)
    pd.testing.assert_frame_equal(one.history, other.history, check_exact=True)
    np.testing.assert_array_equal(one.predict(), other.predict())
    np.testing.assert_array_equal(one.predict(held), other.predict(checks[1]))


def test_a_picture_that_is_none_is_named_when_its_turn_comes(folder, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"no picture")
    pixels = image_folder(tmp_path, 8, lazy=True)["pixels"]
    with pytest.raises(FileFormatError, match=r"1\.png"):
        pixels.read(np.array([0]))
