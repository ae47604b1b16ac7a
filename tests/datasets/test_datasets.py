import numpy as np
import pandas as pd
import pytest

import neuralstat.datasets as datasets
from neuralstat.errors import ArgumentError, DataError

GENERATORS = sorted(datasets.generators.TRUTHS)
CLASSES = ("xor", "two_spirals")


@pytest.mark.parametrize("name", GENERATORS)
def test_data_without_noise_are_the_truth(name):
    data = getattr(datasets, name)(n=37, noise=0, random_state=1)
    assert len(data) == 37
    np.testing.assert_array_equal(data["y"], datasets.truth(name)(data))


@pytest.mark.parametrize("name", GENERATORS)
def test_random_state_decides_everything(name):
    draw = getattr(datasets, name)
    pd.testing.assert_frame_equal(draw(20, 0.5, 3), draw(20, 0.5, np.random.default_rng(3)))
    assert not draw(20, 0.5, 3).equals(draw(20, 0.5, 4))


@pytest.mark.parametrize("name", [g for g in GENERATORS if g not in CLASSES])
def test_noise_is_the_standard_deviation(name):
    data = getattr(datasets, name)(n=20_000, noise=2.5, random_state=5)
    noise = data["y"] - datasets.truth(name)(data)
    assert abs(noise.std() - 2.5) < 0.06
    assert abs(noise.mean()) < 0.08


@pytest.mark.parametrize("name", [g for g in GENERATORS if g not in CLASSES])
def test_truth_takes_arrays_as_well(name):
    data = getattr(datasets, name)(n=11, random_state=1)
    f = datasets.truth(name)
    x = data[list(f.columns)]
    np.testing.assert_array_equal(f(x.to_numpy()), f(data))
    np.testing.assert_array_equal(f(x.iloc[:, ::-1]), f(data))


def test_doppler_is_the_lecture_example():
    data = datasets.doppler(n=200, noise=0.1, random_state=1)
    np.testing.assert_array_equal(data["x"], np.linspace(0.05, 1.0, 200))
    noise = np.random.default_rng(1).standard_normal(200)
    np.testing.assert_allclose(data["y"], np.sin(1 / data["x"]) + 0.1 * noise, rtol=1e-15)


def test_donoho_johnstone_values_by_hand():
    assert datasets.truth("blocks")([0.0, 0.11, 0.14, 0.99]) == pytest.approx(
        [0.0, 4.0, -1.0, 0.0], abs=1e-12
    )
    # at a peak its own height, plus the tails of the others
    peak = datasets.truth("bumps")([0.40])[0]
    assert 4.2 < peak < 4.21
    x = 0.6
    assert datasets.truth("heavisine")([x])[0] == pytest.approx(4 * np.sin(4 * np.pi * x) - 1 - 1)
    assert datasets.truth("doppler_dj")([0.5])[0] == pytest.approx(0.5 * np.sin(2.1 * np.pi / 0.55))


def test_friedman_agrees_with_scikit_learn():
    make = pytest.importorskip("sklearn.datasets")
    for k in (1, 2, 3):
        x, y = getattr(make, f"make_friedman{k}")(50, random_state=0)
        f = datasets.truth(f"friedman{k}")
        np.testing.assert_allclose(f(x[:, : len(f.columns)]), y, rtol=1e-12)
    data = datasets.friedman1(n=5000, random_state=2)
    assert list(data) == [*(f"x{j}" for j in range(1, 11)), "y"]
    circuit = datasets.friedman2(n=5000, random_state=2)
    assert circuit["x2"].between(40 * np.pi, 560 * np.pi).all() and circuit["x4"].between(1, 11).all()


def test_xor_has_the_four_corners():
    data = datasets.xor()
    assert data.to_numpy().tolist() == [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]
    assert len(datasets.xor(n=10, noise=0.1, random_state=1)) == 10


def test_spirals_are_two_balanced_classes_not_linearly_separable():
    data = datasets.two_spirals(n=400)
    assert data["y"].mean() == 0.5
    x = np.column_stack([np.ones(400), data[["x1", "x2"]]])
    fitted = x @ np.linalg.lstsq(x, data["y"], rcond=None)[0]
    assert np.mean((fitted > 0.5) == data["y"]) < 0.65


