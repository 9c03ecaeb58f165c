"""Opening an export's file: however it is packed and wherever it comes from, the same rows come out of it."""

import codecs
import gc
import gzip
import io
import os
import random
import socket
import threading
import zlib
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khoros_analytics import ExportFormatError, ParameterError, read_arrow, read_rows

CSV = "A,B\n1,ü\n2,🎉\n".encode()
JSON = '[{"A": "1", "B": "ü"}, {"A": "2", "B": "🎉"}]'.encode()
ROWS = [{"A": "1", "B": "ü"}, {"A": "2", "B": "🎉"}]

PACKINGS = {
    "plain": lambda text: text,
    "UTF-8 with a mark": lambda text: codecs.BOM_UTF8 + text,
    "UTF-16 LE": lambda text: codecs.BOM_UTF16_LE + text.decode().encode("utf-16-le"),
    "UTF-16 BE": lambda text: codecs.BOM_UTF16_BE + text.decode().encode("utf-16-be"),
    "UTF-32 LE": lambda text: codecs.BOM_UTF32_LE + text.decode().encode("utf-32-le"),
    "UTF-32 BE": lambda text: codecs.BOM_UTF32_BE + text.decode().encode("utf-32-be"),
    "gzip": gzip.compress,
    "gzip of several members": lambda text: b"".join(gzip.compress(text[at : at + 5]) for at in range(0, len(text), 5)),
    "gzip with an empty member": lambda text: gzip.compress(b"") + gzip.compress(text) + gzip.compress(b""),
    "gzip padded with zeros": lambda text: gzip.compress(text) + bytes(512),
    "gzip with a mark within": lambda text: gzip.compress(codecs.BOM_UTF8 + text),
    "gzip of UTF-16": lambda text: gzip.compress(text.decode().encode("utf-16")),
}


class Trickle(io.RawIOBase):
    """A stream that gives as little as one byte at a time."""

    def __init__(self, content, sizes):
        self._content = io.BytesIO(content)
        self._sizes = sizes

    def readable(self):
        return True

    def read(self, size=-1):
        return self._content.read(min(size, self._sizes()))


# ---- packings


@pytest.mark.parametrize("text", [CSV, JSON], ids=["csv", "json"])
@pytest.mark.parametrize("packing", PACKINGS)
def test_packings(packing, text, tmp_path, ways):
    """Compression, encoding and byte order mark make no difference, from a file or from a stream."""
    content = PACKINGS[packing](text)
    path = tmp_path / "export"
    path.write_bytes(content)
    assert list(read_rows(path)) == list(read_rows(str(path))) == ways.rows(content) == ROWS


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("text", [CSV, JSON], ids=["csv", "json"])
def test_streams_that_read_short(packing, text, seed):
    """A stream may give fewer bytes than it is asked for, even one at a time."""
    content = PACKINGS[packing](text)
    assert list(read_rows(Trickle(content, lambda: 1))) == ROWS
    sizes = random.Random(seed)
    assert list(read_rows(Trickle(content, lambda: sizes.randint(1, 9)))) == ROWS


def test_large_packed_files(ways):
    """A packed file that is much longer than what is looked at at once comes out whole, in order."""
    lines = [f"{number},ü{number}\n" for number in range(100_000)]
    text = "A,B\n" + "".join(lines)
    wanted = [{"A": str(number), "B": f"ü{number}"} for number in range(100_000)]
    assert ways.rows(gzip.compress(text.encode(), 1)) == wanted
    assert ways.rows(text.encode("utf-16")) == wanted
    assert ways.rows("".join(["A,B\r\n", *lines])) == wanted


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 30, 300])
def test_gzip_that_is_cut(cut, ways, seed):
    """A compressed file that ends early is an error with the place in the text; the rows before it are right."""
    rows = random.Random(seed)
    wanted = [{"A": str(rows.random())} for _ in range(50_000)]
    reading = ways.reading(gzip.compress(("A\n" + "".join(row["A"] + "\n" for row in wanted)).encode())[:-cut])
    assert "compression is damaged or cut off" in str(reading.error)
    assert reading.error.offset is not None
    assert reading.rows == wanted[: len(reading.rows)]


@given(st.integers(2, len(gzip.compress(CSV * 3, mtime=0)) - 1))
def test_gzip_that_is_cut_anywhere(ways, cut):
    """There is no place at which what has begun as a compressed file can end early unnoticed."""
    reading = ways.reading(gzip.compress(CSV * 3, mtime=0)[:cut], "csv")
    assert reading.error is not None


