"""JSON to rows: what the standard library reads in one go comes out row by row, and what it refuses is an error with
its place. All of it holds with and without orjson, and however the text is cut into pieces.
"""

import importlib.util
import io
import json
import math
import sys
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khoros_analytics import ExportFormatError, read_rows
from khoros_analytics._rows import json_exact, json_reader
from khoros_analytics._rows.source import open_export

PARSERS = ["with orjson", "without orjson"] if importlib.util.find_spec("orjson") else ["without orjson"]
PIECES = [1, 17, 300, 1 << 16]
SIZES = st.sampled_from(PIECES)
SMALL_PIECE = 1 << 14


def cut(patch, piece, parser):
    """Read so many bytes at once, with or without orjson."""
    patch.setattr(json_reader, "_BLOCK_SIZE", max(piece, 64))  # the bracket has to be seen in it
    patch.setattr(json_reader, "_MAX_BLOCK_SIZE", 16 * piece)
    patch.setattr(json_exact, "_CHUNK_SIZE", piece)
    if parser == "without orjson":
        patch.setitem(sys.modules, "orjson", None)


@pytest.fixture(params=PARSERS)
def parser(request, monkeypatch):
    """With orjson, and without it."""
    if request.param == "without orjson":
        monkeypatch.setitem(sys.modules, "orjson", None)


@pytest.fixture(params=PIECES, ids=lambda piece: f"pieces of {piece}")
def pieces(request, monkeypatch):
    """How much is read at once: nothing may depend on it."""
    cut(monkeypatch, request.param, "")


@pytest.fixture
def small_pieces(monkeypatch):
    """A quarter of what is usually read at once, so that a file need not have megabytes to be large."""
    cut(monkeypatch, SMALL_PIECE, "")


def exactly(found, wanted):
    """Whether two rows are the same, with 1, 1.0 and True apart, and their fields in the same order."""
    return repr(found) == repr(wanted)


LAYOUTS = {
    "compact": {"separators": (",", ":")},
    "with spaces": {},
    "indented": {"indent": 2},
    "indented with tabs": {"indent": "\t"},
    "not indented": {"indent": 0},
    "all of it in ASCII": {"ensure_ascii": True, "separators": (",", ":")},
    "spaces before commas": {"separators": (" , ", " : ")},
    "CRLF": {"separators": (",\r\n", ":\r\n")},
}


def written(rows, layout):
    """Rows as JSON writes them."""
    return json.dumps(rows, **{"ensure_ascii": False, **LAYOUTS[layout]})


