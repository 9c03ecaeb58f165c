"""CSV to frames: whatever writes it, no row is lost, torn or moved, and what is damaged is an error with its place."""

import csv
import gzip
import io

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import csv as arrow_csv

from khoros_analytics import ExportFormatError, read_arrow, read_rows
from khoros_analytics._frames.arrow_reader import ExportFile, planned_tables
from khoros_analytics._frames.read import batches


def naive(content):
    """What Arrow's own reader makes of a file of text, told as much as it can be told."""
    columns = content.split(b"\n")[0].decode().split(",")
    table = arrow_csv.read_csv(
        io.BytesIO(content),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.string())),
    )
    return list(zip(*table.to_pydict().values(), strict=True))


def texts(table):
    """A table of text as columns and rows."""
    return tuple(table.column_names), list(zip(*(column.to_pylist() for column in table.columns), strict=True))


PLAIN = 'A,B\n1,"x, y"\n2,"first\nsecond"\n3,"say ""hi"""\n,""\n'
WANTED = {"A": [1, 2, 3, None], "B": ["x, y", "first\nsecond", 'say "hi"', ""]}


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    "content",
    {
        "plain": PLAIN,
        "semicolons": 'A;B\n1;"x, y"\n2;"first\nsecond"\n3;"say ""hi"""\n;""\n',
        "tabs": 'A\tB\n1\tx, y\n2\t"first\nsecond"\n3\t"say ""hi"""\n\t""\n',
        "bars": 'A|B\n1|x, y\n2|"first\nsecond"\n3|"say ""hi"""\n|""\n',
        "byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
        "UTF-16": PLAIN.encode("utf-16"),
        "UTF-32": PLAIN.encode("utf-32"),
        "gzip": gzip.compress(PLAIN.encode()),
        "UTF-16 in gzip": gzip.compress(PLAIN.encode("utf-16")),
        "no line end": PLAIN.rstrip("\n"),
        "blank lines": PLAIN.replace("\n2", "\n\n\n2") + "\n\n",
        "all quoted": '"A","B"\n"1","x, y"\n"2","first\nsecond"\n"3","say ""hi"""\n,""\n',
    }.items(),
    ids=lambda item: item[0],
)
def test_ways_to_write(content, piece, files, cut):
    """Delimiter, byte order mark, encoding, compression, quotes: the frame is the same, however the file is cut."""
    with cut(piece):
        assert files.table(content[1]).to_pydict() == WANTED


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("piece", [1, 5, 1 << 20])
def test_line_ends(end, piece, files, cut):
    """Rows end in LF, CRLF or CR; a line end in a field stays what it is."""
    content = end.join(["A,B", '1,"a\r\nb\rc\nd"', "2,x", ""])
    with cut(piece):
        assert files.table(content).to_pydict() == {"A": [1, 2], "B": ["a\r\nb\rc\nd", "x"]}


def test_names_of_columns(files):
    """Columns are called as in the file: also with blanks, quotes, delimiters and line ends in their names."""
    assert files.table('"A, B",C d,"E ""f""","G\nh",ü\n1,2,3,4,5\n').column_names == [
        "A, B",
        "C d",
        'E "f"',
        "G\nh",
        "ü",
    ]


def test_single_column(files):
    """In a file of one column an empty line is a row without a value, as in rows."""
    content = 'A\n1\n\n""\n2\n'
    assert files.table(content, "text").to_pydict() == {"A": ["1", None, "", "2"]}
    assert files.records(content)[1] == [("1",), (None,), ("",), ("2",)]


def test_line_ends_in_fields(files):
    """Long texts with line ends are whole: Arrow's reader cuts files at any line end, unless it is told not to."""
    text = "line\n" * 5
    body = "".join(f'{row},"{text}"\n' for row in range(3000)).encode()
    with pytest.raises(pa.ArrowInvalid):
        arrow_csv.read_csv(io.BytesIO(b"A,B\n" + body), read_options=arrow_csv.ReadOptions(block_size=1 << 12))
    table = files.table(b"A,B\n" + body)
    assert table["A"].to_pylist() == list(range(3000))
    assert set(table["B"].to_pylist()) == {text}


