"""Columns that look like personal data: by their name, or by one of their values.

It is a guess, and errs on the careful side: what it costs is an example in a list of columns.
"""

import re

from .._frames.column_types import words_of
from ..reports import TypeName

__all__ = ["has_personal_name", "is_personal_value"]

# Whoever a column names so is told apart by it, or found by it: in English, and in the words of the export's languages.
_PERSONAL = (
    "address", "adress", "adres", "adresse", "avatar", "bio", "birth", "dirección", "dni", "dob", "doğum", "email",
    "fax", "firstname", "geburt", "gender", "iban", "isim", "ip", "lastname", "latitude", "location", "longitude",
    "mail", "mobile", "nachname", "name", "nom", "nombre", "passport", "phone", "photo", "picture", "postal",
    "postcode", "profile", "prénom", "soyad", "ssn", "street", "surname", "teléfono", "telefon", "telephone",
    "téléphone", "username", "vorname", "zip",
)  # fmt: skip
# What people write.
_WRITTEN = (
    "answer", "attachment", "body", "caption", "comment", "comments", "content", "description", "inhalt", "link",
    "message", "nachricht", "note", "notes", "question", "reason", "remark", "subject", "summary", "tag", "tags",
    "text", "title", "url",
)  # fmt: skip
# People; what is counted or measured of them tells nothing about them.
_PEOPLE = (
    "agent", "agente", "assignee", "author", "autor", "auteur", "benutzer", "client", "contact", "customer", "expert",
    "handle", "kunde", "member", "müşteri", "owner", "person", "reviewer", "sender", "speaker", "user", "usuario",
    "utilisateur", "uuid", "visitor",
)  # fmt: skip
_AS_PART_OF_A_WORD = ("adress", "birth", "email", "name", "nombre", "phone", "telefon")
_MEASURES = {"boolean", "date", "float", "integer", "timestamp"}

_PERSONAL_VALUE = re.compile(
    r"[^\s@]+@[^\s@]+\.[^\s@]+"  # an address of electronic mail
    r"|(?:^|\s)@\w"  # a handle
    r"|https?://|www\."
    r"|\+\d[\d\s()./-]{6,}\d|\(\d{2,5}\)\s?\d[\d\s/-]{4,}|\b\d{3}[-. ]\d{3}[-. ]\d{4}\b"  # a telephone number
    r"|\b(?:\d{1,3}\.){3}\d{1,3}\b|\b(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}\b"  # an address on the internet
    r"|\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){3,}"  # a bank account
)
_MOST_WORDS, _LONGEST = 4, 60


def has_personal_name(name: str, kind: TypeName | None) -> bool:
    """Return whether a column is called as if it told something about a person; ``kind`` is the type of its values."""
    words = words_of(name)
    if any(word in _PERSONAL or any(part in word for part in _AS_PART_OF_A_WORD) for word in words):
        return True
    if kind in _MEASURES and words[-1:] not in (["id"], ["number"], ["handle"], ["uuid"]):
        return False
    return any(word in (*_WRITTEN, *_PEOPLE) for word in words)


def is_personal_value(text: str) -> bool:
    """Return whether a value is an address of some kind, a handle, or a text that somebody wrote."""
    long = len(text) > _LONGEST or len(text.split()) > _MOST_WORDS or "\n" in text
    return long or bool(_PERSONAL_VALUE.search(text))
