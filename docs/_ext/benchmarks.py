"""Tables of ``benchmarks/results``, each written to ``docs/_tables/NAME.md``, which pages include."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
VIGNETTES = Path(__file__).parents[2] / "vignettes" / "data"
TABLES: dict[str, Callable[[], pd.DataFrame]] = {}
#: table -> the file that it is of, where that has another name
SOURCES = {"growth": "step_sweep", "degrees_of_freedom": "df_truth", "df_procedures": "vignettes/data/degrees_of_freedom"}


def table(make: Callable[[], pd.DataFrame]) -> Callable[[], pd.DataFrame]:
    """A table under the name of the function."""
    TABLES[make.__name__] = make
    return make


def read(name: str) -> pd.DataFrame:
    """Results by the name of their file."""
    return pd.read_csv(RESULTS / f"{name}.csv")


def number(value: Any) -> str:
    """Three significant digits, no more zeros than needed."""
    if isinstance(value, str):
        return value.replace("|", "\\|").replace("~", "\\~")
    if pd.isna(value):
        return ""
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def share(value: float, error: float | None = None) -> str:
    """A share with three decimals, and its Monte-Carlo error."""
    return f"{value:.3f}" + ("" if error is None or pd.isna(error) else f" ({error:.3f})")


def markdown(frame: pd.DataFrame) -> str:
    """The frame as a table of Markdown."""
    head = "| " + " | ".join(map(str, frame.columns)) + " |"
    line = "|" + "|".join("---:" if pd.api.types.is_numeric_dtype(kind) else "---" for kind in frame.dtypes) + "|"
    rows = ["| " + " | ".join(number(value) for value in row) + " |" for row in frame.itertuples(index=False)]
    return "\n".join([head, line, *rows]) + "\n"


def where(name: str) -> str:
    """When and on what a table was measured; a name with a folder is of the repository."""
    if "/" in name:
        return f"`{name}.csv`"
    frame = read(name)
    if not {"date", "cpu"} <= set(frame):
        return f"`benchmarks/results/{name}.csv`"
    said = {f"{row.date}, {row.cpu}" for row in frame[["date", "cpu"]].drop_duplicates().itertuples()}
    return f"`benchmarks/results/{name}.csv`: {'; '.join(sorted(said))}"


# speed ---------------------------------------------------------------------------------------------------------


@table
def step() -> pd.DataFrame:
    """Of ``step``."""
    d = read("step")
    return d[["what", "median_us", "ratio_of_medians"]].set_axis(["program", "microseconds a step", "times ours"], axis=1)


@table
def growth() -> pd.DataFrame:
    """Of ``step_sweep``."""
    d = read("step_sweep")
    return d[["varied", "value", "min_us", "exponent"]].set_axis(["varied", "value", "microseconds", "exponent"], axis=1)


@table
def time_to_solution() -> pd.DataFrame:
    """Of ``time_to_solution``."""
    d = read("time_to_solution")
    d = d[d["starts"] == 20]
    return d[["program", "cpu_seconds_median", "best_error", "median_error"]].set_axis(
        ["program", "CPU seconds", "best error", "median error"], axis=1
    )


@table
def minibatch() -> pd.DataFrame:
    """Of ``minibatch``."""
    d = read("minibatch").dropna(subset=["median_ms", "gflops"])
    return d[["what", "median_ms", "gflops"]].set_axis(["program", "milliseconds a step", "GFLOP/s"], axis=1)


@table
def layers() -> pd.DataFrame:
    """Of ``layers``."""
    d = read("layers")
    return d[["what", "program", "median_ms", "ratio_of_medians", "peak_mb"]].set_axis(
        ["network", "program", "milliseconds a step", "times ours", "peak MB"], axis=1
    )


@table
def large() -> pd.DataFrame:
    """Of ``large``."""
    d = read("large")
    return d[["what", "dtype", "median_s", "ratio_of_medians", "peak_mb"]].set_axis(
        ["program", "numbers", "seconds", "times ours", "peak MB"], axis=1
    )


@table
def million() -> pd.DataFrame:
    """Of ``million``."""
    d = read("million")
    return d[["what", "program", "threads", "min_s", "times_neuralstat", "one_thread_over_this"]].set_axis(
        ["training", "program", "threads", "seconds", "times ours", "times faster than one thread"], axis=1
    )


@table
def inference() -> pd.DataFrame:
    """Of ``inference``, at the most rows: seconds, and peak of memory over the size of the data."""
    d = read("inference")
    d = d[d["n"] == d["n"].max()]
    told = d.assign(told=[f"{s:.2f} s, {x:.1f}x" for s, x in zip(d["seconds"], d["times"], strict=True)])
    calls = {"get_prediction(data)": "`get_prediction(data)`", "cov_params()": "`cov_params()`", "summary()": "`summary()`",
             "partial_dependence, 50 points": "partial dependence, 50 points", "ale, 50 bins": "ALE, 50 bins"}  # fmt: skip
    wide = told.pivot(index="fit", columns="call", values="told").reindex(index=d["fit"].unique(), columns=list(calls))
    return wide.rename(columns=calls).rename_axis(columns=None).reset_index()


@table
def cluster_study() -> pd.DataFrame:
    """Of ``cluster_study``."""
    d = read("cluster_study")
    return d[["calculation", "one_s", "two_s", "efficiency", "tasks", "idle"]].set_axis(
        ["calculation", "one thread, s", "two workers, s", "efficiency", "tasks", "idle"], axis=1
    )


@table
def random_levels() -> pd.DataFrame:
    """Of ``random_levels``."""
    d = read("random_levels")
    return d[["what", "term", "family", "rows", "levels", "seconds", "cpu_seconds", "process_mb"]].set_axis(
        ["program", "terms", "family", "rows", "levels", "seconds", "of the processor", "peak MB"], axis=1
    )


@table
def first_fit() -> pd.DataFrame:
    """Of ``first_fit``."""
    d = read("first_fit")[["fit", "empty", "after_dense", "compiled"]]
    return d.set_axis(["first fit", "nothing compiled", "a dense fit before", "all compiled"], axis=1)


@table
def first_fit_kernels() -> pd.DataFrame:
    """Of ``first_fit_kernels``: the dearest of each fit."""
    d = read("first_fit_kernels")
    rows = []
    for fit, found in d.groupby("fit", sort=False):
        dearest = found.nlargest(4, "seconds")
        named = [f"`{kernel.removeprefix('neuralstat.')}` {seconds:.2f}"
                 for kernel, seconds in zip(dearest["kernel"], dearest["seconds"], strict=True)]  # fmt: skip
        rows.append([fit, len(found), found["seconds"].sum(), ", ".join(named)])
    return pd.DataFrame(rows, columns=["first fit", "kernels of .1 s and more", "their seconds", "the dearest"])


@table
def own_data() -> pd.DataFrame:
    """Of ``own_data``."""
    return read("own_data")[["step", "seconds"]]


# what is promised ----------------------------------------------------------------------------------------------


@table
def term_tests() -> pd.DataFrame:
    """Of ``term_tests``."""
    d = read("term_tests")
    d = d[~d["design"].str.contains("power") & d["hidden"].gt(0)]
    names = {"default": "`term_tests()`", "wald": "Wald", "lr": "likelihood ratio (chi2 or F)"}
    rows = [
        {
            "test": label,
            "tests of noise": len(part),
            "mean share rejected at 5 %": share(part["rejected"].mean()),
            "least": share(part["rejected"].min()),
            "most": share(part["rejected"].max()),
        }
        for method, label in names.items()
        for part in [d[d["method"] == method]]
    ]
    return pd.DataFrame(rows)


@table
def cluster_tests() -> pd.DataFrame:
    """Of ``cluster_tests``."""
    d = read("cluster_tests")
    d = d[d["what"] == "size"].assign(shown=lambda f: [share(a, b) for a, b in zip(f["share"], f["se"], strict=True)])
    wide = d.pivot_table(index="design", columns="method", values="shown", aggfunc="first", sort=False).fillna("")
    return wide.reset_index()


@table
def degrees_of_freedom() -> pd.DataFrame:
    """Of ``degrees_of_freedom``."""
    d = read("df_truth")
    of_truth = d[d["method"] == "truth"].set_index("design")["se"]
    d = d[d["method"] != "auto"].groupby(["design", "method"], sort=False)["df"].agg(["mean", "sem", "count"]).reset_index()
    d = d[d["count"] > 0]
    d.loc[d["method"] == "truth", "sem"] = d["design"].map(of_truth)
    return d.set_axis(["design", "method", "mean df", "standard error", "data sets"], axis=1)


@table
def df_procedures() -> pd.DataFrame:
    """Of the vignette on degrees of freedom; a method that is defined at less than half of the fits is left blank."""
    d = pd.read_csv(VIGNETTES / "degrees_of_freedom.csv")
    designs = list(dict.fromkeys(d["design"]))
    by = d.groupby(["design", "method"])["df"]
    enough = by.count().ge(d["data_set"].max() / 2) | by.count().index.get_level_values("method").isin(["truth", "weights"])
    wide = by.mean().where(enough).unstack("method")
    columns = ["truth", "auto", "gdf", "covariance", "divergence", "jacobian", "weights"]
    return wide.loc[designs, columns].reset_index().rename(columns={"design": "procedure"})


@table
def df_distributions() -> pd.DataFrame:
    """Of ``df_distributions``."""
    d = read("df_distributions")
    return d[["design", "method", "mean", "se", "replicates"]].set_axis(
        ["design", "method", "mean df", "standard error", "data sets"], axis=1
    )


@table
def risk_intervals() -> pd.DataFrame:
    """Of ``risk_intervals``."""
    d = read("risk_intervals")
    rows = [
        {
            "method": method, "interval": interval, "designs": len(part), "mean coverage": share(part["covered"].mean()),
            "least": share(part["covered"].min()), "most": share(part["covered"].max()), "mean width": part["width"].mean(),
        }
        for (method, interval), part in d.groupby(["method", "interval"], sort=False)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@table
def risk_new_x() -> pd.DataFrame:
    """Of ``risk_new_x``."""
    d = read("risk_new_x")
    d = d.assign(shown=lambda f: [share(a, b) for a, b in zip(f["ratio to new x"], f["se of ratio to new x"], strict=True)])
    keep = [c for c in ("cv", "rcp", "rcp+", "alo", "gcv", "cp") if c in set(d["estimator"])]
    wide = d.pivot_table(index="design", columns="estimator", values="shown", aggfunc="first", sort=False)[keep].fillna("")
    return wide.reset_index()


@table
def distribution_coverage() -> pd.DataFrame:
    """Of ``distribution_coverage``."""
    d = read("distribution_coverage")
    grouped = d.groupby(["design", "n", "method"], sort=False)["coverage"].agg(["mean", "min", "max"]).reset_index()
    for column in ("mean", "min", "max"):
        grouped[column] = [share(value) for value in grouped[column]]
    return grouped.set_axis(["design", "n", "method", "mean coverage", "least fifth of x", "most"], axis=1)


@table
def evidence_coverage() -> pd.DataFrame:
    """Of ``evidence_coverage``."""
    d = read("evidence_coverage")
    d["shown"] = [share(a, b) for a, b in zip(d["covered"], d["covered se"], strict=True)]
    return d.pivot_table(index="truth", columns="groups", values="shown", aggfunc="first", sort=False).reset_index()


@table
def semi_structured() -> pd.DataFrame:
    """Of ``semi_structured``."""
    d = read("semi_structured")
    rows = [
        {"what": what, "designs": len(part), "mean": share(part["rate"].mean()), "least": share(part["rate"].min()),
         "most": share(part["rate"].max()), "replicates each": int(part["replicates"].min())}
        for what, part in d.groupby("what", sort=False)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@table
def recovery() -> pd.DataFrame:
    """Of ``recovery``."""
    d = read("recovery").dropna(subset=["coverage"])
    return d[["family", "parameter", "truth", "bias", "se", "coverage"]].set_axis(
        ["family", "parameter", "truth", "bias", "its error", "coverage of 95 % intervals"], axis=1
    )


@table
def survival() -> pd.DataFrame:
    """Of ``survival``."""
    d = read("survival").dropna(subset=["coverage"])
    return d[["case", "parameter", "truth", "bias", "mc_error", "coverage"]].set_axis(
        ["model", "parameter", "truth", "bias", "its error", "coverage of 95 % intervals"], axis=1
    )


@table
def defaults() -> pd.DataFrame:
    """Of ``defaults``."""
    d = read("defaults")
    return d[["data", "n", "linear", "default", "seconds", "nnet", "gam"]].set_axis(
        ["data", "rows", "linear model", "ours", "our seconds", "R nnet", "R mgcv"], axis=1
    )


@table
def fuzz() -> pd.DataFrame:
    """Of ``fuzz``."""
    d = read("fuzz")
    return d[["campaign", "calls", "raw tracebacks", "hangs", "crashes"]]


def write(app: Any) -> None:
    """All tables."""
    folder = Path(app.srcdir) / "_tables"
    folder.mkdir(exist_ok=True)
    for name, make in TABLES.items():
        text = f"{markdown(make())}\n{where(SOURCES.get(name, name))}\n"
        target = folder / f"{name}.md"
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """For Sphinx."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
