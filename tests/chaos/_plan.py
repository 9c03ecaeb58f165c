"""What is to go wrong in one life of an export: drawn from a number, printed so that it can be typed again."""

import random
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any, Literal

from _front import Style, Wrong
from _malice import draw_style, draw_wrong
from attrs import asdict, evolve, frozen

from khoros_analytics.sandbox import Fault, Phase, faults

__all__ = [
    "NOON",
    "Event",
    "Fork",
    "Interrupt",
    "JournalTrouble",
    "Leap",
    "NoNames",
    "Others",
    "Outage",
    "Plan",
    "Planned",
    "Suspend",
    "draw",
]

NOON = 1_556_712_000.0
"""When every life begins, in seconds since 1970 UTC."""
DAY = 86_400.0
MIB = 1 << 20

REPORTS = ("conversation", "response", "author", "user", "combined", "team_performance", "response_approval")
SHORT_READ = 0.2  # in real seconds: how long a stalled answer is waited for


@frozen
class Event:
    """Something that happens at a beat: when the client sleeps, sends, or begins to read."""


@frozen
class Outage(Event):
    """The server is gone, with all connections, and comes back at the same ports so many beats later."""

    beats: int


@frozen
class Suspend(Event):
    """So many seconds pass for everybody, as when a laptop sleeps."""

    seconds: float


@frozen
class Leap(Event):
    """The client's calendar is set, forward or back. Its monotonic clock and the server's calendar are not."""

    seconds: float


@frozen
class Interrupt(Event):
    """Ctrl-C: this client is done for. Another one goes on."""


@frozen
class NoNames(Event):
    """No host name is found, for so many beats."""

    beats: int


@frozen
class Others(Event):
    """Other programs spend the whole quota of the account, for so many beats."""

    beats: int


@frozen
class JournalTrouble(Event):
    """The journal is ``locked``, or its disk ``full``, for so many beats; or lines in it are ``damaged``."""

    kind: Literal["locked", "full", "damaged"]
    beats: int


@frozen
class Fork(Event):
    """The process forks, and its child ends at once, as a program ends."""


@frozen
class Planned:
    """One line of ``sandbox.fail``."""

    phase: Phase
    fault: Fault
    times: int | None
    skip: int


@frozen
class Plan:
    """One life of an export.

    Attributes:
        seed: The number that it was drawn from.
        report: Which report.
        format: ``csv`` or ``json``.
        options: What the sandbox is like.
        settings: What the client is like.
        timeout: What ``download`` is given, in seconds.
        faults: What the sandbox does wrong.
        events: What happens besides, by the number of the beat.
        journal: Whether the client keeps one.
        old: Whether an older file stands at the target, to be overwritten.
        again: Whether the same request is made once more at the end.
        by_token: Whether one goes on by the job's token, and not with the job or by the journal.
        route: What becomes of the file at first: a ``download``, ``rows``, ``batches``, ``arrow`` or ``parquet``.
        hook: What a hook of the user's own session does with answers: ``read`` or ``replace`` them.
        style: What the hostile front is like; None for the sandbox alone.
        wrong: What goes wrong at the front.
        killed: At which beat the first client's process is killed; None for not at all.
        stopped: At which line of the package Ctrl-C comes in the first turn; None for not at all.
        crowd: How many threads ask for the same export at once in the beginning.
    """

    seed: int
    report: str
    format: str
    options: dict[str, Any]
    settings: dict[str, Any]
    timeout: float | None
    faults: tuple[Planned, ...]
    events: tuple[tuple[int, Event], ...]
    journal: bool
    old: bool
    again: bool
    by_token: bool
    route: str
    hook: str | None
    style: Style | None
    wrong: tuple[Wrong, ...]
    killed: int | None = None
    stopped: int | None = None
    crowd: int = 0

    def __str__(self) -> str:
        """Show it line by line, each of them Python."""
        shown = asdict(self, recurse=False)
        planned, events, wrong = shown.pop("faults"), shown.pop("events"), shown.pop("wrong")
        lines = [f"{name} = {value!r}" for name, value in shown.items()]
        lines += [f"sandbox.fail({line.phase!r}, {_typed(line)})" for line in planned]
        lines += [f"front: {line!r}" for line in wrong]
        lines += [f"at beat {beat}: {event!r}" for beat, event in events]
        return "\n".join(lines)


