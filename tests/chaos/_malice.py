"""What a hostile front is like and does, drawn from a seed."""

import random
from collections.abc import Callable, Iterator

from _forms import FORMS
from _front import Style, Wrong
from _wire import (
    BadChunks,
    BadHead,
    BadLine,
    BadPart,
    Coding,
    Damage,
    Hop,
    Meddled,
    NewVersion,
    Page,
    Torn,
    Unannounced,
)

__all__ = ["draw_style", "draw_wrong"]

LARGE_FORMS = ("plain", "plain", "UTF-16", "gzip", "BOM")
LINES = (
    b"no colon here",
    b"X-A: one\rtwo",
    b"X-A: a\0b",
    b" folded",
    b"X A: 1",
    b": nameless",
    b"X-A\xff: 1",
    b"X:" * 50,
)
FIRSTS = (b"ICY 200 OK", b"HTTP/1.1 abc So", b"HTTP/9 200 OK", b"200 OK", b"", b"HTTP/1.0 200 OK", b"\x16\x03\x01")
CODINGS = (
    b"identity, chunked",
    b"chunked, chunked",
    b"gzip, chunked",
    b"chunked ",
    b"chunked;x=y",
    b"\tchunked",
    b"Chunked",
    b"CHUNKED",
    b"identity",
    b"chunked, identity",
    b"chunked,",
    b"xchunked",
)
LENGTHS = (b"1_0", b"+5", b"-1", b"0x10", b"5, 6", b"N, M", b"N, N", b"N,", b"1e3", b"9" * 30, b"", b"N N", b"\xb2")
NO_EXPORTS: dict[str, tuple[bytes, ...]] = {
    "csv": (b'{"error": "token"}', b'[{"A":1}]', bytes(5000), b'{"status": "FAIL", "result": "no"}'),
    "json": (b'{"error": "token"}', b"null", bytes(5000), b"A,B\r\n1,2\r\n", b'{"status": "FAIL", "result": "no"}'),
}
PAGES = (
    b"<title>Sign in</title>",
    b"<div>no</div>",
    b"<h1>Down</h1>",
    b"<!doctype html><p>",
    b"<?xml version='1.0'?><Error/>",
)
REFUSALS = ("AccessDenied", "AccessDenied", "ExpiredToken", "RequestExpired")
NO_SUCH = b"<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>"
NOWHERE = ("/else where/\xe4", "//[", "http://[v1.a]/", "http://127.0.0.1:9/x", "ftp://127.0.0.1/", "?")


def draw_style(pick: random.Random, format: str, *, large: bool) -> Style:
    """Draw what the hosts are like."""
    codings = ("UTF-8", "none", "binary", "aws-chunked", "identity", "gzip", "gzip", "gzip+padding")
    return Style(
        form=pick.choice(LARGE_FORMS if large else ("plain", *FORMS[format])),
        framing=pick.choice(("length", "length", "chunked", "close", "close", "close")),
        ranges=pick.choice(("yes", "yes", "yes", "some", "star", "no")),
        tags=pick.choice(("strong", "strong", "both", "weak", "date", "none", "deaf")),
        coding=pick.choice(codings) if pick.random() < 0.3 else "",
        tls=pick.random() < 0.25,
        goodbye=pick.random() < 0.7,
        status=203 if pick.random() < 0.1 else 200,
        hops=pick.choice((0, 0, 0, 0, 1, 3)),
        refusal=pick.choice(REFUSALS),
        gateway=pick.random() < 0.5,
        keep=pick.random() < 0.6,
    )


def draw_wrong(pick: random.Random, format: str) -> tuple[Wrong, ...]:
    """Draw what goes wrong."""
    drawing = _Drawing(pick, format)
    shares = (("create", 0.12), ("status", 0.3), ("download", 0.25), ("file", 0.75))
    return tuple(line for phase, share in shares for line in drawing.phase(phase, share))