@pytest.mark.parametrize(("which", "what"), [(-8, "CRC"), (-1, "length")])
def test_gzip_with_a_wrong_checksum(which, what, ways):
    """A wrong checksum or length at the end is an error, although each byte before it could be read."""
    content = bytearray(gzip.compress(CSV))
    content[which] ^= 1
    reading = ways.reading(bytes(content))
    assert "compression is damaged or cut off" in str(reading.error), what
    assert reading.rows == ROWS[: len(reading.rows)]


def test_gzip_with_something_behind(ways):
    """What stands behind the end of the compression is an error: it might be the rest of the rows."""
    reading = ways.reading(gzip.compress(CSV) + CSV)
    assert "compression is damaged or cut off" in str(reading.error)
    assert reading.error.offset == len(CSV)


def test_gzip_that_is_none(ways):
    """A file that only begins as gzip does is an error, and so is one whose blocks are broken."""
    assert "compression is damaged" in str(ways.reading(b"\x1f\x8bnothing of the kind").error)
    broken = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + b"\xff" * 30
    with pytest.raises(zlib.error):
        gzip.decompress(broken)
    assert "compression is damaged" in str(ways.reading(broken).error)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_wide_encodings_that_are_broken(encoding, ways):
    """Half a character at the end of UTF-16 or UTF-32 is an error that says where, not a row."""
    reading = ways.reading(CSV.decode().encode(encoding)[:-1])
    assert f"is not valid {encoding.upper()}" in str(reading.error)
    assert reading.error.offset is not None
    assert reading.rows == ROWS[: len(reading.rows)]


def test_half_of_a_pair_in_utf_16(ways):
    """A surrogate without its other half is an error in UTF-16."""
    content = codecs.BOM_UTF16_LE + "A\nx".encode("utf-16-le") + b"\x00\xd8" + "y\n".encode("utf-16-le")
    assert "is not valid UTF-16" in str(ways.reading(content).error)


def test_mark_within_the_text(ways):
    """Only the first byte order mark is one; a second one is part of the text."""
    assert ways.rows(codecs.BOM_UTF8 * 2 + b"A\n1\n") == [{"\ufeffA": "1"}]
    assert ways.rows("A\n\ufeff1\n") == [{"A": "\ufeff1"}]


# ---- streams


def test_stream_stays_open():
    """A stream is its owner's: it stays open after the last row, and when the rows are left early."""
    stream = io.BytesIO(CSV)
    assert list(read_rows(stream)) == ROWS
    assert not stream.closed
    stream.seek(0)
    rows = read_rows(stream)
    next(rows)
    rows.close()
    assert not stream.closed


def test_stream_stays_open_after_an_error():
    """And after an error."""
    for content in (b"A\n1,2\n", b'[{"A":1}', gzip.compress(CSV)[:-1]):
        stream = io.BytesIO(content)
        with pytest.raises(ExportFormatError):
            list(read_rows(stream))
        gc.collect()
        assert not stream.closed


def test_stream_is_read_from_where_it_is():
    """A stream is read from its current place on."""
    stream = io.BytesIO(b"junk" + CSV)
    stream.seek(4)
    assert list(read_rows(stream)) == ROWS


@pytest.mark.parametrize("packing", ["plain", "gzip", "UTF-16 LE"])
@pytest.mark.parametrize("text", [CSV, JSON], ids=["csv", "json"])
def test_pipe(packing, text):
    """A pipe, which can neither seek nor tell, is read as it comes."""
    read_end, write_end = os.pipe()
    content = PACKINGS[packing](text)

    def write():
        with os.fdopen(write_end, "wb", buffering=0) as pipe:
            pipe.writelines(bytes([byte]) for byte in content)

    with os.fdopen(read_end, "rb", buffering=0) as stream, _thread(write):
        assert list(read_rows(stream)) == ROWS


@pytest.mark.parametrize("buffering", [0, -1])
def test_socket(buffering):
    """The file of a socket is read as it comes."""
    here, there = socket.socketpair()

    def write():
        with there:
            for at in range(0, len(JSON), 7):
                there.sendall(JSON[at : at + 7])

    with here, here.makefile("rb", buffering=buffering) as stream, _thread(write):
        assert list(read_rows(stream)) == ROWS


@contextmanager
def _thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    yield
    thread.join(30)
    assert not thread.is_alive()