def _typed(line: Planned) -> str:
    fault = line.fault
    text = repr(fault)
    if isinstance(fault, faults.RawAnswer):  # its own repr only counts the bytes
        text = f"RawAnswer({fault.status}, {fault.content!r}, {fault.headers!r}, after={fault.after})"
    return f"faults.{text}, times={line.times}, skip={line.skip}"


def draw(seed: int) -> Plan:
    """Draw what goes wrong. The same seed always gives the same plan."""
    return _made_worse(_Drawing(seed).plan(), random.Random(f"{seed}, made worse"))


def _made_worse(plan: Plan, pick: random.Random) -> Plan:
    """Put a hostile front before the sandbox of most plans, and let more happen in all of them."""
    settings, timeout, style, wrong = dict(plan.settings), plan.timeout, None, ()
    if pick.random() < 0.65:
        style = draw_style(pick, plan.format, large=plan.options["rows"] > 300)
        wrong = draw_wrong(pick, plan.format)
        settings.pop("max_bytes", None)
        if timeout is None and any(line.times is None for line in wrong):
            timeout = pick.choice((30, 300, 900))
    end = pick.choice(("killed",) * 2 + ("stopped",) * 3 + ("crowd",) * 2 + ("",) * 13)
    events = (*plan.events, *_more_events(pick, plan.journal, hostile=style is not None))
    return evolve(
        plan,
        settings=settings,
        timeout=timeout,
        events=tuple(sorted(events, key=lambda each: each[0])),
        route=pick.choice(("download",) * 8 + ("rows", "rows", "batches", "arrow", "parquet")),
        hook=pick.choice(("read", "replace")) if pick.random() < 0.08 else None,
        style=style,
        wrong=wrong,
        killed=int(pick.expovariate(1 / 4)) if end == "killed" else None,
        stopped=int(10 ** pick.uniform(0, 4.2)) if end == "stopped" else None,
        crowd=pick.randint(2, 4) if end == "crowd" else 0,
    )


def _more_events(pick: random.Random, journal: bool, *, hostile: bool) -> Iterator[tuple[int, Event]]:
    kinds: tuple[tuple[float, Callable[[], Event]], ...] = (
        (0.06 * hostile, lambda: Outage(pick.choice((20, 60)))),
        (0.08, lambda: NoNames(pick.choice((1, 3, 8, 30)))),
        (0.08, lambda: Others(pick.choice((1, 5, 20)))),
        (0.2 * journal, lambda: JournalTrouble(pick.choice(("locked", "full", "damaged")), pick.choice((1, 3, 12)))),
        (0.2 * journal, lambda: JournalTrouble(pick.choice(("locked", "full", "damaged")), pick.choice((1, 3, 12)))),
        (0.04, Fork),
    )
    for share, make in kinds:
        wanted, beat, event = pick.random() < share, int(pick.expovariate(1 / 5)), make()
        if wanted:
            yield beat, event


