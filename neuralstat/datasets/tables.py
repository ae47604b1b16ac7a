"""Data sets that come with R."""

from importlib import resources

import pandas as pd


def _read(name: str) -> pd.DataFrame:
    with resources.files("neuralstat.datasets").joinpath(name).open(encoding="utf-8") as file:
        return pd.read_csv(file)


def infert() -> pd.DataFrame:
    """Load R's `infert`: infertility after spontaneous and induced abortion, a matched case-control study.

    Returns
    -------
    DataFrame
        248 rows: education (categorical: 0-5yrs, 6-11yrs, 12+ yrs), age, parity, induced, case (1 for the 83
        cases), spontaneous, stratum (1 to 83), pooled.stratum (1 to 63).

    References
    ----------
    Trichopoulos, D. et al. (1976). Induced abortion and secondary infertility. British Journal of Obstetrics
    and Gynaecology 83, 645-650.
    """
    frame = _read("infert.csv")
    frame["education"] = pd.Categorical(frame["education"], ["0-5yrs", "6-11yrs", "12+ yrs"])
    return frame


def iris() -> pd.DataFrame:
    """Load R's `iris`: four measurements, in cm, of 50 flowers of each of three species.

    Returns
    -------
    DataFrame
        150 rows: Sepal.Length, Sepal.Width, Petal.Length, Petal.Width, Species (categorical: setosa,
        versicolor, virginica).

    References
    ----------
    Fisher, R. A. (1936). The use of multiple measurements in taxonomic problems. Annals of Eugenics 7,
    179-188. Anderson, E. (1935). The irises of the Gaspe Peninsula. Bulletin of the American Iris Society
    59, 2-5.
    """
    frame = _read("iris.csv")
    frame["Species"] = pd.Categorical(frame["Species"], ["setosa", "versicolor", "virginica"])
    return frame
