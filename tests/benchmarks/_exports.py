"""Files of exports for benchmarks: flat rows, of any size, of which no two are alike.

A file that repeats some rows flatters whatever remembers what it has seen: caches, dictionaries, compression. So every
id, number, moment and text is drawn anew for each row. Texts have quotes, commas and line breaks in a few rows, as what
people write has.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import count, cycle, islice
from pathlib import Path

import numpy as np

_ROWS_AT_ONCE = 4000
_START, _END = 1_548_979_200_000, 1_556_668_800_000
_WORDS = [
    "please",
    "my",
    "order",
    "has",
    "not",
    "arrived",
    "since",
    "Monday",
    "thanks",
    "again",
    "the",
    "invoice",
    "parcel",
    "Köln",
    "delivery",
    "number",
    "was",
    "wrong",
    "and",
    "nobody",
    "answers",
    "could",
    "you",
    "tell",
    "me",
    "when",
    "it",
    "comes",
    "I",
    "paid",
    "twice",
    "for",
    "shipping",
    "größer",
    "配送",
    "refund",
    "account",
    "password",
    "reset",
    "screen",
    "broken",
    "replacement",
    "store",
    "opening",
    "hours",
    "tomorrow",
    "soon",
]
_UNUSUAL = ('He said "never {}" and left', "First line\nsecond line {}", "1,299.{}, and nothing came", "So happy 🎉 {}")

Generator = np.random.Generator
Values = Sequence[object]


def _some(generator: Generator, values: Values, share: float = 0.2) -> Values:
    """Leave out some values, as real exports do."""
    left_out = generator.random(len(values)) < share
    return [None if out else value for out, value in zip(left_out, values, strict=True)]


def _numbers(low: int, high: int) -> Callable[[Generator, int], Values]:
    return lambda generator, rows: generator.integers(low, high, rows).tolist()


def _long_numbers(generator: Generator, rows: int) -> Values:
    return _some(generator, generator.integers(10**18, 9 * 10**18, rows).tolist())


def _digits(generator: Generator, rows: int) -> Values:
    return _some(generator, [f"{number:019}" for number in generator.integers(10**15, 9 * 10**18, rows).tolist()])


def _seconds(generator: Generator, rows: int) -> Values:
    return _some(generator, generator.lognormal(4, 1, rows).round(2).tolist())


def _booleans(generator: Generator, rows: int) -> Values:
    return (generator.random(rows) < 0.5).tolist()


def _uuids(generator: Generator, rows: int) -> Values:
    text = generator.bytes(16 * rows).hex()
    parts = (text[at : at + 32] for at in range(0, len(text), 32))
    return [f"{part[:8]}-{part[8:12]}-{part[12:16]}-{part[16:20]}-{part[20:]}" for part in parts]


def _moments(unit: str, offset: str = "", between: str = "T") -> Callable[[Generator, int], Values]:
    def values(generator: Generator, rows: int) -> Values:
        moments = generator.integers(_START, _END, rows).astype("datetime64[ms]")
        texts = np.datetime_as_string(moments, unit=unit).tolist()
        return _some(generator, [text.replace("T", between) + offset for text in texts], 0.1)

    return values


def _days(generator: Generator, rows: int) -> Values:
    return np.datetime_as_string(generator.integers(_START, _END, rows).astype("datetime64[ms]"), unit="D").tolist()


def _one_of(*values: object) -> Callable[[Generator, int], Values]:
    return lambda generator, rows: [values[index] for index in generator.integers(0, len(values), rows)]


def _formatted(pattern: str, high: int) -> Callable[[Generator, int], Values]:
    return lambda generator, rows: [pattern.format(number) for number in generator.integers(0, high, rows).tolist()]


def _prose(generator: Generator, rows: int) -> Values:
    words = map(_WORDS.__getitem__, generator.integers(0, len(_WORDS), 20 * rows))
    texts = [" ".join(islice(words, length)) for length in generator.integers(3, 20, rows).tolist()]
    numbers = generator.integers(0, 10**6, rows).tolist()
    for index in np.flatnonzero(generator.random(rows) < 0.05).tolist():
        texts[index] = _UNUSUAL[index % len(_UNUSUAL)].format(numbers[index])
    return _some(generator, texts, 0.1)


_MAKERS: dict[str, Callable[[Generator, int], Values]] = {
    "CONVERSATION_ID": _numbers(40_000_000, 4_000_000_000),
    "POST_ID": _long_numbers,
    "AUTHOR_ID": _long_numbers,
    "external_response_id": _digits,
    "responded_to_external_post_id": _digits,
    "post_author_uuid": _uuids,
    "agent_display_id": _formatted("{:06}", 4000),
    "date_claimed": _moments("s", between=" "),
    "created_date": _moments("s", between=" "),
    "published_date": _moments("s"),
    "post_published_time": _moments("ms", "Z"),
    "post_received_time": _moments("ms", "+01:00"),
    "handled_time": _moments("ms", between=" "),
    "business_day": _days,
    "assistant_rht": _seconds,
    "expert_rht": _seconds,
    "handle_time_approving_agent": _seconds,
    "handle_time_other_agent": _seconds,
    "handle_time_responding_agent": _seconds,
    "handle_time_total_response": _seconds,
    "response_tar": _seconds,
    "agent_response_order": _numbers(0, 40),
    "bot_response_order": _numbers(0, 40),
    "response_order": _numbers(0, 400),
    "post_count": _numbers(0, 100_000),
    "character_count": _numbers(0, 2**31),
    "priority": _numbers(0, 5),
    "in_business_hour": _booleans,
    "first_response": _booleans,
    "post_content": _prose,
    "response_content": _prose,
    "conversation_link": _formatted("https://care.example.com/c/{}?a=1&b=%20", 10**12),
    "agent_email": _formatted("agent.{}@example.com", 10**6),
    "response_handle": _formatted("@user_{}", 10**9),
    "response_language": _one_of("en", "es", "fr", "de", "tr", None),
    "response_location": _one_of("Köln", "São Paulo", "Austin, TX", None),
    "response_provider": _one_of("TWITTER", "FACEBOOK", "CHAT", "WHATSAPP"),
    "response_sentiment": _one_of("POSITIVE", "NEUTRAL", "NEGATIVE"),
    "response_tag": _one_of("billing", "billing, refund", 'vip, "gold"', None),
    "TIME_ZONE": _one_of("UTC"),
}
"""The 40 columns, and what draws the values of each."""


def export_file(folder: Path, format: str, size: int, columns: int = len(_MAKERS)) -> Path:
    """Write a file of about so many bytes, in constant memory; the same arguments always give the same bytes.

    Args:
        folder: Where to.
        format: ``csv`` or ``json``.
        size: How many bytes.
        columns: How many columns; beyond 40, the same kinds come again under other names.

    Returns:
        The file.
    """
    path = folder / f"export_{columns}_{size}.{format}"
    rows_at_once = max(1, _ROWS_AT_ONCE * len(_MAKERS) // columns)
    with path.open("wb") as file:
        file.write(_head(_names(columns), format))
        while (left := size - file.tell()) > 0:
            for row in _encoded(rows_at_once, columns, format, seed=file.tell()):
                file.write(row)
                left -= len(row)
                if left <= 0:
                    break
        if format == "json":
            file.seek(-2, 2)  # the comma behind the last row
            file.write(b"]\n")
    return path


def export_of_rows(folder: Path, format: str, rows: int) -> Path:
    """Write a file of so many rows and 40 columns, at most some thousands."""
    path = folder / f"export_of_{rows}.{format}"
    content = b"".join(islice(_encoded(rows, len(_MAKERS), format, seed=rows), rows))
    ended = content if format == "csv" else content[:-2] + b"]\n"
    path.write_bytes(_head(_names(len(_MAKERS)), format) + ended)
    return path


def csv_of_rows(folder: Path, rows: int) -> Path:
    """Write a file of CSV with so many rows and 40 columns, in constant memory."""
    path = folder / f"rows_{rows}.csv"
    with path.open("wb") as file:
        file.write(_head(_names(len(_MAKERS)), "csv"))
        for start in range(0, rows, _ROWS_AT_ONCE):
            file.writelines(_encoded(min(_ROWS_AT_ONCE, rows - start), len(_MAKERS), "csv", seed=start))
    return path


def _names(columns: int) -> list[str]:
    again = (f"{name}{f'_{turn}' if turn else ''}" for turn in count() for name in _MAKERS)
    return list(islice(again, columns))


def _head(names: Sequence[str], format: str) -> bytes:
    return _csv_lines([names])[0] if format == "csv" else b"["


def _encoded(rows: int, columns: int, format: str, seed: int) -> Iterator[bytes]:
    """Yield rows as they stand in the file: each CSV row with its line end, each JSON row with its comma."""
    generator = np.random.default_rng(seed)
    names = _names(columns)
    drawn = [make(generator, rows) for make in islice(cycle(_MAKERS.values()), columns)]
    if format == "csv":
        yield from _csv_lines(list(zip(*drawn, strict=True)))
    else:
        for row in zip(*drawn, strict=True):
            yield json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False).encode() + b",\n"


def _csv_lines(rows: Sequence[Sequence[object]]) -> list[bytes]:
    """Return rows by RFC 4180: CRLF, quotes where needed, nothing for None."""
    lines = []
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    for row in rows:
        writer.writerow([str(cell).lower() if isinstance(cell, bool) else cell for cell in row])
        lines.append(buffer.getvalue().encode())
        buffer.seek(0)
        buffer.truncate()
    return lines
