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

    Examples
    --------
    >>> import neuralstat as ns
    >>> {name: array.shape for name, array in ns.datasets.digits().items()}
    {'digit': (1797,), 'pixels': (1797, 8, 8, 1)}
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

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.sunspots().iloc[:2, :4]
          sunspots
    year
    1700       5.0
    1701      11.0
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

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.nile().iloc[:2, :4]
          volume
    year
    1871  1120.0
    1872  1160.0
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

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.co2().iloc[:2, :4]
                  co2
    week
    1958-03-29  316.1
    1958-04-05  317.3
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

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.macrodata().iloc[:2, :4]
                 realgdp  realcons  realinv  realgovt
    quarter
    1959-01-01  2710.349    1707.4  286.898   470.045
    1959-04-01  2778.801    1733.7  310.859   481.301
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

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.randhie().iloc[:2, :4]
       mdvis  lncoins  idp       lpi
    0      0  4.61512    1  6.907755
    1      2  4.61512    1  6.907755
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

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.heart().iloc[:2, :4]
       survival  censors   age
    0      15.0      1.0  54.3
    1       3.0      1.0  40.4
    """
    from statsmodels.datasets import heart as source

    return source.load_pandas().data