def test_column_that_begins_empty(files, cut):
    """A column whose first block is empty gets its values later: Arrow's reader alone fixes it as one of nothing."""
    content = ("A,B\n" + ",x\n" * 2000 + "late,y\n").encode()
    options = arrow_csv.ReadOptions(block_size=1024)
    with pytest.raises(pa.ArrowInvalid, match="null"):
        arrow_csv.open_csv(io.BytesIO(content), read_options=options).read_all()
    with cut(1024):
        assert files.table(content)["A"].to_pylist() == [None] * 2000 + ["late"]


def test_open_quote(files):
    """A quote that nobody closes is an error: Arrow's reader alone takes the rest of the file for one field."""
    content = b'A,B\n1,x\n2,"y\n3,z\n4,z\n'
    assert len(naive(content)) == 2
    error = files.error(content)
    assert (error.row, error.offset) == (2, content.index(b"2,"))
    assert "ends within quotes" in str(error)


def test_text_behind_a_quote(files):
    """Text behind a closing quote is an error: Arrow's reader alone goes on as if the quote had not been there."""
    content = b'A,B\n1,x\n2,"y"z\n'
    assert naive(content)[1] == ("2", "yz")
    error = files.error(content)
    assert (error.row, error.offset) == (2, content.index(b"2,"))


@pytest.mark.parametrize("shift", range(12))
def test_line_end_at_the_edge_of_a_block(shift, files, cut):
    """A CRLF in a field is kept where a block ends in its middle: Arrow's reader alone drops the LF there."""
    content = f'A,B\r\n{"x" * shift},"y\r\ny"\r\n' + 'x,"y\r\ny"\r\n' * 20
    with cut(29):
        assert set(files.table(content)["B"].to_pylist()) == {"y\r\ny"}


def test_line_end_at_the_edge_for_arrow():
    """That is how Arrow's reader behaves; when it does not any more, the check for it can go."""
    content = b'A,B\r\n0,xx\r\nx,"y\r\ny"\r\n'
    options = arrow_csv.ReadOptions(block_size=content.index(b"\ny"))
    table = arrow_csv.read_csv(
        io.BytesIO(content), read_options=options, parse_options=arrow_csv.ParseOptions(newlines_in_values=True)
    )
    assert table["B"].to_pylist() == ["xx", "y\ry"]


def test_byte_order_mark_in_a_field(files, cut):
    """A byte order mark within the file is part of a text: Arrow's reader alone drops one that begins what it reads."""
    content = "A,B\n" + "\ufeffx,y\n" * 10
    with cut(8):
        assert files.table(content)["A"].to_pylist() == ["\ufeffx"] * 10


def test_empty_end_behind_a_quote(files):
    """An empty last field in a file without a last line end is missing: to Arrow's reader alone it is an empty text."""
    options = arrow_csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    alone = arrow_csv.read_csv(io.BytesIO(b'A,B\nx,y\n"z",'), convert_options=options)
    assert alone["B"].to_pylist() == ["y", ""]
    assert files.table('A,B\nx,y\n"z",')["B"].to_pylist() == ["y", None]


def test_quotes_within_a_field(files):
    """In a field without quotes around it a quote is a character like others."""
    assert files.table('A,B\n5" pipe,x\n6,a"b"c\n').to_pydict() == {"A": ['5" pipe', "6"], "B": ["x", 'a"b"c']}


