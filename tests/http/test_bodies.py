"""A body that did not come whole is noticed, resumed or begun anew, and never taken for the file."""

import gzip
import json
import tracemalloc
import zlib

import pytest

from khoros_analytics import (
    DownloadError,
    DownloadExpiredError,
    IncompleteDownloadError,
    JobTimeoutError,
    KhorosError,
    RequestRejectedError,
)
from khoros_analytics.sandbox import faults
from khoros_analytics.sandbox._hosts.files import Files

PIECE = 1024 * 1024
BIG = {"size": 4 * PIECE}
MEGABYTES = 1_000_000


def open_quote(content: bytes) -> int:
    """Return an offset within a quoted cell, somewhere in the middle of a CSV file."""
    at = content.index(b',"', len(content) // 2) + 5
    assert content[:at].count(b'"') % 2 == 1
    return at


# --- bodies that end too early -------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["length", "close"])
@pytest.mark.parametrize("at", [1, 1000, 0.5, 0.9999999])
def test_json_that_is_not_closed(run, folder, framing, at):
    """A JSON file without any length that ends before its closing bracket is not the file; it is fetched again."""
    world = run({"framing": framing})
    world.sandbox.fail("file", faults.EarlyEnd(at))

    path = world.start(format="json").download(folder)

    assert path.read_bytes() == world.content()
    assert json.loads(path.read_bytes())
    assert len(world.of("file")) == 2


@pytest.mark.parametrize("framing", ["length", "close"])
def test_csv_with_an_open_quote(run, folder, framing):
    """A CSV file without any length that ends within a quoted cell is not the file; it is fetched again."""
    world = run({"framing": framing})
    job = world.start().wait()
    world.sandbox.fail("file", faults.EarlyEnd(open_quote(world.content())))

    assert job.download(folder).read_bytes() == world.content()
    assert len(world.of("file")) == 2


@pytest.mark.parametrize("format", ["csv", "json"])
def test_a_file_that_never_comes_whole(run, folder, format):
    """A file that always ends early, at the same byte, is an IncompleteDownloadError after three fetches that names
    the byte, and leaves nothing; whoever knows better may take it.
    """
    world = run({"framing": "close", "ranges": False})
    job = world.start(format=format).wait()
    content = world.content()
    at = open_quote(content) if format == "csv" else len(content) // 2
    world.sandbox.fail("file", faults.EarlyEnd(at), times=None)

    with pytest.raises(IncompleteDownloadError, match=rf"(?s)3 times after {at:,} bytes.*accept_unverified"):
        job.download(folder)

    assert len([record for record in world.of("file") if record.status == 200]) <= 4
    assert list(folder.iterdir()) == []
    assert job.download(folder, accept_unverified=True).read_bytes() == content[:at]


@pytest.mark.parametrize("format", ["csv", "json"])
def test_whole_files_without_a_length(run, folder, format):
    """A file without any length whose content is whole is taken; of CSV, which has no end of its own, the host is asked
    once whether anything follows.
    """
    world = run({"framing": "close", "rows": 500})

    assert world.start(format=format).download(folder).read_bytes() == world.content()
    assert [record.status for record in world.of("file")] == ([200] if format == "json" else [200, 416])


@pytest.mark.parametrize(
    ("format", "content"),
    [
        ("json", b"[]"),
        ("json", b"[ ]\r\n"),
        ("json", b"\xef\xbb\xbf[{}]\n"),
        ("csv", b"A,B\r\n"),
        ("csv", b'A\r\n""\r\n'),
    ],
    ids=repr,
)
def test_small_whole_files_without_a_length(run, folder, format, content):
    """An export without rows, with a byte order mark or with white space at its end is whole, too."""
    world = run({"framing": "close"})
    world.sandbox.fail("file", faults.RawAnswer(content=content))

    assert world.start(format=format).download(folder).read_bytes() == content
    assert len(world.of("file")) == 1


@pytest.mark.parametrize("phase", ["download", "file"])
def test_an_empty_answer(world, folder, phase):
    """A 200 without a single byte is not a file: even an export without rows has a header or brackets."""
    world.sandbox.fail(phase, faults.EmptyAnswer())

    assert world.start().download(folder).read_bytes() == world.content()


@pytest.mark.parametrize("at", [0, 700, 0.5, 0.9999999])
def test_chunks_without_a_last_one(run, folder, at):
    """A chunked body without its last chunk is not the file, whatever its content looks like."""
    world = run({**BIG, "framing": "chunked"})
    world.sandbox.fail("file", faults.Cut(at))

    assert world.start().download(folder).read_bytes() == world.content()
    assert len(world.of("file")) == 2


@pytest.mark.parametrize("missing", [1, 4, 8, 9, 100])
@pytest.mark.parametrize("announced", [True, False], ids=["its length", "no length"])
def test_gzip_without_its_trailer(world, folder, missing, announced):
    """A compressed body without its whole trailer is not the file, even if all of the content can be read from it."""
    job = world.start().wait()
    packed = gzip.compress(world.content())[:-missing]
    raw = faults.RawAnswer(content=packed, headers=(("Content-Encoding", "gzip"),))
    if announced:
        world.sandbox.fail("file", raw)
    else:
        world.sandbox.gzip = True
        world.sandbox.fail("file", faults.EarlyEnd(-missing + len(world.sandbox.exports[0].packed.content())))

    assert job.download(folder).read_bytes() == world.content()
    assert len(world.of("file")) == 2


def test_gzip_with_a_wrong_checksum(world, folder):
    """A compressed body whose checksum does not fit its content is not the file."""
    job = world.start().wait()
    packed = bytearray(gzip.compress(world.content()))
    packed[-6] ^= 1
    world.sandbox.fail("file", faults.RawAnswer(content=bytes(packed), headers=(("Content-Encoding", "gzip"),)))

    assert job.download(folder).read_bytes() == world.content()


# --- bodies without end --------------------------------------------------------------------------------------------


def bomb(gigabytes: int) -> bytes:
    """Return gzip of so many gigabytes of commas: about a megabyte for each."""
    squeezer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    unit = squeezer.compress(b"," * 2**24) + squeezer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + unit * (64 * gigabytes)


@pytest.fixture(scope="module")
def small_bomb():
    """A megabyte that inflates to more than one gigabyte."""
    return bomb(1)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_a_bomb_stops_at_max_bytes(run, folder, small_bomb, encoding):
    """A megabyte that inflates to gigabytes stops at max_bytes at once, and memory stays small meanwhile."""
    world = run(max_bytes=30 * MEGABYTES)
    job = world.start().wait()
    assert len(small_bomb) < 1.2 * MEGABYTES
    world.sandbox.fail("file", faults.RawAnswer(content=small_bomb, headers=(("Content-Encoding", encoding),)))

    tracemalloc.start()
    try:
        with pytest.raises(DownloadError, match="max_bytes") as caught:
            job.download(folder)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert "30,000,000" in str(caught.value)
    assert caught.value.job is job
    assert peak < 12 * MEGABYTES
    assert len(world.of("file")) == 1  # no repetition makes it smaller
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("phase", ["create", "status", "teams"])
def test_a_bomb_in_place_of_a_reply(run, small_bomb, phase):
    """A reply that inflates without end is an error before it fills the memory."""
    world = run(retries=0)
    world.sandbox.fail(phase, faults.RawAnswer(content=small_bomb, headers=(("Content-Encoding", "gzip"),)))

    tracemalloc.start()
    try:
        with pytest.raises(KhorosError):
            world.client.teams() if phase == "teams" else world.start().refresh()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 30 * MEGABYTES


def test_an_endless_body_stops_at_max_bytes(run, folder):
    """A body without end stops at max_bytes, is not repeated, and leaves nothing."""
    world = run(max_bytes=3 * MEGABYTES)
    world.sandbox.fail("file", faults.Endless())

    with pytest.raises(DownloadError, match="max_bytes"):
        world.start().download(folder)

    assert len(world.of("file")) == 1
    assert list(folder.iterdir()) == []


def test_a_file_of_exactly_max_bytes(run, folder):
    """A file of exactly max_bytes is allowed, one byte more is not; the error says what to raise."""
    world = run()
    job = world.start().wait()
    size = len(world.content())

    assert world.connect(max_bytes=size).job(job.token).download(folder / "a").stat().st_size == size
    with pytest.raises(DownloadError, match="max_bytes"):
        world.connect(max_bytes=size - 1).job(job.token).download(folder / "b")
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_max_bytes_counts_what_was_resumed(run, folder):
    """What arrived before a break counts for max_bytes, too."""
    world = run(BIG, max_bytes=3 * PIECE)
    world.sandbox.fail("file", faults.Cut(2 * PIECE))

    with pytest.raises(DownloadError, match="max_bytes"):
        world.start().download(folder)

    assert world.of("file")[-1].status == 206
    assert list(folder.iterdir()) == []


# --- ranges --------------------------------------------------------------------------------------------------------


def headers_of(world, which):
    """Return the Range and If-Range of one of the requests for the file."""
    record = world.of("file")[which]
    return record.header("Range"), record.header("If-Range")


def test_resume_by_etag(run, folder):
    """A broken body is continued from the next byte by Range, under the condition of the file's strong ETag."""
    world = run(BIG)
    world.sandbox.fail("file", faults.Cut(2 * PIECE + 7))

    assert world.start().download(folder).read_bytes() == world.content()
    assert headers_of(world, 0) == (None, None)
    assert headers_of(world, 1) == (f"bytes={2 * PIECE + 7}-", world.sandbox.exports[0].body.etag)
    assert world.sent() == len(world.content())


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        ({"ETag", "Last-Modified"}, "ETag"),
        ({"Last-Modified"}, "Last-Modified"),
        ({"W/ETag", "Last-Modified"}, "Last-Modified"),
        ({"W/ETag"}, None),
        (set(), None),
    ],
    ids=["both", "date", "weak tag and date", "weak tag", "neither"],
)
def test_what_names_the_version(run, folder, monkeypatch, sent, condition):
    """A strong ETag names the version, else Last-Modified; where neither does, the file is begun anew."""
    offered = {}
    original = Files._headers

    def headers(host, job, tags):
        for name, value in original(host, job, tags):
            offered[name] = value
            if name in sent or name not in ("ETag", "Last-Modified"):
                yield name, value
            elif name == "ETag" and "W/ETag" in sent:
                yield name, f"W/{value}"

    monkeypatch.setattr(Files, "_headers", headers)
    world = run(BIG)
    world.sandbox.fail("file", faults.Cut(2 * PIECE))
    job = world.start().wait()
    world.clock.sleep(2)  # the date of a file that was written in the same second does not name it

    assert job.download(folder).read_bytes() == world.content()
    if condition is None:
        assert headers_of(world, 1) == (None, None)
    else:
        assert headers_of(world, 1) == (f"bytes={2 * PIECE}-", offered[condition])
    assert [record.status for record in world.of("file")] == [200, 200 if condition is None else 206]


