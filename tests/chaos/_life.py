"""One life of an export under its plan: a real client, real sockets, the sandbox, and a judge who sees both sides."""

import faulthandler
import gc
import gzip
import math
import os
import random
import re
import signal
import socket
import sqlite3
import sys
import tempfile
import threading
import time
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing, nullcontext, suppress
from pathlib import Path
from typing import Any

import _forms
import pyarrow.parquet as pq
import requests
from _front import Front, authority
from _intruder import OLD, Intruder
from _plan import DAY, NOON, Fork, Interrupt, JournalTrouble, Leap, NoNames, Others, Outage, Suspend, draw
from _result import REPLAY, Problem, Result, Summary
from _watch import BeatClock, Lines, SharedClock, Stop, quick

from khoros_analytics import (
    Client,
    ConfigurationError,
    DownloadError,
    DownloadExpiredError,
    ExportFormatError,
    IncompleteDownloadError,
    Job,
    JobError,
    JobFailedError,
    JobTimeoutError,
    KhorosError,
    RateLimitError,
    ServerError,
    TargetError,
    TransportError,
    UnexpectedReplyError,
)
from khoros_analytics._http.connections import close_session
from khoros_analytics.sandbox import Sandbox

__all__ = ["REPLAY", "Problem", "Result", "Summary", "draw", "live"]

WINDOW = ("2019-02-01", "2019-02-02")
MINUTE = 60.0
WATCHDOG = 30.0  # in real seconds, for one life; an ordinary one takes a tenth of a second
MOST_TURNS = 5
UNKNOWN = "is not known"
THRICE = "accept_unverified"
TAKEN = "was taken as it came"
SIX_HOURS = 6 * 3600.0
NEVER = (501, 505, 511)

KILLED = 9
PATIENCE = 15.0  # in real seconds, for a child
MEMORY = Path("/dev/shm")


def _replaced(answer: requests.Response, **_settings: object) -> requests.Response:
    copy = requests.Response()
    copy.__dict__.update(answer.__dict__)
    copy._content = answer.content
    return copy


def _read(answer: requests.Response, **_settings: object) -> None:
    assert isinstance(answer.content, bytes)


HOOKS = {"read": _read, "replace": _replaced}