DAMAGED = {
    "too few fields": (b"A,B\n1,2\n3\n4,5\n", 2, 8, "has 1 fields in place of 2"),
    "too many fields": (b"A,B\n1,2\n3,4,5\n", 2, 8, "has 3 fields in place of 2"),
    "no UTF-8": (b"A,B\n1,2\n3,\xff\n", 2, 8, "is not in UTF-8"),
    "no UTF-8, with a mark": (b"\xef\xbb\xbfA,B\n1,2\n3,\xff\n", 2, 11, "is not in UTF-8"),
    "half a letter at the end": (b"A,B\n1,2\n3,\xc3", 2, 8, "is not in UTF-8"),
    "open quote": (b'A,B\n1,2\n3,"x\n', 2, 8, "ends within quotes"),
    "text behind a quote": (b'A,B\n1,2\n"3"x,4\n', 2, 8, "behind a closing quote"),
    "names twice": (b"A,B,A\n1,2,3\n", None, 0, "names columns twice"),
    "header without end": (b'A,"B\n1,2\n', None, 0, "never closed"),
    "empty": (b"", None, 0, "is empty"),
    "only blanks": (b" \n\n", None, 0, "is empty"),
    "page": (b"<!DOCTYPE html><p>Sorry", None, 0, "a page of HTML"),
    "cut gzip": (gzip.compress(b"A,B\n1,2\n" * 9)[:-9], None, None, "cut off"),
}


@pytest.mark.parametrize("piece", [1, 6, 1 << 20])
@pytest.mark.parametrize("name", DAMAGED)
def test_damage(name, piece, files, cut):
    """A damaged file is an error that says what, in which row and at which byte; the same one that rows give."""
    content, row, offset, why = DAMAGED[name]
    with cut(piece):
        error = files.error(content)
    assert why in str(error)
    assert error.row == row
    assert offset is None or error.offset == offset
    with pytest.raises(ExportFormatError) as caught:
        list(read_rows(files.folder / "export.csv"))
    assert (str(caught.value), caught.value.row, caught.value.offset) == (str(error), error.row, error.offset)


def test_late_damage(files):
    """Damage behind millions of bytes is found, too, and the row is counted from the first one."""
    row = b'1,"some text, to fill the file"\n'
    content = b"A,B\n" + row * 100_000 + b"2\n" + row * 10
    error = files.error(content)
    assert (error.row, error.offset) == (100_001, 4 + len(row) * 100_000)


def test_no_such_file(tmp_path):
    """A file that is not there is an ordinary FileNotFoundError, whether asked for rows or for a frame."""
    with pytest.raises(FileNotFoundError):
        read_arrow(tmp_path / "none.csv")


# ---- the laws


CELLS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
    st.text(',;"\r\n\t x', max_size=5),
    st.sampled_from(["", "1", "\u2028", "\x85", "\x0b", "\x1c", "\ufeff"]),
)


