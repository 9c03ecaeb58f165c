"""Arguments that look like a mistake, but may be meant: they are sent as given, with a warning in the log."""

import logging
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from .._checks import close_matches
from ..reports import Report
from ..times import Window, parse_zone
from .encoding import Pairs

__all__ = ["disagreeing_offset", "similar_metric", "warn_of_likely_mistakes"]

log = logging.getLogger("khoros_analytics")

_LONG_WORD = 8
_SHORTEST_MISTYPED_WORD = 4  # among shorter ones, such as tar and tag, one letter makes another word


def warn_of_likely_mistakes(
    report: Report, window: Window, arguments: Mapping[str, object], pairs: Pairs, columns: Collection[str] = ()
) -> None:
    """Say in the log what looks like a mistake in a request that is about to be sent.

    ``columns`` are those that the company is known to have.
    """
    extra = {"khoros_report": report.name}
    metrics = arguments.get("metrics")
    for given in metrics if isinstance(metrics, list) else []:
        if near := similar_metric(report, given, columns):
            log.warning(
                "%s: metrics: %r is sent as given, but it is not a metric that is known; did you mean %r?",
                *(report.name, given, near),
                extra=extra,
            )
    if found := disagreeing_offset(window, dict(pairs)):
        log.warning(
            "%s: timezone: %s is %s from UTC at the start of the window, but timezone_offset says %s; both are sent: "
            "leave one of them out",
            *(report.name, *found),
            extra=extra,
        )


# --- metrics ---------------------------------------------------------------------------------------------------------


def similar_metric(report: Report, given: str, columns: Collection[str] = ()) -> str | None:
    """Return the metric that is probably meant by an unknown name; None for a known one, and for one that is like none.

    Names that differ by a word are different metrics: the server knows more of them than this library does. What the
    company's columns are called goes before what the table calls them.
    """
    if given in columns or any(given == metric.name for metric in report.metrics):
        return None
    known = {name: metric.name for metric in report.metrics for name in (metric.name, metric.label) if name}
    known |= {name: name for name in columns}
    alike = {name: meant for name, meant in known.items() if _is_alike(_words(given), _words(name))}
    return next(iter(close_matches(given, alike, cutoff=0.0)), None)


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", name.lower())


def _is_alike(given: list[str], known: list[str]) -> bool:
    if "".join(given) == "".join(known):
        return True
    return len(given) == len(known) and all(map(_is_mistyped, given, known))


def _is_mistyped(given: str, known: str) -> bool:
    """Return whether a word is the same, its plural or singular, or different by a slip of the fingers."""
    if given == known or given in _plurals(known) or known in _plurals(given):
        return True
    if max(len(given), len(known)) < _SHORTEST_MISTYPED_WORD:
        return False
    slips = _slips(given, known)
    return slips == 1 or (slips == 2 and len(known) >= _LONG_WORD and given[0] == known[0])


def _plurals(word: str) -> Iterator[str]:
    yield from (f"{word}s", f"{word}es", f"{word[:-1]}ies")


def _slips(given: str, known: str) -> int:
    """Return how many letters are missing, too many, wrong, or swapped with the next one."""
    before: list[int] = []
    last = list(range(len(known) + 1))
    for row, letter in enumerate(given, 1):
        current = [row]
        for column, other in enumerate(known, 1):
            least = min(last[column] + 1, current[-1] + 1, last[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == known[column - 2] and given[row - 2] == other:
                least = min(least, before[column - 2] + 1)
            current.append(least)
        before, last = last, current
    return last[-1]


# --- zones -----------------------------------------------------------------------------------------------------------


def disagreeing_offset(window: Window, sent: Mapping[str, str]) -> tuple[str, str, str] | None:
    """Return the zone, its offset at the window's start, and the other one that is sent beside it, if they disagree."""
    with suppress(KeyError, ValueError, OverflowError):
        zone, offset = parse_zone(sent["timezone"]), timedelta(milliseconds=int(sent["timezoneOffset"]))
        of_zone = datetime.fromtimestamp(window.start_ms / 1000, zone).utcoffset() or timedelta()
        if of_zone != offset:
            return zone.key, _as_offset(of_zone), _as_offset(offset)
    return None


def _as_offset(offset: timedelta) -> str:
    minutes, seconds = divmod(abs(offset) // timedelta(seconds=1), 60)
    sign = "-" if offset < timedelta() else "+"
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
