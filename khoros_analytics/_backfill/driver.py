"""Runs a backfill: one thread spends the quota, and a few others download and convert meanwhile."""

import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import timedelta
from typing import Protocol

from attrs import define, frozen

from .._clock import Deadline
from .._jobs.explain import explain
from .._jobs.remote import DEFAULT_TIMEOUT, Account, RemoteJob
from .._jobs.start import find_job, start_export
from .._protocol.arguments import ExportRequest
from .._protocol.messages import Verdict
from ..errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    DownloadError,
    DownloadExpiredError,
    IncompleteDownloadError,
    JobFailedError,
    JobTimeoutError,
    KhorosError,
    ParameterError,
    RateLimitError,
    RequestRejectedError,
    TargetError,
    TransportError,
    UntrustedUrlError,
)
from .dataset import Contents, DatasetFiles
from .placing import Placed, WindowFile
from .plan import Plan, PlannedWindow, WindowState
from .records import Running
from .result import BackfillProgress, BackfillResult, WindowFailure
from .scheduler import Action, Scheduler
from .schema import SchemaKeeper
from .tally import Tally

__all__ = ["Backfill", "Fetcher", "Settings"]

log = logging.getLogger("khoros_analytics")

_NEXT_RUN = (
    "call the backfill again, which tries this window again; if it fails again, try shorter windows or fewer metrics, "
    "and tell Khoros support the ids"
)
_FETCH_POLL = 0.02  # how long files that arrive are waited for before time may pass, in seconds
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # how long nothing is asked after an outage, in seconds


class Fetcher(Protocol):
    """What fetches a window's file and puts it into its place, in another thread or on another machine."""

    def submit(self, remote: RemoteJob, window: WindowFile) -> "Future[Placed]":
        """Begin with one; an error that a request of this thread met is raised at once."""
        ...

    def cancel(self) -> None:
        """Begin with no other one, and let those under way end soon."""
        ...


@frozen(kw_only=True)
class Settings:
    """What a backfill was told.

    Attributes:
        max_active: How many exports may run at once.
        attempts: How many exports a window may take.
        retry_uncertain: Whether a window is exported again that may have been started already.
        on_update: Is called with the progress after each step.
        deadline: When it has to be over, or None.
    """

    max_active: int
    attempts: int
    retry_uncertain: bool
    on_update: Callable[[BackfillProgress], object] | None = None
    deadline: Deadline | None = None


@define(eq=False)
class _Window:
    """One window on its way."""

    planned: PlannedWindow
    attempt: int = 1
    remote: RemoteJob | None = None
    fetches: int = 0


