"""How close a fit is to the data, as sums over rows, which may be on a cluster."""

from __future__ import annotations

import numpy as np

from ..fitted import Fitted


def _means(fitted: Fitted, numbers: list[int]) -> np.ndarray:
    """Mean (n, K) of the outputs over repetitions."""
    return fitted.mean_of(numbers).T


def _cases(fitted: Fitted) -> np.ndarray:
    """What a row counts where classes count as they are."""
    return fitted.frequencies * (1.0 if fitted.precisions is None else fitted.precisions)


# classes -----------------------------------------------------------------------------------------------------


def classes(fitted: Fitted, numbers: list[int]) -> list[tuple[str, str]]:
    """The misclassification rate of a factor."""
    wrong, total, lost = fitted.total(_wrong_classes, numbers)
    if lost:
        return [("Misclassification rate", "fit not finite")]
    rate, counts = _told(wrong, total)
    return [("Misclassification rate", f"{rate} ({counts} wrong)")]


def _wrong_classes(fitted: Fitted, numbers: list[int]) -> tuple[float, float, int]:
    y, mean, w = fitted.observed.T, _means(fitted, numbers), _cases(fitted)
    given, found = (y[:, 0] > 0.5, mean[:, 0] > 0.5) if y.shape[1] == 1 else (y.argmax(axis=1), mean.argmax(axis=1))
    return float((given != found) @ w), float(w.sum()), int((~np.isfinite(mean)).sum())


def all_binary(fitted: Fitted) -> bool:
    """Whether all responses are 0 or 1."""
    return not fitted.total(_not_binary)


def _not_binary(fitted: Fitted) -> int:
    return int((~np.isin(fitted.observed, (0.0, 1.0))).sum())


def binary(fitted: Fitted, numbers: list[int]) -> list[tuple[str, str, str]]:
    """Wrong ones, and their share, of each response of 0 and 1."""
    wrong, total, lost = fitted.total(_wrong_binary, numbers)
    return [
        (name, *_told(wrong[k], total)[::-1]) if not lost[k] else (name, "", "fit not finite")
        for k, name in enumerate(fitted.design.y_names)
    ]  # fmt: skip


def _wrong_binary(fitted: Fitted, numbers: list[int]) -> tuple[np.ndarray, float, np.ndarray]:
    y, mean, w = fitted.observed.T, _means(fitted, numbers), _cases(fitted)
    return ((y > 0.5) != (mean > 0.5)).T @ w, float(w.sum()), (~np.isfinite(mean)).sum(axis=0)


def _told(wrong: float, total: float) -> tuple[str, str]:
    """Share of wrong rows, and "wrong of all", each row counted as its weight says."""

    def count(value: float) -> str:
        return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"

    return f"{wrong / total:.4f}", f"{count(float(wrong))} of {count(float(total))}"


# numbers -----------------------------------------------------------------------------------------------------


def numeric(fitted: Fitted, numbers: list[int]) -> list[tuple[str, str, str, str]]:
    """RSS, root of the mean squared residual and R^2, weighted as the fit was, of each response."""
    weight, sums = fitted.total(_moments)
    rss, total, lost = fitted.total(_squares, numbers, sums / weight)
    names = fitted.design.y_names if len(rss) == len(fitted.design.y_names) else (fitted.design.response,)
    return [(name, *_row(rss[k], total[k], weight, lost[k])) for k, name in enumerate(names)]


def _moments(fitted: Fitted) -> tuple[float, np.ndarray]:
    w = fitted.case_weights
    return float(w.sum()), fitted.observed @ w


def _squares(fitted: Fitted, numbers: list[int], centre: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, mean, w = fitted.observed.T, _means(fitted, numbers), fitted.case_weights[:, np.newaxis]
    rss, total = np.sum(w * (y - mean) ** 2, axis=0), np.sum(w * (y - centre) ** 2, axis=0)
    return rss, total, (~np.isfinite(mean)).sum(axis=0)


def _row(rss: float, total: float, weight: float, lost: int) -> tuple[str, str, str]:
    if lost:
        return "fit not finite", "", ""
    share = f"{1 - rss / total:.4f}" if total > 0 else "constant response"
    return f"{rss:.6g}", f"{np.sqrt(rss / weight):.6g}", share
