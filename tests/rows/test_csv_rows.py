"""CSV to rows: no row is lost, torn, moved or made up, and where a file is damaged the error says at which byte."""

import csv
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from khoros_analytics import ExportFormatError, read_rows
from khoros_analytics._rows import csv_reader


@pytest.fixture(params=[1, 2, 3, 7, None], ids=lambda size: f"blocks of {size}" if size else "large blocks")
def blocks(request, monkeypatch):
    """How much is read at once: nothing may depend on it."""
    if request.param:
        monkeypatch.setattr(csv_reader, "_BLOCK_SIZE", request.param)


def values(rows):
    """The cells of rows, without the names of their columns."""
    return [tuple(row.values()) for row in rows]


# ---- what is written


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "not ended"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_and_line_ends(delimiter, last, line_end, ways, blocks):
    """Each delimiter is found out by the header, each line end is one, and the last line needs none."""
    lines = ["A,B,C", "1,x y,2.5", "ü,-,🎉"]
    text = line_end.join(lines).replace(",", delimiter) + (line_end if last else "")
    assert ways.rows(text) == [{"A": "1", "B": "x y", "C": "2.5"}, {"A": "ü", "B": "-", "C": "🎉"}]


CELLS = {
    "plain": ("x", "x"),
    "spaces are kept": (" x ", " x "),
    "nothing": ("", None),
    "quoted nothing": ('""', ""),
    "quoted": ('"x"', "x"),
    "spaces in quotes": ('" "', " "),
    "delimiter": ('"x,y"', "x,y"),
    "delimiters only": ('",,"', ",,"),
    "line feed": ('"x\ny"', "x\ny"),
    "CRLF": ('"x\r\ny"', "x\r\ny"),
    "CR": ('"x\ry"', "x\ry"),
    "blank lines within": ('"\n\n\r\n"', "\n\n\r\n"),
    "what looks like a row": ('"x\n1,2,3\n"', "x\n1,2,3\n"),
    "doubled quote": ('"say ""hi"""', 'say "hi"'),
    "doubled quote alone": ('""""', '"'),
    "two doubled quotes": ('""""""', '""'),
    "quotes and delimiters": ('"a"",""b"', 'a","b'),
    "quotes and line ends": ('"a""\n""b"', 'a"\n"b'),
    "line end first": ('"\n"""', '\n"'),
    "quote within": ('x"y', 'x"y'),
    "quotes within": ('x"y"', 'x"y"'),
    "doubled quotes within": ('x""y', 'x""y'),
    "quote behind a space": (' "x"', ' "x"'),
    "apostrophes": ("'x", "'x"),
    "backslash": ('"x\\"', "x\\"),
    "number": ("007", "007"),
    "null": ("null", "null"),
    "other line ends": ("x\u2028y\x85z\x0bw\x0cv\x1c", "x\u2028y\x85z\x0bw\x0cv\x1c"),
    "other line ends in quotes": ('"x\u2028y\x85z\x0bw\x0cv\x1c"', "x\u2028y\x85z\x0bw\x0cv\x1c"),
    "zero byte": ("x\0y", "x\0y"),
    "formula": ("=1+1", "=1+1"),
}


@pytest.mark.parametrize("cell", CELLS)
def test_cells(cell, ways, blocks):
    """A cell means the same at the beginning of its row, in the middle and at the end, and beside its like."""
    written, wanted = CELLS[cell]
    text = f"A,B,C\n{written},2,3\n1,{written},3\n1,2,{written}\n{written},{written},{written}\n1,2,3\n"
    assert values(ways.rows(text)) == [
        (wanted, "2", "3"),
        ("1", wanted, "3"),
        ("1", "2", wanted),
        (wanted, wanted, wanted),
        ("1", "2", "3"),
    ]
    assert values(ways.rows(text.rstrip("\n"))) == values(ways.rows(text))


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_blank_lines(line_end, ways, blocks):
    """A blank line among rows of several columns is none of them, whether between, before or behind them."""
    lines = ["A,B", "", "1,2", "", "", "3,4", "", ""]
    assert values(ways.rows(line_end.join(lines))) == [("1", "2"), ("3", "4")]


def test_blank_lines_of_one_column(ways, blocks):
    """In a file of one column a blank line is a row with nothing in it: that is how csv writers write one."""
    assert values(ways.rows('A\nx\n\n""\n\ny\n')) == [("x",), (None,), ("",), (None,), ("y",)]


def test_header_alone(ways, blocks):
    """A header without rows, with or without a line end, is an export without rows."""
    assert ways.rows("A,B") == ways.rows("A,B\n") == ways.rows("A,B\r\n\r\n") == ways.rows("A\r\n") == []