def rest(start: int, total: int | str, etag: str | None, content: bytes) -> faults.RawAnswer:
    """Return a 206 as a host would send it."""
    headers = [("Content-Range", f"bytes {start}-{start + len(content) - 1}/{total}")]
    return faults.RawAnswer(206, content, tuple(headers + ([("ETag", etag)] if etag else [])))


@pytest.mark.parametrize(
    ("etag", "longer"),
    [('"another"', 0), (None, 1), (None, -1), ('"another"', 1)],
    ids=["tag", "longer", "shorter", "both"],
)
def test_the_rest_of_another_file(run, folder, etag, longer):
    """A host that sends the rest of another version, whatever If-Range said, does not get it glued to the first one."""
    world = run(BIG)
    job = world.start().wait()
    total = len(world.content())
    world.fail_in_turn(
        "file", faults.Cut(2 * PIECE), rest(2 * PIECE, total + longer, etag, b"x" * (total + longer - 2 * PIECE))
    )

    assert job.download(folder).read_bytes() == world.content()


def test_the_rest_of_the_same_file(run, folder):
    """A rest that says nothing about its version, or of how long the whole is, is taken: its beginning fits."""
    world = run(BIG)
    job = world.start().wait()
    content = world.content()
    world.fail_in_turn("file", faults.Cut(2 * PIECE), rest(2 * PIECE, "*", None, content[2 * PIECE :]))

    assert job.download(folder).read_bytes() == content
    assert len(world.of("file")) == 2


