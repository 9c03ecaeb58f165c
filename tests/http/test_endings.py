"""A file of which nothing announces the end is judged by all that is known, and asked about where that is little."""

import gzip
import logging
import re
import ssl

import pytest

from khoros_analytics import IncompleteDownloadError, ParameterError

ROWS = b"ID,NUMBER,TEXT\n" + b"".join(b'%d,2%03d,"text %d"\n' % (n, n, n) for n in range(50))


class FileHost:
    """A bare server for one file: what it says of the file, and how it ends."""

    def __init__(self, serve, content, context=None):
        self.content, self.cuts, self.ranges = content, [], True
        self.headers, self.announced, self.strange = 'ETag: "1"\r\n', [], []
        self.asked = []
        self.goodbye = True
        self.server = serve(self._answer, context)

    def _answer(self, line):
        request = line.receive()
        if "/download?" not in request:
            line.answer(self.server.right(request), "200 OK", "Connection: close")
        else:
            self._send(line, re.search(r"Range: bytes=(\d+)-", request))
        if isinstance(line.socket, ssl.SSLSocket) and self.goodbye:
            line.socket.unwrap()

    def _send(self, line, asked):
        self.asked.append(int(asked[1]) if asked else None)
        size = len(self.content)
        if asked and self.strange:
            line.send(f"HTTP/1.1 200 OK\r\n{self.strange.pop(0)}\r\nConnection: close\r\n\r\nno file")
            return
        if asked and self.ranges:
            start = int(asked[1])
            if start >= size:
                line.send(f"HTTP/1.1 416 No\r\nContent-Range: bytes */{size}\r\nContent-Length: 0\r\n\r\n")
                return
            line.send(f"HTTP/1.1 206 Part\r\n{self.headers}Content-Range: bytes {start}-{size - 1}/{size}\r\n\r\n")
            line.send(self.content[start:])
            return
        length = f"Content-Length: {self.announced.pop(0)}\r\n" if self.announced else ""
        line.send(f"HTTP/1.1 200 OK\r\n{self.headers}{length}Connection: close\r\n\r\n")
        line.send(self.content[: self.cuts.pop(0) if self.cuts else None])


@pytest.fixture
def fetch(connect, tmp_path):
    """Download the file of a host."""

    def download(host, *, format="csv", accept_unverified=False, **settings):
        with connect(host.server.origin, **settings) as client:
            job = client.conversation("2019-02-01", "2019-02-02", format=format)
            return job.download(tmp_path / "file", accept_unverified=accept_unverified).read_bytes()

    return download


