"""Random changes of images: what each does, that seeds decide everything, and fits that use them."""

from __future__ import annotations

import numpy as np
import pytest
import raw
from scipy import ndimage

import neuralstat as ns
from neuralstat.augment import ImageAugmenter
from neuralstat.errors import ArgumentError

RNG = np.random.default_rng(1)
IMAGES = RNG.random((12, 9, 7, 2))
ALL = {"flip": "both", "shift": 0.2, "rotate": 30, "zoom": 0.2, "shear": 10, "noise": 0.1}


def blob(rows=41, columns=41, at=(20, 20), width=(3, 3)):
    """A smooth spot (1, rows, columns, 1)."""
    r, c = np.mgrid[:rows, :columns]
    return np.exp(-(((r - at[0]) / width[0]) ** 2 + ((c - at[1]) / width[1]) ** 2) / 2)[np.newaxis, ..., np.newaxis]


def centre(image):
    return np.array(ndimage.center_of_mass(image[..., 0]))


def test_nothing_is_changed_unless_asked_for():
    np.testing.assert_array_equal(ImageAugmenter()(IMAGES), IMAGES)
    assert ImageAugmenter()(IMAGES.astype(np.float32)).dtype == np.float32
    assert ImageAugmenter(noise=1)(np.zeros((2, 3, 3), np.uint8)).dtype == np.float64


def test_seed_epoch_and_image_decide_everything():
    augment = ImageAugmenter(**ALL, random_state=3)
    before = IMAGES.copy()
    whole = augment(IMAGES, epoch=5)
    np.testing.assert_array_equal(IMAGES, before)
    np.testing.assert_array_equal(ImageAugmenter(**ALL, random_state=3)(IMAGES, epoch=5), whole)
    index = np.array([7, 2, 9])
    np.testing.assert_array_equal(augment(IMAGES[index], epoch=5, index=index), whole[index])
    for other in (augment(IMAGES, epoch=6), augment(IMAGES, epoch=5, stream=1),
                  ImageAugmenter(**ALL, random_state=4)(IMAGES, epoch=5)):  # fmt: skip
        assert all(not np.allclose(a, b) for a, b in zip(whole, other, strict=True))
    grey = augment(IMAGES[..., 0], epoch=5)
    assert grey.shape == IMAGES.shape[:3]


@pytest.mark.parametrize(
    ("flip", "axes"), [(True, [(), (1,)]), ("vertical", [(), (0,)]), ("both", [(), (0,), (1,), (0, 1)])]
)
def test_flips(flip, axes):
    images = np.repeat(IMAGES[:1], 400, axis=0)
    made = ImageAugmenter(flip=flip)(images)
    choices = [np.flip(IMAGES[0], axis) for axis in axes]
    which = [[np.array_equal(image, choice) for choice in choices] for image in made]
    assert np.all(np.sum(which, axis=1) == 1)
    share = np.mean(which, axis=0)
    assert np.all(np.abs(share - 1 / len(axes)) < 4 * np.sqrt(0.25 / 400))


def test_shifts_are_uniform_within_their_share():
    images = np.repeat(blob(), 300, axis=0)
    moved = np.array([centre(image) for image in ImageAugmenter(shift=(0.2, 0.1))(images)]) - 20
    for part, most in zip(moved.T, (0.2 * 41, 0.1 * 41), strict=True):
        assert np.abs(part).max() < most + 0.05 and np.abs(part).max() > 0.9 * most
        assert abs(part.std() - most / np.sqrt(3)) < 0.1 * most and abs(part.mean()) < 4 * most / np.sqrt(3 * 300)


def test_rotation_turns_by_at_most_the_angle():
    images = np.repeat(blob(at=(20, 32)), 300, axis=0)  # 12 to the right of the centre
    places = np.array([centre(image) for image in ImageAugmenter(rotate=40, fill="constant")(images)]) - 20
    np.testing.assert_allclose(np.hypot(*places.T), 12, atol=0.1)
    angles = np.rad2deg(np.arctan2(places[:, 0], places[:, 1]))
    assert np.abs(angles).max() < 40.5 and abs(angles.std() - 40 / np.sqrt(3)) < 2 and abs(angles.mean()) < 5.5