class _Drawing:
    def __init__(self, pick: random.Random, format: str) -> None:
        self.random = pick
        self.format = format

    def phase(self, phase: str, share: float) -> Iterator[Wrong]:
        for _ in range(4):
            if self.random.random() >= share:
                return
            damage = self._of_the_file() if phase == "file" else self._of_the_api(phase)
            times = self.random.choice((1, 1, 1, 1, 2, 4, 9))
            once = isinstance(damage, NewVersion | Meddled)
            if not once and self.random.random() < 0.02:
                times = None
            skip = 0 if phase == "create" else self.random.choice((0, 0, 0, 1, 2))
            yield Wrong(phase, damage, 1 if once else times, skip)

    def _any(self) -> Damage:
        kinds: tuple[Callable[[], Damage], ...] = (
            self._torn,
            self._torn,
            lambda: Unannounced(self._maybe(), self.random.choice(("bye", "fin"))),
            lambda: BadLine(self.random.choice(LINES), self.random.choice(("first", "middle", "last")), self._maybe()),
            lambda: BadHead(self.random.choice(FIRSTS)) if self._half() else BadHead(at=self.random.random()),
            self._coding,
            lambda: BadChunks(self.random.choice(BadChunks.__annotations__["kind"].__args__)),
        )
        return self.random.choice(kinds)()

    def _half(self) -> bool:
        return self.random.random() < 0.5

    def _at(self) -> float:
        return self.random.choice((0.0, 0.3, 0.5, 0.9, 0.99999, 1.0, self.random.random(), self.random.random()))

    def _maybe(self) -> float | None:
        return self._at() if self._half() else None

    def _torn(self) -> Damage:
        return Torn(self._at(), self.random.choice(("fin", "fin", "bye", "rst")))

    def _coding(self) -> Damage:
        if self._half():
            lengths = (self.random.choice((b"N", b"M", b"5")),) if self._half() else ()
            body = self.random.choice(("chunked", "chunked", "plain"))
            return Coding((self.random.choice(CODINGS),), lengths, body, self._maybe())
        return Coding((), (self.random.choice(LENGTHS),), "plain", self._maybe())

    def _of_the_api(self, phase: str) -> Damage:
        if self.random.random() < 0.65:
            return self._any()
        after = self._half()
        if phase == "download" and self._half():
            return Hop(self.random.choice(NOWHERE), self.random.choice((301, 302, 303, 307, 308)))
        status = self.random.choice((200, 200, 203, 500, 502, 503, 504, 520))
        content = self.random.choice((*PAGES, b'{"error": 1}', b"[]", b"\xff\xfe", b"x" * 70_000))
        return Page(status, "text/html", content, after=after)

    def _of_the_file(self) -> Damage:
        kinds: tuple[Callable[[], Damage], ...] = (
            self._any,
            self._any,
            self._any,
            lambda: BadPart(self.random.choice(BadPart.__annotations__["kind"].__args__)),
            lambda: BadPart(self.random.choice(BadPart.__annotations__["kind"].__args__)),
            NewVersion,
            lambda: Meddled(self.random.choice(Meddled.__annotations__["kind"].__args__)),
            self._page,
        )
        return self.random.choice(kinds)()

    def _page(self) -> Damage:
        kind = self.random.choice(("200", "200", "error", "expired", "home", "coding"))
        if kind == "error":
            return Page(self.random.choice((429, 500, 502, 503, 504)), "application/xml", NO_SUCH)
        if kind == "expired":
            code, text = self.random.choice(((403, "AccessDenied"), (400, "ExpiredToken"), (400, "RequestExpired")))
            return Page(code, "application/xml", f"<Error><Code>{text}</Code></Error>".encode())
        if kind == "home":
            return Hop(self.random.choice(("HOME", *NOWHERE)))
        if kind == "coding":
            return Page(200, "text/csv", b"\x1b\x05\x80", (("Content-Encoding", self.random.choice(("br", "zstd"))),))
        status = self.random.choice((200, 200, 203, 206))
        return Page(status, self.random.choice(("text/csv", "text/html", "")), self._no_export())

    def _no_export(self) -> bytes:
        return self.random.choice((*NO_EXPORTS[self.format], *PAGES, b""))