FLAT = [{"ID": number, "TEXT": f"ü{number}", "FLOAT": number / 7, "FLAG": number % 2 == 0} for number in range(40)]
SHAPES = {
    "no rows": [],
    "one row": [{"A": 1}],
    "one row of one text": [{"A": ""}],
    "an empty row": [{}],
    "empty rows": [{}, {}, {"A": 1}, {}],
    "flat": FLAT,
    "fields that differ": [{"A": 1}, {"B": 2, "A": 3}, {}, {"C": None}],
    "arrays": [{"TAGS": ["a", "b"], "A": number} for number in range(20)],
    "empty arrays and objects": [{"A": [], "B": {}, "C": [[]], "D": [{}]} for _ in range(20)],
    "objects": [{"AUTHOR": {"NAME": "x", "MORE": {"A": 1}}} for _ in range(20)],
    "arrays of objects": [{"POSTS": [{"A": 1, "B": 2}, {"A": 3}], "B": number} for number in range(20)],
    "arrays of objects last": [{"B": number, "POSTS": [{"A": 1}, {"A": 3}]} for number in range(20)],
    "arrays of objects, some": [
        {"A": n, **({"POSTS": [{"A": n}, {"A": -n}]} if n % 9 == 8 else {})} for n in range(40)
    ],
    "arrays of arrays of objects": [{"A": [[{"A": 1}, {"B": 2}], [{"A": 3}, {"B": 4}]]} for _ in range(20)],
    "edges in texts": [{"A": '},{"A":1', "B": '"},{"', "C": '}, {"'} for _ in range(20)],
    "edges in the first text": [{"A": '},{"'}, *FLAT],
    "edges in names": [{'},{"': 1, "},{": 2, "}": 3, '"': 4} for _ in range(20)],
    "brackets in texts": [{"A": "]", "B": "[{", "C": "}]", "D": "]}"} for _ in range(20)],
    "escapes": [{"A": '"\\/\b\f\n\r\t\0\x1f\x7f', "B": "\\", "C": "\\\\", "D": '\\"'} for _ in range(20)],
    "backslashes before an edge": [{"A": "\\" * number, "B": '\\},{"'} for number in range(20)],
    "characters": [{"ü": "ü", "漢": "漢字", "🎉": "🎉\u2028\u2029\ufeff\uffff"} for _ in range(20)],
    "names of nothing": [{"": 1}, {"": "", "A": 2}, {"": None}] * 10,
    "long names": [{"x" * 1000: "y" * 1000} for _ in range(20)],
    "literals": [{"A": True, "B": False, "C": None} for _ in range(20)],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_and_layouts(shape, ways, parser, pieces):
    """Rows of any shape, in any layout, are those that ``json.loads`` returns, in the same order."""
    for layout in LAYOUTS:
        assert exactly(ways.rows(written(SHAPES[shape], layout)), SHAPES[shape]), layout


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if SHAPES[shape]])
def test_large_files(shape, ways, parser, small_pieces):
    """So they are in files much longer than what is read at once."""
    for layout in LAYOUTS:
        rows = SHAPES[shape] * (1 + 3 * SMALL_PIECE // len(written(SHAPES[shape], layout)))
        assert exactly(ways.rows(written(rows, layout)), rows), layout


@pytest.mark.parametrize("space", ["", " ", "\n", " \t\r\n" * 5])
def test_white_space(space, ways, parser, pieces):
    """White space may stand wherever JSON allows it."""
    text = '[{"A":[1,{}],"B":"x"},{"A":2}]'
    for mark in "[]{},:":
        text = text.replace(mark, f"{space}{mark}{space}")
    assert ways.rows(text) == [{"A": [1, {}], "B": "x"}, {"A": 2}]
    assert ways.rows(f"{space}[{space}]{space}") == []


@pytest.mark.parametrize("size", [100, 1.1 * SMALL_PIECE, 17 * SMALL_PIECE, 45 * SMALL_PIECE])
@pytest.mark.parametrize("filler", ["x", '},{"', "\\", "🎉"])
def test_huge_rows(filler, size, ways, parser, small_pieces):
    """A row may be many times longer than what is read at once, and its neighbours stay as they are."""
    rows = [*FLAT, {"A": filler * int(size / len(filler))}, *FLAT, {"A": [{"B": 1}] * int(size / 10)}, *FLAT]
    assert ways.rows(json.dumps(rows)) == rows
    assert ways.rows(json.dumps(rows, separators=(",", ":"))) == rows


def test_huge_white_space(ways, parser):
    """So may the white space between two rows, within one, and behind the last one."""
    space = " " * 200_000
    text = f'[{space}{{"A":{space}1}}{space},{space}{{"A":2}}{space}]{space}'
    assert ways.rows(text) == [{"A": 1}, {"A": 2}]


def test_huge_white_space_at_the_beginning(ways, parser):
    """So may that before the first bracket, in a file that is told to be JSON."""
    assert ways.rows(" " * 200_000 + '[{"A":1}]', "json") == [{"A": 1}]


def test_layout_that_changes(ways, parser, pieces):
    """The layout may change within a file, as where somebody has put two exports together."""
    text = written(FLAT, "compact")[:-1] + "," + written(FLAT, "indented")[1:-1] + "," + written(FLAT, "CRLF")[1:]
    assert exactly(ways.rows(text), FLAT * 3)


def test_rows_come_one_by_one(endless, parser):
    """A row is there as soon as its block is: nobody waits for the rest of a long file."""
    stream = endless(b'[{"A":0}', b',{"A":1}')
    rows = read_rows(stream)
    assert [next(rows), next(rows)] == [{"A": 0}, {"A": 1}]
    assert stream.taken < 1 << 20
    rows.close()


# ---- numbers

NUMBERS = [
    *("0", "-0", "7", "-1", "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808"),
    *("-9223372036854775809", "18446744073709551615", "18446744073709551616", "-18446744073709551616"),
    *("99999999999999999999", "100000000000000000000", "10000000000000000000", "-10000000000000000000"),
    *("12345678901234567890123456789", "1" * 4300, "-" + "7" * 4300),
    *("0.0", "-0.0", "1.0", "0.1", "1.5", "1e3", "1E3", "1e+3", "1e-3", "-1.5E-7", "0e0", "1e23", "8.41e21"),
    *(
        "3.14159265358979323846",
        "0.30000000000000004",
        "2.2250738585072014e-308",
        "5e-324",
        "1e-400",
        "123456789.123456789",
    ),
    *("9007199254740993.0", "1.7976931348623157e308", "18446744073709551616.0", "1e22", "100000000000000000000.5"),
]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:40])
def test_numbers(number, ways, parser, pieces):
    """An integer of any length keeps each digit, other numbers are floats; Decimals where no float can hold them."""
    text = f'[{{"A":{number},"B":"x"}},{{"A":1,"B":[{number}]}},{{"B":{{"C":{number}}},"A":{number}}}]'
    assert exactly(ways.rows(text), json.loads(text, parse_float=in_range))