class Backfill:
    """One run over the windows of a plan that are not there yet.

    Args:
        account: Who asks.
        plan: What is to be done.
        dataset: Where the rows go; its lease is held.
        contents: What it holds.
        request: Makes the request for a window.
        fetcher: Fetches and places files.
        schema: Keeps the columns of all files the same.
        settings: What else was asked for.
        check_lease: Raises an error when the lease has been lost.
    """

    def __init__(
        self,
        account: Account,
        plan: Plan,
        dataset: DatasetFiles,
        contents: Contents,
        request: Callable[[PlannedWindow], ExportRequest],
        *,
        fetcher: Fetcher,
        schema: SchemaKeeper,
        settings: Settings,
        check_lease: Callable[[], None],
    ) -> None:
        self._account = account
        self._clock = account.transport.clock
        self._plan = plan
        self._dataset = dataset
        self._contents = contents
        self._request = request
        self._fetcher = fetcher
        self._schema = schema
        self._settings = settings
        self._check_lease = check_lease
        self._scheduler = Scheduler(settings.max_active, account.durations.seen(self._kind()))
        self._windows: dict[str, _Window] = {}
        self._fetching: dict[str, Future[Placed]] = {}
        self._not_before = self._pause = 0.0
        self._tally = Tally(plan.report, plan.to, account)

    # --- the whole run ---------------------------------------------------------------------------------------------

    def run(self) -> BackfillResult:
        """Land what is missing; an error that would meet every window carries what landed as ``result``."""
        for planned in self._plan.windows:
            self._prepare(planned)
        try:
            self._work()
            self._tally.widened.extend(self._schema.finish(self._check_lease))
        except KhorosError as error:
            self._fetcher.cancel()
            error.result = self._tally.result()
            raise
        except KeyboardInterrupt:
            self._fetcher.cancel()
            raise KeyboardInterrupt(self._interrupted()) from None
        return self._tally.result()

    def _work(self) -> None:
        while not (self._scheduler.over and not self._fetching):
            self._collect()
            self._check_time()
            self._check_lease()
            action, pause = self._decide()
            if action is None:
                self._rest(pause)
            else:
                self._do(action)
                self._report()

    def _rest(self, pause: float) -> None:
        """Wait for the next moment that is worth a request; files under way get there by no clock but the machine's."""
        if self._fetching:
            wait(self._fetching.values(), _FETCH_POLL if self._scheduler.active else pause, FIRST_COMPLETED)
        if self._scheduler.active or not self._fetching:
            self._clock.sleep(pause)

    def _decide(self) -> tuple[Action | None, float]:
        """Return what to do with the next request, or how long to wait before deciding again, in seconds."""
        now = self._clock.monotonic()
        room = self._account.transport.room()
        closed = max(self._not_before - now, room.seconds)
        if closed > 0:
            return None, min(closed, self._scheduler.pause)
        return self._scheduler.next(now, room.spare, room.left), self._scheduler.pause

    def _do(self, action: Action) -> None:
        window = self._windows[action.key]
        step = {"fetch": self._fetch, "poll": self._poll, "start": self._start}[action.kind]
        try:
            step(action.key, window)
        except KhorosError as error:
            self._failed(action, window, error)
        else:
            self._pause = 0.0

    def _check_time(self) -> None:
        deadline = self._settings.deadline
        if deadline is not None and deadline.passed():
            raise JobTimeoutError(
                f"the backfill of {self._plan.report} into {self._plan.to} was not over after {deadline.seconds:.0f} s",
                advice="call it again to go on; what runs is written down there",
            )

    # --- one window ------------------------------------------------------------------------------------------------

    def _prepare(self, planned: PlannedWindow) -> None:
        if planned.state in (WindowState.LANDED, WindowState.EMPTY):
            self._tally.skipped.append(planned.key)
            return
        window = self._windows[planned.key] = _Window(planned)
        running = self._contents.running.get(planned.key)
        if not (planned.state is WindowState.RUNNING and running is not None and self._reattach(window, running)):
            self._scheduler.add(planned.key)

    def _reattach(self, window: _Window, running: Running) -> bool:
        """Go on with an export of an earlier run; False where its token is not to be read any more."""
        try:
            window.remote = find_job(self._account, running.token or "")
        except ParameterError:
            return False
        window.attempt = running.attempt
        self._scheduler.started(running.key, self._clock.monotonic(), window.remote.age())
        return True

    def _start(self, key: str, window: _Window) -> None:
        planned = window.planned
        remote = start_export(self._account, self._request(planned), fresh=self._wants_fresh(window), retries=0)
        window.remote = remote
        self._dataset.started(
            Running(
                key=key,
                start_ms=planned.window.start_ms,
                end_ms=planned.window.end_ms,
                token=remote.token,
                attempt=window.attempt,
                job=_ids(remote),
            )
        )
        self._scheduler.started(key, self._clock.monotonic(), remote.age())

    def _wants_fresh(self, window: _Window) -> bool:
        """Return whether an export that the journal knows is not good enough: it failed, or it is too old."""
        return window.attempt > 1 or window.planned.state in (WindowState.REFRESH, WindowState.DAMAGED)

    def _poll(self, key: str, window: _Window) -> None:
        remote = _known(window)
        verdict = remote.poll(None, retries=0)
        if verdict is Verdict.READY:
            self._scheduler.ready(key, self._clock.monotonic())
        elif remote.is_over(verdict):
            remote.raise_failure()
        elif remote.age() >= DEFAULT_TIMEOUT:
            hours = remote.age() / 3600
            self._scheduler.gone(key)
            self._try_again(
                key,
                window,
                JobTimeoutError(f"{remote.subject}: not ready after {hours:.0f} hours, last seen as {remote.state()}"),
            )
        else:
            self._scheduler.running(key, self._clock.monotonic())

    def _fetch(self, key: str, window: _Window) -> None:
        remote, planned, old = _known(window), window.planned, self._contents.lines.get(key)
        target = WindowFile(
            self._dataset,
            key,
            planned.window.start_ms,
            planned.window.end_ms,
            _ids(remote),
            old if old and old.sha256 else None,
        )
        self._fetching[key] = self._fetcher.submit(remote, target)

    def _collect(self) -> None:
        """Write down what has been fetched by now."""
        for key in [key for key, future in self._fetching.items() if future.done()]:
            future, window = self._fetching.pop(key), self._windows[key]
            try:
                placed = future.result()
            except KhorosError as error:
                self._failed(Action("fetch", key), window, error)
            except Exception as error:  # noqa: BLE001 - whatever an executor says of a worker that died
                subject, why = _known(window).subject, f"{type(error).__name__}: {error}"
                self._fetch_again(key, window, DownloadError(f"{subject}: the worker that fetched it died ({why})"))
            else:
                self._land(key, placed)
            self._report()

    def _land(self, key: str, placed: Placed) -> None:
        line = placed.line
        if placed.schema is not None:
            self._schema.add(placed.schema)
        self._dataset.land(line, self._contents.lines.get(key))
        self._schema.landed(line)
        self._tally.land(line)
        log.info("%s: window %s landed, %d rows, %d bytes", self._plan.to, line.key, line.rows, line.bytes)

    # --- what goes wrong -------------------------------------------------------------------------------------------

    def _failed(self, action: Action, window: _Window, error: KhorosError) -> None:
        key = action.key
        if window.remote is not None:
            if isinstance(error, JobFailedError | DownloadExpiredError | IncompleteDownloadError):
                error.advice = error.advice or _NEXT_RUN
            explain(error, window.remote)
        if _meets_all(action, error):
            raise error
        if action.kind == "start":
            self._failed_to_start(key, window, error)
        elif action.kind == "poll" and _is_outage(error):
            self._wait_a_while(error)
        elif action.kind == "fetch" and isinstance(error, TransportError):
            self._scheduler.fetch_again(key)
            self._wait_a_while(error)
        elif action.kind == "fetch" and isinstance(error, IncompleteDownloadError):
            self._fetch_again(key, window, error)
        else:
            self._scheduler.gone(key)
            self._try_again(key, window, error)

    def _fetch_again(self, key: str, window: _Window, problem: KhorosError) -> None:
        """Fetch a file once more, by another link, before its window is exported anew."""
        window.fetches += 1
        if window.fetches < self._settings.attempts:
            log.warning("%s; fetching it again", problem)
            self._scheduler.fetch_again(key)
        else:
            self._try_again(key, window, problem)

    def _failed_to_start(self, key: str, window: _Window, error: KhorosError) -> None:
        if error.may_have_started is not False:
            self._uncertain(key, window, error)
            return
        self._scheduler.add(key, first=True)
        if isinstance(error, RateLimitError):
            self._scheduler.refused(self._clock.monotonic())
        else:
            self._wait_a_while(error)

    def _uncertain(self, key: str, window: _Window, error: KhorosError) -> None:
        """Write down that nobody knows whether an export was started, and leave its window to a later run."""
        planned = window.planned
        self._dataset.started(
            Running(
                key=key,
                start_ms=planned.window.start_ms,
                end_ms=planned.window.end_ms,
                token=None,
                attempt=window.attempt,
            )
        )
        if self._settings.retry_uncertain:
            self._try_again(key, window, error)
        else:
            self._tally.failed.append(WindowFailure(key, planned.window, error, uncertain=True))

    def _try_again(self, key: str, window: _Window, error: KhorosError) -> None:
        """Export a window anew after a failure, unless it has had its attempts."""
        if window.attempt >= self._settings.attempts:
            self._dataset.not_running(key)
            self._tally.failed.append(WindowFailure(key, window.planned.window, error))
            log.warning("%s: window %s failed, export %d: %s", self._plan.to, key, window.attempt, error)
            return
        window.attempt += 1
        window.remote = None
        window.fetches = 0
        self._scheduler.add(key)

    def _wait_a_while(self, error: KhorosError) -> None:
        self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _LONGEST_PAUSE)
        self._not_before = self._clock.monotonic() + self._pause
        log.log(
            logging.WARNING if self._pause == _FIRST_PAUSE else logging.DEBUG, "%s; waiting %.0f s", error, self._pause
        )

    # --- what is told ----------------------------------------------------------------------------------------------

    def _kind(self) -> tuple[str, timedelta]:
        """Return what exports have in common that take similar times."""
        lengths = [planned.window.length for planned in self._plan.windows]
        return (self._plan.report, lengths[0] if lengths else timedelta())

    def progress(self) -> BackfillProgress:
        """Return how far it is; any thread may ask."""
        return self._tally.progress(len(self._windows), self._scheduler.active)

    def _report(self) -> None:
        if self._settings.on_update is not None:
            self._settings.on_update(self.progress())

    def _interrupted(self) -> str:
        running = self._scheduler.active + len(self._fetching)
        return (
            f"the backfill of {self._plan.report} into {self._plan.to} was interrupted: {self._tally.done:,} of "
            f"{len(self._windows):,} windows have landed, {running:,} exports go on on the server and are written down "
            "there; the same call goes on from here"
        )


def _ids(remote: RemoteJob) -> tuple[str, str]:
    created = remote.identity.created
    return created.workflow_id, created.run_id


def _known(window: _Window) -> RemoteJob:
    if window.remote is None:
        raise LookupError(f"window {window.planned.key} has no export")
    return window.remote


def _meets_all(action: Action, error: KhorosError) -> bool:
    """Return whether an error would meet every window: credentials, arguments that are refused, a full disk."""
    if isinstance(error, AuthenticationError | ConfigurationError | ParameterError | TargetError):
        return True
    if isinstance(error, TransportError):
        return not error.transient
    return action.kind == "start" and isinstance(error, RequestRejectedError | UntrustedUrlError)


def _is_outage(error: KhorosError) -> bool:
    """Return whether a poll that failed so says nothing about the export."""
    if isinstance(error, RequestRejectedError | UntrustedUrlError):
        return False
    return isinstance(error, TransportError | ApiError | JobTimeoutError)