@pytest.mark.parametrize(
    ("framing", "total"),
    [("length", True), ("length", False), ("chunked", True)],
    ids=["both", "length", "Content-Range"],
)
def test_a_part_of_the_rest(run, folder, framing, total):
    """A host may send less than was asked for: the file is whole when its last byte is there, and not before."""
    world = run({**BIG, "framing": framing})
    job = world.start().wait()
    content = world.content()
    size = len(content) if total else "*"
    world.fail_in_turn(
        "file",
        faults.Cut(2 * PIECE),
        rest(2 * PIECE, size, world.sandbox.exports[0].body.etag, content[2 * PIECE :][:99]),
    )

    assert job.download(folder).read_bytes() == content
    assert len(world.of("file")) == 3


@pytest.mark.parametrize(
    "answer",
    [
        faults.HttpStatus(416),
        faults.RawAnswer(416, b"", (("Content-Range", "bytes */17"),)),
        faults.RawAnswer(206, b"x" * 50),
    ],
    ids=["416", "416 of a short file", "no Content-Range"],
)
def test_ranges_that_are_refused(run, folder, answer):
    """Where the host refuses the range after all, the file is begun anew at once."""
    world = run(BIG)
    world.fail_in_turn("file", faults.Cut(2 * PIECE), answer)

    assert world.start().download(folder).read_bytes() == world.content()
    assert [headers_of(world, which)[0] for which in range(3)] == [None, f"bytes={2 * PIECE}-", None]