def test_zoom_is_a_factor_of_size():
    images = np.repeat(blob(), 200, axis=0)
    mass = ImageAugmenter(zoom=(0.5, 1.5))(images).sum(axis=(1, 2, 3)) / images[0].sum()
    factors = np.sqrt(mass)
    assert 0.49 < factors.min() < 0.53 and 1.47 < factors.max() < 1.51
    assert abs(factors.mean() - 1) < 4 * np.sqrt(1 / 12 / 200)
    at = np.array([centre(image) for image in ImageAugmenter(zoom=0.3)(np.repeat(blob(at=(20, 26)), 50, axis=0))]) - 20
    assert np.all(np.abs(at[:, 0]) < 0.05) and at[:, 1].min() > 6 * 0.69 and at[:, 1].max() < 6 * 1.31


def test_shear_leaves_size_and_moves_columns():
    images = np.repeat(blob(at=(30, 20)), 100, axis=0)
    made = ImageAugmenter(shear=20)(images)
    at = np.array([centre(image) for image in made]) - 20
    np.testing.assert_allclose(at[:, 0], 10, atol=0.1)
    assert np.abs(at[:, 1]).max() < 10 * np.tan(np.deg2rad(20)) + 0.1 and np.abs(at[:, 1]).max() > 3
    np.testing.assert_allclose(made.sum(axis=(1, 2, 3)), images[0].sum(), rtol=0.01)


def test_noise_and_fill():
    noise = ImageAugmenter(noise=0.5)(np.zeros((50, 20, 20, 3)))
    assert abs(noise.std() - 0.5) < 0.01 and abs(noise.mean()) < 0.02
    ones = np.ones((40, 8, 8, 1))
    black = ImageAugmenter(shift=0.5, fill="constant", value=-2.0)(ones)
    assert black.min() == -2 and np.all(black <= 1)
    for fill in ("nearest", "reflect", "wrap"):
        np.testing.assert_allclose(ImageAugmenter(**{**ALL, "noise": 0}, fill=fill)(ones), 1)


def test_one_argument_does_not_change_what_another_draws():
    flips = ImageAugmenter(flip=True, random_state=1)(IMAGES)
    both = ImageAugmenter(flip=True, noise=1e-9, random_state=1)(IMAGES)
    np.testing.assert_allclose(both, flips, atol=1e-7)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [({"flip": "diagonal"}, "flip"), ({"flip": 3}, "flip"), ({"shift": -1}, "shift"), ({"shift": 2}, "shift"),
     ({"shift": (1, 2, 3)}, "shift"), ({"rotate": "a"}, "rotate"), ({"rotate": 200}, "rotate"), ({"zoom": 1}, "zoom"),
     ({"zoom": (2, 1)}, "zoom"), ({"shear": 90}, "shear"), ({"noise": -1}, "noise"), ({"noise": True}, "noise"),
     ({"fill": "mirror"}, "fill"), ({"value": np.nan}, "value"), ({"random_state": -1}, "random_state")],
)  # fmt: skip
def test_arguments_are_checked(arguments, word):
    with pytest.raises(ArgumentError, match=f"^{word} must"):
        ImageAugmenter(**arguments)


def test_images_are_checked():
    with pytest.raises(ArgumentError, match="images must have the shape"):
        ImageAugmenter()(np.zeros((3, 4)))
    with pytest.raises(ArgumentError, match="index must be 2"):
        ImageAugmenter()(np.zeros((2, 3, 4, 1)), index=[1])


# in fits


def train(augment, seed=1, epochs=4, reps=2, **more):
    from neuralstat.engine.batches import Rows
    from neuralstat.layers import Conv2D, Dense, Flatten
    from neuralstat.network.network import Network
    from neuralstat.network.objective import objective, resolve_activation
    from neuralstat.optimizers import minibatch
    from neuralstat.seeds import shuffle_keys
    from neuralstat.training.epochs import Training, make_rows, train_epochs

    network = Network((Conv2D(2, 3, activation="tanh"), Flatten(), Dense(1)), (9, 7, 2),
                      objective("sse", resolve_activation("identity")), ("",) * 126, ("y",))  # fmt: skip
    x = IMAGES.reshape(12, -1)
    rows = make_rows(x.T, np.random.default_rng(2).standard_normal((1, 12)))
    assert isinstance(rows, Rows)
    start = 0.1 * np.random.default_rng(3).standard_normal((reps, network.n_params))
    training = Training(minibatch.MINIBATCH["adam"], epochs, 5, augment=augment)
    keys = shuffle_keys(np.random.SeedSequence(seed).spawn(reps))
    fit = train_epochs(network, rows, start, np.ones(network.n_params, bool), training, keys, **more)
    np.testing.assert_array_equal(rows.inputs, x)  # the data are as they were
    return fit