def test_columns(ways, blocks):
    """Names of columns are as they stand there, in their order, quoted or not."""
    (row,) = ways.rows('"Post, ID";" B ";"say ""hi""";"two\nlines";ü\n1;2;3;4;5\n')
    assert row == {"Post, ID": "1", " B ": "2", 'say "hi"': "3", "two\nlines": "4", "ü": "5"}
    assert list(row) == ["Post, ID", " B ", 'say "hi"', "two\nlines", "ü"]


def test_delimiters_within_quotes(ways):
    """Delimiters within the quotes of a header do not decide; nor do those of rows."""
    assert ways.rows('"a;b;c;d",E\n1,2;3;4;5\n') == [{"a;b;c;d": "1", "E": "2;3;4;5"}]
    assert ways.rows("A\nx\n") == [{"A": "x"}]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("NAME,SENTIMENT (neg|neu|pos)\nAnn,neg\n", [{"NAME": "Ann", "SENTIMENT (neg|neu|pos)": "neg"}]),
        ("NAME,SCORES (a|b|c)\nAnn,1|2|3\n", [{"NAME": "Ann", "SCORES (a|b|c)": "1|2|3"}]),
        ("NAME;SIZE (w,h)\nAnn;3\n", [{"NAME": "Ann", "SIZE (w,h)": "3"}]),
        ("a|b|c,d\n1|2|3\n4|5|6\n", [{"a": "1", "b": "2", "c,d": "3"}, {"a": "4", "b": "5", "c,d": "6"}]),
        ("A\tB, C, D\n1\t2\n", [{"A": "1", "B, C, D": "2"}]),
        ('A;B,C\n"x;y";"2,3"\n', [{"A": "x;y", "B,C": "2,3"}]),
    ],
)
def test_delimiters_in_the_header(text, rows, ways, blocks):
    """Of several delimiters in a header, the one counts that makes the rows as long as it; the comma, where two do."""
    assert ways.rows(text) == rows


def test_a_damaged_row_changes_no_delimiter(ways):
    """A short row is an error of the row: the file is not taken for one with another delimiter."""
    reading = ways.reading("A,B;C\n1,2\n3,4\n5;6\n")
    assert reading.rows == [{"A": "1", "B;C": "2"}, {"A": "3", "B;C": "4"}]
    assert reading.place == (3, 14)


def test_each_row_is_its_own(ways):
    """Changing a row changes no other."""
    rows = read_rows(io.BytesIO(b"A\n1\n2\n"))
    first = next(rows)
    first.clear()
    assert list(rows) == [{"A": "2"}]


def test_rows_come_one_by_one(endless):
    """A row is there as soon as its block is: nobody waits for the rest of a long file."""

    stream = endless(b"A,B\n", b"1,2\n")
    rows = read_rows(stream)
    assert next(rows) == {"A": "1", "B": "2"}
    assert stream.taken < 1 << 20
    rows.close()


@pytest.mark.parametrize("filler", ["x", '""', "\n", ","])
def test_huge_row(filler, ways):
    """A row may be many times longer than what is read at once, and its neighbours stay as they are."""
    cell = filler * 1_000_000
    text = f'A,B\n1,2\n"{cell}",3\n4,5\n'
    assert values(ways.rows(text)) == [("1", "2"), (cell.replace('""', '"'), "3"), ("4", "5")]


def test_many_columns(ways):
    """A header may be longer than what is looked at first."""
    names = [f"column {number} {'x' * 50}" for number in range(10_000)]
    (row,) = ways.rows(",".join(names) + "\n" + ",".join(map(str, range(10_000))) + "\n")
    assert list(row) == names
    assert list(row.values()) == list(map(str, range(10_000)))


# ---- what is written comes back

TEXTS = st.text(st.sampled_from('a",;\t|\n\r "ü🎉\u2028\x85\x0b\0') | st.characters(codec="utf-8"), max_size=6)


@st.composite
def tables(draw):
    """Rows of texts, all of the same width."""
    width = draw(st.integers(1, 4))
    return draw(st.lists(st.lists(TEXTS, min_size=width, max_size=width), min_size=1, max_size=5))