@pytest.mark.parametrize("short", [0, 50], ids=["a part", "shorter than its span"])
def test_parts_of_an_unknown_whole(run, folder, short):
    """A part that does not say of how much is not the end: the host is asked on until it says that there is no more."""
    world = run({**BIG, "framing": "chunked"})
    job = world.start().wait()
    content, etag = world.content(), world.sandbox.exports[0].body.etag
    headers = (("Content-Range", f"bytes {2 * PIECE}-{2 * PIECE + 98}/*"), ("ETag", etag))
    part = faults.RawAnswer(206, content[2 * PIECE :][: 99 - short], headers)
    world.fail_in_turn("file", faults.Cut(2 * PIECE), part)

    assert job.download(folder).read_bytes() == content
    assert headers_of(world, 2)[0] == f"bytes={2 * PIECE + 99 - short}-"


@pytest.mark.parametrize(
    "headers",
    [(("ETag", 'W/"2"'),), (("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"),)],
    ids=["weak tag", "date"],
)
def test_the_rest_of_a_changed_file(run, folder, headers):
    """A rest that names another version in any way is not glued to what had arrived."""
    world = run(BIG)
    job = world.start().wait()
    size = len(world.content())
    span = ("Content-Range", f"bytes {2 * PIECE}-{size - 1}/{size}")
    world.fail_in_turn(
        "file", faults.Cut(2 * PIECE), faults.RawAnswer(206, b"x" * (size - 2 * PIECE), (span, *headers))
    )

    assert job.download(folder).read_bytes() == world.content()
    assert headers_of(world, 2)[0] is None


def test_a_condition_that_fails(run, folder):
    """412 to a resume means another version: the file is begun anew."""
    world = run(BIG)
    world.fail_in_turn("file", faults.Cut(2 * PIECE), faults.HttpStatus(412))

    assert world.start().download(folder).read_bytes() == world.content()
    assert headers_of(world, 2)[0] is None


def test_a_range_that_is_answered_with_everything(run, folder):
    """A 200 to a Range is the whole file, which takes the place of what was there."""
    world = run(BIG)
    world.sandbox.fail("file", faults.Cut(3 * PIECE))
    job = world.start().wait()
    world.sandbox.ranges = False

    assert job.download(folder).read_bytes() == world.content()
    assert headers_of(world, 1)[0] == f"bytes={3 * PIECE}-"
    assert [record.status for record in world.of("file")] == [200, 200]


# --- progress ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [faults.Cut, faults.ResetWithin], ids=["cut", "reset"])
@pytest.mark.parametrize("every", [300_000, 1_500_000], ids=["small steps", "large steps"])
def test_fifty_breaks(run, folder, fault, every):
    """Failures are counted from the last progress on: a link that breaks fifty times but moves on gets there."""
    world = run({"size": 50 * every + 100_000 if every < PIECE else 52 * every}, retries=2)
    world.sandbox.fail("file", fault(every), times=50)

    path = world.start().download(folder)

    assert path.read_bytes() == world.content()
    assert len([record for record in world.of("file") if record.fault]) == 50


