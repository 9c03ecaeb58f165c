"""A resume judges by all that is known of the file, and just the same in another call or process as within one."""

import pytest

from khoros_analytics import JobTimeoutError

WINDOW = ("2019-02-01", "2019-02-02")
FIRST = b"".join(b"%06d,first\r\n" % number for number in range(2000))
SECOND = FIRST.replace(b"first", b"other")
SIZE, HALF = len(FIRST), len(FIRST) // 2
DAY, NEXT_DAY = "Tue, 01 Jan 2019 00:00:00 GMT", "Wed, 02 Jan 2019 00:00:00 GMT"

VERSIONS = {
    "tag": ('ETag: "1"',),
    "date": (f"Last-Modified: {DAY}",),
    "both": ('ETag: "1"', f"Last-Modified: {DAY}"),
    "weak tag and date": ('ETag: W/"1"', f"Last-Modified: {DAY}"),
}


def answer(status, body=b"", *headers, length=None):
    """Return an answer as it goes over the wire; ``length`` may announce more than comes."""
    size = len(body) if length is None else length
    return "\r\n".join([f"HTTP/1.1 {status} X", *headers, f"Content-Length: {size}", "", ""]).encode() + body


def part(content, *headers, start=HALF, last=SIZE - 1, total=SIZE):
    return answer(206, content[start : last + 1], f"Content-Range: bytes {start}-{last}/{total}", *headers)


class Host:
    """A server whose file is sent as a script tells; each answer has a connection of its own."""

    def __init__(self, serve):
        self.script, self.asked = [], []
        self.always = answer(503)
        self.server = serve(self._serve)

    def _serve(self, line):
        request = line.receive()
        if "/download?" not in request:
            line.answer(self.server.right(request), "200 OK", "Connection: close")
            return
        names = (text.partition(": ") for text in request.split("\r\n"))
        asked = {name: value for name, _, value in names if name in ("Range", "If-Range")}
        self.asked.append(asked)
        line.send(self.script.pop(0) if self.script else self.always)


@pytest.fixture
def resume(serve, connect, tmp_path):
    """Break a download off in its middle, and go on with some answer; return the file and the ranges asked for."""

    def act(headers, rest, *, across, length=SIZE):
        host = Host(serve)
        client, target = connect(host.server.origin), tmp_path / "file.csv"
        job = client.conversation(*WINDOW).wait()
        host.script.append(answer(200, FIRST[:HALF], *headers, length=length))
        if across:
            with pytest.raises(JobTimeoutError):
                job.download(target, timeout=30)
            job = connect(host.server.origin).job(job.token)
            host.asked.clear()
        host.script.append(rest)
        host.always = answer(200, FIRST, *headers)
        content = job.download(target, timeout=600).read_bytes()
        return content, [each.get("Range") for each in (host.asked if across else host.asked[1:])]

    return act


TAKEN = {
    "no names": part(FIRST),
    "another unit's case": answer(206, FIRST[HALF:], f"Content-Range: Bytes {HALF}-{SIZE - 1}/{SIZE}"),
    "of an unknown whole": part(FIRST, total="*"),
}
REFUSED = {
    "another tag": part(SECOND, 'ETag: "2"'),
    "another weak tag": part(SECOND, 'ETag: W/"2"'),
    "another date": part(SECOND, f"Last-Modified: {NEXT_DAY}"),
    "another tag beside the same date": part(SECOND, 'ETag: W/"2"', f"Last-Modified: {DAY}"),
    "another date beside the same tag": part(SECOND, 'ETag: "1"', f"Last-Modified: {NEXT_DAY}"),
    "another total": part(SECOND, total=SIZE + 1),
    "another place": part(SECOND, start=HALF - 1),
    "no span": answer(206, SECOND[HALF:]),
    "a span without numbers": answer(206, SECOND[HALF:], f"Content-Range: bytes */{SIZE}"),
    "more than its span": answer(206, SECOND[HALF:], f"Content-Range: bytes {HALF}-{HALF + 9}/{SIZE}"),
    "412": answer(412),
    "416": answer(416),
    "416 of a shorter file": answer(416, b"", f"Content-Range: bytes */{HALF - 1}"),
    "416 of another version": answer(416, b"", f"Content-Range: bytes */{HALF}", 'ETag: W/"2"'),
}
across = pytest.mark.parametrize("across", [False, True], ids=["same call", "another call"])
versions = pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
# What a file has never said of itself cannot change.
UNSAID = {
    ("date", "another tag"),
    ("date", "another weak tag"),
    ("date", "another tag beside the same date"),
    ("tag", "another date"),
    ("tag", "another date beside the same tag"),
}


