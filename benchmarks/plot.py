"""Draw benchmarks/results/*.csv: what each program costs beside neuralstat, and how the cost of a step grows.

Usage: python benchmarks/plot.py; writes benchmarks/results/benchmarks.png.
"""

from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
from common import RESULTS
from matplotlib.axes import Axes

OURS, THEIRS, LIMIT = "#1b6ca8", "#b9b9b9", "#d98032"


def bars(ax: Axes, names: list[str], values: list[float], title: str, unit: str) -> None:
    """Horizontal bars, each with its value; the axis is logarithmic where values differ tenfold."""
    kinds = [OURS if n.startswith("neuralstat") else LIMIT if n.startswith(("floor", "copy")) else THEIRS for n in names]
    ax.barh(names, values, color=kinds)
    ax.invert_yaxis()
    if max(values) > 10 * min(values):
        ax.set_xscale("log")
        ax.set_xlim(min(values) / 2, max(values) * 5)
    else:
        ax.set_xlim(0, 1.25 * max(values))
    for k, value in enumerate(values):
        ax.annotate(f"{value:.3g}", (value, k), (3, 0), textcoords="offset points", va="center", fontsize=8)
    ax.set_title(title, loc="left", fontsize=10)
    ax.set_xlabel(unit, fontsize=8)
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)


def sweep(ax: Axes, frame: pd.DataFrame) -> None:
    """Cost of a step against what is varied, relative to its smallest value."""
    for name, part in frame.groupby("varied", sort=False):
        ax.plot(part["value"], part["min_us"], marker="o", markersize=3, linewidth=1)
        end = part.iloc[-1]
        ax.annotate(name, (end["value"], end["min_us"]), (5, 0), textcoords="offset points", va="center", fontsize=8)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(right=ax.get_xlim()[1] * 12)
    ax.set_title("One step of rprop+, one parameter varied", loc="left", fontsize=10)
    ax.set_xlabel("value", fontsize=8)
    ax.set_ylabel("microseconds", fontsize=8)
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Bar charts and the sweeps."""
    matplotlib.use("Agg")
    figure, axes = plt.subplots(7, 2, figsize=(11, 23), layout="constrained")
    step, solution = pd.read_csv(RESULTS / "step.csv"), pd.read_csv(RESULTS / "time_to_solution.csv")
    bars(axes[0, 0], list(step["what"]), list(step["median_us"]), "One step of 1-10-5-15-1, n = 200", "microseconds")
    one = solution[solution["starts"] < 1000]
    names = [f"{p} ({e:.2f})" for p, e in zip(one["program"], one["median_error"], strict=True)]
    bars(axes[0, 1], names, list(one["cpu_seconds_median"]), "20 starts of 10 units on the Doppler data",
         "CPU seconds (median error)")  # fmt: skip
    large = pd.read_csv(RESULTS / "large.csv")
    bars(axes[1, 0], [f"{w}, {d}" for w, d in zip(large["what"], large["dtype"], strict=True)], list(large["median_s"]),
         "One gradient, n = 1e6, 20-32-16-1", "seconds")  # fmt: skip
    batch = pd.read_csv(RESULTS / "minibatch.csv").dropna(subset="median_ms")
    bars(axes[1, 1], list(batch["what"]), list(batch["median_ms"]), "Adam, 784-512-512-10, batch 128, float32",
         "milliseconds a step")  # fmt: skip
    sweep(axes[2, 0], pd.read_csv(RESULTS / "step_sweep.csv"))
    many = solution[solution["starts"] == 1000]
    bars(axes[2, 1], [f"neuralstat lm,\n{t} thread{'s' * (t > 1)}" for t in many["threads"]],
         list(many["wall_seconds"]), "1000 networks of 10 units, n = 200", "seconds")  # fmt: skip
    layered = pd.read_csv(RESULTS / "layers.csv")
    for ax, (what, part) in zip(axes[3:].flat, list(layered.groupby("what", sort=False)), strict=False):
        trained = "" if "outputs" in what else "Adam, "
        bars(ax, list(part["program"]), list(part["median_ms"]), f"{trained}{what}, batch {part['batch'].iloc[0]}, float32",
             "milliseconds a step")  # fmt: skip
    axes[-1, -1].set_axis_off()
    figure.savefig(RESULTS / "benchmarks.png", dpi=110)


if __name__ == "__main__":
    main()