def test_infert_is_r_s():
    data = datasets.infert()
    assert list(data) == [
        "education", "age", "parity", "induced", "case", "spontaneous", "stratum", "pooled.stratum",
    ]  # fmt: skip
    assert len(data) == 248 and data["case"].sum() == 83
    assert list(data["education"].cat.categories) == ["0-5yrs", "6-11yrs", "12+ yrs"]
    assert data["education"].value_counts().to_dict() == {"0-5yrs": 12, "6-11yrs": 120, "12+ yrs": 116}
    # column means of R's data
    means = {
        "age": 31.50403,
        "parity": 2.092742,
        "induced": 0.5725806,
        "spontaneous": 0.5766129,
        "stratum": 41.87097,
    }
    for name, mean in means.items():
        assert data[name].mean() == pytest.approx(mean, abs=1e-5)
    assert data.iloc[4].tolist() == ["6-11yrs", 35, 3, 1, 1, 1, 5, 32]
    assert data.groupby("stratum").size().drop(74).eq(3).all()
    matched = data.groupby("stratum")[["education", "age", "parity"]].nunique()
    assert (matched == 1).all(axis=None)
    assert data["pooled.stratum"].nunique() == 63


def test_iris_is_r_s():
    data = datasets.iris()
    assert list(data) == ["Sepal.Length", "Sepal.Width", "Petal.Length", "Petal.Width", "Species"]
    assert list(data["Species"].cat.categories) == ["setosa", "versicolor", "virginica"]
    assert data.groupby("Species", observed=True).size().tolist() == [50, 50, 50]
    # R's rows 35 and 38, which differ in the UCI copy
    assert data.iloc[34, :4].tolist() == [4.9, 3.1, 1.5, 0.2]
    assert data.iloc[37, :4].tolist() == [4.9, 3.6, 1.4, 0.1]
    assert data.iloc[:, :4].mean().tolist() == pytest.approx([5.843333, 3.057333, 3.758, 1.199333], abs=1e-6)


def test_first_names_are_the_census_s():
    data = datasets.first_names()
    assert list(data) == ["name", "sex", "percent"] and data["sex"].value_counts().to_dict() == {"female": 4275, "male": 1219}
    assert not data.duplicated(["name", "sex"]).any() and data["name"].str.fullmatch("[A-Z][a-z]{1,10}").all()
    # "90 %" of the Bureau's description; the first row of either file
    assert data.groupby("sex", observed=True)["percent"].sum().to_dict() == pytest.approx({"female": 89.94, "male": 90.052})
    first = data.groupby("sex", observed=True).first()
    assert first["name"].to_dict() == {"female": "Mary", "male": "James"}
    assert first["percent"].to_dict() == {"female": 2.629, "male": 3.318}
    both = data[data["name"].duplicated(keep=False)].groupby("name")["percent"].apply(list)
    assert len(both) == 331 and both["James"] == [0.01, 3.318]


def test_mcycle_is_r_s():
    data = datasets.mcycle()
    assert list(data) == ["times", "accel"] and len(data) == 133
    assert data.mean().tolist() == pytest.approx([25.178947, -25.545865], abs=1e-6)
    assert data.cov().to_numpy().ravel() == pytest.approx([172.45107, 188.08812, 188.08812, 2335.02053], abs=1e-5)
    assert data.iloc[76].tolist() == [26.0, -5.4]


def test_housing_is_r_s():
    data = datasets.housing()
    assert list(data) == ["Sat", "Infl", "Type", "Cont", "Freq"] and len(data) == 72
    assert data["Sat"].cat.ordered and not data["Infl"].cat.ordered
    levels = {"Sat": ["Low", "Medium", "High"], "Infl": ["Low", "Medium", "High"], "Cont": ["Low", "High"],
              "Type": ["Tower", "Apartment", "Atrium", "Terrace"]}  # fmt: skip
    for name, expected in levels.items():
        assert list(data[name].cat.categories) == expected
    assert not data.duplicated(list(levels)).any()
    assert data.groupby("Sat", observed=True)["Freq"].sum().tolist() == [567, 446, 668]
    assert data.groupby("Type", observed=True)["Freq"].sum().tolist() == [400, 765, 239, 277]
    assert data.iloc[-1].tolist() == ["High", "High", "Terrace", "High", 13]


