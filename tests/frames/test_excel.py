"""Excel: every cell is what it looks like, no digit is lost, and the workbook is there whole or not at all."""

import io
import json
import re
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import fsspec
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape
from python_calamine import CalamineWorkbook

from khoros_analytics import (
    ExportFormatError,
    ParameterError,
    TargetError,
    TargetExistsError,
    __version__,
    write_excel,
)
from khoros_analytics._frames import excel as writer
from khoros_analytics._frames import excel_cells, excel_columns
from khoros_analytics.sandbox import faults

METRICS = ["CONVERSATION_ID", "STATUS", "POST_COUNT", "CREATED_DATE"]
GOOD = b"A,B\r\n" + b"1,x\r\n" * 1000
BROKEN = GOOD + b"2\r\n"


at = datetime.fromisoformat


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def sheet(path, name=None):
    """Open a sheet with openpyxl."""
    book = openpyxl.load_workbook(path)
    return book[name] if name else book.worksheets[0]


def rows(path, name=None):
    """What openpyxl reads; it leaves Excel's way to write control characters as it is."""
    found = sheet(path, name).iter_rows(values_only=True)
    return [tuple(unescape(cell) if isinstance(cell, str) else cell for cell in row) for row in found]


def rows_of_calamine(path, index=0):
    """What calamine reads; all numbers are floats, and what is missing is an empty text."""
    return [tuple(row) for row in CalamineWorkbook.from_path(path).get_sheet_by_index(index).to_python()]


def part(path, name="xl/worksheets/sheet1.xml"):
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


@pytest.fixture(scope="session")
def convert(files):
    """Write the workbook of a file, given by its content."""

    def make(content, name="export.csv", **how):
        return write_excel(files.write(content, name), files.folder / "book.xlsx", overwrite=True, **how)

    return make


@pytest.fixture(scope="session")
def column(convert):
    """Write a column of texts, and return its cells as openpyxl and as calamine read them."""

    def cells(*values, types=None, timezone=None):
        quoted = ("" if value is None else '"' + value.replace('"', '""') + '"' for value in values)
        content = "A,B\n" + "".join(f"{text},x\n" for text in quoted)
        path = convert(content, types=types and {"A": types}, timezone=timezone)
        one, other = ([row[0] for row in read(path)[1:]] for read in (rows, rows_of_calamine))
        return one, [None if cell == "" else cell for cell in other]

    return cells


@pytest.fixture
def job(world):
    """An export that can be had at once."""
    return world.start(metrics=METRICS)


@pytest.fixture
def small(monkeypatch, cut):
    """Cells are made a few at a time, so that an error comes when some of them are on disk already."""
    monkeypatch.setattr(writer, "_CELLS", 64)
    monkeypatch.setattr(writer, "_TABLE_SIZE", 1)
    with cut(1 << 10):
        yield


@pytest.fixture
def broken(world):
    """An export with a damaged last row."""
    world.sandbox.fail("file", faults.RawAnswer(content=BROKEN), times=None)
    return world.start()


# ---- cells


@pytest.mark.parametrize(
    "text",
    [
        "1234567890123456789",
        "007",
        "1-2",
        "=1+1",
        "@SUM(A1)",
        "+49 221",
        "{=1}",
        "https://example.com/a?b=1&c=2",
        "mailto:somebody@example.com",
        "#N/A",
        "TRUE story",
        "<r>&amp;</r>",
        "<r><t>bold</t></r>",
        "]]>",
        "&#10;",
        "  on both sides  ",
        " ",
        "\t",
        "two\nlines",
        "a carriage return\r\nand one alone\r",
        "Köln 配送 🎉 \ue000",
        "\x00\x01\x1f\x7f\x85",
        "_x0001_",
        "_x000D_ and _X000D_",
        "_x005F_x0001_",
        "_x0001_x0002_",
        "_x0001\x02",
        "_x_x0001_",
        "__x00e9__",
    ],
)
def test_text_stays_text(text, column):
    """A text reads back as what it was, whatever it looks like: to Excel, to XML, or to Excel's own escapes."""
    assert column(text, "x") == ([text, "x"], [text, "x"])


@settings(deadline=None, max_examples=25)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("_x0F\x01<r>&"), min_size=1)))
def test_any_text(column, texts):
    """The same for whatever somebody may write."""
    assert column("x y", *texts) == (["x y", *texts],) * 2


