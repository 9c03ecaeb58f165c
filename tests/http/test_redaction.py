"""Secrets do not get into texts, in whatever spelling they travel."""

import base64
import json
import logging
import string
import threading
import unicodedata
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from khoros_analytics._http.redaction import Redactor, redact_urllib3_logs

KEY = "cömpany key/+=&1"


def base64_of(text):
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


SPELLINGS = {
    "as it is": str,
    "in a path": lambda text: quote(text.encode("utf-8", "surrogatepass"), safe=""),
    "in a path, slashes kept": lambda text: quote(text.encode("utf-8", "surrogatepass")),
    "in a form": lambda text: quote_plus(text.encode("utf-8", "surrogatepass")),
    "in small letters": lambda text: quote(text.encode("utf-8", "surrogatepass"), safe="").lower(),
    "for HTTP Basic": base64_of,
    "in base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode(),
}
# Without the stars that stand for a secret, and without what the text around it is made of.
secrets = st.text(st.characters(exclude_characters="*<>", exclude_categories=["Zs", "Cc"]), min_size=4, max_size=30)
around = st.text(" <>*", max_size=5)


@pytest.mark.parametrize("how", SPELLINGS)
def test_spelling(how):
    """A secret is hidden in each spelling in which it travels, and the text around it stays."""
    assert Redactor([KEY])(f"before <{SPELLINGS[how](KEY)}> after") == "before <***> after"


@given(secrets, st.sampled_from(sorted(SPELLINGS)), around, around)
@example("%41a+", "in a path", "", "")
@example("a" * 4, "for HTTP Basic", "*", "")
def test_any_secret(secret, how, before, after):
    """Whatever a secret holds, no spelling of it survives."""
    spelled = SPELLINGS[how](secret)
    assume("lower" not in how or "%" in spelled)
    assert spelled not in Redactor([secret])(f"{before}{spelled}{after}")


@given(st.lists(secrets, min_size=1, max_size=4), st.text(max_size=20))
def test_many_secrets(hidden, text):
    """All secrets are hidden, also where one is a part of another."""
    redact = Redactor([*hidden, hidden[0] + hidden[-1]])
    found = redact(f" {text} ".join([*hidden, hidden[0] + hidden[-1]]))
    assert not [secret for secret in hidden if secret in found]


def test_the_longest_secret_comes_first():
    """Where a secret begins with another one, nothing of the longer one is left."""
    assert Redactor(["abcd", "abcdef", "abcde"])("<abcdef>") == "<***>"


@given(st.text(string.ascii_letters + string.digits + " .,-", max_size=200))
def test_innocent_text(text):
    """Text without any secret in it stays as it is."""
    assume("basic" not in text.lower())
    assume("bearer" not in text.lower())
    assert Redactor(["§§§§", KEY])(text) == text


@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        ("a", "a cat and a dog", "*** cat and *** dog"),
        ("key", "the key of a keyboard", "the *** of a keyboard"),
        ("", "nothing at all", "nothing at all"),
        ("keys", "a keysmith", "a ***mith"),
    ],
)
def test_short_secrets(secret, text, expected):
    """A secret of a few letters counts where it stands alone: messages stay readable."""
    assert Redactor([secret])(text) == expected


URLS = [
    # a text of the server's or of a library's, what is left of it
    ("see https://files.example/a/b.csv?X-Sig=abc&e=1 now", "see https://files.example/a/b.csv?*** now"),
    ('{"downloadUrl":"https://x.example/f?t=abc","n":1}', '{"downloadUrl":"https://x.example/f?***","n":1}'),
    (r'{"u":"https:\/\/x.example\/f?t=abc"}', r'{"u":"https:\/\/x.example\/f?***"}'),
    ("http://user:pass@x.example/f", "http://***@x.example/f"),
    ("HTTPS://X.EXAMPLE/F?T=ABC", "HTTPS://X.EXAMPLE/F?***"),
    ("url: /api/public/x?companyKey=abc&y=1", "url: /api/public/x?companyKey=***&y=1"),
    ('{"companyKey": "abc"}', '{"companyKey": "***"}'),
    ("analyticsAccessToken=53u6j8%3D%3D", "analyticsAccessToken=***"),
    ("password: hush", "password: ***"),
    ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic ***"),
    ("authorization: bearer abc.def-ghi", "authorization: bearer ***"),
    ("basic facts", "basic facts"),
    ("https://docs.example/page stays", "https://docs.example/page stays"),
]