def test_breaks_at_the_same_place(run, folder):
    """What breaks again and again where it broke before is tried until the deadline, with growing pauses."""
    world = run({**BIG, "ranges": False, "validators": False}, retries=3)
    world.sandbox.fail("file", faults.Cut(2 * PIECE), times=None)

    with pytest.raises(KhorosError) as caught:
        world.start().download(folder, timeout=600)

    assert isinstance(caught.value, JobTimeoutError)
    assert caught.value.job is not None
    assert 10 < len(world.of("file")) < 30
    assert list(folder.iterdir()) == []


# --- links ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [403, 404, 410])
def test_a_link_that_dies_within_the_file(run, folder, code):
    """A link that the file host refuses in the middle of a file is renewed through the status URL, and the file
    continued at the same byte.
    """
    world = run(BIG)
    job = world.start().wait()
    looks = world.count("status")
    world.fail_in_turn("file", faults.Cut(3 * PIECE), faults.HttpStatus(code))

    assert job.download(folder).read_bytes() == world.content()
    assert world.count("status") == looks + 1
    assert headers_of(world, -1)[0] == f"bytes={3 * PIECE}-"
    assert world.sent() == len(world.content())


@pytest.mark.parametrize(
    "text",
    [
        "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>",
        "<Error>\n <Code>RequestExpired</Code></Error>",
        "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
    ],
)
@pytest.mark.parametrize("first", [True, False], ids=["at once", "within the file"])
def test_links_that_expired_by_400(run, folder, text, first):
    """Storage with temporary credentials refuses a link that is too old by 400; it is renewed like any other."""
    world = run(BIG)
    job = world.start().wait()
    polls = world.count("status")
    world.fail_in_turn("file", *[] if first else [faults.Cut(3 * PIECE)], faults.RawAnswer(400, text.encode()))

    assert job.download(folder).read_bytes() == world.content()
    assert world.count("status") == polls + 1
    assert world.sent() == len(world.content())


def test_a_400_for_another_reason(run, folder):
    """Any other 400 of a file host is refused as before."""
    world = run(BIG)
    world.sandbox.fail("file", faults.RawAnswer(400, b"<Error><Code>InvalidArgument</Code></Error>"))

    with pytest.raises(RequestRejectedError, match="InvalidArgument"):
        world.start().download(folder)
    assert len(world.of("file")) == 1


@pytest.mark.parametrize("code", [404, 410])
def test_a_link_of_the_api_that_dies(run, folder, code):
    """When the API itself knows the file no more, though the status still offers it, the export has expired."""
    world = run(BIG)
    job = world.start().wait()
    world.sandbox.fail("download", faults.HttpStatus(code))

    with pytest.raises(DownloadExpiredError, match=r"job\.restart\(\)"):
        job.download(folder)


def test_a_link_that_grows_too_old_within_the_file(run, folder):
    """A signed link whose time is over when the body breaks is replaced by a new one, and the file continued."""
    world = run({**BIG, "link_seconds": 60})
    job = world.start().wait()
    world.fail_in_turn("file", faults.Cut(3 * PIECE), faults.Delay(120))

    assert job.download(folder).read_bytes() == world.content()
    assert world.sent() == len(world.content())


def test_a_link_older_than_a_day(run, folder):
    """A link that was seen more than 24 hours ago is asked for again before it is used."""
    world = run({"export_seconds": 10 * 86400.0})
    job = world.start().wait()
    looks = world.count("status")
    world.clock.sleep(86400 + 60)

    assert job.download(folder).read_bytes() == world.content()
    assert world.count("status") == looks + 1


def test_an_export_that_is_gone(world, folder):
    """An export that the server has dropped is a DownloadExpiredError that offers job.restart(), and that works."""
    job = world.start().wait()
    world.clock.sleep(86400 + 60)

    with pytest.raises(DownloadExpiredError, match=r"job\.restart\(\)") as caught:
        job.download(folder)

    assert caught.value.job is job
    assert job.workflow_id in str(caught.value)
    again = job.restart()
    assert again.arguments == job.arguments
    assert again.download(folder).read_bytes() == world.content()
    assert world.count("create") == 2


def test_an_export_that_goes_within_the_file(run, folder):
    """An export that is dropped while its file is on its way leaves nothing of it: nothing could go on with it."""
    world = run({**BIG, "export_seconds": 300})
    job = world.start().wait()
    world.fail_in_turn("file", faults.Cut(3 * PIECE), faults.Delay(400))

    with pytest.raises(DownloadExpiredError, match=r"job\.restart\(\)"):
        job.download(folder)

    assert list(folder.iterdir()) == []
