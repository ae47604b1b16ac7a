"""Data sets that come with R and its packages MASS, survival and lme4; first names of a census."""

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

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.infert().iloc[:2, :4]
      education  age  parity  induced
    0    0-5yrs   26       6        1
    1    0-5yrs   42       1        1
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

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.iris().iloc[:2, :4]
       Sepal.Length  Sepal.Width  Petal.Length  Petal.Width
    0           5.1          3.5           1.4          0.2
    1           4.9          3.0           1.4          0.2
    """
    frame = _read("iris.csv")
    frame["Species"] = pd.Categorical(frame["Species"], ["setosa", "versicolor", "virginica"])
    return frame


def mcycle() -> pd.DataFrame:
    """Load `mcycle` of R's MASS: acceleration of the head in a simulated motorcycle accident, to test helmets.

    Returns
    -------
    DataFrame
        133 rows: times (milliseconds after the impact), accel (in g). The spread changes much with time.

    References
    ----------
    Silverman, B. W. (1985). Some aspects of the spline smoothing approach to non-parametric curve fitting. Journal of the
    Royal Statistical Society B 47, 1-52. Venables, W. N. & Ripley, B. D. (2002). Modern Applied Statistics with S, 4th ed.
    Springer.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.mcycle().iloc[:2, :4]
       times  accel
    0    2.4    0.0
    1    2.6   -1.3
    """
    return _read("mcycle.csv")


def housing() -> pd.DataFrame:
    """Load `housing` of R's MASS: satisfaction of householders in Copenhagen with their housing, a table of counts.

    Returns
    -------
    DataFrame
        72 rows, one per cell: Sat (ordered: Low < Medium < High, satisfaction), Infl (categorical: Low, Medium, High;
        influence on the management), Type (categorical: Tower, Apartment, Atrium, Terrace), Cont (categorical: Low, High;
        contact with other residents), Freq (householders of the cell, 1681 in all).

    References
    ----------
    Madsen, M. (1976). Statistical analysis of multiple contingency tables: two examples. Scandinavian Journal of Statistics
    3, 97-106. Venables, W. N. & Ripley, B. D. (2002). Modern Applied Statistics with S, 4th ed. Springer, section 7.3.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.housing().iloc[:2, :4]
          Sat Infl   Type Cont
    0     Low  Low  Tower  Low
    1  Medium  Low  Tower  Low
    """
    frame = _read("housing.csv")
    levels = ["Low", "Medium", "High"]
    frame["Sat"] = pd.Categorical(frame["Sat"], levels, ordered=True)
    frame["Infl"] = pd.Categorical(frame["Infl"], levels)
    frame["Type"] = pd.Categorical(frame["Type"], ["Tower", "Apartment", "Atrium", "Terrace"])
    frame["Cont"] = pd.Categorical(frame["Cont"], ["Low", "High"])
    return frame


def lung() -> pd.DataFrame:
    """Load `lung` of R's survival: patients with advanced lung cancer, North Central Cancer Treatment Group.

    Returns
    -------
    DataFrame
        228 rows: inst (institution), time (days), status (1 censored, 2 dead: 165 deaths), age (years), sex (1 male,
        2 female), ph.ecog (performance by the physician, 0 good to 5 dead), ph.karno and pat.karno (Karnofsky scores by
        physician and patient, 0 to 100), meal.cal (calories of meals), wt.loss (pounds in six months). Some values are
        missing.

    References
    ----------
    Loprinzi, C. L. et al. (1994). Prospective evaluation of prognostic variables from patient-completed questionnaires.
    Journal of Clinical Oncology 12, 601-607.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.lung().iloc[:2, :4]
       inst  time  status  age
    0   3.0   306       2   74
    1   3.0   455       2   68
    """
    return _read("lung.csv")


def veteran() -> pd.DataFrame:
    """Load `veteran` of R's survival: the Veterans' Administration's trial of treatments of lung cancer.

    Returns
    -------
    DataFrame
        137 rows: trt (1 standard, 2 test), celltype (categorical: squamous, smallcell, adeno, large), time (days), status
        (1 dead, 0 censored: 128 deaths), karno (Karnofsky score, 0 to 100), diagtime (months from diagnosis), age (years),
        prior (earlier therapy: 0 no, 10 yes).

    References
    ----------
    Kalbfleisch, J. D. & Prentice, R. L. (1980). The Statistical Analysis of Failure Time Data. Wiley, appendix 1.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.veteran().iloc[:2, :4]
       trt  celltype  time  status
    0    1  squamous    72       1
    1    1  squamous   411       1
    """
    frame = _read("veteran.csv")
    frame["celltype"] = pd.Categorical(frame["celltype"], ["squamous", "smallcell", "adeno", "large"])
    return frame


def sleepstudy() -> pd.DataFrame:
    """Load `sleepstudy` of R's lme4: reaction times of long-distance lorry drivers, night after night of too little sleep.

    Returns
    -------
    DataFrame
        180 rows: Reaction (mean reaction time, milliseconds), Days (0 to 9, of three hours in bed a night), Subject
        (categorical: the 18 subjects' numbers as text; each has a row for every day).

    References
    ----------
    Belenky, G. et al. (2003). Patterns of performance degradation and restoration during sleep restriction and subsequent
    recovery: a sleep dose-response study. Journal of Sleep Research 12, 1-12. Bates, D. et al. (2015). Fitting linear
    mixed-effects models using lme4. Journal of Statistical Software 67(1).

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.sleepstudy().iloc[:2, :4]
       Reaction  Days Subject
    0  249.5600     0     308
    1  258.7047     1     308
    """
    frame = _read("sleepstudy.csv")
    frame["Subject"] = pd.Categorical(frame["Subject"].astype(str))
    return frame


def cbpp() -> pd.DataFrame:
    """Load `cbpp` of R's lme4: contagious bovine pleuropneumonia in herds of zebu cattle in Ethiopia.

    Returns
    -------
    DataFrame
        56 rows: herd (categorical: "1" to "15"), incidence (new cases in a period), size (animals at its beginning), period
        (categorical: "1" to "4").

    References
    ----------
    Lesnoff, M. et al. (2004). Within-herd spread of contagious bovine pleuropneumonia in Ethiopian highlands. Preventive
    Veterinary Medicine 64, 27-40.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.cbpp().iloc[:2, :4]
      herd  incidence  size period
    0    1          2    14      1
    1    1          3    12      2
    """
    frame = _read("cbpp.csv")
    for name in ("herd", "period"):
        levels = [str(level) for level in sorted(frame[name].unique())]
        frame[name] = pd.Categorical(frame[name].astype(str), levels)
    return frame


def pastes() -> pd.DataFrame:
    """Load `Pastes` of R's lme4: strength of a chemical paste by batch of delivery and by cask.

    Returns
    -------
    DataFrame
        60 rows: strength, batch (categorical: A to J), cask (categorical: a, b, c within a batch), sample (categorical: the
        30 casks, each assayed twice).

    References
    ----------
    Davies, O. L. & Goldsmith, P. L. (1972). Statistical Methods in Research and Production, 4th ed. Oliver and Boyd, section
    6.5.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.datasets.pastes().iloc[:2, :4]
       strength batch cask sample
    0      62.8     A    a    A:a
    1      62.6     A    a    A:a
    """
    frame = _read("pastes.csv")
    for name in ("batch", "cask", "sample"):
        frame[name] = pd.Categorical(frame[name])
    return frame


def first_names() -> pd.DataFrame:
    """Load first names of women and men in the United States in 1990, with how frequent each is.

    Returns
    -------
    DataFrame
        5494 rows: name (Mary, Patricia, ...; 2 to 11 letters), sex (categorical: female, male), percent (of the women, or of
        the men, who have the name). From the most frequent name of a sex to the rarest that was published; 4275 of women
        and 1219 of men, of 90 % of either. The 331 names of both sexes have two rows, a row for each with its own percent:
        James is there for 3.318 % of the men and for 0.010 % of the women.

    Notes
    -----
    Small percents of the other sex are partly errors of the forms, not names that people have.

    References
    ----------
    US Census Bureau (1995). Frequently occurring first names and surnames from the 1990 census: dist.female.first,
    dist.male.first. In the public domain; as in the Python package names 0.3.0 (T. Hunner).

    Examples
    --------
    >>> import neuralstat as ns
    >>> names = ns.datasets.first_names()
    >>> names.sort_values("percent", ascending=False).head(3)
            name   sex  percent
    4275   James  male    3.318
    4276    John  male    3.271
    4277  Robert  male    3.143
    """
    frame = _read("first_names.csv")
    frame["sex"] = pd.Categorical(frame["sex"], ["female", "male"])
    return frame
