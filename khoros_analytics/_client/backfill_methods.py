"""The methods of ``Client`` that export a long range, window by window."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from .._backfill.fetchers import Mandate
from .._backfill.plan import Plan
from .._backfill.result import BackfillProgress, BackfillResult
from .._backfill.run import Question, ask
from .._checks import as_flag, checked
from .._jobs.remote import Account
from .._protocol.advice import advice_for
from .._secrecy import Hidden, emptied_frames
from ..errors import KhorosError
from ..times import Moment
from .account import account_of_environment
from .settings import Settings

__all__ = ["BackfillMethods"]


class BackfillMethods:
    """The methods of a client that export a long range, window by window."""

    _account: Account
    _settings: Settings

    def plan(
        self,
        name: str,
        start: Moment,
        end: Moment,
        *,
        every: str | timedelta | None = None,
        to: str | os.PathLike[str],
        timezone: str | ZoneInfo | None = None,
        settle: str | timedelta = "1 hour",
        refresh: str | timedelta | None = None,
        save_as: str = "parquet",
        replace: bool = False,
        storage_options: Mapping[str, Any] | None = None,
        **arguments: object,
    ) -> Plan:
        """Show what :meth:`backfill` would do with the same arguments. Nothing is sent and nothing is written.

        Args:
            name: As for :meth:`backfill`, and so are all others.
            start: The first moment of the range.
            end: The moment at which the range ends, or ``"now"``.
            every: How long each window is.
            to: The folder or URL of the dataset.
            timezone: The zone in which windows are cut.
            settle: How long after its end a window is left alone, where the range ends now.
            refresh: How far back windows are exported anew.
            save_as: The format of the files.
            replace: Whether a dataset with other arguments would be begun anew.
            storage_options: What fsspec needs for a URL.
            **arguments: The keywords of the report's method.

        Returns:
            The plan, which a notebook shows as a table.

        Raises:
            ParameterError: An argument cannot be used.
            TargetError: The place cannot be read, holds other files, or a backfill with other arguments.

        Example:
            >>> client.plan("conversation", "2019-02-01", "2019-03-01", every="1 day", to="conversations").requests
            84
        """
        hidden = Hidden((storage_options, arguments))
        del storage_options, arguments
        with self._asking(
            name,
            start,
            end,
            hidden,
            every=every,
            to=to,
            timezone=timezone,
            settle=settle,
            refresh=refresh,
            save_as=save_as,
        ) as question:
            return question.plan_now(replace=checked("replace", as_flag, replace))

    def backfill(
        self,
        name: str,
        start: Moment,
        end: Moment,
        *,
        every: str | timedelta | None = None,
        to: str | os.PathLike[str],
        timezone: str | ZoneInfo | None = None,
        settle: str | timedelta = "1 hour",
        refresh: str | timedelta | None = None,
        save_as: str = "parquet",
        max_active: int | Literal["auto"] = "auto",
        attempts: int = 3,
        retry_uncertain: bool = False,
        replace: bool = False,
        verify: bool = False,
        executor: Executor | None = None,
        storage_options: Mapping[str, Any] | None = None,
        on_update: Callable[[BackfillProgress], object] | None = None,
        timeout: float | None = None,
        **arguments: object,
    ) -> BackfillResult:
        """Export a long range, window by window, into one dataset that every engine reads.

        Each window lands once, whole or not at all. Call it again after an interruption, from cron, or on another
        machine: it goes on with what is there.

        Args:
            name: The report's name on the wire, such as ``"conversation"``.
            start: The first moment of the range: a datetime, a date, ISO 8601 text, or epoch milliseconds.
            end: The moment at which the range ends; it is not part of it. ``"now"`` is the end of the last window that
                has been over for ``settle``.
            every: How long each window is: ``"6 hours"``, ``"1 day"``, ``"1 week"``, ``"1 month"``, or a timedelta.
            to: The folder of the dataset, or a URL that fsspec knows, such as ``"s3://bucket/conversations"``.
            timezone: The zone whose calendar cuts the windows; the client's, or UTC, when not given.
            settle: How long rows of a window can still change after its end.
            refresh: Windows that ended within this time are exported anew, such as ``"3 days"``.
            save_as: ``"parquet"``, ``"csv"`` or ``"json"``.
            max_active: How many exports may run at once; ``"auto"`` finds out what the server bears.
            attempts: How many exports a window may take.
            retry_uncertain: Whether a window is exported again at once if its export may have been started already.
            replace: Whether a dataset of other arguments is begun anew.
            verify: Whether all files are read to find those that somebody changed; they are exported anew.
            executor: Whoever fetches, converts and writes the files, in place of two threads: any
                ``concurrent.futures.Executor``. Its workers get signed links, and no credentials; ``to`` has to be a
                place that they all see.
            storage_options: What fsspec needs for a URL.
            on_update: Is called with the progress after each step.
            timeout: How long all of it may take, in seconds; no limit when not given.
            **arguments: The keywords of the report's method.

        Returns:
            What landed, was there already, and failed.

        Raises:
            ParameterError: An argument cannot be used.
            TargetError: The place cannot be used, is being worked on, or holds something else.
            KhorosError: What would meet every window; its ``result`` holds what had landed.

        Example:
            >>> result = client.backfill(
            ...     "conversation", "2019-02-01", "2019-02-08", every="1 day", to="conversations"
            ... )
            >>> len(result.landed)
            7
        """
        hidden = Hidden((storage_options, arguments))
        del storage_options, arguments
        with self._asking(
            name,
            start,
            end,
            hidden,
            every=every,
            to=to,
            timezone=timezone,
            settle=settle,
            refresh=refresh,
            save_as=save_as,
        ) as question:
            return question.run(
                max_active=max_active,
                attempts=attempts,
                retry_uncertain=retry_uncertain,
                replace=replace,
                verify=verify,
                executor=executor,
                mandate=Mandate(account_of_environment, self._settings.for_workers()),
                on_update=on_update,
                timeout=timeout,
            )

    @contextmanager
    def _asking(self, name: str, start: Moment, end: Moment, hidden: Hidden[Any], **wanted: Any) -> Iterator[Question]:
        """Check what a backfill is to be; errors of the block say what to do, and show no variables."""
        settings = self._settings
        with emptied_frames():
            try:
                yield ask(
                    self._account,
                    name,
                    start,
                    end,
                    client_zone=settings.timezone,
                    requests_per_minute=settings.requests_per_minute,
                    storage_options=hidden.reveal()[0],
                    arguments=hidden.reveal()[1],
                    **wanted,
                )
            except KhorosError as error:
                error.add_advice(advice_for(error))
                raise