def test_file_that_is_open(tmp_path):
    """A file that the caller has opened is a stream like any other, and messages call it by its name."""
    path = tmp_path / "export.csv"
    path.write_bytes(b"A\n1,2\n")
    with path.open("rb") as stream, pytest.raises(ExportFormatError, match=r"^export\.csv: row 1"):
        list(read_rows(stream))


def test_names_in_messages(tmp_path):
    """A stream without a name is called one; a file is called by its name, without its folder."""
    with pytest.raises(ExportFormatError, match=r"^the stream: row 1"):
        list(read_rows(io.BytesIO(b"A\n1,2\n")))
    path = tmp_path / "my export.csv"
    path.write_bytes(b"A\n1,2\n")
    with pytest.raises(ExportFormatError, match=r"^my export\.csv: row 1"):
        list(read_rows(path))


@pytest.mark.parametrize(
    "source",
    [None, 5, b"A\n1\n", object(), io.StringIO("A\n1\n"), ["A"]],
    ids=lambda source: type(source).__name__,
)
def test_what_cannot_be_read(source):
    """What is neither a path nor a stream of bytes is a ParameterError that says what to give."""
    with pytest.raises(ParameterError, match="give a path, or a stream opened in binary mode"):
        list(read_rows(source))


def test_text_file(tmp_path):
    """A file that was opened as text is refused: its encoding and line ends would be somebody's guess."""
    path = tmp_path / "export.csv"
    path.write_bytes(CSV)
    with path.open(encoding="utf-8") as file, pytest.raises(ParameterError, match="a stream of text"):
        list(read_rows(file))


# ---- files


def test_no_such_file(tmp_path):
    """A file that is not there is the system's own error, with its name."""
    with pytest.raises(FileNotFoundError) as caught:
        list(read_rows(tmp_path / "nothing.csv"))
    assert caught.value.filename == str(tmp_path / "nothing.csv")


def test_folder(tmp_path):
    """A folder is the system's own error, too."""
    with pytest.raises((IsADirectoryError, PermissionError)):
        list(read_rows(tmp_path))


@contextmanager
def _open_files(monkeypatch):
    """Note the files that are opened."""
    opened = []
    original = io.open

    def noting(*args, **kwargs):
        opened.append(original(*args, **kwargs))
        return opened[-1]

    with monkeypatch.context() as patch:
        patch.setattr(io, "open", noting)
        yield opened


@pytest.mark.parametrize(("good", "bad"), [(CSV, b"A,B\n1,2\n3\n"), (JSON, b'[{"A": 1}, 5]')], ids=["csv", "json"])
def test_file_is_closed(good, bad, tmp_path, monkeypatch):
    """A file is closed after its last row, after an error, when the rows are closed, and when nobody has them,
    also where not one row was taken.
    """
    path = tmp_path / "export"
    with _open_files(monkeypatch) as opened:
        path.write_bytes(good)
        assert list(read_rows(path)) == ROWS
        assert all(file.closed for file in opened)
        rows = read_rows(path)
        next(rows)
        assert not opened[-1].closed
        rows.close()
        assert opened[-1].closed
        rows = read_rows(path)
        next(rows)
        assert not opened[-1].closed
        del rows
        gc.collect()
        assert opened[-1].closed
        rows = read_rows(path)
        rows.close()
        assert opened[-1].closed
        path.write_bytes(bad)
        with pytest.raises(ExportFormatError):
            list(read_rows(path))
        assert opened[-1].closed


# ---- what is not an export


@pytest.mark.parametrize("format", [None, "csv", "json"])
@pytest.mark.parametrize("text", [b"", b" ", b"\n", b"\r\n\r\n \t\n", codecs.BOM_UTF8, codecs.BOM_UTF8 + b"\n"])
def test_nothing(text, format, ways):
    """An empty file, or one of white space, is an error: even without rows there is a header, or an array."""
    for content in (text, gzip.compress(text)):
        reading = ways.reading(content, format)
        assert "is empty" in str(reading.error)
        assert reading.place == (None, 0)


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE])
def test_nothing_but_a_mark(mark, ways):
    """A mark alone is nothing, too."""
    assert "is empty" in str(ways.reading(mark).error)


PAGES = [
    b"<!DOCTYPE html><html><body>Log in</body></html>",
    b"<!doctype HTML>\n<html>",
    b"\n\n  <html lang='en'>",
    b"<HTML>",
    b"<head><title>503</title></head>",
    b"<body>Bad Gateway</body>",
    b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    b"<Error><Code>ExpiredToken</Code></Error>",
    b"<!-- maintenance --><html>",
    b"<title>Sign in</title>",
    b"<div>",
    b'<div class="error">Bad gateway</div>',
    b"<h1>503</h1>",
    b"<p>Please try again, later</p>",
]