def test_forbidden_characters(convert):
    """What XML forbids is written as Excel writes it, and what looks like that is not taken for it."""
    path = convert("A,B,C\n\x01,_x0001_,\ufffe\uffff\n")
    for written in ("_x0001_", "_x005F_x0001_", "_xFFFE__xFFFF_"):
        assert f">{written}<" in part(path)
    assert rows(path)[1] == ("\x01", "_x0001_", "\ufffe\uffff")


@pytest.mark.parametrize(
    ("texts", "cells"),
    [
        (["1", None, "-12"], [1, None, -12]),
        (["999999999999999", "-999999999999999"], [999999999999999, -999999999999999]),
        (["0.1", "2", "-1.5"], [0.1, 2, -1.5]),
        (["1e-07", "123456789.012345"], [1e-07, 123456789.012345]),
        (["true", None, "false"], [True, None, False]),
        (["", None, "x"], ["", None, "x"]),
        ([None, None], [None, None]),
    ],
)
def test_values(texts, cells, column):
    """Numbers and booleans are real ones; what is missing is no cell at all, and an empty text is one."""
    found, by_calamine = column(*texts)
    assert found == cells
    assert [type(cell) for cell in found] == [type(cell) for cell in cells]
    assert by_calamine == [cell or None if isinstance(cell, str) else cell for cell in cells]


@pytest.mark.parametrize("number", ["1000000000000000", "-1234567890123456", "1234567890123456789"])
def test_more_digits_than_excel_keeps(number, column):
    """An integer beyond 15 digits makes its column text: all of it, so that equal numbers are equal cells."""
    assert column(number, "7") == ([number, "7"],) * 2
    longer = f"{number[: -len(number.lstrip('-'))]}00{number.lstrip('-')}"
    assert column(longer, "7", types="integer")[0] == [longer, "7"]


def test_digits_of_floats(column):
    """A float keeps all of its bits, also those that are seen in its 17th digit only."""
    numbers = [0.1 + 0.2, 1 / 3, 2**0.5 * 1e-300, -1e22 / 3, 1.7e300]
    assert column(*map(repr, numbers), types="float") == (numbers, numbers)


def test_numbers_that_excel_does_not_have(column):
    """Infinity, what is no number, and what is larger or smaller than Excel's numbers are texts; the others are not."""
    texts = ["inf", "-inf", "nan", "1e+308", "5e-324", "1.5", None]
    assert column(*texts, types="float")[0] == ["inf", "-inf", "nan", "1e+308", "5e-324", 1.5, None]


def test_dates(column):
    """Dates are real ones, from the first that Excel has to the last; the others are texts."""
    days = ["1900-01-01", "1900-02-28", "1900-03-01", "2019-02-01", "9999-12-31"]
    found, by_calamine = column(*days, "1899-12-31", "0001-01-01", None)
    assert found == [*(at(day) for day in days), "1899-12-31", "0001-01-01", None]
    assert by_calamine == [*(date.fromisoformat(day) for day in days), "1899-12-31", "0001-01-01", None]


def test_moments(column):
    """Moments are real ones, to the millisecond; those before 1900 are texts."""
    texts = ["1900-01-01 00:00:00.001", "2019-02-01 09:30:00.123", "9999-12-31 23:59:59.999"]
    moments = [at(text) for text in texts]
    assert column(*texts, "1899-12-31 23:59:59.999") == ([*moments, "1899-12-31 23:59:59.999"],) * 2


