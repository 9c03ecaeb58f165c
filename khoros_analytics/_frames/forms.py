"""How the values of a column are written, so that a file's own text can be made of them again."""

# pyarrow makes the functions of its compute module at run time, where no type checker sees them.
# pyright: reportAttributeAccessIssue=false

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from attrs import asdict, frozen

from .arrays import text_array

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "NOTHING",
    "TEXT",
    "Columns",
    "Form",
    "arrow_type_of",
    "candidates",
    "dump_columns",
    "form_metadata",
    "join_columns",
    "load_columns",
    "parse",
    "to_text",
]

Kind = Literal["nothing", "integer", "long", "plain", "repr", "decimals", "boolean", "date", "timestamp", "text"]

_SAFE_DIGITS = 15
"""An integer of so many digits is a float, too, and reads the same as one."""
_MOMENT = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)(?P<between>[T ])(?P<time>\d\d:\d\d(?P<seconds>:\d\d)?)(?:\.(?P<fraction>\d{1,9}))?"
    r"(?P<suffix>Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_UNITS = {0: "s", 3: "ms", 6: "us", 9: "ns"}
_STORED_UNITS = {**_UNITS, 0: "ms"}  # Parquet has no seconds


@frozen
class Form:
    """How the values of one column are written.

    Attributes:
        kind: What they are. Of floats, ``plain`` writes 5 as ``5`` and ``repr`` as ``5.0``; ``long`` is an integer of
            more digits than a float keeps.
        decimals: How many digits follow the point, for ``decimals`` and ``timestamp``.
        pattern: How a moment is written, without its fraction and its offset.
        suffix: How its offset is written: ``Z``, ``+hh:mm``, ``+hhmm``, or not at all.
        zone: The zone in which it is written, a name or an offset.
        spelling: How False and True are written.
    """

    kind: Kind
    decimals: int = 0
    pattern: str = ""
    suffix: str = ""
    zone: str = ""
    spelling: tuple[str, str] = ("false", "true")


NOTHING, TEXT = Form("nothing"), Form("text")
Columns = tuple[tuple[str, Form], ...]
"""The columns of a dataset, in order."""