class Life:
    """One life: turns of a client until one of them is not interrupted, and then, without faults, the end.

    Args:
        result: Where all that is seen goes.
        folder: An empty folder.
        stack: What closes everything.
    """

    def __init__(self, result: Result, folder: Path, stack: ExitStack) -> None:
        self.result = result
        self.plan = result.plan
        self.shared = SharedClock(NOON)
        self.own = threading.local()
        self.kill_at: int | None = None
        self.counting = threading.RLock()
        self.stopped = False
        self.clock = BeatClock(self.shared, self._beat)
        self.stack = stack
        self.sandbox = stack.enter_context(Sandbox(clock=self.shared, **self.plan.options))
        for line in self.plan.faults:
            self.sandbox.fail(line.phase, line.fault, line.times, line.skip)
        self.events = list(self.plan.events)
        self.beats = 0
        self.back_at: int | None = None
        self.files = folder / "files"
        self.files.mkdir()
        self.target = self.files / f"export.{self.plan.format}"
        if self.plan.old:
            self.target.write_bytes(OLD)
        self.journal = folder / "journal.sqlite"
        self.intruder = Intruder(self.files, self.journal)
        stack.callback(self.intruder.leave)
        self.front: Front | None = None
        if self.plan.style is not None:
            self.front = Front(self.sandbox, self.plan.style, self.plan.wrong)
            self.front.meddle = self.intruder.lay_hands_on_parts
            stack.callback(self.front.stop)
        self.names_at: int | None = None
        self.others_until = 0
        self.began = self.shared.monotonic()
        self.asked_before, self.limit = 0, 0.0
        self.job: Job | None = None
        self.token: str | None = None
        self.known_since: float | None = None  # on the client's calendar: the journal must find it again
        self.unknown = False  # whether the journal holds a claim of which nobody knows what came of it
        self.late = 0  # how many requests the server may still have to read
        self.expected: bytes | None = None
        self.lines = Lines()
        stack.enter_context(self.lines.listening())

    # Each thread has a job of its own.
    job = property(lambda self: getattr(self.own, "job", None), lambda self, job: setattr(self.own, "job", job))
    began = property(lambda self: self.own.began, lambda self, began: setattr(self.own, "began", began))
    asked_before = property(lambda self: self.own.asked, lambda self, asked: setattr(self.own, "asked", asked))
    limit = property(lambda self: self.own.limit, lambda self, limit: setattr(self.own, "limit", limit))

    # --- what happens -----------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        with self.counting:
            self._count()

    def _count(self) -> None:
        self.beats += 1
        if self.kill_at is not None and self.beats > self.kill_at:
            os._exit(KILLED)
        if self.back_at is not None and self.beats >= self.back_at:
            self.back_at = None
            self.come_back()
        if self.names_at is not None and self.beats >= self.names_at:
            self.find_names()
        if self.intruder.until is not None and self.beats >= self.intruder.until:
            self.intruder.leave()
        if self.beats < self.others_until:
            self.spend_the_quota()
        while self.events and self.events[0][0] < self.beats:
            _, event = self.events.pop(0)
            self.tell(f"beat {self.beats}: {event!r}")
            self._happen(event)

    def _happen(self, event: object) -> None:
        match event:
            case Suspend(seconds):
                self.shared.sleep(seconds)
            case Leap(seconds):
                self.clock.leapt += seconds
            case Interrupt():
                raise KeyboardInterrupt
            case Fork():
                self.fork()
            case _:
                self._last(event)

    def _last(self, event: object) -> None:
        """Let something happen that lasts for some beats."""
        match event:
            case Outage(beats):
                self.sandbox.stop()
                if self.front is not None and not self.plan.style.gateway:
                    self.front.stop()
                self.back_at = self.beats + beats
            case NoNames(beats):
                self.lose_names()
                self.names_at = self.beats + beats
            case Others(beats):
                self.others_until = self.beats + beats
                self.spend_the_quota()
            case JournalTrouble(kind, beats) if self.plan.journal:
                self.intruder.trouble(kind)
                self.intruder.until = self.beats + beats

    def come_back(self) -> None:
        """Let the server listen at its ports again, unless somebody else on this machine uses one for a moment."""
        for _ in range(100):
            try:
                self.sandbox.start()
                return self.front.start() if self.front is not None else None
            except OSError:
                time.sleep(0.02)
        return self.sandbox.start()

    def lose_names(self) -> None:
        """Let no name be found by this life's clients."""
        found = socket.getaddrinfo if self.names_at is None else self.getaddrinfo
        self.getaddrinfo = found

        def getaddrinfo(*arguments, **options):
            if threading.current_thread().name.startswith(f"seed {self.plan.seed}"):
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            return found(*arguments, **options)

        socket.getaddrinfo = getaddrinfo
        self.stack.callback(self.find_names)

    def find_names(self) -> None:
        if self.names_at is not None:
            self.names_at, socket.getaddrinfo = None, self.getaddrinfo

    def spend_the_quota(self) -> None:
        """Let other programs make as many requests as the server takes."""
        for server in self.sandbox._servers:
            admitted, limit = getattr(server.host_, "_admitted", None), self.sandbox.requests_per_minute
            if admitted is not None:
                admitted += [self.shared.time()] * (limit - len(admitted))

    def fork(self) -> None:
        """Fork, and let the child end as programs end: by an exception that goes up."""
        child = os.fork()
        if child == 0:
            raise SystemExit
        self.expect(_ended(child), "hang", "the child of a fork does not end")

    def heal(self) -> None:
        """Let nothing more go wrong."""
        self.events.clear()
        self.back_at, self.others_until = None, 0
        self.intruder.leave()
        self.find_names()
        if self.front is not None:
            self.front.heal()
        self.come_back()
        self.sandbox.heal()
        self.sandbox.link_seconds = DAY

    # --- what the client does ---------------------------------------------------------------------------------------

    def connect(self, **settings: object) -> Client:
        journal = {"journal": self.journal} if self.plan.journal else {}
        quota = {"requests_per_minute": self.plan.settings["requests_per_minute"]}
        everything = {**self.sandbox.settings, "clock": self.clock, **quota, **journal, **settings}
        if self.front is not None:
            everything["base_url"] = self.front.base_url
        if self.plan.hook or (self.plan.style and self.plan.style.tls):
            everything["session"] = self.session()
        self.intruder.leave()  # to open a locked journal would be an error, and no client
        return self.stack.enter_context(Client(**everything))

    def session(self) -> requests.Session:
        """Return a session of the user's own."""
        session = requests.Session()
        self.stack.callback(close_session, session)  # its own close() leaves idle connections to the collector
        if self.plan.style and self.plan.style.tls:
            session.verify = authority()[1]
        if self.plan.hook:
            session.hooks["response"].append(HOOKS[self.plan.hook])
        return session

    def start(self, client: Client) -> Job:
        """Ask for the export, and compare what the client says with what the server did."""
        before, warned = len(self.sandbox.exports), len(self.lines.warnings)
        since = self.known_since if self.plan.journal else None
        known = since is not None and self.clock.time() - since < DAY
        was_unknown, self.unknown = self.unknown and self.plan.journal, False
        try:
            job = client.start(self.plan.report, *WINDOW, format=self.plan.format)
        except KhorosError as error:
            started = len(self.sandbox.exports) - before
            self.expect(error.may_have_started is not None, "phase", f"may_have_started is left open by {error!r}")
            allowed = bool(error.may_have_started) + self.late
            self.expect(started <= allowed, "duplicate", f"{started} were started, but: {error!r}")
            self.unknown = bool(error.may_have_started)
            # A request that timed out may be read later: the export that it starts then is not the next call's.
            self.late = max(0, allowed - started)
            raise
        except KeyboardInterrupt:
            started = len(self.sandbox.exports) - before
            self.expect(started <= 1 + self.late, "duplicate", f"one call started {started} exports")
            self.unknown = True
            self.late += 1 - started  # what was on its way when Ctrl-C came may be read later, too
            if self.stopped:
                self.judge_stop(started)
            raise
        started = len(self.sandbox.exports) - before
        if known:
            self.result.notes["re-attached"] += 1
            self.expect(job.reattached, "duplicate", "the journal knew the export, and it was not found again")
            self.expect(started <= self.late, "duplicate", f"re-attached, and yet {started} exports were started")
        else:
            self.expect(not job.reattached, "stray", "found in a journal that could not know it")
            self.expect(1 <= started <= 1 + self.late, "duplicate", f"one call started {started} exports")
            self.known_since = self.clock.time()
        if was_unknown and not known:
            said = any(UNKNOWN in line for line in self.lines.warnings[warned:])
            self.expect(said, "stray", "an export that may run already was started again without a word")
        return job

    def judge_stop(self, started: int) -> None:
        """Judge what a Ctrl-C at any line leaves in the journal: what is known, and no claim without an owner."""
        self.unknown = bool(started)
        states = self.journal_states()
        self.known_since = self.journal_knows()
        self.unknown = self.unknown and self.known_since is None
        trouble = any(isinstance(event, JournalTrouble) for _, event in self.plan.events)
        self.expect("claimed" not in states or trouble, "duplicate", f"Ctrl-C left a claim: {states}")

    def journal_states(self) -> list[str]:
        """Return the states of the journal's lines, as SQLite itself reads them."""
        sound = "typeof(end_ms) = 'integer'"
        return [state for (state,) in self._ask_the_journal(f"SELECT state FROM exports WHERE {sound} ORDER BY id")]

    def journal_knows(self) -> float | None:
        """Return when the last export was started that the journal can find again."""
        alive = "state IN ('started', 'ready', 'saved') AND typeof(started_at) = 'real'"
        found = self._ask_the_journal(f"SELECT started_at FROM exports WHERE {alive}")
        return max((when for (when,) in found), default=None)

    def _ask_the_journal(self, query: str) -> list[tuple[Any, ...]]:
        if not self.journal.exists():
            return []
        self.intruder.leave()
        with closing(sqlite3.connect(self.journal, timeout=1)) as connection, suppress(sqlite3.OperationalError):
            return connection.execute(query).fetchall()
        return []

    def has_failed(self) -> bool:
        """Return whether the job was said to have failed."""
        return self.job is not None and (self.job.status.state, self.job.status.detail) == ("CLOSED", "FAILED")

    def turn(self, target: Path, client: Client, note: Callable[[str], object] = len) -> str:
        """Export with one client, until the file is there, an error comes, or Ctrl-C."""
        stage = "start"
        try:
            if self.token and (self.plan.by_token or not self.plan.journal):
                self.job = client.job(self.token)
            else:
                self.job = None
                self.job = self.start(client)
            self.token = self.job.token
            note(self.token)
            stage = "download"
            self.began, self.asked_before = self.shared.monotonic(), len(self.job.history)
            self.limit = SIX_HOURS if self.plan.timeout is None else self.plan.timeout
            path = self.fetch(target)
        except KhorosError as error:
            self.judge_error(error, stage)
            self.judge_disk(target, whole=False, part=True)
            unknown = stage == "download" and getattr(error, "status_code", None) in (404, 410)
            if unknown or isinstance(error, JobFailedError | DownloadExpiredError) or self.has_failed():
                self.known_since = None  # what the server gave up, or does not know any more, is started anew
            return type(error).__name__
        except SystemExit:
            os._exit(0)  # the child of a fork
        except KeyboardInterrupt as stop:
            self.result.notes[f"interrupted in {stage}"] += 1
            if stage == "download" and not self.stopped:
                self.expect(self.token in str(stop), "phase", f"Ctrl-C does not say how to go on: {stop}")
            self.judge_disk(target, whole=None, part=True)
            self.token = self.token or (self.job and self.job.token)
            return "interrupted"
        if path is None:
            self.judge_disk(target, whole=False, part=False)
            return self.plan.route
        self.expect(path == target, "stray", f"saved as {path}")
        self.judge_disk(target, whole=True, part=False)
        return "file"

    def fetch(self, target: Path) -> Path | None:
        """Get the file by the plan's route; None where it does not come to rest at the target."""
        route, timeout = self.plan.route, self.plan.timeout
        if route == "download":
            return self.job.download(target, overwrite=self.plan.old, timeout=timeout)
        if route == "rows":
            self.judge_rows(list(self.job.rows(timeout=timeout)))
        elif route == "batches":
            self.judge_count(sum(batch.num_rows for batch in self.job.batches(50, timeout=timeout)))
        elif route == "arrow":
            self.judge_count(self.job.to_arrow(timeout=timeout).num_rows)
        else:
            table = target.with_suffix(".parquet")
            self.job.to_parquet(table, timeout=timeout)
            self.judge_count(pq.read_metadata(table).num_rows)
            table.unlink()
        return None

    def run(self) -> None:
        """Live."""
        outcome = "interrupted"
        if self.plan.killed is not None:
            self.be_killed()
        elif self.plan.crowd:
            self.crowd_together()
        for number in range(MOST_TURNS):
            client = self.connect(**self.plan.settings)
            self.stopped = number == 0 and self.plan.stopped is not None
            with Stop(self.plan.stopped).set() if self.stopped else nullcontext():
                outcome = self.turn(self.target, client)
            if self.stopped and not self.plan.old:
                self.target.unlink(missing_ok=True)  # stopped behind the rename: it is whole, as was judged
            self.stopped = False
            self.tell(f"{outcome} at {self.shared.time() - NOON:.1f} s")
            if outcome != "interrupted":
                break
            client.close()
        self.result.outcome = outcome
        if self.plan.again and outcome != "interrupted":
            self.ask_again(client)
        self.heal()
        self.finish(client)
        self.judge_requests()

    def be_killed(self) -> None:
        """Let a process of its own begin, and be killed at a beat; its token is all that is left, or the journal."""
        client, note = self.connect(**self.plan.settings), self.files.parent / "token"
        before = len(self.sandbox.exports)
        child = os.fork()
        if child == 0:
            self.events.clear()
            self.shared._lock = threading.Lock()
            self.kill_at = self.plan.killed
            with suppress(BaseException):
                self.turn(self.target, client, note.write_text)
            os._exit(0)  # what it has judged is void: the server's records are its parent's
        self.expect(_ended(child), "hang", "a process that was to be killed does not end")
        self.token = note.read_text() if note.exists() and not self.plan.journal else None
        started = len(self.sandbox.exports) - before
        self.expect(started <= 1, "duplicate", f"a process that was killed started {started} exports")
        self.known_since = self.journal_knows()
        self.unknown = self.known_since is None and bool(set(self.journal_states()) & {"claimed", "unknown"})
        # What it had in its hands when it died may be read by the server later.
        self.late = 1 - started
        self.judge_disk(self.target, whole=None, part=True)
        self.target.unlink(missing_ok=True)
        if self.plan.old:
            self.target.write_bytes(OLD)
        self.result.notes["processes of their own"] += 1

    def crowd_together(self) -> None:
        """Let several threads ask for the same export at once, some of them with clients of their own."""
        self.events = [each for each in self.events if not isinstance(each[1], Interrupt | Fork)]
        before, shared = len(self.sandbox.exports), self.connect(**self.plan.settings)
        self.came: list[Job | KhorosError] = []
        threads = []
        for number in range(self.plan.crowd):
            client = shared if number % 2 else self.connect(**self.plan.settings)
            name = f"{threading.current_thread().name}, member {number}"
            threads.append(threading.Thread(target=self.take_part, args=(client, number), name=name, daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        jobs = [each for each in self.came if isinstance(each, Job)]
        new = len({job.workflow_id for job in jobs if not job.reattached})
        maybe = sum(bool(each.may_have_started) for each in self.came if isinstance(each, KhorosError))
        started = len(self.sandbox.exports) - before
        self.expect(new <= started <= new + maybe, "duplicate", f"{started} were started, {new} known, {maybe} perhaps")
        if self.plan.journal:
            self.expect(started <= 1 + maybe, "duplicate", f"a crowd with one journal started {started} exports")
        if self.plan.journal:
            self.intruder.leave()
            shared.jobs()  # which writes what could not be written before
        self.known_since = self.journal_knows()
        last = self.journal_states()[-1:]
        self.unknown, self.late = bool(maybe) and self.known_since is None and last in (["claimed"], ["unknown"]), maybe
        self.result.notes["crowds"] += 1

    def take_part(self, client: Client, number: int) -> None:
        """Export as one of a crowd."""
        target = self.files / f"member-{number}.{self.plan.format}"
        try:
            self.job = client.start(self.plan.report, *WINDOW, format=self.plan.format)
        except KhorosError as error:
            self.judge_error(error, "start")
            self.came.append(error)
            return
        self.came.append(self.job)
        self.began, self.asked_before = self.shared.monotonic(), len(self.job.history)
        self.limit = SIX_HOURS if self.plan.timeout is None else self.plan.timeout
        try:
            self.job.download(target, timeout=self.plan.timeout)
        except KhorosError as error:
            self.judge_error(error, "download")
        finally:
            right = not target.exists() or self.is_whole(target.read_bytes())
            self.expect(right, "torn", f"a member of a crowd got something else in {target.name}")
            for path in (target, *self.left(target)):
                path.unlink(missing_ok=True)

    def ask_again(self, client: Client) -> None:
        """Make the same request once more, perhaps in another process: with a journal it finds what is there."""
        if not self.plan.journal and self.token is None:
            return
        other = self.files / f"again.{self.plan.format}"
        if self.plan.old:
            other.write_bytes(OLD)
        again = self.connect(**self.plan.settings) if self.plan.journal else client
        was = self.result.outcome
        came = len(self.sandbox.requests)
        outcome = self.turn(other, again)
        self.tell(f"asked again: {outcome}")
        self.result.notes["asked again"] += 1
        if was == "file" and self.plan.journal and not self.events and self.job is not None and self.job.reattached:
            self.expect(len(self.sandbox.requests) == came, "stray", "what was on disk was fetched once more")
        for path in self.left(other):
            path.unlink()
        other.unlink(missing_ok=True)

    def finish(self, client: Client) -> None:
        """Without faults, the file arrives; where the server has none any more, a new export brings it."""
        if self.token is None:
            self.job = self.start(self.connect())
        elif self.plan.by_token or self.result.outcome != "file" or self.job is None or self.has_failed():
            # A job that saw FAILED keeps to it; another one looks anew.
            self.job = self.connect().job(self.token)
        self.token = self.job.token
        overwrite = self.plan.old or self.result.outcome == "file"
        hopeless, trusting = self.hopeless(), self.nothing_tells()
        self.began, self.asked_before, self.limit = self.shared.monotonic(), 0, 100.0 if hopeless else 3600.0
        try:
            self.job.download(self.target, overwrite=overwrite, timeout=self.limit, accept_unverified=trusting)
        except (JobFailedError, DownloadExpiredError, JobTimeoutError) as error:
            self.judge_error(error, "download")
            self.expect(hopeless, "lost", f"without any fault: {error}")
            self.result.notes["restarted"] += 1
            self.sandbox.export_seconds = 10 * DAY
            self.known_since = None
            self.job = self.job.restart()
            self.job.download(self.target, overwrite=overwrite, timeout=3600, accept_unverified=trusting)
        self.judge_disk(self.target, whole=True, part=False)
        strangers = [path.name for path in self.files.iterdir() if path != self.target]
        self.expect(not strangers or self.intruder.been_here, "leak", f"left behind: {strangers}")

    def hopeless(self) -> bool:
        """Return whether the server may have no file for the job, now or in the next minutes, by its own decision."""
        found = self.sandbox._world.exports.find(self.job.workflow_id, self.job.run_id)
        closed = found.closed_at or min(found.ready_at, self.shared.time())
        gone = self.shared.time() + 1000 > closed + self.sandbox.export_seconds
        return found._end == "failed" or found.ready_at == math.inf or gone

    def files_of(self) -> list[bytes]:
        """Return what the file may be: one of its versions."""
        if self.front is None:
            return [self.content()]
        return [self.front.file(n, self.plan.format, self.content) for n in range(self.front.version + 1)]

    def judge_rows(self, rows: list[dict[str, object]]) -> None:
        """Judge whether all rows of one version came."""
        wanted = [[list(map(_text, row.values())) for row in each] for each in self.rows_of()]
        self.expect([list(map(_text, row.values())) for row in rows] in wanted, "torn", f"{len(rows)} rows")

    def judge_count(self, count: int) -> None:
        wanted = [len(rows) for rows in self.rows_of()]
        self.expect(count in wanted, "torn", f"{count} rows, of {wanted}")

    def rows_of(self) -> list[list[dict[str, object]]]:
        """Return the rows of each version, as the standard library reads them."""
        if self.front is None:
            return [_forms.read(self.plan.format, self.content())]
        return [_forms.read(self.plan.format, _plain(content)) for content in self.files_of()]

    # --- the judge --------------------------------------------------------------------------------------------------

    def tell(self, line: str) -> None:
        self.result.story.append(line)

    def expect(self, holds: object, kind: str, text: str) -> None:
        if not holds:
            self.result.problems.append(Problem(kind, text))
            self.tell(f"!! {kind}: {text}")

    def secrets(self) -> tuple[str, ...]:
        """Return what nobody may ever read."""
        basic = b64encode(f"{self.sandbox.username}:{self.sandbox.password}".encode()).decode()
        return (self.sandbox.password, self.sandbox.company_key, "Signature=", "analyticsAccessToken=", basic)

    def judge_error(self, error: KhorosError, stage: str) -> None:
        """Judge whether it tells the phase, and nothing that it should not tell."""
        text = str(error)
        self.tell(f"{type(error).__name__}: {text}")
        for secret in self.secrets():
            self.expect(secret not in text, "secret", f"{secret} in {text}")
        if stage == "start":
            self.expect(error.may_have_started is not None, "phase", f"no word whether it started: {text}")
            named = "create" in text or "export" in text.partition(":")[0] or text.startswith("journal: ")
            self.expect(named, "phase", text)
            return
        self.judge_patience(error)
        self.expect(error.may_have_started is None, "phase", f"not of the creation, and yet: {error.may_have_started}")
        self.expect(error.job is self.job, "phase", f"the error does not carry its job: {text}")
        attempts = self.job.history
        named = re.findall(r"\b(creation|status|download)\b", text)
        if isinstance(error, TargetError | ExportFormatError):
            # What is wrong on this machine: the requests say nothing about it.
            self.expect("What was tried: " not in text, "phase", f"a history of something else in {text}")
        elif isinstance(error, JobError | DownloadError):
            self.expect("What was tried: " in text, "phase", f"no history in {text}")
            self.expect(named or not attempts, "phase", text)
        elif attempts:
            # A look for a new link fails within the download that needs it: both attempts end in the same error.
            kind = type(error).__name__
            phases = {attempt.phase for attempt in attempts[-2:] if kind in attempt.outcome} or {attempts[-1].phase}
            self.expect(phases & set(named), "phase", f"{sorted(phases)} not named by {error!r}")

    def content(self) -> bytes:
        """Return what the file must be: all exports of one life are of the same content."""
        if self.expected is None:
            self.expected = self.sandbox.exports[0].content()
        return self.expected

    def is_whole(self, found: bytes) -> bool:
        """Return whether it is the file; of JSON, blanks behind the last bracket are none of its content."""
        if found in (files := self.files_of()):
            return True
        ends = [each for each in files if self.plan.format == "json" and each.startswith(found)]
        blank = any(not each[len(found) :].strip(b" \r\n\0") for each in ends)
        self.result.notes["without the last blanks behind JSON"] += blank
        return blank

    def nobody_could_know(self, found: bytes | None) -> bool:
        """Return whether a file is cut after a row, from a host that announces nothing and sends no parts."""
        style = self.plan.style
        told = style is None or style.ranges != "no" or not any(TAKEN in line for line in self.lines.warnings)
        return not told and found is not None and any(each.startswith(found) for each in self.files_of())

    def nothing_tells(self) -> bool:
        """Return whether nothing ever shows that even a whole file of these hosts is whole."""
        style = self.plan.style
        alone = style is not None and style.framing == "close" and style.ranges == "no"
        return alone and (style.form == "no last line end" or (style.tls and not style.goodbye))

    def judge_patience(self, error: KhorosError) -> None:
        """Judge whether a download was given up while there was time, and while what came could get better."""
        passed = self.shared.monotonic() - self.began
        asked = [each for each in self.job.history[self.asked_before :] if each.phase == "download"]
        match error:
            case JobTimeoutError():
                fair = passed >= self.limit - 1
            case TransportError():
                fair = not error.transient
            case ServerError():
                fair = error.status_code in NEVER
            case RateLimitError() | ConfigurationError() | ExportFormatError():
                fair = False
            case UnexpectedReplyError():
                fair = "to the status call" not in str(error) and (len(asked) > 1 or "redirects" in str(error))
            case IncompleteDownloadError():
                fair = self.nothing_tells() if THRICE in str(error) else len(asked) > self.plan.settings["retries"]
            case TargetError():
                fair = self.intruder.been_here
            case _:
                fair = True
        self.expect(fair, "given up", f"after {passed:.0f} s: {error!r}")

    def left(self, target: Path) -> list[Path]:
        return sorted(self.files.glob(f".{target.name}.*"))

    def judge_disk(self, target: Path, *, whole: bool | None, part: bool) -> None:
        """Judge what stands at the target: the file, or what was there before."""
        found = target.read_bytes() if target.exists() else None
        before = OLD if self.plan.old else None
        right = found is not None and bool(self.sandbox.exports) and self.is_whole(found)
        allowed = {True: right, False: found == before, None: right or found == before}[whole]
        if not allowed and whole is not False and self.nobody_could_know(found):
            self.result.notes["cut after a row where nothing tells, taken with a warning"] += 1
        elif not allowed:
            size = "nothing" if found is None else f"{len(found)} bytes"
            wanted = len(self.content()) if self.sandbox.exports else None
            self.expect(False, "torn", f"{size} at {target.name}, of {wanted}; the file was said to be there: {whole}")
        names = [path.name for path in self.left(target)]
        endings = [name.rpartition(".")[2] for name in names]
        pair = endings == ["note", "part"] and names[0].rpartition(".")[0] == names[1].rpartition(".")[0]
        spared = self.intruder.been_here or self.stopped or self.plan.killed is not None
        self.expect(not names or (part and pair) or spared, "leak", f"left beside the target: {names}")
        self.result.notes["resumable parts left"] += bool(names)

    def judge_requests(self) -> None:
        """Judge by the server's records: the quota, and that no creation was repeated that may have been received."""
        records = self.sandbox.requests
        times = [record.time for record in records if record.origin == "api"]
        busiest = max((sum(start <= when < start + MINUTE - 0.001 for when in times) for start in times), default=0)
        # The clock of a crowd leaps ahead in the middle of requests, further than any may last.
        leaps = self.plan.crowd > 0
        fits = self.plan.killed is not None or leaps or busiest <= self.sandbox.requests_per_minute
        self.expect(fits, "quota", f"{busiest} requests in one minute")
        refused = [record for record in records if record.status == 429 and record.fault is None]
        # A process that was killed has counted for itself.
        others = self.plan.killed is not None or any(isinstance(event, Others) for _, event in self.plan.events)
        self.expect(
            others or leaps or not refused, "quota", f"the server refused {len(refused)} requests beyond the quota"
        )
        keys = [record for record in records if record.origin == "file" and record.has_authorization]
        self.expect(not keys, "secret", "the file host was sent the credentials")
        leaks = set(self.front.leaks) if self.front is not None else ()
        self.expect(not leaks, "secret", f"seen by the hosts: {leaks}")
        text = "\n".join(self.lines.all)
        self.expect(not any(secret in text for secret in self.secrets()), "secret", "a secret is in the log")
        self.expect(self.intruder.victim.read_bytes() == OLD, "stray", "what a link leads to was written to")
        self.result.notes["faults met at the front"] += len(self.front.met) if self.front is not None else 0
        self.result.notes["requests"] += len(records)
        self.result.notes["faults met"] += sum(record.fault is not None for record in records)


def _ended(child: int) -> bool:
    """Wait for the end of a child, but not for ever."""
    limit = time.monotonic() + PATIENCE
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > limit:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False
        time.sleep(0.001)
    return True


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _plain(content: bytes) -> bytes:
    """Return a file's text as UTF-8."""
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig").encode()


def live(seed: int) -> Result:
    """Live one life in a thread of its own, and judge it; a hang is a result as well."""
    result = Result(draw(seed))
    began = time.perf_counter()
    threads, descriptors = set(threading.enumerate()), _descriptors()
    thread = threading.Thread(target=_live, args=(result,), name=f"seed {seed}", daemon=True)
    thread.start()
    thread.join(WATCHDOG)
    if thread.is_alive():
        result.problems.append(Problem("hang", f"still running after {WATCHDOG:.0f} s"))
        result.outcome = "hang"
        faulthandler.dump_traceback(file=sys.__stderr__)
    else:
        _judge_leaks(result, threads, descriptors)
    result.seconds = time.perf_counter() - began
    return result


def _live(result: Result) -> None:
    random.seed(result.plan.seed)  # the client's own jitter
    try:
        with (
            tempfile.TemporaryDirectory(prefix="chaos-", dir=MEMORY if MEMORY.is_dir() else None) as name,
            ExitStack() as stack,
            quick(),
        ):
            life = Life(result, Path(name), stack)
            life.run()
    except BaseException:  # noqa: BLE001 - whatever it is, it is a finding
        result.problems.append(Problem("stray", traceback.format_exc()))


def _descriptors() -> dict[str, str]:
    """Return what is open, where the system tells."""
    found = {}
    with suppress(OSError):
        for entry in os.scandir("/proc/self/fd"):
            with suppress(OSError):
                found[entry.name] = os.readlink(entry.path)  # noqa: PTH115 - what it shows is not a path
    return {number: what for number, what in found.items() if not what.endswith("/fd")}


def _judge_leaks(result: Result, threads: Iterable[threading.Thread], descriptors: Mapping[str, str]) -> None:
    """Judge what is left of it; a thread that is just ending may take its moment."""
    if result.plan.stopped is not None:
        gc.collect()  # Ctrl-C in the middle of a closing leaves the rest to the collector
    limit = time.monotonic() + 2
    while True:
        left = set(threading.enumerate()) - set(threads)
        more = {number: what for number, what in _descriptors().items() if descriptors.get(number) != what}
        if not (left or more) or time.monotonic() > limit:
            break
        time.sleep(0.01)
    if left:
        result.problems.append(Problem("leak", f"threads: {sorted(thread.name for thread in left)}"))
    if more:
        gc.collect()
        still = _descriptors()
        freed = [number for number in more if still.get(number) != more[number]]
        result.problems.append(Problem("leak", f"still open: {more}; freed by a garbage collection: {freed}"))
