"""``Client``: the account, and one method per report."""

import math
import os
from collections.abc import Mapping
from datetime import timedelta
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

from .._checks import as_count, as_flag, checked
from .._clock import Clock
from .._http.credentials import Secret, find_credentials
from .._http.history import History
from .._http.transport import Session
from .._jobs.columns import Columns
from .._jobs.find_columns import find_columns, known_names
from .._jobs.job import Job
from .._jobs.start import find_job, start_export
from .._jobs.watch_call import watched_call
from .._journal.entries import as_state
from .._journal.listing import Jobs, list_jobs
from .._protocol.advice import advice_for
from .._protocol.arguments import encode, find_report
from .._protocol.lookups import Team, TimeZone, lookup_call, parse_rows
from .._protocol.messages import Call
from .._secrecy import Hidden, emptied_frames, unfinished
from .._tables import Table, as_html
from ..errors import ConfigurationError, KhorosError
from ..reports import REPORTS, REQUESTS_PER_MINUTE, Reports
from ..times import Moment, parse_moment
from .account import open_account
from .backfill_methods import BackfillMethods
from .lookups import Teams, TimeZones
from .profiles import load_profile
from .report_methods import ReportMethods
from .settings import Settings, check_session, choose_url

__all__ = ["Client"]

T = TypeVar("T", Team, TimeZone)