def dump_columns(columns: Columns) -> str:
    """Write columns down."""
    default = asdict(TEXT)
    rows = [
        [name, {key: value for key, value in asdict(form).items() if key == "kind" or value != default[key]}]
        for name, form in columns
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def load_columns(text: str) -> Columns:
    """Read columns back."""
    return tuple((name, _load(values)) for name, values in json.loads(text))


def _load(values: dict[str, Any]) -> Form:
    spelling = tuple(values.pop("spelling", TEXT.spelling))
    return Form(**values, spelling=spelling)


def join_columns(known: Columns, found: Columns) -> Columns:
    """Return columns that hold the values of both, those first that were known first."""
    forms = dict(known)
    for name, form in found:
        forms[name] = join_forms(forms.get(name, NOTHING), form)
    return tuple(forms.items())


def join_forms(one: Form, other: Form) -> Form:
    """Return a form in which the text of both can be rebuilt."""
    if one == other or other.kind == "nothing":
        return one
    if one.kind == "nothing":
        return other
    kinds = {one.kind, other.kind}
    if kinds == {"integer", "long"}:
        return Form("long")
    if kinds == {"integer", "plain"}:
        return Form("plain")
    return TEXT


def arrow_type_of(form: Form) -> "pa.DataType":
    """Return the type that values of a form have."""
    import pyarrow as pa

    if form.kind == "timestamp":
        zone = None if not form.suffix else form.zone if "/" in form.zone else "UTC"
        return pa.timestamp(_STORED_UNITS[form.decimals], zone)
    types = {
        "integer": pa.int64(),
        "long": pa.int64(),
        "plain": pa.float64(),
        "repr": pa.float64(),
        "decimals": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
    }
    return types.get(form.kind, pa.string())


def candidates(values: Sequence[str], zone: str | None) -> list[Form]:
    """Return the forms that a column's first values may have, the narrowest first; ``zone`` is that of the export."""
    if not values:
        return []
    first = values[0]
    forms = [Form("integer"), Form("long"), Form("plain"), Form("repr"), Form("date")]
    if re.fullmatch(r"-?\d+\.\d{1,15}", first, re.ASCII):
        forms.append(Form("decimals", decimals=len(first.partition(".")[2])))
    for false, true in (("false", "true"), ("False", "True"), ("FALSE", "TRUE")):
        if first in (false, true):
            forms.append(Form("boolean", spelling=(false, true)))
    return forms + _moments(first, zone)


def _moments(text: str, zone: str | None) -> list[Form]:
    found = _MOMENT.fullmatch(text)
    decimals = len(found["fraction"] or "") if found else -1
    if not found or decimals not in _UNITS or (found["fraction"] and not found["seconds"]):
        return []
    pattern = f"%Y-%m-%d{found['between']}%H:%M" + (":%S" if found["seconds"] else "")
    suffix = found["suffix"] or ""
    if suffix in ("", "Z"):
        return [Form("timestamp", decimals, pattern, suffix, "UTC" if suffix else "")]
    offset = suffix if ":" in suffix else f"{suffix[:3]}:{suffix[3:]}"
    zones = [zone] if zone and "/" in zone else []
    written = "+hh:mm" if ":" in suffix else "+hhmm"
    return [Form("timestamp", decimals, pattern, written, each) for each in (*zones, offset)]


def parse(values: "pa.ChunkedArray", form: Form) -> "pa.ChunkedArray | None":
    """Return the values of a form, or None where the text could not be rebuilt from them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        parsed = _parsed(values, form)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, OverflowError):
        return None
    if form.kind == "integer" and pc.any(pc.greater(pc.utf8_length(values), _SAFE_DIGITS)).as_py():
        return None
    if pa.types.is_floating(parsed.type) and pc.all(pc.is_finite(parsed)).as_py() is False:
        return None
    if form.kind in ("text", "nothing"):
        return parsed
    again = to_text(parsed, form)
    same = pc.all(pc.equal(again, values)).as_py()
    return parsed if same is not False and again.null_count == values.null_count else None


def _parsed(values: "pa.ChunkedArray", form: Form) -> "pa.ChunkedArray":
    import pyarrow as pa
    import pyarrow.compute as pc

    if form.kind == "boolean":
        false, true = form.spelling
        return pc.if_else(pc.equal(values, true), True, pc.if_else(pc.equal(values, false), False, None))  # noqa: FBT003
    if form.kind == "timestamp":
        zone = "UTC" if form.suffix else None
        return values.cast(pa.timestamp(_STORED_UNITS[form.decimals], zone)).cast(arrow_type_of(form))
    return values.cast(arrow_type_of(form))


def to_text(values: "pa.ChunkedArray", form: Form) -> "pa.ChunkedArray":
    """Return values as the export wrote them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if form.kind == "boolean":
        return pc.if_else(values, form.spelling[1], form.spelling[0])
    if form.kind == "timestamp":
        return _moments_as_text(values, form)
    if form.kind in ("plain", "repr", "decimals"):
        return pa.chunked_array([_floats_as_text(chunk, form) for chunk in values.chunks], pa.string())
    return values.cast(pa.string())


def _floats_as_text(values: "pa.Array", form: Form) -> "pa.Array":
    if form.kind == "decimals":
        texts = [None if value is None else f"{value:.{form.decimals}f}" for value in values.to_pylist()]
    else:
        texts = [None if value is None else repr(value) for value in values.to_pylist()]
    if form.kind == "plain":
        texts = [text.removesuffix(".0") if text else None for text in texts]
    return text_array(texts)


def _moments_as_text(values: "pa.ChunkedArray", form: Form) -> "pa.ChunkedArray":
    import pyarrow as pa
    import pyarrow.compute as pc

    values = values.cast(pa.timestamp(_UNITS[form.decimals], form.zone if form.suffix else None))
    if form.suffix in ("", "Z"):
        return pc.strftime(values, form.pattern + form.suffix)
    text = pc.strftime(values, f"{form.pattern}%z")
    if form.suffix == "+hh:mm":
        text = pc.replace_substring_regex(text, r"(\d\d)$", r":\1")
    return text


def form_metadata(form: Form) -> dict[str, str]:
    """Return what a field of a schema says of its form."""
    return {"khoros_analytics.form": json.dumps(asdict(form), separators=(",", ":"))}
