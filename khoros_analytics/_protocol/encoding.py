"""One value at a time: what a caller writes to what the wire carries, by the kind of its parameter, and back."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import cast
from zoneinfo import ZoneInfo

from .._checks import did_you_mean
from ..reports import Kind, Parameter, Report
from ..times import parse_zone

__all__ = ["NOT_KEYWORDS", "Pairs", "decode", "encode_extra", "encode_keyword"]

Pairs = tuple[tuple[str, str], ...]
"""Wire names and values, in the order in which they are sent."""

_WHOLE = r"-?[0-9]{1,13}"
NOT_KEYWORDS = ("company_key", "start", "end")
"""Parameters that every call has in another way than as a keyword."""


def encode_keyword(report: Report, first: Parameter, value: object) -> Pairs:
    """Encode one keyword, which may set several parameters of the wire.

    Args:
        report: The row of the table.
        first: The first of its parameters that the keyword sets.
        value: What the caller gave.

    Raises:
        ValueError: The value does not fit; the message says what does.
    """
    if first.name == "metrics":
        value = _metric_names(report, value)
    rows = [row for row in report.parameters if row.name == first.name]
    return tuple((row.wire, _sendable(text)) for row in rows for text in _ENCODERS[row.kind](row, value))


def _sendable(text: str) -> str:
    text.encode()  # a lone surrogate is a ValueError here instead of a traceback in the middle of sending
    return text


def _metric_names(report: Report, value: object) -> list[str]:
    by_label = {metric.label: metric.name for metric in report.metrics if metric.label}
    names = []
    for item in _items(value):
        if not isinstance(item, str) or not item.strip():
            raise ValueError(f"{item!r} is no metric; give its name as text, such as {report.metrics[0].name!r}")
        names.append(by_label.get(item, item))
    return names


def _items(value: object) -> list[object]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return [value]
    items = list(value)
    if not items:
        raise ValueError("an empty list would not narrow the export down; leave the argument out to export everything")
    return items


def _encode_text(row: Parameter, value: object) -> tuple[str, ...]:
    return (_one_text(value, f"give one text; {row.meaning[0].lower()}{row.meaning[1:]}"),)


def _one_text(value: object, wanted: str) -> str:
    if isinstance(value, str) and value.strip():
        return value
    if not isinstance(value, bool):
        try:
            return str(operator.index(value))  # type: ignore[arg-type]  # ids may come as numbers, NumPy's included
        except TypeError:
            pass
    raise ValueError(f"{value!r} does not fit; {wanted}")


def _encode_flag(row: Parameter, value: object) -> tuple[str, ...]:  # noqa: ARG001 - one signature for all encoders
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is no flag; give True or False")  # noqa: TRY004
    return (str(value).lower(),)


def _encode_choice(row: Parameter, value: object) -> tuple[str, ...]:
    found = _choice(row, str(value) if isinstance(value, str) or type(value) is int else repr(value))
    return (row.sent_as[row.choices.index(found)] if row.sent_as else found,)


def _choice(row: Parameter, value: str) -> str:
    by_lower = {choice.lower(): choice for choice in row.choices}
    if value.lower() in by_lower:
        return by_lower[value.lower()]
    hint = did_you_mean(value, {choice: choice for choice in row.choices}, cutoff=0.75)
    raise ValueError(f"{value!r} is not among {', '.join(map(repr, row.choices))}{hint}")


def _encode_language(row: Parameter, value: object) -> tuple[str, ...]:
    text = _one_text(value, f"give one of {', '.join(map(repr, row.choices))}")
    _choice(row, text.replace("-", "_").partition("_")[0])
    return (text,)


def _encode_zone(row: Parameter, value: object) -> tuple[str, ...]:  # noqa: ARG001 - one signature for all encoders
    return (parse_zone(cast("str | ZoneInfo", value)).key,)


def _encode_repeated(row: Parameter, value: object) -> tuple[str, ...]:
    texts = [_one_text(item, "give ids as texts or whole numbers") for item in _items(value)]
    if row.choices:
        texts = [_choice(row, text) for text in texts]
    return tuple(dict.fromkeys(texts))


def _encode_comma(row: Parameter, value: object) -> tuple[str, ...]:
    items = _items(value)
    for item in items:
        if isinstance(item, str) and "," in item:
            raise ValueError(f"{item!r} holds a comma; give a list: {[part.strip() for part in item.split(',')]!r}")
    return (",".join(_encode_repeated(row, items)),)


def _encode_milliseconds(row: Parameter, value: object) -> tuple[str, ...]:
    if not isinstance(value, timedelta):
        raise ValueError(f"{value!r} is no duration; give a datetime.timedelta, such as timedelta(hours=1)")  # noqa: TRY004
    milliseconds, rest = divmod(value, timedelta(milliseconds=1))
    if rest:
        raise ValueError(f"{value} is no whole number of milliseconds")
    if row.steps and milliseconds <= row.steps[-1] and milliseconds not in row.steps:
        allowed = ", ".join(_duration(step) for step in row.steps)
        raise ValueError(f"{value} is not among {allowed}; only longer ones than the last are free")
    if row.bound and abs(milliseconds) >= row.bound:
        raise ValueError(f"{value} is out of range; it must be less than {_duration(row.bound)}")
    return (str(milliseconds),)


def _duration(milliseconds: int) -> str:
    return str(timedelta(milliseconds=milliseconds)).removesuffix(", 0:00:00")


_ENCODERS: Mapping[Kind, Callable[[Parameter, object], tuple[str, ...]]] = {
    Kind.TEXT: _encode_text,
    Kind.FLAG: _encode_flag,
    Kind.CHOICE: _encode_choice,
    Kind.LANGUAGE: _encode_language,
    Kind.ZONE: _encode_zone,
    Kind.COMMA: _encode_comma,
    Kind.REPEATED: _encode_repeated,
    Kind.MILLISECONDS: _encode_milliseconds,
}


def encode_extra(extra: object) -> Pairs:
    """Encode what the table does not know.

    Args:
        extra: Wire names and their values.

    Raises:
        ValueError: It is no mapping of names to texts, numbers, flags or lists of them, or holds the company key.
    """
    if not isinstance(extra, Mapping):
        raise ValueError(f"{extra!r} is no mapping; give {{wire name: value}}")  # noqa: TRY004
    pairs = []
    for wire, value in extra.items():
        if wire == "companyKey":
            raise ValueError("companyKey is a credential; give it to Client(company_key=...)")
        if not isinstance(wire, str) or not wire:
            raise ValueError(f"{wire!r} is no wire name; give it as text")
        pairs += [(_sendable(wire), _sendable(_extra_text(wire, item))) for item in _items(value)]
    return tuple(pairs)


def _extra_text(wire: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"{wire}={value!r} cannot be sent; give a text, a number, a flag, or a list of them")


def decode(report: Report, pairs: Pairs) -> dict[str, object]:
    """Read wire parameters back into arguments.

    Args:
        report: The row of the table.
        pairs: What was sent.

    Returns:
        The arguments as a caller would write them; what the table cannot read stays under ``extra``, as sent.
    """
    sent: dict[str, list[str]] = {}
    for wire, text in pairs:
        sent.setdefault(wire, []).append(text)
    arguments: dict[str, object] = {}
    for name in dict.fromkeys(row.name for row in report.parameters):
        rows = [row for row in report.parameters if row.name == name]
        readings = [_readings(row, sent[row.wire]) for row in rows if row.wire in sent]
        # Parameters of the wire that one keyword sets mean something only together.
        common = [value for value in readings[0] if all(value in each for each in readings)] if readings else []
        if len(readings) == len(rows) and len(common) == 1:
            for row in rows:
                del sent[row.wire]
            arguments[name] = common[0]
    for name in NOT_KEYWORDS:
        arguments.pop(name, None)
    if sent:
        arguments["extra"] = {wire: texts[0] if len(texts) == 1 else texts for wire, texts in sent.items()}
    return arguments


def _readings(row: Parameter, texts: list[str]) -> list[object]:
    """Return what a caller may have written: one value, several where more than this parameter decides, or none."""
    if row.kind is Kind.REPEATED:
        return [texts]
    if len(texts) > 1:
        return []
    text = texts[0]
    if row.kind is Kind.COMMA:
        return [text.split(",")]
    if row.kind is Kind.MILLISECONDS:
        return [timedelta(milliseconds=int(text))] if re.fullmatch(_WHOLE, text) else []
    if row.kind is Kind.FLAG:
        known: list[tuple[str, object]] = [("true", True), ("false", False)]
    elif row.kind is Kind.CHOICE:
        known = list(zip(row.sent_as or row.choices, row.choices, strict=True))
    else:
        known = [(text, text)]
    return [value for wire, value in known if wire == text]