def test_every_millisecond(column):
    """Each millisecond of a day reads back as itself."""
    moments = [at("2019-02-01 00:00") + timedelta(milliseconds=step * 86_399_999 // 500) for step in range(1, 501)]
    assert column(*(moment.isoformat(" ", "milliseconds") for moment in moments)) == (moments, moments)


def test_finer_than_excel(column):
    """Moments finer than a millisecond stay text, with all digits; zeros at the end do not count."""
    assert column("2019-02-01 09:30:00.123456", "2019-02-01 09:30:00")[0][0] == "2019-02-01 09:30:00.123456"
    assert column("2019-02-01 09:30:00.123000")[0] == [at("2019-02-01 09:30:00.123")]


CLOCKS = ("2019-03-31T01:59:00+01:00", "2019-03-31T03:01:00+02:00")


@pytest.mark.parametrize(
    ("texts", "timezone", "cells"),
    [
        (("2019-02-01T10:00:00+05:30",), None, [at("2019-02-01 10:00")]),
        (("2019-02-01T10:00:00Z", None), ZoneInfo("America/New_York"), [at("2019-02-01 05:00"), None]),
        (("2019-02-01T10:00:00.5+01:00",), "Asia/Kolkata", [at("2019-02-01 14:30:00.500")]),
        (("2019-02-01 10:00:00",), "America/New_York", [at("2019-02-01 10:00")]),
        (CLOCKS, None, list(CLOCKS)),
        (CLOCKS, "Europe/Berlin", [at("2019-03-31 01:59"), at("2019-03-31 03:01")]),
        ((*CLOCKS, "never"), "Europe/Berlin", [*CLOCKS, "never"]),
    ],
)
def test_zones(texts, timezone, cells, column):
    """A moment with an offset shows the clock of the zone; without a zone the one that it was written by."""
    assert column(*texts, timezone=timezone) == (cells, cells)


def test_zone_of_a_job(world, folder):
    """A job knows the zone that it was asked for."""
    content = b"CONVERSATION_ID,AT\r\n1,2019-03-31T00:59:00Z\r\n2,2019-03-31T01:01:00Z\r\n"
    world.sandbox.fail("file", faults.RawAnswer(content=content), times=None)
    path = world.start(timezone="Europe/Berlin").to_excel(folder)
    assert rows(path)[1:] == [("1", at("2019-03-31 01:59")), ("2", at("2019-03-31 03:01"))]


@pytest.mark.parametrize("format", ["csv", "json"])
def test_all_of_an_export(format, world, folder):
    """All rows of an export are there, with the values of its table."""
    job = world.start(metrics=METRICS, format=format)
    path = job.to_excel(folder / "export.xlsx")
    table = job.to_arrow()
    assert rows(path) == [tuple(METRICS), *zip(*(values.to_pylist() for values in table.columns), strict=True)]
    assert len(rows_of_calamine(path)) == 101


def test_types(job, folder):
    """Types may be given, as for frames."""
    path = job.to_excel(folder, types="text")
    assert all(isinstance(cell, str | None) for row in rows(path) for cell in row)
    with pytest.raises(ParameterError, match="no column 'STATES'; did you mean 'STATUS'"):
        job.to_excel(folder / "other.xlsx", types={"STATES": "text"})
    assert names(folder) == [path.name]


@pytest.mark.parametrize(
    ("content", "name", "found"),
    [
        ("A,B\n", "export.csv", [("A", "B")]),
        ("[]", "export.json", []),
        ("[{}, {}]", "export.json", []),
        ("A\n\n1\n", "export.csv", [("A",), (None,), (1,)]),
    ],
)
def test_hardly_anything(content, name, found, convert):
    """An export without rows, and one without columns, make a workbook, too."""
    path = convert(content, name)
    assert [row for row in rows(path) if row] == found


@pytest.mark.usefixtures("small")
def test_late_change_of_type(convert):
    """A type that turns out too narrow in the last row holds from the first one on."""
    path = convert("A,B\n" + "1,x\n" * 2000 + "late,x\n")
    assert {type(row[0]) for row in rows(path)} == {str}
    assert len(rows(path)) == 2002


# ---- what it looks like


def test_header(convert):
    """The header is bold, stays on the screen, and has a filter over all rows, in each sheet."""
    found = sheet(convert("A,B\n1,x\n2,y\n"))
    assert found.freeze_panes == "A2"
    assert found.auto_filter.ref == found.dimensions == "A1:B3"
    assert [cell.font.bold for cell in found[1]] == [True, True]
    assert found["A2"].font.bold is False


def test_formats(convert):
    """Cells show what they are: whole numbers with all digits, dates as in the export, texts as Excel's Text."""
    content = "A,B,C,D,E,F\n123456789012,x,2019-02-01,2019-02-01 10:00:00,2019-02-01 10:00:00.5,1.5\n"
    formats = [cell.number_format for cell in sheet(convert(content))[2]]
    moments = "yyyy-mm-dd hh:mm:ss"
    assert formats == ["0", "@", "yyyy-mm-dd", moments, f"{moments}.000", "General"]


def test_widths(convert):
    """Columns are as wide as their content or their name, up to a limit; East Asian letters count twice."""
    content = "A,LONG_NAME_OF_A_METRIC,C,D,E\n1,1,{},{},2019-02-01 10:00:00\n".format("x" * 500, "配送" * 5)
    found = sheet(convert(content)).column_dimensions
    assert [round(found[letter].width) for letter in "ABCDE"] == [9, 29, 61, 23, 22]


def test_no_warnings_about_numbers(convert):
    """Excel is told that numbers which are text are meant to be."""
    assert '<ignoredError sqref="A1:A2" numberStoredAsText="1"/>' in part(convert("POST_ID\n7\n"))


def test_no_formula_and_no_link(convert):
    """There are only texts, numbers and booleans in it."""
    path = convert("A,B\n=1+1,https://example.com\n-1,www.example.com\n")
    content = part(path)
    assert not re.search("<f>|hyperlink", content)
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if "sheet1.xml.rels" in name]
        assert archive.namelist()[0] == "[Content_Types].xml"


def test_what_it_says_of_itself(world, folder):
    """Its properties tell report, window, arguments and version; and nothing that is secret."""
    job = world.start(metrics=METRICS, fresh=True)
    path = job.to_excel(folder)
    properties = openpyxl.load_workbook(path).properties
    assert properties.title == "conversation"
    assert json.loads(properties.description) == {
        "khoros_analytics": {
            "report": "conversation",
            "window": {"start": "2019-02-01T00:00:00+00:00", "end": "2019-02-02T00:00:00+00:00"},
            "arguments": {"metrics": METRICS, "format": "csv"},
            "version": __version__,
        }
    }
    with zipfile.ZipFile(path) as archive:
        content = b"".join(map(archive.read, archive.namelist()))
    for secret in (world.sandbox.password, world.sandbox.company_key, job.status.download_url, job.token):
        assert secret.encode() not in content


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("january.csv", "january"),
        ("a[b]*?'.csv", "a b"),
        ("history.csv", "history_"),
        ("'.csv", "Export"),
        ("x" * 40 + ".csv", "x" * 31),
        ("🎉" * 20 + ".csv", "🎉" * 15),
    ],
)
def test_names_of_sheets(source, title, convert):
    """The sheet is called after the file, as far as Excel allows."""
    assert openpyxl.load_workbook(convert("A\n1\n", source)).sheetnames == [title]


