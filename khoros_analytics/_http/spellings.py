"""In which spellings a secret may come back: a server may echo it in any encoding of texts, or in several."""

import re
import unicodedata
from binascii import b2a_base64
from collections.abc import Iterator
from functools import cache
from html.entities import codepoint2name
from urllib.parse import unquote, unquote_plus

__all__ = ["patterns_of"]

_MIN_LENGTH_IN_WORDS = 4  # many words contain a shorter secret by chance: it counts only where it stands alone
_MIN_LENGTH_OF_PARTS = 8
_CONTROLS = {"\n": "n", "\r": "r", "\t": "t"}


def patterns_of(secret: str) -> Iterator[tuple[int, str]]:
    """Yield patterns for a secret, each with a number by which the longest come first when they are sorted."""
    for text in _forms(secret):
        pattern = "".join(map(_character, text))
        alone = len(text) < _MIN_LENGTH_IN_WORDS
        yield -len(text), rf"(?<!\w){pattern}(?!\w)" if alone else pattern
    for raw in _encodings(secret):
        for text in _in_base64(raw):
            yield -len(text), "".join(map(_base64_character, text))
        if len(raw) >= _MIN_LENGTH_IN_WORDS:
            yield -2 * len(raw), raw.hex()


def _forms(secret: str) -> set[str]:
    """Return the secret as it is, composed, decomposed, and decoded once too often."""
    others = {unicodedata.normalize("NFC", secret), unicodedata.normalize("NFD", secret)}
    others |= {decode(secret) for decode in (unquote, unquote_plus)}
    return {secret, *(other for other in others if len(other) >= _MIN_LENGTH_IN_WORDS)}


def _encodings(text: str) -> list[bytes]:
    """Return the bytes in UTF-8, and in Latin-1 where that has all of its characters."""
    utf8 = text.encode("utf-8", "surrogatepass")
    return [utf8] if text.isascii() or not all(ord(one) < 256 for one in text) else [utf8, text.encode("latin-1")]


def _in_base64(raw: bytes) -> Iterator[str]:
    """Yield the bytes in base64, also from the middle of a longer text, where they begin at any of three places."""
    yield b2a_base64(raw, newline=False).decode()
    for offset, begin in ((0, 0), (1, 2), (2, 3)):
        text = b2a_base64(bytes(offset) + raw, newline=False).decode()[begin : (offset + len(raw)) * 8 // 6]
        if len(text) >= _MIN_LENGTH_OF_PARTS:
            yield text


def _base64_character(character: str) -> str:
    if character in "+/=":
        return {"+": r"(?:\+|-|%2B)", "/": r"(?:\\?/|_|%2F)", "=": r"(?:=|%3D|\\u003d)?"}[character]
    return character


@cache
def _character(character: str) -> str:
    """Return a pattern for one character as texts, URLs, forms, HTML, JSON and source code spell it."""
    number, literal = ord(character), re.escape(character)
    units = character.encode("utf-16-be", "surrogatepass").hex()
    escapes = [r"\\+".join(f"u{units[at : at + 4]}" for at in range(0, len(units), 4)), rf"u\{{0*{number:x}\}}"]
    escapes += [r"\\+".join(f"x{byte:02x}" for byte in raw) for raw in _encodings(character)]
    if character in _CONTROLS:
        escapes.append(_CONTROLS[character])
    elif character.isascii() and not character.isalnum():
        escapes.append(literal)
    entities = [f"#(?:0*{number}|x0*{number:x})"]
    if name := codepoint2name.get(number) or {"'": "apos"}.get(character):
        entities.append(name)
    spellings = [literal, *("".join(f"%(?:25)*{byte:02x}" for byte in raw) for raw in _encodings(character))]
    spellings += [f"&(?:amp;)*(?:{'|'.join(entities)});?", rf"\\+(?:{'|'.join(escapes)})"]
    if character in " +":
        spellings += [r"\s+", r"\+"]
    if not character.isascii():
        spellings += sorted(_misread(character), key=len, reverse=True)
    return f"(?:{'|'.join(spellings)})"


def _misread(character: str) -> set[str]:
    """Return what is left of a character where somebody took one encoding for another."""
    utf8 = character.encode("utf-8", "surrogatepass")
    others = {
        character.upper(),
        character.lower(),
        character.casefold(),
        utf8.decode("latin-1"),
        utf8.decode("cp1252", "replace"),
        unicodedata.normalize("NFD", character),
    }
    return {*map(re.escape, others), rf"[?\ufffd]{{1,{len(utf8)}}}"}