@pytest.fixture
def trusted(server_context, bundle, monkeypatch):
    """The server side of TLS, which the client trusts."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    return server_context


JSON = b'[{"A":[{"B":1}],"C":"]}\\"["},{"A":[],"C":"\\\\"}]'
CUT = {
    "in a number": ("csv", ROWS, ROWS.index(b"2025") + 3),
    "in quotes": ("csv", ROWS, ROWS.index(b'xt 25"')),
    "after a row": ("csv", ROWS, ROWS.index(b"25,2025")),
    "within a row of several lines": ("csv", b'A,B\n1,"x\n2,y\n3"\n', len(b'A,B\n1,"x\n2,y\n')),
    "in the header": ("csv", ROWS, 5),
    "after an inner bracket": ("json", JSON, JSON.index(b"]") + 1),
    "in a text with brackets": ("json", JSON, JSON.index(b'"]}') + 3),
    "gzip": ("csv", gzip.compress(ROWS), 100),
    "UTF-16": ("json", '[{"A":[1]},{"A":[2]}]'.encode("utf-16"), len('[{"A":[1]'.encode("utf-16"))),
}


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("validator", [True, False], ids=["validator", "none"])
def test_cuts_are_found(serve, fetch, name, validator):
    """Wherever a body without announced length is cut, the file comes whole where the host sends parts."""
    form, content, cut = CUT[name]
    host = FileHost(serve, content)
    host.headers = host.headers if validator else ""
    host.cuts = [cut]

    assert fetch(host, format=form) == content
    assert cut in host.asked


@pytest.mark.parametrize("name", [name for name in CUT if name != "after a row"])
def test_cuts_are_found_without_ranges(serve, fetch, name):
    """A host that cannot send parts is asked for everything again where the content shows that some is missing."""
    form, content, cut = CUT[name]
    host = FileHost(serve, content)
    host.ranges, host.cuts = False, [cut, cut]
    assert fetch(host, format=form) == content


WHOLE = {
    "gzip with an odd number of quotes": (
        "csv",
        next(packed for n in range(100) if (packed := gzip.compress(ROWS + b"%d,1,x\n" % n)).count(b'"') % 2),
    ),
    "a quote within a field": ("csv", b'A,B\n1,5" screen\n2,x\n'),
    "a quote within the last field": ("csv", b'A,B\n1,x\n2,5" screen\n'),
    "line ends within quotes": ("csv", b'A,B\n1,"x\n2,y\n3"\n'),
    "blanks behind JSON": ("json", JSON + b" " * 100),
    "line ends behind JSON": ("json", b"\xef\xbb\xbf" + JSON + b"\r\n" * 100),
    "UTF-16": ("json", '[{"A":[1]}]'.encode("utf-16")),
    "UTF-16 CSV": ("csv", "A,B\r\n1,2\r\n".encode("utf-16")),
    "no rows": ("csv", b"A,B\r\n"),
    "blank lines": ("csv", b"A,B\n1,2\n\n"),
    "semicolons": ("csv", b"A;B\n1,5;2\n"),
}


@pytest.mark.parametrize(("format", "content"), WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("ranges", [True, False])
def test_whole_files_are_taken(serve, fetch, format, content, ranges):
    """A whole file is never refused for what stands in it, with or without a host that can be asked."""
    host = FileHost(serve, content)
    host.ranges = ranges
    assert fetch(host, format=format) == content
    assert host.asked in ([None], [None, len(content)])


def test_a_host_that_cannot_tell(serve, fetch, caplog):
    """A file that may be whole is taken from a host that sends no parts, with a warning that says why."""
    host = FileHost(serve, ROWS)
    host.ranges = False
    with caplog.at_level(logging.WARNING):
        assert fetch(host) == ROWS
    assert "announces no length" in caplog.text
    assert host.asked == [None, len(ROWS)]


@pytest.mark.parametrize("ranges", [True, False])
def test_csv_without_a_last_line_end(serve, fetch, ranges):
    """CSV need not end its last line: the host settles it, or else three fetches and the caller do."""
    content = ROWS[:-1]
    host = FileHost(serve, content)
    host.ranges = ranges
    if not ranges:
        with pytest.raises(IncompleteDownloadError, match=rf"3 times after {len(content):,} bytes"):
            fetch(host)
    assert fetch(host, accept_unverified=not ranges) == content


def test_a_length_once_announced(serve, fetch):
    """A second answer without a length does not make the first one's length forgotten."""
    host = FileHost(serve, ROWS)
    half = ROWS.index(b"25,2025")
    host.ranges, host.announced, host.cuts = False, [len(ROWS)], [10, half]
    assert fetch(host) == ROWS


def test_accept_unverified_is_a_flag(api, connect, ask, tmp_path):
    """What is not a flag is refused before anything is sent."""
    job = ask(connect(), "create")
    with pytest.raises(ParameterError, match="accept_unverified"):
        job.download(tmp_path / "x", accept_unverified="yes")
    assert api.count("file") == 0


@pytest.mark.parametrize("ranges", [True, False])
def test_tls_that_is_cut(serve, fetch, trusted, ranges):
    """An end of TLS without its closing message is a break where nothing else announces the end; a host that never
    sends one is not refused for ever.
    """
    host = FileHost(serve, ROWS, trusted)
    host.goodbye, host.ranges = False, ranges
    host.cuts = [ROWS.index(b"25,2025")] if ranges else []
    if not ranges:
        with pytest.raises(IncompleteDownloadError, match="3 times"):
            fetch(host)
    assert fetch(host, accept_unverified=not ranges) == ROWS


def test_tls_that_ends_well(serve, fetch, trusted):
    """With its closing message, the end is one."""
    host = FileHost(serve, ROWS, trusted)
    assert fetch(host) == ROWS
    assert host.asked == [None, len(ROWS)]


@pytest.mark.parametrize("header", ["Content-Type: text/html", "Content-Encoding: zstd", 'ETag: "2"'])
def test_something_else_than_an_answer_about_the_rest(serve, fetch, header):
    """A page, packed bytes or another version, where the host is asked whether more follows, say nothing about that."""
    host = FileHost(serve, ROWS)
    host.cuts, host.strange = [len(ROWS) - 1], [header]
    assert fetch(host) == ROWS
