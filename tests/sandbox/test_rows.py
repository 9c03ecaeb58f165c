"""Rows: the files of exports."""

import csv
import io
import json
import zlib
from datetime import datetime, timedelta

import pytest
from attrs import evolve

from khoros_analytics.reports import REPORTS
from khoros_analytics.sandbox._data.columns import ILLUSTRATIVE, columns_of
from khoros_analytics.sandbox._data.export_spec import BLOCK_ROWS, DISTINCT_ROWS, ExportSpec

START, END = 1_551_441_600_000, 1_556_712_000_000
DAY = 86_400_000


def spec(report="conversation", form="csv", **extra):
    return ExportSpec(report, START, END, form, **extra)


def table(wanted):
    """Return the header and the rows of a CSV file."""
    header, *rows = csv.reader(io.StringIO(wanted.body().content().decode(), newline=""), strict=True)
    return header, rows


def as_text(cell):
    """Return how a JSON value stands in CSV."""
    return "" if cell is None else json.dumps(cell) if isinstance(cell, bool) else str(cell)


@pytest.mark.parametrize("report", REPORTS)
def test_every_report_has_the_same_rows_in_both_formats(report):
    """CSV and JSON hold the same columns and the same values, for each report."""
    header, rows = table(spec(report))
    objects = json.loads(spec(report, "json").body().content())

    assert len(rows) == len(objects) == 100
    assert [[as_text(cell) for cell in each.values()] for each in objects] == rows
    assert all(list(each) == header for each in objects)


@pytest.mark.parametrize("report", REPORTS)
def test_documented_metrics_come_first(report):
    """The columns that a source names open each row, in the table's order; the made-up ones follow."""
    known = [metric.name for metric in REPORTS[report].metrics]

    assert list(columns_of(report))[: len(known)] == known
    assert set(ILLUSTRATIVE) == set(REPORTS)
    assert len(columns_of(report)) > 4


def test_metrics_choose_the_columns_and_their_order():
    """With reportMetrics a row has exactly these columns in this order, unknown ones too, each once."""
    header, rows = table(spec(metrics=("STATUS", "CONVERSATION_ID", "NOBODY_KNOWS", "STATUS")))

    assert header == ["STATUS", "CONVERSATION_ID", "NOBODY_KNOWS"]
    assert any(row[2] for row in rows)


def test_a_column_does_not_depend_on_the_others():
    """A metric has the same values whether it is asked for alone or with all others."""
    header, rows = table(spec())
    _, alone = table(spec(metrics=("STATUS",)))

    assert [row[header.index("STATUS")] for row in rows] == [row[0] for row in alone]


def test_the_same_recipe_gives_the_same_bytes():
    """Rows are deterministic, and seed, window and report each give others."""
    body = spec().body().content()

    assert spec().body().content() == body
    others = (spec(seed=1), spec("author"), ExportSpec("conversation", START, END + DAY, "csv"))
    assert all(other.body().content() != body for other in others)


@pytest.mark.parametrize("report", [name for name in REPORTS if name not in ("team_performance_interval", "user")])
def test_rows_hold_what_breaks_naive_readers(report):
    """Every report with people or texts in it has non-ASCII text and empty cells within 100 rows."""
    text = spec(report).body().content().decode()

    assert not text.isascii()
    assert any("" in row for row in table(spec(report))[1])


def test_the_nasty_values_are_there():
    """Commas, quotes, line breaks, emoji, umlauts, 19 digits, leading zeros, blanks and JSON in a cell occur."""
    _, rows = table(spec("combined", metrics=("POST_CONTENT", "AUTHOR_ID", "AGENT_ID")))
    texts = "".join(row[0] for row in rows)

    for nasty in (",", '"', "\n", "\r\n", "🎉", "ß", "日本語", "\t", "},"):
        assert nasty in texts
    assert any(len(row[1]) == 19 for row in rows)
    assert any(not row[1] for row in rows)
    assert all(row[2].startswith("0") for row in rows if row[2])