class _Drawing:
    """One drawing. Every choice is made in a fixed order, so a plan hangs on its seed alone."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.format = self.random.choice(("csv", "json"))
        self.options = self._options()
        # A large file over a link that breaks: where resuming counts.
        self.poor = self.chance(0.12)
        if self.poor:
            self.options.update(rows=self.random.randint(800, 1500), ranges=True, validators=True, gzip=False)
        packed, framing = self.options["gzip"], self.options["framing"]
        # Where nothing announces a length, an early end shows in the content alone: in JSON always, in CSV by chance.
        # That is as much as anybody can know, so there the body is not ended early.
        self.content_tells = packed or self.format == "json"
        self.length_tells = packed or framing != "close"
        self.journal = self.chance(1 / 3)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def plan(self) -> Plan:
        pick = self.random
        planned = tuple(
            line
            for phase, most in (("create", 0.3), ("status", 0.55), ("download", 0.4), ("file", 0.65))
            for line in self._phase(phase, most)
        )
        if self.poor:
            planned += tuple(self._poor_link())
        kinds = {type(line.fault) for line in planned}
        settings: dict[str, Any] = {
            "timeout": (5, 5),
            "retries": pick.choice((0, 1, 3, 5, 5, 5, 8)),
            "requests_per_minute": self.options["requests_per_minute"],
        }
        if faults.Stall in kinds:
            settings["timeout"] = (5, SHORT_READ)
        if self.chance(0.1):
            settings["request_deadline"] = pick.choice((20, 60, 120))
        if any(line.phase in ("file", "download") and isinstance(line.fault, faults.Endless) for line in planned):
            settings["max_bytes"] = 2 * MIB
        # Hours of looks would only cost time: nothing happens between them.
        long = any(isinstance(line.fault, faults.JobNeverEnds) or line.times is None for line in planned)
        return Plan(
            seed=self.seed,
            report=pick.choice(REPORTS),
            format=self.format,
            options=self.options,
            settings=settings,
            timeout=pick.choice((30, 300, 900)) if long or self.chance(0.2) else None,
            faults=planned,
            events=tuple(self._events()),
            journal=self.journal,
            old=self.chance(0.3),
            again=self.chance(0.4),
            by_token=self.chance(0.4),
            route="download",
            hook=None,
            style=None,
            wrong=(),
        )

    def _options(self) -> dict[str, Any]:
        pick = self.random
        options: dict[str, Any] = {
            "seconds": pick.choice((0, 1, 10, 10, 10, 60, 200)),
            "creation": pick.choice(("urls", "urls", "ids", "download")),
            "empty_links": pick.choice((0, 0, 0, 1, 3)),
            "ranges": self.chance(0.75),
            "validators": self.chance(0.8),
            "framing": pick.choice(("length", "length", "length", "chunked", "close")),
            "gzip": self.chance(0.2),
            "keep_alive": self.chance(0.8),
            "requests_per_minute": pick.choice((20, 20, 20, 3)),
            "retry_after": self.chance(0.5),
            "seed": self.seed,
        }
        if self.chance(0.2):
            options["polls"] = pick.randint(1, 4)
        if self.chance(0.12):
            options["link_seconds"] = pick.choice((0.0, 0.5, 5.0, 30.0))
        if self.chance(0.06):
            options["export_seconds"] = pick.choice((0.0, 5.0, 60.0))
        if self.chance(0.15):
            # What a break finds half read is lost, so only files beyond one piece are ever resumed.
            options["rows"] = pick.randint(400, 1200)
        else:
            options["rows"] = pick.choice((0, 1, 7, 100, 100, 100, 300))
        return options

    def _events(self) -> list[tuple[int, Event]]:
        pick = self.random
        events: list[tuple[int, Event]] = []
        kinds: tuple[tuple[float, Callable[[], Event]], ...] = (
            (0.18, lambda: Outage(pick.choice((1, 2, 4, 12)))),
            (0.15, lambda: Suspend(pick.choice((1.0, 61.0, 3600.0, 25 * 3600.0)))),
            (0.12, lambda: Leap(pick.choice((-90_000.0, -3600.0, -5.0, 5.0, 3600.0, 90_000.0)))),
            (0.2, Interrupt),
            (0.05, Interrupt),
        )
        for share, make in kinds:
            wanted, beat, event = self.chance(share), int(pick.expovariate(1 / 6)), make()
            # A server that goes away ends its bodies politely, which is an early end like any other.
            if wanted and not (isinstance(event, Outage) and not (self.length_tells or self.content_tells)):
                events.append((beat, event))
        return sorted(events, key=lambda each: each[0])

    def _phase(self, phase: Phase, share: float) -> list[Planned]:
        lines = []
        while len(lines) < 3 and self.chance(share):
            fault = self._fault(phase)
            often = not isinstance(fault, faults.Stall | faults.Endless)
            times: int | None = self.random.choice((1, 1, 1, 2, 3, 7)) if often else 1
            if often and self.chance(0.03):
                times = None
            skip = self.random.choice((0, 0, 0, 0, 1, 2, 5)) if phase != "create" else 0
            lines.append(Planned(phase, fault, times, skip))
        return lines

    def _poor_link(self) -> Iterator[Planned]:
        for _ in range(self.random.randint(1, 3)):
            yield Planned("file", faults.ResetWithin(self.random.uniform(0.4, 1)), 1, 0)
        if self.chance(0.5):
            last = self.random.choice((faults.Reset(), faults.HttpStatus(502), faults.HttpStatus(503, "30")))
            yield Planned("file", last, self.random.choice((2, None)), 0)

    def _fault(self, phase: Phase) -> Fault:
        kinds: dict[str, list[Callable[[], Fault]]] = {
            "create": [self._status, self._no_work, self._instead, self._spoiled, self._doom, self._delay],
            "status": [self._status, self._no_work, self._instead, self._spoiled, self._doom, self._state, self._delay],
            "download": [self._status, self._no_work, self._at_link, self._redirect, self._bodiless, self._delay],
            "file": [self._status, self._at_link, self._body, self._body, self._body, self._body, self._redirect],
        }
        self.phase = phase
        return self.random.choice(kinds[phase])()

    # --- instead of an answer -------------------------------------------------------------------------------------

    def _retry_after(self) -> str | None:
        now = NOON + self.random.choice((-100, 0, 10, 90, 5000))
        texts = ("0", "1", "7", "45", "3600", "9" * 30, "soon", "-3", "1e3", "")
        text = formatdate(now, usegmt=True) if self.chance(0.3) else self.random.choice(texts)
        return text if self.chance(0.6) else None

    def _no_work(self) -> Fault:
        """Too many requests, or no service: only the first is proof that nothing was done."""
        body = self.random.choice(("text", "html", "envelope", "empty"))
        code = self.random.choice((429, 429, 503))
        after = self.phase == "create" and code == 503 and self.chance(0.5)
        return faults.HttpStatus(code, self._retry_after(), body, after=after)

    def _status(self) -> Fault:
        body = self.random.choice(("text", "html", "envelope", "empty"))
        code = self.random.choice((500, 502, 504, 500, 502, 504, 501, 520))
        if self.chance(0.12):
            code = self.random.choice((400, 401, 403, 404, 408, 410, 425, 304))
        elif self.chance(0.1) and self.phase != "status":
            code = self.random.choice((201, 202, 204))
        # By contract nothing was done for a 4xx, nor where the envelope says FAIL.
        unknown = code >= 500 or (code < 400 and body != "envelope")
        after = self.phase == "create" and unknown and self.chance(0.5)
        return faults.HttpStatus(code, self._retry_after() if code > 400 else None, body, after=after)

    def _instead(self) -> Fault:
        after = self.phase == "create" and self.chance(0.5)
        kind = self.random.choice(("html", "empty", "reset", "reset", "raw", "redirect"))
        if kind == "raw":
            contents = (b'{"status": "PASS", "resu', b"null", b"[]", b'{"result": []}', b"\xff\xfe\x00", b"[" * 5000)
            return faults.RawAnswer(200, self.random.choice(contents), after=after)
        if kind == "redirect":
            return faults.Redirect(self.random.choice(("/api/public/nowhere", "ftp://127.0.0.1/")), after=after)
        plain = {"html": faults.HtmlPage, "empty": faults.EmptyAnswer, "reset": faults.Reset}
        return plain[kind](after=after)

    def _at_link(self) -> Fault:
        """What may stand in the place of a file, or of the way to it."""
        kind = self.random.choice(("html", "empty", "reset", "reset", "expired", "expired", "range"))
        if kind == "range":
            span = self.random.choice(("bytes 0-2/3", "bytes 7-9/10", "nonsense", "bytes */3"))
            return faults.RawAnswer(206, b"xxx", (("Content-Range", span),))
        plain = {
            "html": faults.HtmlPage,
            "empty": faults.EmptyAnswer,
            "reset": faults.Reset,
            "expired": faults.Expired,
        }
        return plain[kind]()

    def _redirect(self) -> Fault:
        # Of what is at the API's origin, only the API's own paths count for the quota, so here nothing leads elsewhere.
        near = "/loop" if self.phase == "file" else "/api/public/nowhere"
        places = (near, near, "http://127.0.0.1:9/gone", "ftp://127.0.0.1/x", "http://a@b/", "")
        return faults.Redirect(self.random.choice(places), self.random.choice((302, 301, 303, 307, 308)))

    # --- the true answer, spoiled ---------------------------------------------------------------------------------

    def _at(self) -> int | float:
        return self.random.choice((0, 1, 17, 0.1, 0.5, 0.9, 0.999999, self.random.random()))

    def _slow(self) -> Fault:
        return faults.Slow(0.002, 32 * 1024 if self.options["rows"] > 100 else 8192)

    def _spoiled(self) -> Fault:
        """Damage to an answer in JSON: all of it shows."""
        kinds: tuple[Callable[[], Fault], ...] = (
            lambda: faults.ResetWithin(self._at()),
            lambda: faults.Cut(self._at()),
            lambda: faults.EarlyEnd(self._at()),
            lambda: faults.Truncated(self._at()),
            lambda: faults.WrongLength(self.random.choice((-300, -1, 1, 1000))),
            lambda: faults.Slow(0.002, 64),
            faults.Twice,
            lambda: faults.Stall(self._at()) if self.chance(0.5) else faults.Twice(),
        )
        return self.random.choice(kinds)()

    def _bodiless(self) -> Fault:
        """Damage to an answer that has no body."""
        kinds = (faults.Twice, faults.ResetWithin, faults.Cut, faults.EarlyEnd, faults.Truncated, faults.WrongLength)
        return self.random.choice(kinds)()

    def _is_broad(self) -> bool:
        """Return whether the file is sent in pieces of some size: the end of an endless body should come soon."""
        return self.options["rows"] >= 100

    def _body(self) -> Fault:
        """Damage to the file, where it can be told."""
        packed, whole = self.options["gzip"], self.length_tells
        kinds: list[Callable[[], Fault]] = [
            lambda: faults.ResetWithin(self._at()),
            lambda: faults.ResetWithin(self._at()),
            self._slow,
            lambda: faults.Stall(self._at()) if self.chance(0.4) else faults.ResetWithin(self._at()),
            lambda: faults.Endless() if self.chance(0.3) and self._is_broad() else self._slow(),
        ]
        if whole or self.content_tells:
            kinds += [lambda: faults.Cut(self._at()), lambda: faults.Cut(self._at())]
        if self.content_tells:
            kinds += [lambda: faults.EarlyEnd(self._at())]
        else:
            kinds += [lambda: faults.EarlyEnd(0)]
        if packed:
            kinds += [lambda: faults.Truncated(self._at()), lambda: faults.WrongLength(-1)]
        if whole:
            # Without a length, two answers in a row are one file.
            kinds += [faults.Twice, lambda: faults.WrongLength(self.random.choice((1, 1000)))]
        return self.random.choice(kinds)()

    # --- fates ----------------------------------------------------------------------------------------------------

    def _doom(self) -> Fault:
        reason = self.random.choice((None, "Too many buckets"))
        return faults.JobFails(reason) if self.chance(0.75) else faults.JobNeverEnds()

    def _state(self) -> Fault:
        said = (("CLOSED", ""), ("CLOSED", "ABORTED"), ("QUEUED", ""), (None, None), ("closed", "completed"))
        state, detail = self.random.choice(
            (*said, ("CLOSED", "FAILED"), ("CLOSED", "COMPLETED"), ("RUNNING", "FAILED"))
        )
        extra = self.random.choice(({}, {"currentCount": 3, "totalCount": "many"}, {"reason": ["a", 1]}))
        return faults.JobState(state, detail, extra=extra)

    def _delay(self) -> Fault:
        return faults.Delay(self.random.choice((1.0, 30.0, 400.0, 4000.0)))