@pytest.mark.parametrize("number", ["18446744073709551616", "-9223372036854775809", "12345678901234567890123"])
def test_integers_anywhere_in_a_large_file(number, ways, parser):
    """One long integer among many rows is exact, wherever it stands, and so are all the others."""
    rows = [{"A": number, "B": "x" * 50} for number in range(4000)]
    for at in (0, 777, 2000, 3999):
        rows[at] = {"A": int(number), "B": "x" * 50}
    assert exactly(ways.rows(json.dumps(rows, separators=(",", ":"))), rows)


def test_integers_in_texts(ways, parser):
    """What looks like a number within a text is a text."""
    rows = [{"A": "18446744073709551616", "B": "1.23456789012345678e5"}] * 100
    assert exactly(ways.rows(json.dumps(rows)), rows)


@pytest.mark.parametrize("sign", ["", "-"])
def test_integers_beyond_what_python_reads(sign, ways, parser, pieces):
    """An integer of more digits than Python turns into one is an error with its row, not a wrong number."""
    before = '[{"A":1},'
    reading = ways.reading(before + f'{{"A":{sign}{"1" * 4301}}},{{"A":2}}]')
    assert reading.rows == [{"A": 1}]
    assert reading.place == (2, len(before))


@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", "1E+4000", "1e-400", "-2.5e-999", "1" * 400 + ".0", f"0.{'0' * 400}1"]
)
def test_numbers_beyond_what_floats_hold(number, ways, pieces):
    """With and without orjson a number that no float can hold is a Decimal: neither infinite, nor zero."""
    text = f'[{{"A":1}},{{"A":{number}}},{{"A":2}}]'
    assert exactly(ways.rows(text), [{"A": 1}, {"A": Decimal(number)}, {"A": 2}])
    found = []
    for parser in PARSERS:
        with pytest.MonkeyPatch.context() as patch:
            if parser == "without orjson":
                patch.setitem(sys.modules, "orjson", None)
            reading = ways.reading(text)
            found.append((repr(reading.rows), str(reading.error)))
    assert len(set(found)) == 1


# Zeros in front do not count as digits, those at the end do: the text of a number says how exact it is.
WHOLE = st.just("0") | st.from_regex(r"[1-9][0-9]{0,20}", fullmatch=True)
FRACTIONS = (
    st.just("")
    | st.from_regex(r"\.[0-9]{1,20}", fullmatch=True)
    | st.from_regex(r"\.0{1,12}[0-9]{1,9}", fullmatch=True)
)
EXPONENTS = st.sampled_from(["", "", "e5", "E-7", "e+10", "e-30", "E300"])
NUMBER_TEXTS = st.tuples(st.sampled_from(["", "-"]), WHOLE, FRACTIONS, EXPONENTS).map("".join)


