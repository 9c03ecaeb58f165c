"""A request without its secrets: stars stand in for them until its bytes leave, and again when an error comes back.

What requests, urllib3 and http.client keep in their local variables, log, or hand to whoever instruments them, is the
request with stars.
"""

import http.client
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from urllib3.connection import HTTPConnection

from .._protocol.urls import STARS, Target
from .._secrecy import Hidden, behind, emptied_frames
from .redaction import Redactor

__all__ = ["RequestHead", "can_conceal", "conceal", "revealed", "starred_authorization"]

_SECRET_HEADERS = ("Authorization", "Cookie", "Proxy-Authorization")


class RequestHead:
    """What is to be put back into a request where stars stand, once its bytes leave."""

    def __init__(self, path: Hidden[str], headers: dict[str, Hidden[Any]]) -> None:
        self._path = path
        self._headers = headers

    def write(self, starred: bytes, target: bytes, wire: bytearray) -> None:
        """Append the head to be sent to ``wire``: ``starred`` with its target, as it stands there, and stars replaced.

        No local variable here ever holds a secret.
        """
        line, end, rest = starred.partition(b"\r\n")
        method, _, version = line.partition(b" " + target + b" ")
        # What does not begin with a slash is a whole URL, for a proxy that forwards.
        origin = b"" if target.startswith(b"/") else b"/".join(target.split(b"/", 3)[:3])
        wire += method + b" " + origin
        wire += self._path.reveal().encode("latin-1")
        wire += b" " + version + end
        for header in rest.splitlines(keepends=True):
            name, _, value = header.partition(b": ")
            hidden = self._headers.get(name.decode("latin-1").lower())
            if hidden is None or value.strip() != STARS.encode():
                wire += header
                continue
            wire += name + b": "
            wire += _as_bytes(hidden)
            wire += b"\r\n"


def _as_bytes(value: Hidden[Any]) -> bytes:
    return bytes(value.reveal()) if isinstance(value.reveal(), bytes) else str(value.reveal()).encode("latin-1")


def can_conceal(pool: Any, kind: type) -> bool:
    """Return whether the connections of a pool, of that kind, are urllib3's own, which send what they are told to.

    What plays the network for tests, or records it, may take the place of any of these, and wants to see the request.
    """
    return (
        issubclass(kind, HTTPConnection)
        and type(pool).urlopen.__module__ == "urllib3.connectionpool"
        and kind.request.__module__ == "urllib3.connection"
        and kind.send.__module__ == "http.client"
        and http.client.HTTPConnection.send.__module__ == "http.client"
    )


def conceal(request: requests.PreparedRequest, path: Hidden[str] | None) -> RequestHead:
    """Put stars into a request in place of its secrets, and return those. ``path`` is for the wire, if it is no API's.

    Otherwise it is that of the request, to which an adapter may have done something.
    """
    headers = {name: Hidden(request.headers[name]) for name in _SECRET_HEADERS if name in request.headers}
    head = RequestHead(path or Hidden(request.path_url), {name.lower(): value for name, value in headers.items()})
    request.url = Target(request.url or "", is_api=path is None).starred
    for name in headers:
        request.headers[name] = STARS
    return head


def starred_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Sign a request, so that requests itself looks for no other credentials; what stands there comes later."""
    request.headers["Authorization"] = STARS
    return request


@contextmanager
def revealed(
    request: requests.PreparedRequest, url: Hidden[str], authorization: Hidden[str] | None, redact: Redactor
) -> Iterator[None]:
    """Put the secrets into a request, for adapters that send it in ways of their own; an error brings none back.

    The frames that an error came through lose their variables, whoever's they are: hooks and adapters hold the request.
    """
    handled = sys.exception()
    starred = request.url
    try:
        with emptied_frames(everybodys=True):
            request.url = url.reveal()
            if authorization is not None:
                request.headers["Authorization"] = authorization.reveal()
            yield
    except BaseException as error:
        request.url = starred
        for name in _SECRET_HEADERS:
            if name in request.headers:
                request.headers[name] = STARS
        for one in behind(error, handled):
            _redact_texts(one, redact)
        raise


def _redact_texts(error: BaseException, redact: Redactor) -> None:
    """Mask what an error of anybody's says; what it holds beside texts stays as it is."""
    error.args = tuple(redact(each) if isinstance(each, str) else each for each in error.args)
    for name, value in list(getattr(error, "__dict__", {}).items()):
        if isinstance(value, str):
            error.__dict__[name] = redact(value)
    if hasattr(error, "__notes__"):
        error.__notes__ = [redact(str(note)) for note in error.__notes__]