# ---- what does not fit


def test_more_rows_than_a_sheet_has(convert, monkeypatch):
    """What does not fit into a sheet goes on in a further one, with a header and a filter of its own."""
    monkeypatch.setattr(excel_columns, "MOST_ROWS", 4)
    monkeypatch.setattr(writer, "_CELLS", 4)
    path = convert("A,B\n" + "".join(f"{row},x\n" for row in range(7)))
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["export", "export 2", "export 3"]
    assert [found.dimensions for found in book] == [found.auto_filter.ref for found in book]
    assert [found.dimensions for found in book] == ["A1:B4", "A1:B4", "A1:B2"]
    assert [row[0] for name in book.sheetnames for row in rows(path, name)] == ["A", 0, 1, 2, "A", 3, 4, 5, "A", 6]
    assert rows_of_calamine(path, 2) == [("A", "B"), (6, "x")]
    assert {found.freeze_panes for found in book} == {"A2"}


@pytest.mark.parametrize(("count", "sheets"), [(3, [4]), (4, [4, 2])])
def test_a_sheet_that_is_just_full(count, sheets, convert, monkeypatch):
    """A sheet is filled to its last row, and the next one begins only with a row."""
    monkeypatch.setattr(excel_columns, "MOST_ROWS", 4)
    path = convert("A\n" + "7\n" * count)
    assert [found.max_row for found in openpyxl.load_workbook(path)] == sheets


def test_more_bytes_than_a_sheet_should_have(convert, monkeypatch, cut):
    """So that the file stays one that Excel opens without a question, a sheet ends before it has 2 GB."""
    monkeypatch.setattr(excel_columns, "MOST_BYTES", 30_000)
    with cut(1 << 10):
        path = convert("A,B\n" + "".join(f"{row},x\n" for row in range(1000)))
    book = openpyxl.load_workbook(path)
    assert len(book.sheetnames) > 3
    assert all(len(part(path, f"xl/worksheets/sheet{number}.xml")) < 40_000 for number in range(1, 4))
    found = [row[0] for name in book.sheetnames for row in rows(path, name)[1:]]
    assert found == list(range(1000))


@pytest.mark.slow
def test_a_million_rows(convert):
    """A sheet of Excel has 1,048,576 rows; the row after that is the second one of the next sheet."""
    path = convert("A\n" + "7\n" * 1_048_576)
    book = CalamineWorkbook.from_path(path)
    assert [book.get_sheet_by_index(index).height for index in (0, 1)] == [1_048_576, 2]