def test_json_keeps_types():
    """Numbers of 19 digits, floats, booleans and null are no text in JSON."""
    objects = json.loads(spec("combined", "json").body().content())
    flags = json.loads(spec("team_performance", "json").body().content())

    assert {type(each["AUTHOR_ID"]) for each in objects} == {int, type(None)}
    assert max(each["AUTHOR_ID"] or 0 for each in objects) > 2**53
    assert {type(each["HANDLE_TIME_SECONDS"]) for each in objects} == {float, type(None)}
    assert {type(each["IN_BUSINESS_HOUR"]) for each in flags} == {bool}


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("rows", [0, 1, 2, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS, 25_003])
def test_any_number_of_rows(form, rows):
    """A file has exactly the rows that were asked for, whether or not they fill whole blocks."""
    wanted = spec(form=form, rows=rows, metrics=("CONVERSATION_ID", "SUBJECT"))
    body = wanted.body()
    content = body.content()
    found = len(json.loads(content)) if form == "json" else len(table(wanted)[1])

    assert found == rows
    assert len(content) == body.length


def test_blocks_repeat():
    """No row comes twice up to 20,000 of them; in a larger file a block comes again, as the docs say."""
    _, rows = table(spec(rows=DISTINCT_ROWS, metrics=("CONVERSATION_ID",)))
    _, more = table(spec(rows=DISTINCT_ROWS + 1, metrics=("CONVERSATION_ID",)))

    assert len({row[0] for row in rows}) == DISTINCT_ROWS
    assert more[BLOCK_ROWS : 2 * BLOCK_ROWS] == more[:BLOCK_ROWS]
    assert len({row[0] for row in more}) == BLOCK_ROWS


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("size", [1_000, 1_000_000, 50_000_000])
def test_size_gives_about_so_many_bytes(form, size):
    """A file asked for by size comes within a few rows or a few percent of it."""
    assert spec(form=form, size=size).body().length == pytest.approx(size, rel=0.05, abs=1500)


def test_hundreds_of_millions_of_rows_cost_no_memory():
    """A file of more than a hundred gigabytes is described by a few megabytes, and its end can be read at once."""
    body = spec(form="json", rows=500_000_000).body()

    assert body.length > 100 * 2**30
    assert len(body.head) + len(body.unit) + len(body.tail) < 5 * 2**20
    assert b"".join(body.chunks(body.length - 2)) == b"}]"


def test_dates_are_in_the_window_and_in_the_zone():
    """Moments lie within the window, and are written in the zone that was asked for."""
    wanted = spec("conversation", metrics=("CREATED_DATE", "TIME_ZONE"))
    zones = {None: (0, "UTC"), "Asia/Kolkata": (330, "Asia/Kolkata"), 3_600_000: (60, "UTC+01:00")}
    _, plain = table(wanted)

    assert all("2019-03-01 12:00:00" <= moment < "2019-05-01 12:00:00" for moment, _ in plain)
    for zone, (minutes, name) in zones.items():
        _, rows = table(evolve(wanted, zone=zone))
        later = [datetime.fromisoformat(moment) + timedelta(minutes=minutes) for moment, _ in plain]
        assert rows == [[str(moment), name] for moment in later]


def test_a_conversation_closes_after_it_was_created():
    """Rows are plausible: a closed conversation has a later closing date, an open one has none."""
    header, rows = table(spec())
    status, created, closed = (header.index(name) for name in ("STATUS", "CREATED_DATE", "CLOSED_DATE"))

    assert {row[status] for row in rows} == {"OPEN", "PENDING", "CLOSED"}
    for row in rows:
        assert (row[closed] >= row[created]) if row[status] == "CLOSED" else row[closed] == ""


def test_gzip_of_a_large_file_is_sound():
    """A compressed file of many blocks passes the check of its own trailer."""
    body = spec(rows=30_000).body()
    inflate = zlib.decompressobj(wbits=31)

    assert inflate.decompress(body.gzipped().content()) == body.content()
    assert inflate.eof
    assert not inflate.unused_data
