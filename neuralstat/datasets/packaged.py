"""Real data that come with scikit-learn and statsmodels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError


def digits() -> dict[str, Any]:
    """Load scikit-learn's handwritten digits: 1797 images of 8 x 8 pixels.

    Returns
    -------
    dict
        ``digit``, a Categorical of 0 to 9; ``pixels``, shape (1797, 8, 8, 1), from 0 to 1.

    Raises
    ------
    ArgumentError
        Where scikit-learn is not installed.

    References
    ----------
    Alpaydin, E. & Kaynak, C. (1998). Cascading classifiers. Kybernetika 34, 369-374.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ArgumentError('digits needs scikit-learn: pip install "neuralstat[sklearn]".') from None
    found = load_digits()
    return {"digit": pd.Categorical.from_codes(found.target, list(range(10))), "pixels": found.images[..., np.newaxis] / 16}


def sunspots() -> pd.DataFrame:
    """Load yearly numbers of sunspots, 1700 to 2008 (statsmodels; National Geophysical Data Center).

    Returns
    -------
    DataFrame
        ``sunspots``, indexed by year.
    """
    from statsmodels.datasets import sunspots as source

    return _yearly(source.load_pandas().data, "YEAR", {"SUNACTIVITY": "sunspots"})


def nile() -> pd.DataFrame:
    """Load the yearly flow of the Nile at Aswan, 1871 to 1970, in 10^8 cubic metres (statsmodels).

    Returns
    -------
    DataFrame
        ``volume``, indexed by year.

    References
    ----------
    Cobb, G. W. (1978). The problem of the Nile. Biometrika 65, 243-251.
    """
    from statsmodels.datasets import nile as source

    return _yearly(source.load_pandas().data, "year", {"volume": "volume"})


def _yearly(data: pd.DataFrame, year: str, names: dict[str, str]) -> pd.DataFrame:
    index = pd.Index(data[year].astype(int), name="year")
    return data[list(names)].rename(columns=names).set_axis(index, axis=0)


def co2() -> pd.DataFrame:
    """Load weekly atmospheric CO2 at Mauna Loa, 1958 to 2001, in parts per million by volume (statsmodels).

    Returns
    -------
    DataFrame
        ``co2``, indexed by date; 59 weeks are missing.

    References
    ----------
    Keeling, C. D. & Whorf, T. P. (2004). Atmospheric CO2 concentrations derived from flask air samples at sites in the
    SIO network. Carbon Dioxide Information Analysis Center, Oak Ridge.
    """
    from statsmodels.datasets import co2 as source

    data = source.load_pandas().data
    return data[["co2"]].set_axis(pd.DatetimeIndex(data.index, name="week"), axis=0)


def macrodata() -> pd.DataFrame:
    """Load quarterly figures of the United States' economy, 1959 to 2009 (statsmodels).

    Returns
    -------
    DataFrame
        realgdp, realcons, realinv, realgovt, realdpi, cpi, m1, tbilrate, unemp, pop, infl, realint, indexed by the first
        day of the quarter.
    """
    from statsmodels.datasets import macrodata as source

    data = source.load_pandas().data
    month = 3 * data["quarter"].astype(int) - 2
    dates = pd.to_datetime(dict(year=data["year"].astype(int), month=month, day=1))
    return data.drop(columns=["year", "quarter"]).set_axis(pd.DatetimeIndex(dates, name="quarter"), axis=0)


def randhie() -> pd.DataFrame:
    """Load visits to a doctor of the RAND Health Insurance Experiment (statsmodels).

    Returns
    -------
    DataFrame
        20190 rows: mdvis (outpatient visits to a physician), lncoins (log of coinsurance in per cent + 1), idp (1 with an
        individual deductible), lpi (log of the yearly participation incentive, at least 1), fmde (log of the maximal
        expenditure / (0.01 coinsurance), 0 with idp), physlm (1 with a physical limitation), disea (number of chronic
        diseases), hlthg, hlthf, hlthp (1 where health is rated good, fair or poor by oneself; else excellent).

    References
    ----------
    Cameron, A. C. & Trivedi, P. K. (2005). Microeconometrics: Methods and Applications. Cambridge University Press,
    section 20.3. Deb, P. & Trivedi, P. K. (2002). The structure of demand for health care. Journal of Health Economics 21,
    601-625.
    """
    from statsmodels.datasets import randhie as source

    return source.load_pandas().data


def heart() -> pd.DataFrame:
    """Load survival after heart transplants at Stanford (statsmodels).

    Returns
    -------
    DataFrame
        69 rows: survival (days after surgery), censors (1 dead, 0 alive at the end of the study: 45 deaths), age (years at
        surgery).

    References
    ----------
    Miller, R. G. (1976). Least squares regression with censored data. Biometrika 63, 449-464.
    """
    from statsmodels.datasets import heart as source

    return source.load_pandas().data
