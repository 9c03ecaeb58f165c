"""Which columns a company's report has: asked of the server by the smallest export that tells, and then remembered."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from .._checks import as_flag, as_seconds, checked
from .._clock import Clock, Deadline
from .._journal.known_columns import read_columns, write_columns
from .._protocol.arguments import ExportRequest, encode
from ..reports import Kind, Parameter, Report
from .columns import Columns, examine, from_json, to_json
from .file import JobFile
from .job import Job
from .remote import DEFAULT_TIMEOUT, Account
from .start import start_export

__all__ = ["find_columns", "known_names"]

REMEMBERED = timedelta(days=1)
"""How long it is taken for granted that a company's columns are the same."""

_WINDOWS = (timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=30))
"""How far back it is looked for rows; the next one only where the one before has none."""
_HOUR_MS = 3_600_000
_MILLISECOND = timedelta(milliseconds=1)

_Found = dict[tuple[str, str], tuple[Columns, bool]]

_found: _Found = {}


def find_columns(
    account: Account, report: Report, timezone: ZoneInfo | None, *, examples: object, fresh: object, timeout: object
) -> Columns:
    """Return the columns of a report, as they were found within a day, else by new exports."""
    with_examples = bool(checked(f"{report.name}: examples", as_flag, examples))
    anew = bool(checked(f"{report.name}: fresh", as_flag, fresh))
    seconds = DEFAULT_TIMEOUT if timeout is None else checked("timeout", as_seconds, timeout)
    remembered = None if anew else _remembered(account, report.name, examples=with_examples)
    if remembered is not None:
        return remembered
    deadline = account.transport.deadline(seconds)
    end_ms = int(account.transport.clock.time() * 1000) // _HOUR_MS * _HOUR_MS
    columns = Columns()
    for length in _WINDOWS:
        request = _request(report, end_ms, length, timezone)
        columns = _export(account, request, deadline, examples=with_examples, fresh=anew)
        if columns.rows:
            break
    _remember(account, columns, examples=with_examples)
    return columns


def known_names(account: Account, report: str) -> tuple[str, ...]:
    """Return the names of a report's columns, as far as they were ever found. Nothing is asked of the server."""
    found = _last(account, report)
    return found[0].names if found else ()


def _request(report: Report, end_ms: int, length: timedelta, timezone: ZoneInfo | None) -> ExportRequest:
    needed = {row.name: _needed(row, length) for row in report.parameters if row.name in report.required}
    return encode(report, end_ms - length // _MILLISECOND, end_ms, needed, timezone=timezone)


def _needed(row: Parameter, length: timedelta) -> timedelta:
    """Return a value for a parameter that has to be given: an interval that the API takes for a window of any length.

    For a week it takes 8 or 12 hours or a day, for a month a day or a week.
    """
    if row.kind is not Kind.MILLISECONDS:
        raise NotImplementedError(f"{row.name}: no value is known that suits everybody")
    return min(length, timedelta(days=1))


def _export(account: Account, request: ExportRequest, deadline: Deadline, *, examples: bool, fresh: bool) -> Columns:
    remote = start_export(account, request, fresh=fresh, progress=account.progress)
    with remote.errors_about(Job(remote)):
        file = JobFile(remote, account.progress).open(None, deadline)
        try:
            now = account.transport.clock.time()
            return examine(file.path, request.report.name, request.window, now, examples=examples)
        finally:
            file.close()


# --- remembering -----------------------------------------------------------------------------------------------------


def _memory(clock: Clock) -> _Found:
    """Return what this process found. What was found on another clock than the machine's lives as long as that one."""
    memory: _Found = _found if type(clock) is Clock else vars(clock).setdefault("_columns", {})
    return memory


def _last(account: Account, report: str) -> tuple[Columns, bool] | None:
    """Return what was found last, in this process or another, and whether it has all examples."""
    here = _memory(account.transport.clock).get((account.id, report))
    if account.journal is None or (here and _is_recent(account, here[0])):
        return here
    stored = read_columns(account.journal, report)
    columns = from_json(report, *stored) if stored else None
    if columns is None or (here and here[0].found_at >= columns.found_at):
        return here
    return columns, False


def _is_recent(account: Account, columns: Columns) -> bool:
    age = account.transport.clock.time() - columns.found_at.timestamp()
    return 0 <= age < REMEMBERED.total_seconds()


def _remembered(account: Account, report: str, *, examples: bool) -> Columns | None:
    columns, has_all_examples = _last(account, report) or (None, False)
    if columns is None or not _is_recent(account, columns) or (examples and not has_all_examples):
        return None
    return columns if examples else columns.without_personal_examples()


def _remember(account: Account, columns: Columns, *, examples: bool) -> None:
    if not columns:
        return
    clock = account.transport.clock
    _memory(clock)[(account.id, columns.report)] = (columns, examples)
    if account.journal is not None:
        write_columns(account.journal, columns.report, columns.found_at.timestamp(), to_json(columns))
