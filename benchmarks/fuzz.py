"""Calls with arguments that nobody means: what comes of them, as a table.

Run ``python benchmarks/fuzz.py --calls 120000 --seed 7``: every campaign of `tests/support/campaigns.py`, each call in a
child with ten seconds and six GiB. A right outcome is an answer, an error of the package, or Python's own TypeError for a
wrong signature; the rest is listed by place, with the shortest call that does it. ``--repeat CALL`` makes one again.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import campaigns  # noqa: E402
import hostile  # noqa: E402
import trials  # noqa: E402

FIELDS = ("campaign", "calls", "raw tracebacks", "hangs", "crashes", "answered", "warnings", "seed", "seconds", "date")
RAW = ("raw", "hang", "crash")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000, help="over all campaigns (default: 2000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--campaign", choices=list(campaigns.CAMPAIGNS), nargs="+", default=list(campaigns.CAMPAIGNS))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="children at a time (default: one a core)")
    parser.add_argument("--output", type=Path, help="the table as CSV (default: results/fuzz.csv for 100,000 calls or more)")
    parser.add_argument("--all", action="store_true", help="list warnings of others and messages without the argument, too")
    parser.add_argument("--repeat", metavar="CALL", help="make one call in this process")
    arguments = parser.parse_args()
    if arguments.repeat is not None:
        print(repr(hostile.value(arguments.repeat))[:2000])
        return 0
    output = arguments.output
    if output is None and arguments.calls >= 100_000:
        output = Path(__file__).parent / "results" / "fuzz.csv"
    share = {name: part for name, part in zip(campaigns.CAMPAIGNS, campaigns.SHARES) if name in arguments.campaign}
    rows, wrong = [], 0
    for name in arguments.campaign:
        calls = round(arguments.calls * share[name] / sum(share.values()))
        tally = trials.run(name, calls, arguments.seed, arguments.workers)
        counts = [tally.count(kind) for kind in RAW]
        wrong += sum(counts)
        rows.append([name, calls, *counts, tally.answered, tally.count("warning"), arguments.seed, round(tally.seconds),
                     date.today().isoformat()])  # fmt: skip
        print("; ".join(f"{field}: {cell}" for field, cell in zip(FIELDS, rows[-1])), flush=True)
        for kind, where, count, fault in trials.grouped(tally.faults):
            if kind in RAW or arguments.all:
                print(f"  {count} x {kind} {where}\n      {fault.words!r}\n      {fault.text}", flush=True)
        if output is not None:
            with open(output, "w", newline="") as file:
                csv.writer(file).writerows([FIELDS, *rows])
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
