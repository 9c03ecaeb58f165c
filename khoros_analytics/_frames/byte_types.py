"""Whether texts are written as a type writes its values, seen from their bytes: many times as fast as by patterns.

What looks good here is good. What does not may be good all the same, and the patterns have to say.
"""

from typing import TYPE_CHECKING

from attrs import frozen

from .column_types import ColumnType
from .spelling import MOST_DIGITS

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

__all__ = ["look_exact"]

_MINUS, _POINT, _ZERO, _NINE = b"-.09"
_LONGEST_INTEGER = 19
_ROWS_AT_ONCE = 64
_DAY = "0000-00-00"
_MOMENT = "0000-00-00 00:00:00"
_DIGITS_OF_SECOND = range(1, 10)


def look_exact(texts: "pa.StringArray", wanted: ColumnType) -> bool:
    """Return whether Arrow makes of each text the value that it says, one that Python has, too, or refuses it.

    False is no answer.
    """
    try:
        import numpy as np  # noqa: F401 - whatever follows needs it
    except ImportError:
        return False
    values = _values(texts)
    if values is None:
        return False
    if wanted.kind == "integer":
        return _are_integers(values)
    if wanted.kind == "float":
        return _are_floats(values)
    if wanted.kind == "date":
        return _have_form(values, _DAY)
    return wanted.kind == "timestamp" and _are_moments(values, wanted)


@frozen
class _Values:
    """Those texts of a column that are not missing, one right behind the other.

    Attributes:
        content: Their bytes.
        begins: Where each value of the column begins; one that is missing begins where the next one does.
        lengths: How many bytes each has; one that is missing has none.
        count: How many are not missing.
    """

    content: "np.ndarray"
    begins: "np.ndarray"
    lengths: "np.ndarray"
    count: int


def _values(texts: "pa.StringArray") -> _Values | None:
    """Return the values of a column; None where one is an empty text, or hides behind one that is missing."""
    import numpy as np

    _, offsets, content = texts.buffers()
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    lengths = bounds[1:] - bounds[:-1]
    count = len(texts) - texts.null_count
    if np.count_nonzero(lengths) != count:
        return None
    return _Values(np.frombuffer(content, np.uint8)[bounds[0] : bounds[-1]], bounds[:-1] - bounds[0], lengths, count)


def _are_integers(values: _Values) -> bool:
    """Return whether they are digits, perhaps behind a minus, with no zero in front; Arrow refuses too large ones."""
    import numpy as np

    content, begins, lengths = values.content, values.begins, values.lengths
    lowest = content.min()
    if content.max() > _NINE or lowest < _MINUS or lengths.max() > _LONGEST_INTEGER:
        return False
    first = content.take(begins, mode="clip")
    if lowest < _ZERO:
        signed = np.flatnonzero((first == _MINUS) & (lengths > 0))
        if np.count_nonzero(content < _ZERO) != len(signed):
            return False
        if lengths[signed].min() == 1 or (content[begins[signed] + 1] == _ZERO).any():
            return False
    return not (lengths[np.flatnonzero(first == _ZERO)] > 1).any()


def _are_floats(values: _Values) -> bool:
    """Return whether each begins and ends with a digit, apart from a minus, and has no zero in front.

    A second point, or a minus in the middle, is refused by Arrow itself.
    """
    import numpy as np

    content, begins, lengths = values.content, values.begins, values.lengths
    if content.max() > _NINE or content.min() < _MINUS or lengths.max() > MOST_DIGITS:
        return False
    if content.take(begins + (lengths - 1), mode="clip").min() < _ZERO:
        return False
    first = content.take(begins, mode="clip")
    if first.min() < _ZERO:
        present = np.flatnonzero(lengths)
        signed = first[present] == _MINUS
        begins, lengths = begins[present] + signed, lengths[present] - signed
        first = content.take(begins, mode="clip")
        if first.min() < _ZERO or not lengths.all():
            return False
    zero = np.flatnonzero(first == _ZERO)
    longer = zero[lengths[zero] > 1]
    return bool((content[begins[longer] + 1] == _POINT).all())


def _are_moments(values: _Values, wanted: ColumnType) -> bool:
    """Return whether all have the same form: date, time, as many digits of a second, and the offset."""
    length = int(values.lengths.max())
    offset = "Z" if wanted.zone == "UTC" else wanted.zone or ""
    fraction = length - len(_MOMENT) - len(offset)
    if fraction and fraction - 1 not in _DIGITS_OF_SECOND:
        return False
    form = _MOMENT + ("." + "0" * (fraction - 1) if fraction else "")
    between = chr(values.content[len(_DAY)])
    return between in " T" and _have_form(values, form.replace(" ", between), offset)


def _have_form(values: _Values, form: str, end: str = "") -> bool:
    """Return whether all are written as a form with digits in the place of its zeros, and the same end."""
    import numpy as np

    length = len(form) + len(end)
    if values.lengths.max() != length or len(values.content) != length * values.count:
        return False
    # From the year 1000 to 8999: so every calendar has it, whatever the offset.
    lowest = np.frombuffer(f"1{form[1:]}{end}".encode(), np.uint8)
    highest = np.frombuffer(f"8{form[1:].replace('0', '9')}{end}".encode(), np.uint8)
    smallest, largest = _bounds(values.content, length)
    return bool((smallest >= lowest).all() and (largest <= highest).all())


def _bounds(content: "np.ndarray", length: int) -> tuple["np.ndarray", "np.ndarray"]:
    """Return the smallest and the largest byte at each place of texts that are so long.

    Many texts are compared at once: numpy is slow with short rows.
    """
    import numpy as np

    several = length * _ROWS_AT_ONCE
    whole = len(content) // several * several
    blocks, rest = content[:whole].reshape(-1, several), content[whole:].reshape(-1, length)
    found = []
    for reduce, worst in ((np.minimum.reduce, 255), (np.maximum.reduce, 0)):
        rows = reduce(blocks, axis=0, initial=worst).reshape(-1, length)
        found.append(reduce(np.concatenate([rows, rest]), axis=0))
    return found[0], found[1]
