"""From a caller's arguments to a plan, and from a plan to a dataset."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from attrs import evolve, frozen

from .._checks import as_count, as_flag, as_seconds, checked, did_you_mean
from .._clock import Deadline
from .._frames.read import require
from .._jobs.find_columns import known_names
from .._jobs.remote import Account
from .._protocol.arguments import ExportRequest, encode, find_report, to_json
from .._storage.folder import Folder, open_folder
from .._storage.lease import hold_lease
from ..errors import ParameterError, TargetError
from ..times import Moment, Step, Window, cut_window, parse_span, parse_step, parse_zone
from .dataset import LEASE, Contents, DatasetFiles
from .driver import Backfill, Settings
from .fetchers import ExecutorFetcher, Mandate, ThreadFetcher
from .plan import Plan, PlannedWindow, make_plan
from .records import Identity, SaveAs, is_by_date
from .result import BackfillProgress, BackfillResult
from .scheduler import MAX_ACTIVE
from .schema import SchemaKeeper
from .watch import watched

__all__ = ["Question", "ask"]

_MOST_WINDOWS = 100_000
_DAY_MS = 86_400_000


@frozen(kw_only=True)
class Question:
    """What a caller wants, checked.

    Attributes:
        account: Who asks.
        base: The request for all of the range; each window's differs in its window alone.
        step: How long windows are.
        cut: The windows.
        folder: Where the dataset is.
        save_as: The format of its files.
        refresh_from: Windows that end later than this are exported anew, in epoch milliseconds; None for none.
        requests_per_minute: The quota.
    """

    account: Account
    base: ExportRequest
    step: Step
    cut: tuple[Window, ...]
    folder: Folder
    save_as: SaveAs
    refresh_from: int | None
    requests_per_minute: int

    @property
    def identity(self) -> Identity:
        """What the dataset is, or will be."""
        return Identity(
            report=self.base.report.name,
            account=self.account.id,
            arguments=to_json(self.base.arguments),
            zone=self.base.window.zone,
            every=str(self.step),
            save_as=self.save_as,
            by_date=is_by_date(self.step, self.base.window),
        )

    def plan(self, dataset: DatasetFiles | None, contents: Contents) -> Plan:
        """Compare the windows with what the dataset holds."""
        return make_plan(
            report=self.base.report.name,
            to=str(self.folder),
            windows=self.cut,
            by_date=self.identity.by_date,
            dataset=dataset,
            contents=contents,
            refresh_from=self.refresh_from,
            requests_per_minute=self.requests_per_minute,
        )

    def plan_now(self, *, replace: bool = False) -> Plan:
        """Return what a run would do, without a request and without a change."""
        dataset = DatasetFiles.find(self.folder)
        if dataset is None:
            return self.plan(None, Contents())
        dataset.check_same(self.identity, replace=replace)
        if dataset.identity.differences(self.identity):
            return self.plan(None, Contents())
        return self.plan(dataset, dataset.contents())

    def request(self, planned: PlannedWindow) -> ExportRequest:
        """Return the request for one window."""
        return evolve(self.base, window=planned.window)

    def run(
        self,
        *,
        max_active: object,
        attempts: object,
        retry_uncertain: object,
        replace: object,
        verify: object,
        executor: Executor | None,
        mandate: Mandate,
        on_update: Callable[[BackfillProgress], object] | None,
        timeout: object,
    ) -> BackfillResult:
        """Check what is asked for, and land what is missing."""
        replaces, verifies = checked("replace", as_flag, replace), checked("verify", as_flag, verify)
        if on_update is not None and not callable(on_update):
            raise ParameterError(f"on_update: {on_update!r} is not a function")
        if executor is not None and not isinstance(executor, Executor):
            raise ParameterError(f"executor: {executor!r} is not a concurrent.futures.Executor")
        settings = Settings(
            max_active=MAX_ACTIVE if max_active == "auto" else checked("max_active", as_count, max_active),
            attempts=checked("attempts", as_count, attempts),
            retry_uncertain=checked("retry_uncertain", as_flag, retry_uncertain),
            on_update=on_update,
            deadline=self._deadline(timeout),
        )
        if self.save_as == "parquet":
            require("arrow")
        self._check_size()
        self._check_place(replace=replaces)
        self.folder.check()
        clock = self.account.transport.clock
        files = ThreadFetcher(clock) if executor is None else ExecutorFetcher(executor, mandate)
        return self._land(files, settings, replace=replaces, verify=verifies)

    def _land(
        self, files: ThreadFetcher | ExecutorFetcher, settings: Settings, *, replace: bool, verify: bool
    ) -> BackfillResult:
        """Take the lease, tidy up what a kill left, and land what is missing."""
        clock, report = self.account.transport.clock, self.base.report.name
        with (
            watched(report, str(self.folder), clock, self.account.progress) as watch,
            hold_lease(self.folder, LEASE) as check_lease,
            files as fetcher,
        ):
            dataset = DatasetFiles.open_or_create(self.folder, self.identity, replace=replace)
            dataset.recover()
            contents = dataset.contents()
            dataset.remove_leftovers(contents)
            if verify:
                contents.damaged |= set(dataset.changed(contents.lines.values()))
            self._check_damage(contents, verify=verify)
            watch.backfill = Backfill(
                self.account,
                self.plan(dataset, contents),
                dataset,
                contents,
                self.request,
                fetcher=fetcher,
                schema=SchemaKeeper(dataset, contents.lines.values()),
                settings=settings,
                check_lease=check_lease,
            )
            watch.result = watch.backfill.run()
        return watch.result

    def _deadline(self, timeout: object) -> Deadline | None:
        if timeout is None:
            return None
        return self.account.transport.deadline(checked("timeout", as_seconds, timeout))

    def _check_place(self, *, replace: bool) -> None:
        """Find out whether the dataset can go there before anything, the lease included, is put there."""
        there = DatasetFiles.find(self.folder)
        if there is not None:
            there.check_same(self.identity, replace=replace)

    def _check_size(self) -> None:
        if len(self.cut) > _MOST_WINDOWS:
            time = timedelta(minutes=len(self.cut) * 3 / self.requests_per_minute)
            raise ParameterError(
                f"every: {len(self.cut):,} windows of {self.step} would take at least {time.days} days at the quota",
                advice=(
                    f"give a coarser every, or ranges of up to {_MOST_WINDOWS:,} windows; client.plan(...) lists them"
                ),
            )

    def _check_damage(self, contents: Contents, *, verify: bool) -> None:
        if contents.damaged and not verify:
            names = sorted(contents.damaged)
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            raise TargetError(
                f"{self.folder}: the files of the windows {', '.join(names[:5])}{more} are gone or changed since they "
                "landed",
                advice="call again with verify=True, which exports them anew",
            )


def ask(
    account: Account,
    name: str,
    start: Moment,
    end: Moment,
    *,
    every: str | timedelta | None,
    to: str | os.PathLike[str],
    timezone: str | ZoneInfo | None,
    client_zone: ZoneInfo | None,
    settle: str | timedelta,
    refresh: str | timedelta | None,
    save_as: str,
    storage_options: Mapping[str, Any] | None,
    requests_per_minute: int,
    arguments: Mapping[str, object],
) -> Question:
    """Check what a caller wants; an error of the tree names what cannot be used, before anything is sent or written."""
    report = find_report(name)
    step = checked("every", parse_step, every)
    zone = checked("timezone", parse_zone, timezone or client_zone or "UTC")
    now_ms = round(account.transport.clock.time() * 1000)
    save = checked("save_as", _as_format, save_as)
    given = {**_with_format(arguments, save), **_with_zone(report.parameters, timezone)}
    settled = now_ms - _milliseconds("settle", settle)
    last: Moment = settled if end == "now" else end
    columns = known_names(account, report.name) if given.get("metrics") else ()
    base = encode(report, start, last, given, timezone=client_zone, columns=columns)
    account.transport.refuse_secrets(report.name, base.pairs)
    base = evolve(base, window=evolve(base.window, zone=zone.key))
    return Question(
        account=account,
        base=base,
        step=step,
        cut=_cut(base.window, step, settled if end == "now" else None),
        folder=open_folder(to, storage_options),
        save_as=save,
        refresh_from=None
        if refresh is None
        else now_ms - checked("refresh", parse_span, refresh) // timedelta(milliseconds=1),
        requests_per_minute=requests_per_minute,
    )


def _cut(whole: Window, step: Step, settled: int | None) -> tuple[Window, ...]:
    """Return the windows; with ``settled``, only those that ended by then."""
    if settled is not None:
        # One step more, so that the last one that is over is as long as the others.
        more = (step.months * 31 + step.days) * _DAY_MS + step.milliseconds + _DAY_MS
        whole = evolve(whole, end_ms=whole.end_ms + more)
    try:
        cut = cut_window(whole, step)
    except ValueError as error:
        raise ParameterError(f"every: {error}") from None
    return cut if settled is None else tuple(window for window in cut if window.end_ms <= settled)


def _milliseconds(name: str, span: str | timedelta) -> int:
    return checked(name, parse_span, span) // timedelta(milliseconds=1)


def _as_format(value: object) -> SaveAs:
    known = {"parquet": "parquet", "csv": "csv", "json": "json"}
    if not isinstance(value, str) or value not in known:
        raise ValueError(
            f"{value!r} is not a format of files{did_you_mean(value, known) or '; they are ' + ', '.join(known)}"
        )
    return cast("SaveAs", value)


def _with_format(arguments: Mapping[str, object], save_as: SaveAs) -> dict[str, object]:
    """Return the arguments with the format in which the server is to write."""
    asked = arguments.get("format")
    if save_as != "parquet" and asked not in (None, save_as):
        raise ParameterError(f"format: {asked!r} cannot be saved as {save_as}; leave one of the two out")
    return {**arguments, "format": asked or ("csv" if save_as == "parquet" else save_as)}


def _with_zone(parameters: Any, timezone: str | ZoneInfo | None) -> dict[str, object]:
    """Return the zone as an argument of the report, where it was given and the report has it."""
    has_zone = any(row.name == "timezone" for row in parameters)
    return {"timezone": timezone} if timezone is not None and has_zone else {}
