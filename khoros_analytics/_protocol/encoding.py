"""One value at a time: from what a caller writes to its canonical form, and from that to what goes over the wire.

The canonical form is what ``job.arguments`` shows, and what tokens and journals keep: wire names of metrics, ids as
texts, choices as the table spells them. It is a valid argument itself, with the same meaning.
"""

import operator
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import cast
from urllib.parse import unquote_plus
from zoneinfo import ZoneInfo

from .._checks import as_flag, did_you_mean
from ..reports import Kind, Parameter, Report
from ..times import parse_zone

__all__ = ["NOT_KEYWORDS", "Pairs", "canonical", "canonical_extra", "wire_pairs"]

Pairs = tuple[tuple[str, str], ...]
"""Wire names and values, in the order in which they are sent."""

NOT_KEYWORDS = ("company_key", "start", "end")
"""Parameters that every call has in another way than as a keyword."""

_MILLISECOND = timedelta(milliseconds=1)


def canonical(report: Report, row: Parameter, value: object) -> object:
    """Return the canonical form of a keyword's value; a ValueError says what would fit."""
    if row.name == "metrics":
        value = _metric_names(report, value)
    found = _CANONICAL[row.kind](row, value)
    for text in found if isinstance(found, list) else [found]:
        _sendable(text)
    return found


def wire_pairs(report: Report, name: str, value: object) -> Pairs:
    """Return what a keyword in its canonical form puts on the wire, which may be several parameters."""
    rows = [row for row in report.parameters if row.name == name]
    return tuple((row.wire, text) for row in rows for text in _texts(row, value))