@pytest.mark.slow
def test_columns(convert):
    """A sheet has 16,384 columns."""
    header = ",".join(f"C{number}" for number in range(16_384))
    content = part(convert(f"{header}\n{',' * 16_382},7\n"))
    assert content.count("<c r=") == 16_385
    assert '<c r="XFD2"' in content


def test_more_columns_than_a_sheet_has(files, monkeypatch):
    """More columns than a sheet has are an error before anything is written."""
    assert excel_columns.MOST_COLUMNS == 16_384
    monkeypatch.setattr(excel_columns, "MOST_COLUMNS", 2)
    with pytest.raises(ExportFormatError, match=r"3 columns .* has 2\nWhat to do: ask for fewer metrics"):
        write_excel(files.write("A,B,C\n1,2,3\n"), files.folder / "none.xlsx")
    assert "none.xlsx" not in names(files.folder)


@pytest.mark.parametrize("letter", ["x", "é", "🎉", "\x01"])
def test_characters_in_a_cell(letter, column, files, monkeypatch):
    """A cell holds 32,767 characters, as UTF-16 counts them; more are an error before anything is written."""
    most = 2 * 32_767 // len(letter.encode("utf-16-le"))
    assert column(letter * most, "x")[0][0] == letter * most
    source = files.write("A,B\n" + "x,x\n" * 5 + f"{letter * (most + 1)},x\n")
    monkeypatch.setattr(writer, "ZipFile", None)
    with pytest.raises(ExportFormatError, match=r"row 6: A holds 32,76[89] characters, .* 32,767") as caught:
        write_excel(source, files.folder / "none.xlsx")
    assert caught.value.row == 6
    assert names(files.folder).count("none.xlsx") == 0


def test_characters_in_the_header(files):
    """The same for the name of a column."""
    with pytest.raises(ExportFormatError, match=r"the name of column 2, 'xxxx.* has 32,768 characters"):
        write_excel(files.write(f"A,{'x' * 32_768}\n1,2\n"), files.folder / "none.xlsx")


def test_what_does_not_fit_says_of_which_job(world, folder):
    """The error carries the job, which is kept; the file that was there is not touched."""
    world.sandbox.fail("file", faults.RawAnswer(content=b"A,B\r\n" + b"x" * 40_000 + b",1\r\n"), times=None)
    job = world.start()
    path = folder / "export.xlsx"
    path.write_bytes(b"mine")
    with pytest.raises(ExportFormatError, match=r"row 1: A holds 40,000 characters") as caught:
        job.to_excel(path, overwrite=True)
    assert caught.value.job is job
    assert path.read_bytes() == b"mine"
    assert names(folder) == ["export.xlsx"]


# ---- where it goes


def test_folder(job, folder):
    """In a folder it is named after report and window; what comes back is its absolute path."""
    path = job.to_excel(folder)
    assert path == folder / "conversation_2019-02-01_2019-02-02.xlsx"
    assert job.to_excel("here.xlsx") == Path.cwd() / "here.xlsx"
    assert rows(path) == rows("here.xlsx")
    assert openpyxl.load_workbook(path).sheetnames == ["conversation"]


@pytest.mark.parametrize("name", ["january.csv.gz", "january.json"])
def test_folder_for_a_file(name, files, folder):
    """A file on disk keeps its name."""
    source = files.write("A\n1\n" if ".csv" in name else '[{"A": 1}]', name.removesuffix(".gz"))
    assert write_excel(source, folder) == folder / "january.xlsx"


@pytest.mark.parametrize("name", ["export.xls", "export.csv", "export"])
def test_name_that_excel_does_not_open(name, job, folder):
    """Excel opens a workbook by its name; another one is an error before anything is waited for."""
    with pytest.raises(ParameterError, match=rf"Excel would not open '{name}'; give a name that ends with \.xlsx"):
        job.to_excel(folder / name)
    assert job.status.state == ""
    assert names(folder) == []


def test_overwrite(job, folder):
    """Another file is replaced only when that is asked for; before anything is waited for."""
    path = folder / "export.xlsx"
    path.write_text("mine")
    with pytest.raises(TargetExistsError, match="overwrite=True") as caught:
        job.to_excel(path)
    assert caught.value.job is job
    assert path.read_text() == "mine"
    assert job.status.state == ""
    job.to_excel(path, overwrite=True)
    assert len(rows(path)) == 101
    assert names(folder) == ["export.xlsx"]


