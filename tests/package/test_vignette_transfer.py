"""What the vignette on transfer concludes, checked against its tables (see `test_vignette_claims`)."""

import pytest
from pages import page

OPTIONS = ["1: from scratch", "2: new head", "3: new head, then all", "control: untrained features"]


def shown(row):
    return abs(row["mean"]) > row["±"]


def test_trained_long_enough():
    transfer = page("transfer")
    longer = transfer["longer"]
    transfer.says("in the five trials that have both", "no change is larger than 1.5 percent points",
                  "of options 1 to 3 none is larger than two standard errors", "The control with 100")  # fmt: skip
    assert (longer["size"] == 5).all() and longer["mean"].abs().max() < 0.015
    beyond = longer.index[(longer["mean"].abs() > 2 * longer["sem"])]
    assert list(beyond) == [(100, OPTIONS[3])]


def test_options():
    transfer = page("transfer")
    gain, kept, summary = transfer["gain"], transfer["kept"], transfer["summary"]
    assert transfer["number"] == 20 and transfer["sizes"] == [10, 25, 100]
    transfer.says("a network trained from scratch reads best: all others are below it by two to three percent points")
    assert all(shown(gain.loc[(100, name)]) for name in OPTIONS[1:])
    assert gain.loc[100, "mean"].between(-0.035, -0.018).all()
    transfer.says("With 10 images options 2 and 3 are not shown to differ from it.")
    assert not any(shown(gain.loc[(10, name)]) for name in OPTIONS[1:3])
    transfer.says("With 25 option 2 is below by two points, at the edge of its interval, and option 3 is not shown to be.")
    edge = gain.loc[(25, OPTIONS[1])]
    assert -0.025 < edge["mean"] < -0.015 and shown(edge) and abs(edge["mean"]) < 1.2 * edge["±"]
    assert not shown(gain.loc[(25, OPTIONS[2])])
    transfer.says("differ by at most two points, and all three intervals include zero")
    assert kept["mean"].abs().max() < 0.0225 and not any(shown(row) for _, row in kept.iterrows()) and len(kept) == 3
    transfer.says("from 10 to 100 images accuracy rises by about 19 points, whatever the option")
    rise = summary.loc[100, "mean"] - summary.loc[10, "mean"]
    assert len(rise) == 4 and rise.between(0.17, 0.21).all()


@pytest.mark.slow
def test_what_is_fitted_on_the_page():
    transfer = page("transfer", live=True)
    transfer.says("It sees 891 images.", "the last layer's 256 features", "400 images of odd digits are kept to judge")
    assert transfer["even"].sum() == 891 and len(transfer["test"]["digit"]) == 400
    assert transfer["large"].features("flatten", transfer["test"]).shape == (400, 256)
    assert all(300 < right <= 400 for right in transfer["right"].values())