def test_sets_of_survival_times_are_r_s():
    data = datasets.lung()
    assert list(data) == ["inst", "time", "status", "age", "sex", "ph.ecog", "ph.karno", "pat.karno", "meal.cal", "wt.loss"]
    assert len(data) == 228 and (data["status"] == 2).sum() == 165
    assert data.isna().sum().tolist() == [1, 0, 0, 0, 0, 1, 1, 3, 47, 14]
    assert data.mean().tolist() == pytest.approx(
        [11.0881057, 305.2324561, 1.7236842, 62.4473684, 1.3947368, 0.9515419, 81.9383260, 79.9555556, 928.7790055,
         9.8317757], abs=1e-7)  # fmt: skip
    data = datasets.veteran()
    assert list(data["celltype"].cat.categories) == ["squamous", "smallcell", "adeno", "large"]
    assert data["celltype"].value_counts(sort=False).tolist() == [35, 48, 27, 27]
    assert data.drop(columns="celltype").mean().tolist() == pytest.approx(
        [1.49635036, 121.62773723, 0.93430657, 58.56934307, 8.77372263, 58.30656934, 2.91970803], abs=1e-8)  # fmt: skip


def test_sets_of_statsmodels():
    data = datasets.randhie()
    assert data.shape == (20190, 10) and list(data)[:3] == ["mdvis", "lncoins", "idp"]
    assert data["mdvis"].mean() == pytest.approx(2.860426, abs=1e-6)
    assert (data[["hlthg", "hlthf", "hlthp"]].sum(axis=1) <= 1).all()
    data = datasets.heart()
    assert data.shape == (69, 3) and data["censors"].sum() == 45
    data.loc[:] = 0  # every call loads its own
    assert datasets.heart()["age"].mean() == pytest.approx(46.134783, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"n": 0}, "n must"),
        ({"n": 2.5}, "n must"),
        ({"n": True}, "n must"),
        ({"noise": -1}, "noise must"),
        ({"noise": float("nan")}, "noise must"),
        ({"noise": "a"}, "noise must"),
        ({"random_state": -3}, "random_state must"),
        ({"random_state": "a"}, "random_state must"),
        ({"low": 0.0}, "low must"),
        ({"low": 2.0}, "low and high"),
    ],
)
def test_arguments_are_checked(arguments, word):
    with pytest.raises(ArgumentError, match=word):
        datasets.doppler(**arguments)


@pytest.mark.parametrize("name", ["blocks", "bumps", "heavisine", "doppler_dj"])
def test_n_is_checked_before_the_grid(name):
    with pytest.raises(ArgumentError, match="n must"):
        getattr(datasets, name)(n="a")


def test_truth_checks_name_and_columns():
    with pytest.raises(ArgumentError, match="'dopler'"):
        datasets.truth("dopler")
    with pytest.raises(DataError, match="x2"):
        datasets.truth("xor")(pd.DataFrame({"x1": [1.0]}))
    with pytest.raises(DataError, match="shape"):
        datasets.truth("xor")(np.ones(3))


def test_sets_of_mixed_models_are_r_s():
    data = datasets.sleepstudy()
    assert list(data) == ["Reaction", "Days", "Subject"] and len(data) == 180
    assert data["Subject"].cat.categories[[0, 17]].tolist() == ["308", "372"]
    assert set(data["Subject"].value_counts()) == {10}
    assert data["Reaction"].mean() == pytest.approx(298.507892, abs=1e-6)
    assert data["Reaction"].iloc[[0, 179]].tolist() == [249.56, 364.1236]
    data = datasets.cbpp()
    assert list(data) == ["herd", "incidence", "size", "period"] and len(data) == 56
    assert data["herd"].cat.categories.tolist() == [str(k) for k in range(1, 16)]
    assert data["period"].value_counts(sort=False).tolist() == [15, 14, 14, 13]
    assert (data["incidence"].sum(), data["size"].sum()) == (99, 842)
    data = datasets.pastes()
    assert list(data) == ["strength", "batch", "cask", "sample"] and len(data) == 60
    assert data["batch"].nunique() == 10 and data["sample"].nunique() == 30
    assert data["strength"].mean() == pytest.approx(60.0533333, abs=1e-7)
    assert (data["batch"].astype(str) + ":" + data["cask"].astype(str) == data["sample"].astype(str)).all()