def exact(text):
    """What should become of a number with a fraction or an exponent."""
    number = Decimal(text)
    return number if len(number.as_tuple().digits) > 15 else in_range(text)


def in_range(text):
    """A float; a Decimal where it would be infinite, or zero where the number is not."""
    value, number = float(text), Decimal(text)
    return number if math.isinf(value) or (value == 0 and number != 0) else value


@settings(max_examples=3 * settings.default.max_examples)
@given(st.lists(st.tuples(NUMBER_TEXTS, NUMBER_TEXTS), min_size=1, max_size=8), SIZES, st.sampled_from(PARSERS))
def test_exact_decimals(numbers, piece, parser):
    """On request a number of more digits than a float surely keeps is a Decimal, wherever its point stands."""
    text = "[" + ",".join(f'{{"A":{one},"B":[{other}]}}' for one, other in numbers) + "]"
    with pytest.MonkeyPatch.context() as patch, open_export(io.BytesIO(text.encode()), "json") as content:
        cut(patch, piece, parser)
        blocks = list(json_reader.json_blocks(content, exact_decimals=True))
    assert exactly([row for block in blocks for row in block.rows], json.loads(text, parse_float=exact))
    assert [block.first for block in blocks] == [
        1 + sum(len(one.rows) for one in blocks[:n]) for n in range(len(blocks))
    ]


def test_fields_that_stand_twice(ways, parser, pieces):
    """Of a field that a row has twice, the last counts, as in ``json.loads``."""
    text = '[{"A":1,"B":2,"A":3},{"A":1,"A":null,"B":[{"C":1,"C":2}]}]'
    assert exactly(ways.rows(text), json.loads(text))


# ---- whatever there is

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.text(st.sampled_from('{}[],:"\\ \nA1'), max_size=12),
)
NAMES = st.sampled_from(["A", "B", "", '},{"', "ü"]) | st.text(st.characters(codec="utf-8"), max_size=3)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
ARRAYS = st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=6)


@settings(max_examples=3 * settings.default.max_examples)
@given(ARRAYS, st.sampled_from(sorted(LAYOUTS)), SIZES, st.sampled_from(PARSERS), st.booleans())
def test_rows_are_those_of_the_standard_library(ways, rows, layout, piece, parser, escaped):  # noqa: PLR0917
    """Whatever rows there are, in whatever layout: they are those of ``json.loads``."""
    how = {**LAYOUTS[layout], **({"ensure_ascii": True} if escaped else {})}
    text = json.dumps(rows, **{"ensure_ascii": False, **how})
    with pytest.MonkeyPatch.context() as patch:
        cut(patch, piece, parser)
        found = ways.rows(text)
    assert exactly(found, json.loads(text))