@settings(max_examples=3 * settings.default.max_examples)
@example([[""]], (",", "\n"), csv.QUOTE_MINIMAL, 1)
@example([['"', "\r"]], ("|", "\r"), csv.QUOTE_MINIMAL, 1)
@given(
    tables(),
    st.tuples(st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n", "\r"])),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from([1, 2, 5, 13, 1 << 17]),
)
def test_what_csv_writers_write(ways, table, marks, quoting, size):
    """Each table that the standard library writes comes back: an empty text as one where it is quoted, else as None."""
    delimiter, line_end = marks
    names = [f"N{number}" for number in range(len(table[0]))]
    if quoting == csv.QUOTE_MINIMAL:  # that writer puts quotes around its own line end only
        other = {"\n": "\r", "\r": "\n"}.get(line_end, "\0")
        table = [[cell.replace(other, "x") for cell in row] for row in table]
        if len(names) == 1:  # nor around a comma, unless it is the delimiter: see the next test
            table = [[cell if delimiter == "," else cell.replace(",", "x")] for [cell] in table]
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerows([names, *table])
    text = file.getvalue()
    quoted = quoting == csv.QUOTE_ALL or len(names) == 1  # it writes a row of one empty text as ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_reader, "_BLOCK_SIZE", size)
        rows = ways.rows(text)
    assert [list(row) for row in rows] == [names] * len(table)
    assert values(rows) == [tuple(cell if cell or quoted else None for cell in row) for row in table]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_one_column_and_an_unquoted_comma(ways, delimiter):
    """A header of one column does not show what separates fields: it is the comma, as the API writes it, and a row that
    has one is damaged. Nothing else would find a header that was cut.
    """
    with pytest.raises(ExportFormatError, match="2 fields"):
        ways.rows("A\n1,2\n")
    assert ways.rows(f'A\n"1,2"\n1{delimiter}2\n') == [{"A": "1,2"}, {"A": f"1{delimiter}2"}]


@settings(max_examples=3 * settings.default.max_examples)
@example([b"A\n", b'"', b"\r", b"\n"])
@given(st.lists(st.sampled_from([b'"', b",", b"\n", b"\r", b"a", b"\xc3\xbc", b"\xff", b"A,B\n"]), max_size=14))
def test_blocks_make_no_difference(ways, pieces):
    """Whatever the bytes, rows and error are the same however they are cut into blocks."""

    def outcome(size):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(csv_reader, "_BLOCK_SIZE", size)
            reading = ways.reading(b"".join(pieces), "csv")
        return values(reading.rows), str(reading.error), getattr(reading.error, "__dict__", None)

    assert outcome(1) == outcome(3) == outcome(1 << 17)


# ---- headers that are none

HEADERS = {
    "twice": (b"A,B,A\n1,2,3\n", r"names columns twice.*: A\n", 0),
    "two of them twice": (b"B,A,B,A\n", r"names columns twice.*: A, B\n", 0),
    "twice without a name": (b"A,,\n", "names columns twice", 0),
    "twice behind a mark": (b"\xef\xbb\xbfA,A\n", "names columns twice", 3),
    "open quote": (b'A,"B\n1,2\n', "does not end", 0),
    "open quote at the end": (b'A,"', "does not end", 0),
    "no UTF-8": (b"A,\xff\n1,2\n", "is not in UTF-8", 0),
    "half a character": (b"A,\xc3", "is not in UTF-8", 0),
    "text behind a quote": (b'"A"x,B\n1,2\n', "has 'x' behind a closing quote", 0),
}


@pytest.mark.parametrize("header", HEADERS)
def test_broken_headers(header, ways, blocks):
    """A header by which rows cannot be told is an error about the header, not about a row."""
    content, message, offset = HEADERS[header]
    with pytest.raises(ExportFormatError, match=f"the header {message}") as caught:
        ways.rows(content, "csv")
    assert (caught.value.row, caught.value.offset) == (None, offset)


def test_header_without_an_end(endless):
    """A quote in the header that nobody closes does not take the whole file to memory."""

    stream = endless(b'A,"B', b"1,2\n")
    with pytest.raises(ExportFormatError, match="the header does not end; is a quote in it never closed"):
        list(read_rows(stream))
    assert stream.taken < 1 << 26


# ---- rows that are broken

BROKEN = {
    "too few": (b"3\n", "has 1 fields in place of 2"),
    "too many": (b"3,4,5\n", "has 3 fields in place of 2"),
    "too many, quoted": (b'"3","4","5"\n', "has 3 fields in place of 2"),
    "other delimiter": (b"3;4\n", "has 1 fields in place of 2"),
    "space only": (b" \n", "has 1 fields in place of 2"),
    "quoted nothing only": (b'""\n', "has 1 fields in place of 2"),
    "delimiter at the end": (b"3,4,\n", "has 3 fields in place of 2"),
    "text behind a quote": (b'"x"y,4\n', "has 'y' behind a closing quote, where ',' should be"),
    "text behind the last quote": (b'3,"x"y\n', "has 'y' behind a closing quote, where ',' should be"),
    "space behind a quote": (b'"x" ,4\n', "has ' ' behind a closing quote, where ',' should be"),
    "text behind two lines": (b'"x\ny"z,4\n', "has 'z' behind a closing quote, where ',' should be"),
    "no UTF-8": (b"\xff,4\n", "is not in UTF-8"),
    "no UTF-8 in quotes": (b'3,"\xe9t\xe9"\n', "is not in UTF-8"),
    "no UTF-8 in the second line": (b'3,"x\n\xff"\n', "is not in UTF-8"),
    "surrogate in UTF-8": (b"\xed\xa0\x80,4\n", "is not in UTF-8"),
    "overlong UTF-8": (b"\xc0\xaf,4\n", "is not in UTF-8"),
}


@pytest.mark.parametrize("rest", [b"", b"5,6\n"], ids=["last", "not last"])
@pytest.mark.parametrize("broken", BROKEN)
def test_broken_rows(broken, rest, ways, blocks):
    """A broken row is an error with its number and its first byte; all rows before it come out, none after it."""
    content, message = BROKEN[broken]
    before = '\ufeffA,B\n1,"ü\nü"\n\n"",2\n\n'.encode()
    reading = ways.reading(before + content + rest)
    assert values(reading.rows) == [("1", "ü\nü"), ("", "2")]
    assert message in str(reading.error)
    assert f"row 3, which begins at byte {len(before)}, " in str(reading.error)
    assert reading.place == (3, len(before))


@pytest.mark.parametrize("end", [b'"', b'3,"', b'3,"x', b'3,"x\n', b'3,"x""', b'"x\n4,5\n6,7\n', b'3,"x""\n\n'])
def test_open_quote_at_the_end(end, ways, blocks):
    """A file that ends within quotes is cut off: the row in which they open is named, however many lines ago."""
    reading = ways.reading(b"A,B\n1,2\n" + end)
    assert values(reading.rows) == [("1", "2")]
    assert "ends within quotes: the file is cut off" in str(reading.error)
    assert reading.place == (2, 8)


def test_quote_that_nobody_closes(ways, monkeypatch):
    """Nor does it take the rest of a large file to memory: a row has a largest size, which the message names."""
    monkeypatch.setattr(csv_reader, "_MAX_ROW_SIZE", 1 << 20)
    reading = ways.reading(b'A,B\n1,2\n"' + b"3,4\n" * 1_000_000)
    assert values(reading.rows) == [("1", "2")]
    assert "has more than 1 MiB; is a quote in it never closed" in str(reading.error)
    assert reading.place == (2, 8)


def test_place_in_a_long_file(ways):
    """Number and place of a broken row are right behind many blocks."""
    lines = [f'{number},"{"x" * (number % 300)}\n"\n'.encode() for number in range(20_000)]
    before = b"A,B\n" + b"".join(lines)
    reading = ways.reading(before + b"1,2,3\n" + b"".join(lines))
    assert len(reading.rows) == 20_000
    assert reading.place == (20_001, len(before))


def test_place_in_what_was_packed(ways):
    """In UTF-16 the place is that of the text in UTF-8, which is what a reader would search in."""
    reading = ways.reading("A,B\nü,2\n3\n".encode("utf-16"))
    assert reading.place == (2, len("A,B\nü,2\n".encode()))


SMALL = 'A,B\r\n1,"ü\r\nx"\r\n"say ""hi""",\r\n\r\n,""\r\n"a,b",🎉\r\n'.encode()


@pytest.mark.parametrize("size", [1, 1 << 17])
def test_cut_anywhere(size, ways, monkeypatch):
    """Wherever a file is cut off, each row but the last one that comes out is as it was in the whole file.

    The last one may be shorter: a file needs no line end, so nothing tells a short last field from a cut one.
    """
    monkeypatch.setattr(csv_reader, "_BLOCK_SIZE", size)
    whole = values(ways.rows(SMALL))
    assert len(whole) == 4
    header = SMALL.index(b"\n") + 1
    for cut in range(header, len(SMALL)):
        reading = ways.reading(SMALL[:cut])
        found = values(reading.rows)
        assert found[:-1] == whole[: len(found[:-1])], cut
        assert len(found) <= len(whole)
        if reading.error or not found:
            assert found == whole[: len(found)], cut
            continue
        for cell, full in zip(found[-1], whole[len(found) - 1], strict=True):
            assert (full or "").startswith(cell or ""), cut


@settings(max_examples=2 * settings.default.max_examples)
@given(tables(), st.data())
def test_cut_of_any_table(ways, table, data):
    """That holds for each table."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([[f"N{number}" for number in range(len(table[0]))], *table])
    content = file.getvalue().encode()
    whole = values(ways.rows(content))
    reading = ways.reading(content[: data.draw(st.integers(content.index(b"\n") + 1, len(content)))])
    found = values(reading.rows)
    assert found[:-1] == whole[: len(found[:-1])]
    assert not reading.error or found == whole[: len(found)]