@pytest.mark.parametrize("format", [None, "csv", "json"])
@pytest.mark.parametrize("page", PAGES)
def test_pages(page, format, ways):
    """A page of HTML or XML is not an export, whatever it is asked to be read as; the message shows how it begins."""
    for content in (page, codecs.BOM_UTF8 + page, gzip.compress(page), page.decode().encode("utf-16")):
        reading = ways.reading(content, format)
        assert "is a page of HTML or XML, not an export" in str(reading.error)
        assert repr(page.lstrip()[:60].decode()) in str(reading.error)
        assert reading.place == (None, 0)


def test_columns_that_look_like_markup(ways):
    """A column in angle brackets makes no page."""
    assert ways.rows("<A>,<header>\n1,2\n") == [{"<A>": "1", "<header>": "2"}]
    assert ways.rows("<div>;<p>\n1;2\n") == [{"<div>": "1", "<p>": "2"}]


NO_CSV = [b'{"error":"no such export"}', b'{ "status" : "FAIL" }', b"{}", b'[{"A":1}]', b"[]", b"[ [1] ]"]


@pytest.mark.parametrize("content", NO_CSV)
def test_json_where_csv_was_expected(content, ways):
    """JSON is not read as a table with an odd header: the error quotes how it begins."""
    for packed in (content, codecs.BOM_UTF8 + content, gzip.compress(content), b"\n " + content):
        reading = ways.reading(packed, "csv")
        assert "is JSON, where an export in CSV was expected" in str(reading.error)
        assert repr(content.decode()) in str(reading.error)
        assert reading.rows == []


@pytest.mark.parametrize("content", [b"A,B\n1,2\n", b'"A"\n1\n', b"null", b"Service unavailable"])
def test_other_things_where_json_was_expected(content, ways):
    """What is not an array is not read as JSON, and the error quotes how it begins."""
    reading = ways.reading(content, "json")
    assert "is not JSON, where an export is an array of rows" in str(reading.error)
    assert repr(content.decode()) in str(reading.error)


@pytest.mark.parametrize("format", [None, "csv", "json"])
def test_zeros(format, ways):
    """A file of zeros, as a failed disk leaves it, is not a table without rows."""
    assert "holds zeros" in str(ways.reading(bytes(5000), format).error)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes(tmp_path):
    """What can be read only once, such as a pipe, is read as a file is: row by row, and as a frame."""
    for read in (lambda path: [*read_rows(path)], lambda path: read_arrow(path).to_pylist()):
        pipe = tmp_path / f"pipe {id(read)}"
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(b"A,B\n1,x\n2,y\n" * 1,))
        writer.start()
        assert [str(row["A"]) for row in read(pipe)] == ["1", "2"]
        writer.join()


def test_names_that_are_not_utf8(tmp_path):
    """A file may have a name of any bytes."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/gr\xfc\xdfe.csv")
    with open(path, "wb") as file:  # noqa: PTH123 - the name is what is tested
        file.write(b"A,B\n1,x\n")
    assert [*read_rows(path)] == [{"A": "1", "B": "x"}]
    assert read_arrow(path).to_pylist() == [{"A": 1, "B": "x"}]


# ---- formats


@pytest.mark.parametrize("space", [b"", b" ", b"\n", b"\r\n\t "])
def test_format_of_an_array(space, ways):
    """What begins with a bracket, after any white space, is JSON."""
    assert ways.rows(space + JSON) == ROWS


def test_format_of_a_table(ways):
    """Everything else is CSV."""
    assert ways.rows('"[A]"\n1\n') == [{"[A]": "1"}]
    assert ways.rows("1\n2\n") == [{"1": "2"}]


def test_format_that_is_told(ways):
    """What the caller says wins over the first bytes."""
    assert ways.rows("[A]\n1\n", "csv") == [{"[A]": "1"}]
    assert ways.reading(CSV, "json").error is not None
    assert ways.rows(CSV, "csv") == ways.rows(JSON, "json") == ROWS


@pytest.mark.parametrize("format", ["xml", "CSV", "", 5, b"csv"])
def test_format_that_is_none(format):
    """A format that is none is a ParameterError that names the two that there are."""
    with pytest.raises(ParameterError, match=r"csv.*json"):
        list(read_rows(io.BytesIO(CSV), format=format))