@settings(max_examples=settings.default.max_examples // 2)
@given(ARRAYS.filter(bool), st.sampled_from(["compact", "with spaces", "indented"]), st.sampled_from(PARSERS))
def test_many_rows_are_those_of_the_standard_library(ways, rows, layout, parser):
    """So they are in files that are longer than what is read at once."""
    text = written(rows * (1 + 3 * SMALL_PIECE // len(written(rows, layout))), layout)
    with pytest.MonkeyPatch.context() as patch:
        cut(patch, SMALL_PIECE, parser)
        found = ways.rows(text)
    assert exactly(found, json.loads(text))


def strictly(content):
    """Return what the standard library makes of an array of rows, no number lost; None where it is none."""

    def refuse(name):
        raise ValueError(name)

    try:
        rows = json.loads(content.decode(), parse_constant=refuse, parse_float=in_range)
    except ValueError:
        return None
    return rows if isinstance(rows, list) and all(isinstance(row, dict) for row in rows) else None


DAMAGE = st.lists(
    st.tuples(
        st.integers(0, 400), st.integers(0, 3), st.sampled_from([b"", *(bytes([c]) for c in b'{}[],:"\\ 1e-\xff\n\0')])
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=5 * settings.default.max_examples)
@given(ARRAYS, st.sampled_from(sorted(LAYOUTS)), SIZES, st.sampled_from(PARSERS), DAMAGE)
def test_damage(ways, rows, layout, piece, parser, damage):  # noqa: PLR0917
    """Bytes that are changed, lost or added are an error exactly where the standard library refuses them, too; and
    the rows before the damage are those of the whole file.
    """
    whole = written(rows * 3, layout).encode()
    content, first = whole, len(whole)
    for at, lost, added in damage:
        at = min(at, len(content))  # noqa: PLW2901 - the file may be shorter
        content, first = content[:at] + added + content[at + lost :], min(first, at)
    with pytest.MonkeyPatch.context() as patch:
        cut(patch, piece, parser)
        reading = ways.reading(content, "json")
    wanted = strictly(content)
    if wanted is None:
        assert reading.error is not None, content
    else:
        assert reading.error is None, content
        assert exactly(reading.rows, wanted)
    untouched = strictly(whole[: whole.rfind(b"}", 0, first) + 1] + b"]") or []
    assert exactly(reading.rows[: len(untouched)], untouched)


# ---- damage

BEFORE = '\ufeff[{"A":"ü"},\n{"A":2},\n'.encode()
BROKEN = {
    "number": b"5",
    "text": b'"A"',
    "null": b"null",
    "true": b"true",
    "array": b'["A"]',
    "array of rows": b'[{"A":3}]',
    "nothing between commas": b',{"A":3}',
    "word": b"word",
    "end of an object": b"}",
    "colon": b":",
    "no UTF-8 between rows": b"\xff",
}
DAMAGED = {
    "name without quotes": b"{A:3}",
    "apostrophes": b"{'A':3}",
    "no colon": b'{"A" 3}',
    "no value": b'{"A":}',
    "no name": b"{:3}",
    "comma at the end": b'{"A":3,}',
    "comma at the end of an array": b'{"A":[3,]}',
    "no comma": b'{"A":3 "B":4}',
    "wrong bracket": b'{"A":[3}}',
    "other wrong bracket": b'{"A":{"B":3]}',
    "word": b'{"A":word}',
    "Python's literals": b'{"A":None}',
    "NaN": b'{"A":NaN}',
    "Infinity": b'{"A":Infinity}',
    "-Infinity": b'{"A":-Infinity}',
    "NaN within": b'{"A":[{"B":NaN}]}',
    "leading zero": b'{"A":007}',
    "plus": b'{"A":+7}',
    "point at the end": b'{"A":7.}',
    "point at the beginning": b'{"A":.7}',
    "hexadecimal": b'{"A":0x7}',
    "exponent of nothing": b'{"A":7e}',
    "line end in a text": b'{"A":"x\ny"}',
    "zero byte in a text": b'{"A":"x\0y"}',
    "zero byte": b'{"A":\0}',
    "wrong escape": b'{"A":"\\x41"}',
    "short escape": b'{"A":"\\u12"}',
    "no UTF-8": b'{"A":"\xff"}',
    "Latin-1": b'{"A":"\xfc\xfc"}',
    "surrogate in UTF-8": b'{"A":"\xed\xa0\x80"}',
    "overlong UTF-8": b'{"A":"\xc0\xaf"}',
    "comment": b'{"A":3 /* three */}',
}


@pytest.mark.parametrize(
    "rest", [b"]", b',\n{"A":4}]', b',\n{"A":4}' * 50 + b"]"], ids=["last", "not last", "within a block"]
)
@pytest.mark.parametrize("broken", BROKEN)
def test_elements_that_are_no_objects(broken, rest, ways, parser, pieces):
    """An element that is not an object is an error with its number and its first byte; the rows before come out."""
    reading = ways.reading(BEFORE + BROKEN[broken] + rest)
    assert exactly(reading.rows, [{"A": "ü"}, {"A": 2}])
    assert reading.place == (3, len(BEFORE))
    assert f"row 3, at byte {len(BEFORE)}, " in str(reading.error)


@pytest.mark.parametrize("damaged", DAMAGED)
def test_damaged_rows(damaged, ways, parser, pieces):
    """A row that is not JSON, by the letter of its standard, is an error with its number and a place in it.

    It is not taken for a file that is cut off, even at the very end.
    """
    for rest in (b"]", b',\n{"A":4}]', b',\n{"A":4}' * 50 + b"]"):
        reading = ways.reading(BEFORE + DAMAGED[damaged] + rest)
        assert exactly(reading.rows, [{"A": "ü"}, {"A": 2}])
        row, offset = reading.place
        assert row == 3
        assert len(BEFORE) <= offset <= len(BEFORE) + len(DAMAGED[damaged])
        assert "cut off" not in str(reading.error)


@pytest.mark.parametrize("between", [b"", b" ", b";", b"x", b"]", b":", b",,", b"\xff"])
def test_between_rows(between, ways, parser, pieces):
    """Between two rows there is one comma, and nothing else."""
    content = b'[{"A":1},{"A":2}' + between + b'{"A":3},{"A":4}]'
    reading = ways.reading(content)
    assert reading.rows == [{"A": 1}, {"A": 2}]
    assert 16 <= reading.error.offset <= 18


def test_place_in_a_long_file(ways, parser):
    """Number and place of a damaged row are right behind many blocks, in bytes and not in characters."""
    rows = [{"A": number, "B": "ü" * (number % 50), "C": "x" * (number % 300)} for number in range(3000)]
    for layout in ("compact", "with spaces", "indented"):
        before = written(rows, layout)[:-1].rstrip() + ","
        after = written(rows, layout)[1:]
        reading = ways.reading(before + '{"A":tru},' + after)
        assert exactly(reading.rows, rows)
        row, offset = reading.place
        assert row == 3001
        assert 0 <= offset - len(before.encode()) <= 10


def test_place_behind_long_rows(ways, parser):
    """And behind rows that are longer than a block, which take another way."""
    rows = [{"A": "ü" * 2_000_000, "B": [{"C": 1}, {"C": 2}]}, *FLAT] * 2
    before = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))[:-1] + ","
    reading = ways.reading(before + '5,{"A":1}]')
    assert exactly(reading.rows, rows)
    assert reading.place == (len(rows) + 1, len(before.encode()))


@pytest.mark.parametrize(
    "what", [b'{"A":1}', b"null", b'"A"', b"5", b'{"result":[{"A":1}]}', b"A,B\n1,2\n", b"]", b"NaN"]
)
def test_no_array(what, ways, parser):
    """Anything but an array is not an export: an object, say, is often an answer that tells of an error."""
    reading = ways.reading(what, "json")
    assert reading.rows == []
    assert "array" in str(reading.error)
    assert reading.place == (None, 0)


def test_an_object_is_no_export(ways):
    """An object is told by its first byte, without being asked to be read as JSON."""
    assert "a single JSON object" in str(ways.reading('{"status":"FAIL"}').error)


@pytest.mark.parametrize("trailing", [b"x", b",", b"]", b"[]", b'{"A":3}', b',{"A":3}', b"\0", b"\xff", b'[{"A":3}]'])
@pytest.mark.parametrize("rows", [0, 1, 40])
def test_something_behind_the_end(rows, trailing, ways, parser, pieces):
    """What follows upon the end of the array is an error behind the last row: somebody may have put files together."""
    for space in (b"", b" \n"):
        content = written(FLAT[:rows], "compact").encode()
        reading = ways.reading(content + space + trailing)
        assert exactly(reading.rows, FLAT[:rows])
        assert reading.place == (None, len(content + space))
        assert "follows upon the end" in str(reading.error)


@pytest.mark.parametrize(
    "brackets", [b"[", b"[[", b"[" * 100, b"[{", b"[}", b"[]]", b"[,", b"[,]", b"[{}", b"[{},]", b"[{},"]
)
def test_lone_brackets(brackets, ways, parser, pieces):
    """Brackets that do not match are an error."""
    reading = ways.reading(brackets)
    assert reading.error is not None
    assert reading.rows == [{}] * (b"{}" in brackets)


def nested(depth, opening):
    """Three rows, of which the second one is nested so deep; and where that one begins."""
    value = opening * depth + "1" + {"[": "]"}.get(opening, "}") * depth
    return f'[{{"A":1}},{{"A":{value}}},{{"A":2}}]', 9


@pytest.mark.parametrize("opening", ["[", '{"A":'])
@pytest.mark.parametrize("depth", [1, 100, 200, 400, 800])
def test_nesting(depth, opening, ways, parser):
    """A row may be nested deeper than any export is."""
    text, _ = nested(depth, opening)
    assert exactly(ways.rows(text), json.loads(text))


@pytest.mark.parametrize("opening", ["[", '{"A":'])
def test_deep_nesting(opening, ways, parser):
    """A row that is nested deeper than Python can follow is an error; it does not end the program."""
    text, offset = nested(200_000, opening)
    reading = ways.reading(text)
    assert reading.rows == [{"A": 1}]
    assert reading.place == (2, offset)
    assert "nested too deep" in str(reading.error)


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00", "\\ud800x", "\\udc00\\ud800", "\\ud83c\\u0041"])
def test_halves_of_characters(text, ways, pieces):
    """Half of a surrogate pair, escaped, comes to the same with and without orjson: what ``json.loads`` returns."""
    content = f'[{{"A":1}},{{"A":"{text}"}},{{"A":2}}]'
    for parser in PARSERS:
        with pytest.MonkeyPatch.context() as patch:
            if parser == "without orjson":
                patch.setitem(sys.modules, "orjson", None)
            assert exactly(ways.rows(content), json.loads(content))


SMALL = [{"A": 1, "B": "ü},{"}, {"A": 12345678901234567890123, "B": [{"C": 1.5}, {"C": None}]}, {"A": True, "B": {}}]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_cut_anywhere(layout, ways, parser, pieces):
    """Wherever a file is cut off, it is an error behind rows that are as they were in the whole file; a place that the
    file does not have is never named.
    """
    content = written(SMALL, layout).encode()
    for cut_at in range(1, len(content)):
        reading = ways.reading(content[:cut_at])
        assert exactly(reading.rows, SMALL[: len(reading.rows)]), cut_at
        assert reading.error is not None, cut_at
        row, offset = reading.place
        assert row == len(reading.rows) + 1, (cut_at, str(reading.error))
        assert 0 <= offset <= cut_at
        assert "cut off" in str(reading.error) or "is not in UTF-8" in str(reading.error), (cut_at, str(reading.error))


@pytest.mark.parametrize("layout", ["compact", "with spaces", "indented"])
def test_cut_in_a_long_file(layout, ways, parser):
    """No row gets lost where a long file is cut off: all that are whole come out."""
    rows = [{"A": number, "B": "x" * 100} for number in range(3000)]
    content = written(rows, layout).encode()
    for cut_at in (len(content) // 3, len(content) // 2, 1 << 16, (1 << 17) + 1, len(content) - 1):
        reading = ways.reading(content[:cut_at])
        assert exactly(reading.rows, rows[: len(reading.rows)])
        assert len(reading.rows) == content[:cut_at].count(b"}")
        assert reading.place[0] == len(reading.rows) + 1


def test_row_without_an_end(endless, monkeypatch, parser):
    """A row that does not end does not take the whole file to memory: there is a largest size, which is named."""
    monkeypatch.setattr(json_exact, "MAX_ROW_SIZE", 1 << 21)
    stream = endless(b'[{"A":1},{"A":"', b"x" * 1000)
    rows = read_rows(stream)
    assert next(rows) == {"A": 1}
    with pytest.raises(ExportFormatError, match="has more than 2 MiB") as caught:
        next(rows)
    assert (caught.value.row, caught.value.offset) == (2, 9)
    assert stream.taken < 1 << 25


def test_array_that_only_begins_as_one():
    """A table of CSV whose first column begins with a bracket is taken for JSON, until it is told what it is."""
    with pytest.raises(ExportFormatError, match="row 1"):
        list(read_rows(io.BytesIO(b"[A],B\n1,2\n")))
    assert list(read_rows(io.BytesIO(b"[A],B\n1,2\n"), format="csv")) == [{"[A]": "1", "B": "2"}]