@pytest.mark.parametrize("before", [None, b"mine"])
@pytest.mark.usefixtures("small")
def test_damage_in_a_late_row(before, broken, folder):
    """An error in the last row leaves nothing behind, or the file that was there as it was."""
    path = folder / "export.xlsx"
    if before:
        path.write_bytes(before)
    with pytest.raises(ExportFormatError, match="row 1001"):
        broken.to_excel(path, overwrite=True)
    assert names(folder) == (["export.xlsx"] if before else [])
    assert not before or path.read_bytes() == before


def full():
    raise OSError(28, "No space left on device")


def interrupted():
    raise KeyboardInterrupt


@pytest.mark.parametrize(("act", "error"), [(full, TargetError), (interrupted, KeyboardInterrupt)])
@pytest.mark.usefixtures("small")
def test_stopped_half_way(act, error, job, folder, monkeypatch):
    """A full disk and a Ctrl-C leave nothing behind but the file that was there; later it works."""
    path = folder / "export.xlsx"
    path.write_bytes(b"mine")
    make, count = excel_cells.rows_xml, iter(range(1000))

    def stopping(*arguments):
        if next(count) == 3:
            act()
        return make(*arguments)

    monkeypatch.setattr(writer, "rows_xml", stopping)
    with pytest.raises(error):
        job.to_excel(path, overwrite=True)
    assert names(folder) == ["export.xlsx"]
    assert path.read_bytes() == b"mine"
    job.to_excel(path, overwrite=True)
    assert len(rows(path)) == 101


class FullInTheEnd(zipfile.ZipFile):
    def _write_end_record(self):
        full()


def test_full_disk_in_the_end(job, folder, monkeypatch):
    """A disk that is full when the last byte is written is a TargetError with the system's number, and the job."""
    monkeypatch.setattr(writer, "ZipFile", FullInTheEnd)
    with pytest.raises(TargetError, match="No space left") as caught:
        job.to_excel(folder / "export.xlsx")
    assert (caught.value.errno, caught.value.job) == (28, job)
    assert names(folder) == []


def test_a_file_that_changes_meanwhile(files, folder, monkeypatch):
    """A source that somebody shortens while it is read is an error, and no workbook."""
    path = files.write("A,B\n" + "1,x\n" * 1000)
    blank = writer.blank_book

    def shortening(*arguments):
        files.write("A,B\n" + "1,x\n" * 10)
        return blank(*arguments)

    monkeypatch.setattr(writer, "blank_book", shortening)
    with pytest.raises(ExportFormatError, match="changed by somebody else"):
        write_excel(path, folder / "x.xlsx")
    assert names(folder) == []


def test_source(folder):
    """A source is a path, and has to be there."""
    with pytest.raises(ParameterError, match="not a path"):
        write_excel(5, folder)
    with pytest.raises(FileNotFoundError):
        write_excel(folder / "none.csv", folder)
    with pytest.raises(ParameterError, match=r"timezone: 'Europe/Berlim' .*did you mean 'Europe/Berlin'"):
        write_excel(folder / "none.csv", folder, timezone="Europe/Berlim")


# ---- places that fsspec knows


def test_memory(job):
    """A URL with a scheme goes to the file system that fsspec has for it, and comes back as it was given."""
    url = "memory://books/export.xlsx"
    try:
        assert job.to_excel(url) == url
        with fsspec.open(url) as file:
            assert len(rows(file)) == 101
        with pytest.raises(TargetExistsError, match="overwrite=True"):
            job.to_excel(url)
        assert job.to_excel(url, overwrite=True) == url
    finally:
        fsspec.filesystem("memory").rm("/books", recursive=True)


def test_s3(job, bucket):
    """Object storage, which cannot go back in a file, gets the same workbook."""
    url = f"s3://{bucket.name}/year/export.xlsx"
    assert job.to_excel(url, storage_options=bucket.options) == url
    body = bucket.client.get_object(Bucket=bucket.name, Key="year/export.xlsx")["Body"].read()
    assert len(rows(io.BytesIO(body))) == 101


@pytest.mark.usefixtures("small")
def test_s3_without_half_files(broken, bucket):
    """And an error leaves nothing there."""
    with pytest.raises(ExportFormatError):
        broken.to_excel(f"s3://{bucket.name}/small.xlsx", storage_options=bucket.options)
    assert bucket.objects() == []
    assert bucket.uploads() == []


def test_no_pandas(files, folder, monkeypatch):
    """It takes neither pandas nor the cells of XlsxWriter."""
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    assert rows(write_excel(files.write("A\n1\n"), folder / "x.xlsx")) == [("A",), (1,)]
