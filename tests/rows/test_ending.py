"""Whether a JSON file of which nothing else announces the end is whole: by its brackets, wherever it was cut."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khoros_analytics._rows import ending
from khoros_analytics._rows.source import PeekableReader

PARTS = ["x", "[", "]", "{", "}", '},{"', '},{"k', '"', "\\", '\\"', "],[", "}]", '[{"a":1},{"b":2}]', "},\n{", "ü"]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=3).map("".join)
VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(0, 9), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["a", "b c", '"']), st.one_of(TEXTS, VALUES), min_size=1), min_size=1)


def looks_closed(content, chunk, tail):
    """What the check says, that reads so many bytes at a time."""
    file = io.BytesIO(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ending, "_CHUNK_SIZE", chunk)
        patch.setattr(ending, "_TAIL_SIZE", tail)
        return ending._is_closed(PeekableReader(file.read))


def is_closed(content):
    """What a look at each byte says."""
    depth, inside, escaped = 0, False, False
    for byte in content:
        if inside:
            inside, escaped = escaped or byte != ord('"'), not escaped and byte == ord("\\")
        else:
            inside = byte == ord('"')
            depth += (byte in b"[{") - (byte in b"]}")
    return depth == 0 and not inside


@given(
    rows=ROWS,
    edge=st.sampled_from([",", ", ", ",\n"]),
    ascii=st.booleans(),
    share=st.one_of(st.just(1), st.floats(0, 1)),
    sizes=st.tuples(st.sampled_from([1, 7, 40, 1000]), st.sampled_from([20, 64, 1000])),
)
def test_cut_anywhere(rows, edge, ascii, share, sizes):
    """The quick look comes to the same as one at each byte, whatever stands in the rows, and wherever they are cut."""
    content = ("[" + edge.join(json.dumps(row, ensure_ascii=ascii) for row in rows) + "]").encode()
    content = content[: round(share * len(content))]
    assert looks_closed(content, *sizes) == is_closed(content)
    assert is_closed(content) or share < 1


@pytest.mark.parametrize("size", [1 << 10, 1 << 20])
def test_most_is_not_looked_at_closely(size, monkeypatch):
    """Of rows without square brackets only the first and the last ones are taken apart."""
    taken = []
    count = ending._Brackets.count
    monkeypatch.setattr(ending._Brackets, "count", lambda self, piece: (taken.append(len(piece)), count(self, piece)))
    content = json.dumps([{"a": number, "b": '}{ "'} for number in range(100_000)]).encode()
    assert looks_closed(content, size, 100)
    assert sum(taken) < 1000
    assert looks_closed(content.replace(b"50000,", b"[50000],"), size, 100)
    assert not looks_closed(content.replace(b"50000,", b"[50000,"), size, 100)


CELLS = st.lists(st.sampled_from(["a", ",", '"', "\n", "\r\n", "\r", "ü", ""]), max_size=4).map("".join)


def ending_of_csv(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "file.csv"
    path.write_bytes(content)
    return ending.ending_of(path, "csv")


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=3))
def test_a_last_row_in_quotes(tmp_path_factory, rows):
    """A CSV file that ends with a row ends where it may, and none of it is read again, whatever its quotes hold."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("A", "B", "C"), *rows])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ending, "_reads_whole", None)
        assert ending_of_csv(text.getvalue().encode(), tmp_path_factory) == "possible"


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_last_row_that_is_cut(tmp_path_factory, cut):
    """One that is cut within its quotes, or behind a line end in them, is open."""
    row = b'2,"x\ny\r\n""z\n",3\r\n'
    whole = cut >= len(row) - 1  # a CR alone ends a line, too
    assert ending_of_csv(b'A,B,C\r\n1,"a\nb",c\r\n' + row[:cut], tmp_path_factory) == ("possible" if whole else "open")
