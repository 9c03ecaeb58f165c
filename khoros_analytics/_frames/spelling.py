"""How the values of each type are written, as patterns for Python and for Arrow."""

import re

from ..reports import TypeName

__all__ = [
    "FALSE",
    "FIRST_FAR_YEAR",
    "FIRST_NEAR_YEAR",
    "FRACTION",
    "LONGEST_FLOAT",
    "MOMENT",
    "MORE_DIGITS",
    "MOST_DIGITS",
    "OFFSET",
    "PATTERNS",
    "SHAPES",
    "TRUE",
]

TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
OFFSET = r"(Z|[+-][0-9]{2}:[0-9]{2})"
PATTERNS: dict[TypeName, str] = {
    "integer": r"0|-?[1-9][0-9]{0,18}",
    # With an exponent only as programs write it: 1.5E-7 and 1e-07 are numbers, 12E5 may be anything.
    "float": (
        r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"
        r"|-?[1-9]\.[0-9]+[eE][+-]?[0-9]{1,2}"
        r"|-?[1-9][eE][+-][0-9]{1,2}"
    ),
    "boolean": "|".join(TRUE + FALSE),
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "timestamp": f"{MOMENT}{OFFSET}?",
}
SHAPES: dict[TypeName, re.Pattern[str]] = {kind: re.compile(pattern) for kind, pattern in PATTERNS.items()}
FRACTION = re.compile(r"\.([0-9]+)")
LONGEST_FLOAT = 300
"""Of so many characters no number without an exponent is too large or too small for a float."""
MOST_DIGITS = 15
"""The decimal digits that a float keeps, whatever they are."""
MORE_DIGITS = re.compile(rf"^-?[0.]*[1-9](?:\.?[0-9]){{{MOST_DIGITS}}}")
"""What a number with more of them looks like."""
FIRST_NEAR_YEAR, FIRST_FAR_YEAR = "1678", "2262"
"""Between these years 64 bits of nanoseconds reach."""
