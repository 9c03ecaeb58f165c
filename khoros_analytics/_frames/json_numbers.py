"""Numbers in the text of JSON that a float may not hold, found without parsing it."""

from typing import TYPE_CHECKING

from .spelling import MOST_DIGITS

if TYPE_CHECKING:
    import numpy as np

__all__ = ["has_long_numbers", "has_numpy"]

_DIGITS_AFTER_POINT, _DIGITS_BEFORE_POINT = 9, 8
"""So many digits on one side of its point, or so many on the other, has every number of 16 digits with a fraction."""
_EXPONENT_DIGITS = 3
"""So many digits the exponent has of every number that is too large or too small for a float."""
_TEN = 10
_LONGEST = 64
"""Of a number with more characters nothing is known."""
_MOST_SUSPECTS = 2000
"""Where more have to be looked at one by one, it takes longer than to parse the text exactly."""
_CHARACTERS = b"0123456789.eE+-"
_BEFORE, _AFTER = b" \t\r\n:,[", b" \t\r\n,}]"


def has_numpy() -> bool:
    """Return whether numpy is there, which the other functions need."""
    try:
        import numpy as np  # noqa: F401
    except ImportError:
        return False
    return True


def has_long_numbers(text: bytes) -> bool:
    """Return whether a number with a fraction or an exponent may have more than 15 digits, or be too large or small.

    What stands in texts hardly counts: identifiers and versions hold digits, points and the letter e, too.
    """
    import numpy as np

    content = np.frombuffer(text, np.uint8)
    points = np.flatnonzero(content == ord("."))
    marks = _beside(content, np.flatnonzero((content & 0xDF) == ord("E")), -1, 1)
    follows = content.take(marks + 1, mode="clip")
    exponents = marks[(follows == ord("+")) | (follows == ord("-"))] + 1
    suspects = np.concatenate(
        [
            _beside(content, points, 1, _DIGITS_AFTER_POINT),
            _beside(content, points, -1, _DIGITS_BEFORE_POINT),
            _beside(content, marks, -1, MOST_DIGITS + 1),
            _beside(content, marks, 1, _EXPONENT_DIGITS),
            _beside(content, exponents, 1, _EXPONENT_DIGITS),
        ]
    )
    if len(suspects) > _MOST_SUSPECTS:
        return True
    return any(_is_long(text, at) for at in _in_numbers(content, suspects).tolist())


def _beside(content: "np.ndarray", places: "np.ndarray", step: int, count: int) -> "np.ndarray":
    """Return those places that have so many digits beside them, in the direction of the step."""
    # The farthest digit first: it rules out most.
    for distance in range(count, 0, -1):
        # Beyond the ends stands what stands there: a brace. And what comes before 0 wraps around.
        places = places[content.take(places + step * distance, mode="clip") - ord("0") < _TEN]
        if not len(places):
            break
    return places


def _in_numbers(content: "np.ndarray", places: "np.ndarray") -> "np.ndarray":
    """Return those places before which a number may begin: what stands before its first character allows it."""
    import numpy as np

    begins = places.copy()
    of_number, before = np.zeros((2, 256), bool)
    of_number[[*_CHARACTERS]] = before[[*_BEFORE, *_CHARACTERS]] = True
    for _ in range(_LONGEST):
        goes_on = (begins > 0) & of_number[content[begins - 1]]
        if not goes_on.any():
            break
        begins -= goes_on
    inside = (begins == 0) | before[content[begins - 1]]
    return np.compress(inside, places)


def _is_long(text: bytes, at: int) -> bool:
    """Return whether what stands around a place may be a number, and one that a float may not hold."""
    before, after = text[max(0, at - _LONGEST) : at], text[at : at + _LONGEST]
    begin, end = before.rstrip(_CHARACTERS), after.lstrip(_CHARACTERS)
    if not begin or not end:
        return True
    if begin[-1] not in _BEFORE or end[0] not in _AFTER:
        return False
    number = before[len(begin) :] + after[: len(after) - len(end)]
    mantissa, _, exponent = number.lower().partition(b"e")
    digits = mantissa.lstrip(b"-").replace(b".", b"").lstrip(b"0")
    return len(digits) > MOST_DIGITS or len(exponent.lstrip(b"+-")) >= _EXPONENT_DIGITS