class Client(ReportMethods, BackfillMethods):
    """An account of the Analytics Reports API, with one method per report.

    Safe for threads: share one among as many as you like. All clients of one account in a process share its quota. It
    opens no connection before the first call; use it as a context manager, or :meth:`close` it.

    What is omitted comes from the environment: ``KHOROS_ANALYTICS_USERNAME``, ``KHOROS_ANALYTICS_PASSWORD``,
    ``KHOROS_ANALYTICS_COMPANY_KEY``, ``KHOROS_ANALYTICS_REGION``, ``KHOROS_ANALYTICS_URL``; else from a profile, which
    is a part of the file ``~/.config/khoros_analytics/config.toml``; else from the keyring. An argument beats the
    environment, the environment beats the profile, the profile beats the keyring; and where one of them names both, a
    URL beats a region.

    Args:
        username: The API user (HTTP Basic, with the password). This and the next two may each be a text, or a function
            without arguments that returns it; it is called once, here.
        password: The API user's password; any Unicode text.
        company_key: The company's key, as the vendor's Analytics API Settings show it.
        region: ``"us"`` or ``"emea"``, for the vendor's own base URLs; ``"us"`` when nothing says otherwise.
        base_url: The API's address where it is another one; https, or http on this machine.
        timezone: The IANA zone in which calls without one of their own read ``start`` and ``end``, and have the dates
            of the export written; UTC, and the server's own way of writing dates, when not given.
        requests_per_minute: The quota; the vendor documents 20 for the whole API.
        timeout: The seconds for one connect and for one read; one number is for both.
        request_deadline: The seconds for one call with all its repetitions and waits.
        retries: How often a call is repeated, where that is safe.
        journal: A file in which every export is written down, so that a later run finds it again instead of starting
            it twice; see :meth:`jobs`. It holds no secret, and is readable by its owner alone. Clients that have the
            same one share one count of requests, in whatever process.
        journal_keep: How long the journal keeps its lines: a text such as ``"90 days"`` or ``"12 hours"``, a
            ``timedelta``, or None for ever. An export that can still be fetched stays longer.
        session: A ``requests.Session`` of your own, with its proxies, certificates and adapters. It stays open.
        clock: What reads time and sleeps; for tests.
        max_bytes: How large a downloaded file may be, in bytes; no limit when not given.
        keyring: The service of the system's keyring in which what neither an argument nor the environment gives is
            looked up, under the names ``username``, ``password`` and ``company_key``. Needs the extra ``keyring``.
        profile: The name of a profile, for what neither an argument nor the environment gives; the one that the
            variable ``KHOROS_ANALYTICS_PROFILE`` names, when not given. Where neither names one, it is the profile
            ``default``, if there is one, unless a credential or ``base_url`` is given as an argument.
        progress: Whether a call that waits shows how it stands: a card in a notebook, a line on a terminal (standard
            error; needs the extra ``progress``). False shows nothing, True also writes to where nobody seems to look,
            and None shows it where somebody does.

    Raises:
        ConfigurationError: Something is missing or cannot be used; the message names the argument and the variable.
            Or others can write to the file of the profiles, or read a password in it.
        ImportError: A keyring was named, and the extra ``keyring`` is not installed; or ``progress=True`` outside of a
            notebook, and the extra ``progress`` is not.

    Example:
        >>> client = Client("analyst", "a secret", "a key", region="emea")
        >>> client
        <Client analyst at https://analytics-api-emea.app.lithium.com>
    """

    def __init__(
        self,
        username: Secret | None = None,
        password: Secret | None = None,
        company_key: Secret | None = None,
        *,
        region: str | None = None,
        base_url: str | None = None,
        timezone: str | ZoneInfo | None = None,
        requests_per_minute: int = REQUESTS_PER_MINUTE,
        timeout: float | tuple[float, float] = (10, 60),
        request_deadline: float = 300,
        retries: int = 5,
        journal: str | os.PathLike[str] | None = None,
        journal_keep: str | timedelta | None = "90 days",
        session: Session | None = None,
        clock: Clock | None = None,
        max_bytes: int | None = None,
        keyring: str | None = None,
        profile: str | None = None,
        progress: bool | None = None,
    ) -> None:
        # A pickle holds no credentials, so only a client that finds them in its environment can come back from one.
        from_environment = (username, password, company_key) == (None, None, None)
        self._can_be_pickled = from_environment and session is None and (clock is None or type(clock) is Clock)
        # No frame holds them from here on: where a client cannot be made, some tracebacks show variables.
        given = {"username": Hidden(username), "password": Hidden(password), "company_key": Hidden(company_key)}
        address = Hidden(base_url)
        del username, password, company_key, base_url
        with emptied_frames():
            named = load_profile(profile, use_default=from_environment and address.reveal() is None)
            keyring = keyring if keyring is not None else named.get("keyring")
            credentials = find_credentials(given, named.values, keyring)
            self._settings = Settings.check(
                base_url=choose_url(address, region, named)[0],
                timezone=timezone if timezone is not None else named.get("timezone"),
                requests_per_minute=requests_per_minute,
                timeout=timeout,
                request_deadline=request_deadline,
                retries=retries,
                journal=journal if journal is not None else named.get("journal"),
                journal_keep=journal_keep,
                max_bytes=max_bytes,
                keyring=keyring,
                progress=progress,
                profile=named.name,
            )
            if not isinstance(clock, Clock | None):
                raise ConfigurationError(f"clock must be a Clock, not {type(clock).__name__}")
            self._username = credentials.username
            self._account = open_account(self._settings, credentials, clock or Clock(), check_session(session))
            self._transport = self._account.transport

    @unfinished
    def __repr__(self) -> str:
        return f"<Client {self._username} at {self._transport.base}>"

    def _repr_html_(self) -> str:
        """Return a table of its settings, for notebooks; nothing is asked of the server."""
        settings, zone = self._settings, self._settings.timezone
        limit = settings.requests_per_minute
        free = math.floor(self._transport.room().spare * limit)
        rows = (
            ("user", self._username),
            ("address", str(settings.base)),
            ("time zone", zone.key if zone else "UTC"),
            ("quota", f"{limit} requests a minute, {free} of them free now"),
            ("journal", settings.journal or "none"),
            ("reports", f"{len(REPORTS)}; client.reports() shows them"),
        )
        return as_html(Table("Client of the Analytics Reports API", (), rows, len(rows)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._can_be_pickled:
            raise TypeError(
                "a Client is not pickled, since that would write its credentials down; make one in each process, or "
                "give the credentials by the environment (KHOROS_ANALYTICS_USERNAME and so on)"
            )
        return (_from_keywords, (self._settings.keywords(),))

    def close(self) -> None:
        """Close the connections. Jobs that run on the server go on there."""
        if self._account.journal is not None:
            self._account.journal.catch_up()
        self._transport.close()

    def start(self, name: str, start: Moment, end: Moment, **arguments: object) -> Job:
        """Start an export by the name of its report: for programs that decide at run time.

        Args:
            name: The report's name on the wire, such as ``"conversation"``, or its title in the vendor's documentation,
                such as ``"Raw Conversations"``, in any letter case.
            start: The first moment of the window: a datetime, a date, ISO 8601 text, or epoch milliseconds.
            end: The moment at which the window ends; it is not part of it.
            **arguments: The keywords of the report's method.

        Returns:
            The job, whose ``download()`` waits for the file and saves it.

        Raises:
            ParameterError: There is no such report, or arguments are wrong; nothing was sent.
            KhorosError: As for the report's method.

        Example:
            >>> client.start("team_performance", "2019-02-01", "2019-02-02", team_ids=[6222]).arguments
            {'format': 'csv', 'team_ids': ['6222']}
        """
        given = Hidden(arguments)
        del arguments
        with emptied_frames():
            report = find_report(name)
            fresh = given.reveal().pop("fresh", False)
            # Without metrics nobody can have misspelled one.
            columns = known_names(self._account, report.name) if given.reveal().get("metrics") else ()
            request = encode(report, start, end, given.reveal(), timezone=self._settings.timezone, columns=columns)
            checked(f"{report.name}: fresh", as_flag, fresh)
            self._transport.refuse_secrets(report.name, request.pairs)
            progress = self._settings.progress
            return Job(start_export(self._account, request, fresh=bool(fresh), progress=progress))

    def job(self, token: str) -> Job:
        """Find a job again that was started earlier, in this process or another. Nothing is asked of the server yet.

        Args:
            token: What ``job.token`` returned.

        Returns:
            The job, with ``reattached`` set.

        Raises:
            ParameterError: It is not a token, was cut, is of another version, or belongs to another company.

        Example:
            >>> token = client.response("2019-02-01", "2019-02-02").token
            >>> client.job(token).wait().status.detail
            'COMPLETED'
        """
        return Job(find_job(self._account, token))

    def jobs(
        self,
        report: str | None = None,
        state: str | None = None,
        since: Moment | None = None,
        limit: int | None = None,
    ) -> Jobs:
        """List the journal: the exports that were asked for with it, newest first. Programs that write need not wait.

        Args:
            report: Only those of the report with this name or title.
            state: Only those in this state, such as ``"saved"`` or ``"unknown"``.
            since: Only those that were asked for at this moment or later: a datetime, a date, ISO 8601 text, or epoch
                milliseconds.
            limit: At most so many.

        Returns:
            Its lines, which a notebook shows as a table. ``client.job(line.token)`` goes on with one.

        Raises:
            ConfigurationError: This client keeps no journal, or its file cannot be read.
            ParameterError: There is no such report or state, or an argument cannot be used.

        Example:
            >>> with Client(journal="exports.sqlite", **sandbox.settings) as client:
            ...     path = client.author("2019-02-01", "2019-02-02").download()
            ...     client.jobs(report="author", limit=1)[0].state
            'saved'
        """
        journal = self._account.journal
        if journal is None:
            raise ConfigurationError("this client keeps no journal; make it with Client(journal='exports.sqlite')")
        zone = self._settings.timezone or ZoneInfo("UTC")
        entries = journal.entries(
            report=None if report is None else find_report(report).name,
            state=None if state is None else checked("state", as_state, state),
            since=None if since is None else checked("since", lambda value: parse_moment(value, zone), since) / 1000,
        )
        most = None if limit is None else checked("limit", as_count, limit)
        return list_jobs(islice(entries, most), self._account.id)

    def columns(
        self, name: str, *, examples: bool = False, fresh: bool = False, timeout: float | None = None
    ) -> Columns:
        """Find out which columns a report has in this company. The vendor's full list is not public.

        It asks for the smallest export that tells: the last full hour; where that has no row the last day, week, and 30
        days, one after the other. Each takes three requests of the quota, or some more. What was found is remembered
        for a day, by all clients of the account in this process, and with a journal in every process. From then on,
        metrics that are spelled almost as one of these columns are warned of, too.

        Columns that look like personal data, by their name or by one of their values, get no example, unless you ask
        for it; such examples are never written into the journal.

        Args:
            name: The report's name on the wire, such as ``"conversation"``, or its title.
            examples: Whether columns that look like personal data get an example, too.
            fresh: Whether to ask the server even if the columns are known.
            timeout: How long all of it may take, in seconds; 6 hours when not given.

        Returns:
            The columns, in the order of the export, which a notebook shows as a table; no column where the file is
            empty. ``names`` are their names, as ``metrics`` takes them.

        Raises:
            ParameterError: There is no such report, or an argument cannot be used; nothing was sent.
            KhorosError: As for the report's method, and for ``download`` of its job.

        Example:
            >>> columns = client.columns("conversation")
            >>> columns.names[:2], columns[1].type, columns[1].empty
            (('CONVERSATION_ID', 'STATUS'), 'text', 0.0)
        """
        with emptied_frames():
            return find_columns(
                self._account,
                find_report(name),
                self._settings.timezone,
                examples=examples,
                fresh=fresh,
                timeout=timeout,
            )

    def reports(self) -> Reports:
        """List the reports of the API. Nothing is asked of the server.

        Returns:
            The table of reports, by their names, which a notebook shows; a report's own row shows its parameters and
            known columns.

        Example:
            >>> reports = client.reports()
            >>> len(reports), reports["conversation"].title
            (14, 'Raw Conversations')
        """
        return REPORTS

    def teams(self) -> Teams:
        """List the company's teams, for the ``team_ids`` of the reports that take them.

        Returns:
            The teams, in the server's order, which a notebook shows as a table.

        Raises:
            ApiError: The server refuses, or answers with something else.
            TransportError: The server cannot be reached.

        Example:
            >>> client.teams()[0].name
            'North West'
        """
        call = lookup_call(self._transport.base, "the teams", ("teams",))
        return Teams(self._look_up(call, Team))

    def timezones(self, locale: str | None = None) -> TimeZones:
        """List the time zones that the API knows.

        Args:
            locale: The language of their names, such as ``"de"``; the server's own choice when not given.

        Returns:
            The zones, in the server's order, which a notebook shows as a table.

        Raises:
            ApiError: The server refuses, or answers with something else.
            TransportError: The server cannot be reached.

        Example:
            >>> client.timezones()[0].id
            'Etc/GMT+12'
        """
        query = (("locale", locale),) if locale else ()
        call = lookup_call(self._transport.base, "the time zones", ("config", "timezones"), query)
        return TimeZones(self._look_up(call, TimeZone))

    def _look_up(self, call: Call, row: type[T]) -> list[T]:
        history = History(self._transport.clock)
        try:
            with watched_call(self._transport, history, call.subject, progress=self._settings.progress):
                return self._transport.send(call, lambda reply: parse_rows(call, reply, row), None, history)
        except KhorosError as error:
            error.add_subject(call.subject)
            error.add_advice(advice_for(error, single=True))
            error.add_history(history.summary())
            raise


def _from_keywords(keywords: Mapping[str, Any]) -> Client:
    return Client(**keywords)