def _texts(row: Parameter, value: object) -> list[str]:
    if row.kind is Kind.MILLISECONDS:
        return [str(cast("timedelta", value) // _MILLISECOND)]
    if row.kind is Kind.FLAG:
        return [str(value).lower()]
    if row.kind is Kind.COMMA:
        return [",".join(cast("list[str]", value))]
    if row.sent_as:
        return [row.sent_as[row.choices.index(str(value))]]
    return cast("list[str]", value) if isinstance(value, list) else [str(value)]


def _sendable(text: object) -> object:
    if isinstance(text, str):
        text.encode()  # a lone surrogate is a ValueError here instead of a traceback in the middle of sending
    return text


def _metric_names(report: Report, value: object) -> list[str]:
    by_label = {metric.label: metric.name for metric in report.metrics if metric.label}
    names = []
    for item in _items(value):
        if not isinstance(item, str) or not item.strip():
            raise ValueError(f"{item!r} is not a metric; give its name as text, such as {report.metrics[0].name!r}")
        names.append(by_label.get(item, item))
    return names


def _items(value: object) -> list[object]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return [value]
    items = list(value)
    if not items:
        raise ValueError("an empty list would not narrow the export down; leave the argument out to export everything")
    return items


def _canonical_text(row: Parameter, value: object) -> str:
    return _one_text(value, f"give one text; {row.meaning[0].lower()}{row.meaning[1:]}")


def _one_text(value: object, wanted: str) -> str:
    if isinstance(value, str) and value.strip():
        return value
    if not isinstance(value, bool):
        try:
            return str(operator.index(value))  # type: ignore[arg-type]  # ids may come as numbers, NumPy's included
        except TypeError:
            pass
    raise ValueError(f"{value!r} does not fit; {wanted}")


def _canonical_flag(row: Parameter, value: object) -> bool:  # noqa: ARG001 - one signature for all kinds
    return as_flag(value)


def _canonical_choice(row: Parameter, value: object) -> str:
    return _choice(row, str(value) if isinstance(value, str) or type(value) is int else repr(value))


def _choice(row: Parameter, value: str) -> str:
    by_lower = {choice.lower(): choice for choice in row.choices}
    if value.lower() in by_lower:
        return by_lower[value.lower()]
    hint = did_you_mean(value, {choice: choice for choice in row.choices}, cutoff=0.75)
    raise ValueError(f"{value!r} is not among {', '.join(map(repr, row.choices))}{hint}")


def _canonical_language(row: Parameter, value: object) -> str:
    text = _one_text(value, f"give one of {', '.join(map(repr, row.choices))}")
    _choice(row, text.replace("-", "_").partition("_")[0])
    return text


def _canonical_zone(row: Parameter, value: object) -> str:  # noqa: ARG001 - one signature for all kinds
    return parse_zone(cast("str | ZoneInfo", value)).key


def _canonical_list(row: Parameter, value: object) -> list[str]:
    texts = [_one_text(item, "give ids as texts or whole numbers") for item in _items(value)]
    if row.choices:
        texts = [_choice(row, text) for text in texts]
    return list(dict.fromkeys(texts))


def _canonical_comma_list(row: Parameter, value: object) -> list[str]:
    items = _items(value)
    for item in items:
        if isinstance(item, str) and "," in item:
            raise ValueError(f"{item!r} holds a comma; give a list: {[part.strip() for part in item.split(',')]!r}")
    return _canonical_list(row, items)


def _canonical_duration(row: Parameter, value: object) -> timedelta:
    if not isinstance(value, timedelta):
        raise ValueError(f"{value!r} is not a duration; give a datetime.timedelta, such as timedelta(hours=1)")  # noqa: TRY004
    milliseconds, rest = divmod(value, _MILLISECOND)
    if rest:
        raise ValueError(f"{value} is not a whole number of milliseconds")
    if row.steps and milliseconds <= row.steps[-1] and milliseconds not in row.steps:
        allowed = ", ".join(_duration(step) for step in row.steps)
        raise ValueError(f"{value} is not among {allowed}; only longer ones than the last are free")
    if row.bound and abs(milliseconds) >= row.bound:
        raise ValueError(f"{value} is out of range; it must be less than {_duration(row.bound)}")
    return value


def _duration(milliseconds: int) -> str:
    return str(milliseconds * _MILLISECOND).removesuffix(", 0:00:00")


_CANONICAL: Mapping[Kind, Callable[[Parameter, object], object]] = {
    Kind.TEXT: _canonical_text,
    Kind.FLAG: _canonical_flag,
    Kind.CHOICE: _canonical_choice,
    Kind.LANGUAGE: _canonical_language,
    Kind.ZONE: _canonical_zone,
    Kind.COMMA: _canonical_comma_list,
    Kind.REPEATED: _canonical_list,
    Kind.MILLISECONDS: _canonical_duration,
}


def canonical_extra(extra: object) -> dict[str, list[str]]:
    """Return what the table does not know: wire names, each with the texts that are sent."""
    if not isinstance(extra, Mapping):
        raise ValueError(f"{extra!r} is not a mapping; give {{wire name: value}}")  # noqa: TRY004
    found: dict[str, list[str]] = {}
    for wire, value in extra.items():
        if not isinstance(wire, str) or not wire:
            raise ValueError(f"{wire!r} is not a wire name; give it as text")
        if _is_credential(wire):
            raise ValueError(f"{wire} is a credential; give it to Client(company_key=...) or the like, never to a call")
        found[wire] = [_extra_text(wire, item) for item in _items(value)]
        for text in (wire, *found[wire]):
            _sendable(text)
    return found


_CREDENTIALS = ("companykey", "password", "passwd", "accesstoken", "authorization", "apikey", "secret", "cookie")


def _is_credential(wire: str) -> bool:
    """Return whether a name is one of a secret, in whatever letters, with or without blanks and signs."""
    plain = unicodedata.normalize("NFKC", unquote_plus(unquote_plus(wire))).casefold()
    letters = "".join(filter(str.isalnum, plain))
    return letters in ("token", "pwd", "auth") or any(name in letters for name in _CREDENTIALS)


def _extra_text(wire: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"{wire}={value!r} cannot be sent; give a text, a number, a flag, or a list of them")