def test_an_augmenter_that_changes_nothing_changes_no_fit():
    plain, same = train(None), train(ImageAugmenter())
    np.testing.assert_array_equal(plain.theta, same.theta)
    np.testing.assert_array_equal(plain.loss, same.loss)


def test_every_epoch_and_repetition_has_its_own_images():
    seen = []

    def watch(images, *, epoch, stream):
        seen.append((epoch, stream))
        return images * 0 + epoch

    train(watch)
    assert sorted(epoch for epoch, _ in seen) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len({stream for _, stream in seen}) == 2
    fit = train(ImageAugmenter(**ALL))
    assert not np.allclose(fit.theta, train(None).theta)
    np.testing.assert_array_equal(fit.theta, train(ImageAugmenter(**ALL), n_jobs=1).theta)
    np.testing.assert_array_equal(fit.theta, train(ImageAugmenter(**ALL), chunk=1).theta)
    np.testing.assert_array_equal(fit.theta, train(ImageAugmenter(**ALL), chunk=1000).theta)


def test_a_resumed_fit_has_the_same_bits(tmp_path):
    from dataclasses import replace

    import neuralstat.training.epochs as epochs

    whole = train(ImageAugmenter(**ALL), epochs=4)
    original = epochs.Training
    path = tmp_path / "state.npz"

    def with_checkpoint(*args, **kwargs):
        return replace(original(*args, **kwargs), checkpoint=path)

    try:
        epochs.Training = with_checkpoint
        train(ImageAugmenter(**ALL), epochs=2)
        again = train(ImageAugmenter(**ALL), epochs=4)
        with pytest.raises(ArgumentError, match="checkpoint"):
            train(ImageAugmenter(flip=True), epochs=4)
    finally:
        epochs.Training = original
    np.testing.assert_array_equal(again.theta, whole.theta)


@pytest.mark.parametrize(
    ("augment", "word"),
    [(lambda images, **_: images[:, 1:], "gave the shape"), (lambda images, **_: images * np.nan, "no finite numbers")],
)
def test_bad_augmenters_are_errors(augment, word):
    with pytest.raises(ArgumentError, match=word):
        train(augment)


def test_settings_are_checked():
    data = ns.datasets.sine(n=20, random_state=1)
    with pytest.raises(ArgumentError, match="augment must be"):
        raw.neuralnet("y ~ x", data, algorithm="adam", augment="flip")
    with pytest.raises(ArgumentError, match="augment belongs to the minibatch optimizers"):
        raw.neuralnet("y ~ x", data, augment=ImageAugmenter())
    with pytest.raises(ArgumentError, match="standardize=True"):
        raw.neuralnet("y ~ x", data, algorithm="adam", augment=ImageAugmenter(), standardize=True)


def test_augmenters_are_saved(tmp_path):
    from neuralstat.io.settings import _pack_augmenter, _unpack_augmenter

    for augment in (ImageAugmenter(**ALL), ImageAugmenter(shift=(0.1, 0.2), zoom=(0.5, 2.0))):
        assert _unpack_augmenter(_pack_augmenter(augment)) == augment
    with pytest.raises(ArgumentError, match="cannot be saved"):
        _pack_augmenter(lambda images, **_: images)


@raw.CUT_SHORT
def test_fits_of_formulas(tmp_path):
    data = ns.datasets.digits()
    data = {name: values[:150] for name, values in data.items()}
    arguments = dict(layers=[ns.layers.Conv2D(3, 3, activation="relu"), ns.layers.Flatten()], family="multinomial",
                     algorithm="adam", epochs=2, random_state=1, validation=0.2)  # fmt: skip
    augment = ImageAugmenter(shift=0.1, rotate=10)
    fit = raw.neuralnet("digit ~ pixels", data, augment=augment, **arguments)
    again = raw.neuralnet("digit ~ pixels", data, augment=augment, **arguments)
    plain = raw.neuralnet("digit ~ pixels", data, **arguments)
    np.testing.assert_array_equal(fit.get_weights()["conv2d/kernel"], again.get_weights()["conv2d/kernel"])
    assert not np.allclose(fit.get_weights()["conv2d/kernel"], plain.get_weights()["conv2d/kernel"])
    fit.save(tmp_path / "a.nst")
    assert ns.load(tmp_path / "a.nst").settings.augment == augment
    with pytest.raises(ArgumentError, match="images must have the shape"):
        raw.neuralnet("y ~ x", ns.datasets.sine(n=20, random_state=1), algorithm="adam", epochs=1, augment=augment)
