"""Whatever is given to a public function: an answer, an error of the package, or Python's own words on a wrong signature.

Each call is made in a child with limits of time and memory (`trials`); what is given is drawn from the kinds of arguments
that functions declare, and from values that nobody means (`campaigns`, `hostile`). A new argument is drawn for by being
declared. ``python benchmarks/fuzz.py --repeat "CALL"`` makes a call that failed again.
"""

from __future__ import annotations

import csv
import inspect
import subprocess
import sys

import campaigns
import pytest
from places import ROOT

import neuralstat as ns
from neuralstat.checks.arguments import DECLARED

SHORT, LONG = 1500, 100_000

# Public functions that check what they are given without a table of kinds, each with its reason.
UNDECLARED = {
    "ns.NeuralNet": "responses and covariates are data; settings are declared by the class of settings",
    "ns.families.resolve_family": "takes anything, and says what is a family",
    "ns.layers.Branches": "takes any number of chains, and checks each",
    "ns.layers.Input": "makes an InputLayer, which declares them",
    "ns.families.resolve_link": "takes anything, and says what is a link",
}


def fuzz(folder, *options):
    """The table of a run, by campaign, and what was printed."""
    table = folder / "table.csv"
    command = [sys.executable, str(ROOT / "benchmarks" / "fuzz.py"), "--output", str(table), *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode in (0, 1), done.stderr
    with open(table, newline="") as file:
        return {row["campaign"]: row for row in csv.DictReader(file)}, done.stdout


def bad(row):
    """What must not happen, counted."""
    return {name: int(row[name]) for name in ("raw tracebacks", "hangs", "crashes")}


NONE = {"raw tracebacks": 0, "hangs": 0, "crashes": 0}


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return fuzz(tmp_path_factory.mktemp("fuzz"), "--calls", str(SHORT), "--seed", "1", "--workers", "1")


@pytest.mark.parametrize("campaign", campaigns.CAMPAIGNS)
def test_nothing_raw_comes_out(short, campaign):
    table, said = short
    assert bad(table[campaign]) == NONE, said
    assert int(table[campaign]["answered"]) > 0  # some of what is drawn is right, so that functions are gone into


@pytest.mark.slow
def test_nothing_raw_comes_out_of_very_many_calls(tmp_path):
    table, said = fuzz(tmp_path, "--calls", str(LONG), "--seed", "11")
    assert {name: bad(row) for name, row in table.items()} == dict.fromkeys(campaigns.CAMPAIGNS, NONE), said


def public():
    """Functions and classes with arguments under `neuralstat`, by name."""
    for name in ns.__all__:
        thing = getattr(ns, name)
        if not inspect.ismodule(thing):
            yield f"ns.{name}", thing
        elif name != "errors":
            yield from ((f"ns.{name}.{inner}", getattr(thing, inner)) for inner in campaigns.names_of(thing))


def made_by(thing):
    """A function, or what makes an object of a class, unwrapped."""
    makers = [getattr(thing, name) for name in ("__init__", "__new__")] if isinstance(thing, type) else []
    return {id(one) for each in (thing, *makers) if each is not None for one in (each, inspect.unwrap(each))}


def test_what_is_public_declares_its_arguments():
    campaigns.import_all()
    declared = {key for d in DECLARED.values() for key in made_by(d.function) - {id(object.__init__), id(object.__new__)}}
    without = [name for name, thing in public() if callable(thing) and inspect.signature(thing).parameters
               and not made_by(thing) & declared]  # fmt: skip
    assert [name for name in without if name not in (*UNDECLARED, *campaigns.EXEMPT)] == []
    assert set(without) >= set(UNDECLARED)


def test_calls_are_repeated_by_their_number():
    for campaign in campaigns.CAMPAIGNS:
        first = [campaigns.call(campaign, 3, number) for number in range(20)]
        assert [campaigns.call(campaign, 3, number) for number in range(20)] == first
        assert len({call.text for call in first}) > 15
        assert all(call.odd for call in first)
