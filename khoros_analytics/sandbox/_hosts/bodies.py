"""Bodies: the arguments of a creation as a form or as JSON. The vendor declares JSON and shows forms (openapi)."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

from attrs import frozen

from .._wire.incoming import MAX_FIELDS
from .records import Pairs

__all__ = ["Problem", "body_pairs"]

_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"


@frozen
class Problem:
    """Why a body cannot be read.

    Attributes:
        status: The HTTP status that says so.
        reason: The reason, in words.
    """

    status: int
    reason: str


def body_pairs(kind: str, content: bytes | None) -> tuple[Pairs, Problem | None]:
    """Return the names and values in a body, and what is wrong with it; a body of any other kind is no concern.

    Example:
        >>> body_pairs("application/json", b'{"startTime": 0, "teamId": ["1", "2"], "locale": null}')
        ((('startTime', '0'), ('teamId', '1'), ('teamId', '2')), None)
        >>> body_pairs("application/json", b"{")[1]
        Problem(status=400, reason='The body is not JSON')
    """
    if kind not in (_FORM, _JSON):
        return (), None
    if content is None:
        return (), Problem(413, "The body is too long")
    try:
        pairs = tuple(_form(content) if kind == _FORM else islice(_json(content), MAX_FIELDS + 1))
    except ValueError as error:
        return (), Problem(400, str(error))
    if len(pairs) > MAX_FIELDS:
        return (), Problem(400, f"The body has more than {MAX_FIELDS} parameters")
    return pairs, None


def _form(content: bytes) -> list[tuple[str, str]]:
    fields = content.decode("utf-8", "replace")
    return parse_qsl("&".join(fields.split("&", MAX_FIELDS + 1)[: MAX_FIELDS + 1]), keep_blank_values=True)


def _json(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a JSON object; a list is a parameter that is repeated, and null one that is not given."""
    try:
        # Numbers stay the texts that they are: how long they may be is the parameter's affair.
        found = json.loads(content, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_Object)
    except (ValueError, RecursionError):
        raise ValueError("The body is not JSON") from None
    if not isinstance(found, _Object):
        raise ValueError("The body is not a JSON object")  # noqa: TRY004 - one error for all bodies
    for name, value in found:
        for each in value if type(value) is list else [value]:
            if each is not None:
                yield _text(name), _text({True: "true", False: "false"}.get(each, each) if type(each) is bool else each)


class _Object(list[tuple[str, Any]]):
    """The members of a JSON object, repeated names included."""


def _text(value: Any) -> str:
    """Return a text that can be sent on."""
    if not isinstance(value, str):
        raise ValueError("The body has a value that is neither a text nor a number, a flag or a list of them")  # noqa: TRY004
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError("The body has a text that is not Unicode")
    return value