@pytest.mark.parametrize(("text", "expected"), URLS)
def test_unknown_secrets(text, expected):
    """Queries of URLs, users in them, tokens and credentials are hidden even where nobody knows them beforehand."""
    assert Redactor([])(text) == expected


def test_repr():
    """A redactor knows all secrets and shows none."""
    assert KEY not in repr(Redactor([KEY]))


# ---- urllib3's own log


@pytest.fixture
def urllib3_log(caplog):
    caplog.set_level(logging.DEBUG, "urllib3")
    return logging.getLogger("urllib3.connectionpool")


def test_logs_of_urllib3(urllib3_log, caplog):
    """What urllib3 logs of a request of ours has no query in it."""
    with redact_urllib3_logs():
        urllib3_log.debug('%s://%s "GET %s HTTP/1.1" %s', "https", "x.example", "/a?companyKey=hush&b=1", 200)
    assert caplog.messages == ['https://x.example "GET /a?*** HTTP/1.1" 200']
    assert "hush" not in repr(caplog.records[0].__dict__)


def test_urllib3_of_others(urllib3_log, caplog):
    """What others send, before, after, or meanwhile in another thread, is logged as ever."""
    line = ('"GET %s"', "/a?b=1")
    with redact_urllib3_logs():
        other = threading.Thread(target=urllib3_log.debug, args=line)
        other.start()
        other.join()
    urllib3_log.debug(*line)
    assert caplog.messages == ['"GET /a?b=1"'] * 2


def test_logs_of_a_block_within_a_block(urllib3_log, caplog):
    """A block within a block ends with the outer one, also after an error."""
    with redact_urllib3_logs():
        with pytest.raises(ValueError, match="broken"), redact_urllib3_logs():
            raise ValueError("broken")
        urllib3_log.debug("GET /a?b=1")
    urllib3_log.debug("GET /a?b=1")
    assert caplog.messages == ["GET /a?***", "GET /a?b=1"]
    assert len(urllib3_log.filters) == 1


def test_paths_of_file_hosts(urllib3_log, caplog):
    """A request to another host than the API is logged without its path, also after a block for the API within."""
    with redact_urllib3_logs(is_api=False):
        with redact_urllib3_logs():
            pass
        urllib3_log.debug('"%s %s HTTP/1.1" %s', "GET", "/hush/a?b=1", 200)
    urllib3_log.debug('"%s %s HTTP/1.1" %s', "GET", "/a?b=1", 200)
    assert caplog.messages == ['"GET *** HTTP/1.1" 200', '"GET /a?b=1 HTTP/1.1" 200']


# ---- in whatever spelling a server echoes it


ECHOES = {
    "twice in a path": lambda text: quote(quote(text, safe=""), safe=""),
    "every character": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "in Latin-1": lambda text: quote(text.encode("latin-1"), safe=""),
    "in JSON": lambda text: "".join(f"\\u{ord(one):04x}" for one in text),
    "in JSON, in JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "slashes in JSON": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "in HTML": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "in HTML, hexadecimal": lambda text: "".join(f"&#x{ord(one):X};" for one in text),
    "in HTML, by name": lambda text: text.replace("&", "&amp;").replace("\u00f6", "&ouml;"),
    "misread": lambda text: text.encode().decode("latin-1"),
    "in ASCII": lambda text: text.encode("ascii", "replace").decode(),
    "misread as UTF-8": lambda text: text.encode("latin-1").decode("utf-8", "replace"),
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "in capital letters": str.upper,
    "in base64, in the middle": lambda text: base64_of(f"anybody:{text}"),
    "in base64, percent-encoded": lambda text: quote(base64_of(text), safe=""),
    "in hexadecimal": lambda text: text.encode().hex(),
    "in source code": ascii,
}


@pytest.mark.parametrize("how", ECHOES)
def test_echoes(how):
    """What servers echo may be encoded again, wrongly, or more than it has to be."""
    echo = ECHOES[how](KEY).strip("'")
    shown = Redactor([KEY])(f"<{echo}>")
    assert "***" in shown
    assert len(shown) <= len("<***>") + (16 if "middle" in how else 0)


def test_long_urls():
    """The query of a URL is hidden however long its path is."""
    assert "hush" not in Redactor([])(f"https://x.example/{'a/' * 4000}?Signature=hush")


def test_what_a_storage_echoes():
    """S3 quotes the token and the signature that it was asked with."""
    text = "<Code>ExpiredToken</Code><Message>The token has expired.</Message><Token-0>FwoGZXIv</Token-0>"
    assert Redactor([])(text) == text.replace("FwoGZXIv", "***")
