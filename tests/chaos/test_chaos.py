"""Chaos: whatever goes wrong, an export ends in its file or in one error, and costs nothing twice.

``nox -s chaos -- --seeds 5000`` lives through more seeds, ``nox -s chaos -- --seed 1234`` through one again.
"""

import subprocess
import sys
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import get_args

import pytest

from khoros_analytics._http import download, quota, retry, transport
from khoros_analytics._storage import partial
from khoros_analytics.sandbox import faults

SEEDS = 320
SOME = 40  # on each interpreter
TOGETHER = 20


@pytest.mark.parametrize(
    "first", [pytest.param(first, marks=[pytest.mark.slow] * (first >= SOME)) for first in range(0, SEEDS, TOGETHER)]
)
def test_seeds(lives, summary, first, seed):
    """Each seed's export ends in a byte-identical file or in one KhorosError that names its phase. There is no torn
    target, no second creation unless the first was provably not received, never a minute beyond the quota, no hang
    and no leak; and without further faults the file arrives.
    """
    results = [lives.live(seed + number) for number in range(first, first + TOGETHER)]
    for result in results:
        summary.add(result)

    assert "\n\n".join(str(result) for result in results if result.problems) == ""


def test_a_seed_is_a_plan(lives):
    """The same seed gives the same plan in another process too, and what is printed of it can be typed."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    code += "from _plan import draw\nprint('\\n'.join(str(draw(seed)) for seed in range(50)))"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    plans = [lives.draw(seed) for seed in range(50)]
    assert there.stdout == "\n".join(map(str, plans)) + "\n"
    for line in (line for plan in plans for line in str(plan).splitlines() if line.startswith("sandbox.fail(")):
        seen = []
        sandbox = type("Recorder", (), {"fail": lambda self, *given, seen=seen, **more: seen.append((given, more))})()
        exec(line, {"sandbox": sandbox, "faults": faults})
        (((phase, fault), counts),) = seen
        assert phase in fault.phases
        assert set(counts) == {"times", "skip"}


def test_everything_is_drawn(lives):
    """The plans of one run hold every kind of fault, every phase, every event, and all that a host may be like."""
    plans = [lives.draw(seed) for seed in range(SEEDS)]
    planned = [line for plan in plans for line in plan.faults]
    kinds = {name for name in faults.__all__ if name not in {"PHASES", "Fault", "Phase", "Fate", "Instead", "Spoiled"}}

    assert {type(line.fault).__name__ for line in planned} == kinds
    assert {line.phase for line in planned} == {"create", "status", "download", "file"}
    codes = {line.fault.code for line in planned if isinstance(line.fault, faults.HttpStatus)}
    assert codes >= {429, 500, 502, 503, 504}
    waits = {line.fault.retry_after for line in planned if getattr(line.fault, "code", None) == 429}
    assert {None, "7", "soon"} <= waits
    assert any(text and text.endswith("GMT") for text in waits)
    assert {type(event).__name__ for plan in plans for _, event in plan.events} == {
        "Fork",
        "Interrupt",
        "JournalTrouble",
        "Leap",
        "NoNames",
        "Others",
        "Outage",
        "Suspend",
    }
    for option, values in {
        "framing": {"length", "chunked", "close"},
        "creation": {"urls", "ids", "download"},
        "ranges": {True, False},
        "validators": {True, False},
        "gzip": {True, False},
        "keep_alive": {True, False},
    }.items():
        assert {plan.options[option] for plan in plans} == values
    assert {plan.settings["requests_per_minute"] for plan in plans} == {3, 20}
    assert {0, 1} <= {plan.options.get("rows") for plan in plans}
    assert {plan.format for plan in plans} == {"csv", "json"}
    assert 0.25 < sum(plan.journal for plan in plans) / SEEDS < 0.42
    assert {plan.route for plan in plans} == {"download", "rows", "batches", "arrow", "parquet"}
    assert {plan.hook for plan in plans} == {None, "read", "replace"}
    for name in ("killed", "stopped"):
        assert len([plan for plan in plans if getattr(plan, name) is not None]) >= 10, name
    assert {plan.crowd for plan in plans} == {0, 2, 3, 4}
    repeated = [plan for plan in plans if plan.journal and plan.again]
    interrupted = [plan for plan in plans if plan.journal and any("Interrupt" in str(event) for event in plan.events)]
    assert min(len(repeated), len(interrupted)) >= 10


def test_everything_is_drawn_of_a_hostile_front(lives):
    """The plans of one run hold every damage, and everything that a host may be like."""
    wire, forms = sys.modules["_wire"], sys.modules["_forms"]
    plans = [plan for plan in map(lives.draw, range(SEEDS)) if plan.style is not None]
    wrong = [line for plan in plans for line in plan.wrong]

    assert 0.5 < len(plans) / SEEDS < 0.8
    assert {type(line.damage) for line in wrong} == set(wire.Damage.__subclasses__())
    assert {line.phase for line in wrong} == {"create", "status", "download", "file"}
    for kind in (wire.BadPart, wire.BadChunks, wire.Meddled):
        drawn = {line.damage.kind for line in wrong if isinstance(line.damage, kind)}
        assert drawn == set(get_args(kind.__annotations__["kind"])), kind
    for option, values in {
        "framing": {"length", "chunked", "close"},
        "ranges": {"yes", "some", "star", "no"},
        "tags": {"strong", "weak", "date", "both", "none", "deaf"},
        "coding": {"", "UTF-8", "none", "binary", "aws-chunked", "identity", "gzip", "gzip+padding"},
        "tls": {True, False},
        "goodbye": {True, False},
        "status": {200, 203},
        "refusal": {"AccessDenied", "ExpiredToken", "RequestExpired"},
        "gateway": {True, False},
    }.items():
        assert {getattr(plan.style, option) for plan in plans} == values, option
    assert {(plan.format, plan.style.form) for plan in plans} == {
        (name, form) for name, several in forms.FORMS.items() for form in several
    }


# Each breaks one rule of the client; the kind of problem that the judge must then report.
BREAKS = {
    "torn": (download.Transfer, "_check_end", lambda self, stream: None),
    "duplicate": (retry, "may_repeat", lambda action, error: retry.is_transient(error)),
    "quota": (quota.Quota, "_try", lambda self, ticket, turn: 0.0),
    "phase": (transport, "_creation_flag", lambda call: nullcontext()),
    "leak": (partial.PartialFile, "discard", lambda self: None),
}


FIRST_SEED = {"torn": 125, "phase": 14}  # before, nothing tells that such a rule is broken


@pytest.mark.parametrize("kind", BREAKS)
def test_the_judge_notices(lives, monkeypatch, kind):
    """A client that breaks a rule is found out within a few seeds: the green of the others means something."""
    monkeypatch.setattr(*BREAKS[kind])

    found = Counter()
    first = FIRST_SEED.get(kind, 0)
    for seed in range(first, first + 60):
        found.update(problem.kind for problem in lives.live(seed).problems)
        if found[kind]:
            break
    assert found[kind]