@st.composite
def written(draw):
    """A file as Python's own writer makes it, in one of its ways, and the rows that were given to it."""
    width = draw(st.integers(2, 4))
    rows = draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=6))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    # Where it only quotes what it has to, it forgets a line end in a field that is not its own.
    ends = ["\r\n"] if quoting == csv.QUOTE_MINIMAL else ["\n", "\r\n", "\r"]
    buffer = io.StringIO(newline="")
    delimiter, end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(ends))
    writer = csv.writer(buffer, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([[f"C{number}" for number in range(width)], *rows])
    return buffer.getvalue(), rows


@given(written(), st.sampled_from([1, 2, 3, 8, 30, 50, 1 << 20]), st.integers(1, 3))
@example(('C0,C1\r\n0,"0000"""\r\n"0000""","\r\n"\r\n', [["0", '0000"'], ['0000"', "\r\n"]]), 30, 1)
def test_every_table_comes_back(files, cut, file, piece, pieces):
    """Any table that Python's own writer writes, in any of its ways, comes back cell by cell, however it is cut."""
    content, rows = file
    with cut(piece, pieces):
        table = files.table(content, "text", "csv")
    assert [[cell or "" for cell in row] for row in texts(table)[1]] == rows
    assert texts(table) == files.records(content)


TOKENS = [
    b'"',
    b'""',
    b",",
    b"\n",
    b"\r\n",
    b"\r",
    b"a",
    b"1",
    b" ",
    b";",
    b"\xff",
    b"\xc3\xa9",
    b"\xc3",
    b"\0",
    b'"q"',
]
TOKENS += [b"x,y\n", b'"x",y\n', b'x,"y\nz"\n', b"\xe2\x80\xa8", b"\x0b", b"\xc2\x85"]
SNIPPETS = st.lists(st.sampled_from(TOKENS), max_size=14).map(b"".join)
BYTES = st.one_of(
    st.builds(bytes.__add__, st.sampled_from([b"A,B\n", b"A;B\r\n", b"A\n", b"A,B\r", b'"A",B\n', b""]), SNIPPETS),
    st.binary(max_size=40),
)


def outcome(read):
    """What reading gives: columns and rows, or an error with its place."""
    try:
        return read()
    except ExportFormatError as error:
        return str(error), error.row, error.offset


@settings(max_examples=4 * settings.default.max_examples)
@given(BYTES, st.sampled_from([1, 2, 5, 16, 1 << 20]), st.integers(1, 3))
@example(b'A,B\nx,""\n"z",', 1 << 20, 1)
@example(b'A,B\n1,"x\n2,y\n', 4, 1)
@example(b'A,B\n"1"x,2\n', 1, 1)
@example(b'A,B\n1,2\r"3",4\n', 4, 1)
@example(b'A\n"\n"\n\n', 2, 1)
@example(b'\r\n""\n', 1 << 20, 1)
@example(b"\nA\n1\n", 1 << 20, 1)
def test_no_bytes_lose_a_row(files, cut, content, piece, pieces):
    """Whatever bytes a file has: a frame holds exactly its rows, or there is the error that rows give. Never fewer."""
    with cut(piece, pieces):
        found = outcome(lambda: texts(files.table(content, "text", "csv")))
    assert found == outcome(lambda: files.records(content))


@settings(max_examples=2 * settings.default.max_examples)
@given(written(), st.data(), st.sampled_from([1, 8, 1 << 20]))
def test_no_damage_loses_a_row(files, cut, file, data, piece):
    """The same for good files in which a byte was lost, doubled or changed, or whose end is missing."""
    content = file[0].encode()
    at = data.draw(st.integers(0, len(content) - 1))
    spoilt = data.draw(
        st.sampled_from(
            [
                content[:at],
                content[:at] + content[at + 1 :],
                content[:at] + content[at : at + 1] + content[at:],
                content[:at] + b'"' + content[at:],
                content[:at] + b"\n" + content[at + 1 :],
                content[:at] + b"\xff" + content[at + 1 :],
            ]
        )
    )
    with cut(piece):
        found = outcome(lambda: texts(files.table(spoilt, "text", "csv")))
    assert found == outcome(lambda: files.records(spoilt))


CHANGES = {
    "a wrong value": lambda head, row, end: head + row * 49_000 + row.replace("7", "y") * 1000 + end,
    "a value that fits": lambda head, row, end: head + row * 49_000 + row.replace("7", "8") * 1000 + end,
    "more rows": lambda head, row, end: head + row * 50_001 + end,
    "fewer rows": lambda head, row, end: head + row * 40_000 + end,
    "other columns": lambda head, row, end: (head + row * 50_000 + end).replace("B", "C"),
    "nothing": lambda head, row, end: "",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("format", ["csv", "json"])
@pytest.mark.parametrize("late", [True, False], ids=["after the first batch", "before"])
def test_a_file_that_is_changed_while_it_is_read(files, cut, format, change, late):
    """Batches, whose types come from a first look at the file, say so where the second one is at another file."""
    parts_of = ("A,B\n", "7,x\n", "") if format == "csv" else ("[", '{"A": 7, "B": "x"},\n', '{"A": 7, "B": "x"}]')
    head, row, end = parts_of
    path = files.write(head + row * 50_000 + end, f"export.{format}")
    with cut(4096):
        parts = batches(ExportFile(path), 10)
        tables = planned_tables(ExportFile(path, low_memory=True))
        if late:
            next(parts)
            next(tables)
        files.write(change(*parts_of), path.name)
        for reading in (parts, tables) if late else (tables,):
            with pytest.raises(ExportFormatError, match=rf"export\.{format} was changed by somebody else while it was"):
                list(reading)