@across
@versions
@pytest.mark.parametrize("rest", TAKEN.values(), ids=TAKEN)
def test_the_rest_of_the_same_version(resume, version, rest, across):
    """A rest that fits, and names no other version, is all that is asked for."""
    content, asked = resume(version, rest, across=across)
    assert content == FIRST
    assert asked[0] == f"bytes={HALF}-"
    assert None not in asked


@across
@pytest.mark.parametrize(
    ("version", "rest"),
    [
        pytest.param(VERSIONS[version], rest, id=f"{version}, {name}")
        for version in VERSIONS
        for name, rest in REFUSED.items()
        if (version, name) not in UNSAID
    ],
)
def test_two_versions_never_mix(resume, version, rest, across):
    """What names another version in any way, or does not fit, is not glued to what had arrived, whoever goes on."""
    content, asked = resume(version, rest, across=across)
    assert content == FIRST
    assert asked == [f"bytes={HALF}-", None]


@across
@versions
def test_everything_in_place_of_the_rest(resume, version, across):
    """A 200 to a range takes the place of what had arrived."""
    content, asked = resume(version, answer(200, SECOND, 'ETag: "2"'), across=across)
    assert content == SECOND
    assert asked == [f"bytes={HALF}-"]


@across
@versions
@pytest.mark.parametrize("total", [SIZE, "*"])
def test_a_part_of_the_rest(resume, version, total, across):
    """A part of the rest is not the end: the host is asked on from there, and what then comes is judged as well."""
    content, asked = resume(version, part(FIRST, last=HALF + 98, total=total), across=across)
    assert content == FIRST
    assert asked == [f"bytes={HALF}-", f"bytes={HALF + 99}-"]


@across
@versions
def test_a_length_once_announced_stays(resume, version, across):
    """Where a version has said how long it is, an answer of the same version without a length must be so long."""
    cut = b"HTTP/1.1 200 X\r\n" + "".join(f"{line}\r\n" for line in version).encode() + b"\r\n" + FIRST[: HALF + 24]
    content, asked = resume(version, cut, across=across)
    assert content == FIRST
    assert asked == [f"bytes={HALF}-", f"bytes={HALF + 24}-"]


@across
def test_a_name_that_a_part_adds(serve, connect, tmp_path, across):
    """What a later part says of the version counts from then on."""
    host = Host(serve)
    job = connect(host.server.origin).conversation(*WINDOW).wait()
    host.script = [
        answer(200, FIRST[:HALF], 'ETag: "1"', length=SIZE),
        part(FIRST, f"Last-Modified: {DAY}", last=HALF + 98),
    ]
    if across:
        with pytest.raises(JobTimeoutError):
            job.download(tmp_path / "file.csv", timeout=30)
    host.script.append(part(SECOND, f"Last-Modified: {NEXT_DAY}", start=HALF + 99))
    host.always = answer(200, FIRST)
    assert job.download(tmp_path / "file.csv").read_bytes() == FIRST


@across
@pytest.mark.parametrize(
    ("date", "resumes"),
    [(DAY, False), ("Tue, 01 Jan 2019 00:00:01 GMT", True), ("nonsense", True), (NEXT_DAY, True)],
    ids=["same second", "next second", "unreadable", "next day"],
)
def test_a_file_that_was_just_written(resume, date, resumes, across):
    """The date of a file that was written in this very second does not name it: it may change once more."""
    headers = (f"Last-Modified: {DAY}", f"Date: {date}")
    content, asked = resume(headers, answer(200, FIRST), across=across)
    assert content == FIRST
    assert asked == [f"bytes={HALF}-" if resumes else None]
