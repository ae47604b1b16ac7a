"""A risk is printed with its error and method, and is a number wherever one is written."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pandas as pd

import neuralstat as ns


def test_print_says_how_it_was_found_and_formats_are_numbers(capsys):
    fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
    risk = ns.risk(fit, "cv", k=5, random_state=1)
    print(risk)  # noqa: T201
    said = capsys.readouterr().out.strip()
    assert said == repr(risk) and f"(se {risk.se:.2g}" in said and "n = 133" in said
    number = float(risk)
    assert f"{risk}" == str(number) and f"{risk:>9.2f}" == f"{number:>9.2f}"
    assert json.loads(json.dumps({"cv": risk})) == {"cv": number}
    table = pd.DataFrame({"cv": [risk, risk]})
    assert table["cv"].dtype == np.float64 and table.to_csv() == pd.DataFrame({"cv": [number] * 2}).to_csv()
    written = io.StringIO()
    csv.writer(written).writerow([float(risk)])
    assert float(written.getvalue()) == number
