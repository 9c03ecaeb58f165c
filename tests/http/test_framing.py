"""Where a body ends is decided from the whole header block; what leaves a doubt is no answer, and writes nothing."""

import gzip
import io
import socket

import pytest
import requests

from khoros_analytics import JobTimeoutError, KhorosError, TransportError
from khoros_analytics._http.framing import Framing, FramingError, StrictResponse, framing_of

CSV = "CONVERSATION_ID,TEXT\n" + "".join(f"{number},row {number}\n" for number in range(40))


def chunked(content: str, size: int = 100) -> str:
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    return "".join(f"{len(piece):x}\r\n{piece}\r\n" for piece in pieces) + "0\r\n\r\n"


@pytest.fixture
def answered(serve, connect, tmp_path):
    """Download a file that a bare server sends exactly as given, then closes the connection."""

    def download(head, body, **settings):
        def answer(line):
            while request := line.receive():
                if "/download?" in request:
                    server.files += 1
                    line.send(f"HTTP/1.1 200 OK\r\n{head}".encode("latin-1"))
                    line.send("" if body is None else f"\r\n\r\n{body}")
                    return
                line.answer(server.right(request))

        server = serve(answer)
        server.files = 0
        with connect(server.origin, **{"retries": 2, **settings}) as client:
            job = client.conversation("2019-02-01", "2019-02-02")
            return job.download(tmp_path / "file.csv", timeout=60).read_bytes()

    return download


# --- what announces the end ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encodings", "lengths", "expected"),
    [
        (["chunked"], [], Framing("chunked")),
        (["Chunked \t"], [], Framing("chunked")),
        (["\r\n chunked"], [], Framing("chunked")),
        (["chunked"], ["5"], Framing("chunked")),
        (["chunked"], ["nonsense"], Framing("chunked")),
        ([], ["5"], Framing("length", 5)),
        ([], [" 5 "], Framing("length", 5)),
        ([], ["5, 5"], Framing("length", 5)),
        ([], ["5", "5"], Framing("length", 5)),
        ([], [], Framing("close")),
    ],
)
def test_certain_framing(encodings, lengths, expected):
    """Exactly 'chunked' is chunked, whatever length stands beside it; a plain number is a length, also if repeated."""
    assert framing_of(encodings, lengths) == expected


@pytest.mark.parametrize(
    "encodings",
    [
        *(["identity, chunked"], ["chunked, chunked"], ["chunked", "chunked"], ["gzip, chunked"], ["chunked;x=y"]),
        *(["\x0bchunked"], ["chunked, identity"], ['"chunked"'], [""], ["gzip"], ["x"]),
    ],
    ids=repr,
)
def test_uncertain_codings(encodings):
    """Any other Transfer-Encoding is refused."""
    with pytest.raises(FramingError, match="Transfer-Encoding"):
        framing_of(encodings, [])


@pytest.mark.parametrize(
    "lengths", [["1_0"], ["+5"], ["-5"], ["5, 6"], ["5", "6"], [""], ["0x5"], ["5.0"], ["5,"], ["\u0665"], ["9" * 5000]]
)
def test_uncertain_lengths(lengths):
    """What is no plain number of bytes is refused, and so are several that differ."""
    with pytest.raises(FramingError, match="Content-Length"):
        framing_of([], lengths)


@pytest.mark.parametrize("coding", ["identity, chunked", "chunked, chunked", "gzip, chunked", "chunked;x=y"])
@pytest.mark.parametrize("cut", [None, 300])
def test_chunks_never_get_into_the_file(answered, tmp_path, coding, cut):
    """A coding that is not certain is no answer: neither its chunk sizes nor a part of it becomes the file."""
    with pytest.raises(JobTimeoutError, match="Transfer-Encoding"):
        answered(f"Transfer-Encoding: {coding}", chunked(CSV)[:cut])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("coding", ["chunked", "chunked ", "CHUNKED\t", "chunked\r\nContent-Length: 7"])
def test_chunks_that_are_certain(answered, coding):
    """Blanks behind the word change nothing, and a length beside it does not count."""
    assert answered(f"Transfer-Encoding: {coding}", chunked(CSV)) == CSV.encode()


@pytest.mark.parametrize("coding", ["chunked", "chunked "])
def test_chunks_that_are_cut(answered, tmp_path, coding):
    """A chunked body without its last chunk is not the file."""
    with pytest.raises(JobTimeoutError, match="broke off"):
        answered(f"Transfer-Encoding: {coding}", chunked(CSV)[:-5])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [
        "5\r\nA\n1\n2XX2\r\n3\n\r\n0\r\n\r\n",  # longer than it says
        "0x4\r\nA\n1\n\r\n0\r\n\r\n",
        "+4\r\nA\n1\n\r\n0\r\n\r\n",
        "-4\r\nA\n1\n\r\n0\r\n\r\n",
        "0_4\r\nA\n1\n\r\n0\r\n\r\n",
        "4\r\nA\n1\n\r\n0",
        "4\r\nA\n1\n\r\n\r\n\r\n",
    ],
)
def test_chunks_that_are_wrong(answered, tmp_path, body):
    """A chunk that does not end where it says, or whose size is no plain number, leaves nothing behind."""
    with pytest.raises(JobTimeoutError, match="chunk"):
        answered("Transfer-Encoding: chunked", body)
    assert list(tmp_path.iterdir()) == []


def test_extensions_of_chunks(answered):
    """Extensions and trailers of chunks carry no data, and are passed over."""
    assert answered("Transfer-Encoding: chunked", "4;x=y\r\nA\n1\n\r\n0;z\r\nX-Sum: 1\r\n\r\n") == b"A\n1\n"


@pytest.mark.parametrize("length", ["1_0", "+10", "10, 11", "10\r\nContent-Length: 11"])
def test_a_length_that_is_none(answered, tmp_path, length):
    """A Content-Length that is no plain number makes an answer none."""
    with pytest.raises(JobTimeoutError, match="Content-Length"):
        answered(f"Content-Length: {length}", CSV)
    assert list(tmp_path.iterdir()) == []


# --- headers that cannot be read -----------------------------------------------------------------------------------

DEFECTS = ["no colon", "X-A: a\rX-B: b", "X-A: a\0", "X\0A: a", "X-A : a", ": a", "X-A: a\r b"]


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("rest", [f"Content-Length: {len(CSV)}", "Transfer-Encoding: chunked"])
def test_headers_with_a_defect(answered, tmp_path, defect, rest):
    """A header line that cannot be read makes the answer none: those behind it would be lost, and a cut unnoticed."""
    body = chunked(CSV) if "chunked" in rest else CSV
    with pytest.raises(JobTimeoutError, match="header"):
        answered(f"{defect}\r\n{rest}", body[:-30])
    assert list(tmp_path.iterdir()) == []


def test_headers_that_are_cut(answered, tmp_path):
    """An answer that ends within its headers is none."""
    with pytest.raises(JobTimeoutError, match="within its headers"):
        answered("Content-Type: text/csv\r\nContent-Len", None)
    assert list(tmp_path.iterdir()) == []


def test_folded_headers(answered):
    """A header that goes on in the next line is old, but can be read."""
    assert answered(f"X-A: a\r\n b\r\nContent-Length:\r\n {len(CSV)}", CSV) == CSV.encode()


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_creation_whose_headers_have_a_defect(serve, connect, defect):
    """A creation whose answer cannot be read is not sent again, and says that the export may have been started."""

    def answer(line):
        line.receive()
        line.answer(server.created(), "200 OK", defect)

    server = serve(answer)
    with pytest.raises(TransportError) as caught:
        connect(server.origin).conversation("2019-02-01", "2019-02-02")
    assert caught.value.may_have_started is True
    assert server.connections == 1


# --- content encodings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["UTF-8", "none", "binary", "aws-chunked", "identity", "", "utf-8, none"])
def test_names_that_are_no_encodings(api, connect, ask, tmp_path, name):
    """A Content-Encoding that names none leaves a plain body what it is."""
    api.next("file", (200, {"Content-Encoding": name}, CSV))
    assert ask(connect(), "file").read_bytes() == CSV.encode()
    assert api.count("file") == 1


def test_gzip_beside_a_name_that_is_none(api, connect, ask):
    """Storage that was written in pieces says so beside the real encoding."""
    api.next("file", (200, {"Content-Encoding": "aws-chunked,gzip"}, gzip.compress(CSV.encode())))
    assert ask(connect(), "file").read_bytes() == CSV.encode()


@pytest.mark.parametrize("phase", ["file", "status", "create"])
@pytest.mark.parametrize("name", ["br", "zstd", "compress", "gzip, br", "gzip, gzip"])
def test_encodings_that_nobody_asked_for(api, connect, ask, phase, name):
    """A real encoding that was not asked for is refused at once: no repetition changes it."""
    api.next(phase, *[(200, {"Content-Encoding": name}, CSV)] * 6)
    with pytest.raises(KhorosError, match="nobody asked for"):
        ask(connect(), phase)
    assert api.count(phase) == 1


@pytest.mark.parametrize("padding", [1, 512, 100_000])
def test_zeros_behind_gzip(api, connect, ask, padding):
    """Zeros behind a compressed body are padding, as gzip itself reads it."""
    packed = gzip.compress(CSV[:100].encode()) + gzip.compress(CSV[100:].encode()) + bytes(padding)
    api.next("file", (200, {"Content-Encoding": "gzip"}, packed))
    assert ask(connect(), "file").read_bytes() == CSV.encode()


def test_203_with_a_file(api, connect, ask):
    """A proxy that passes the file on with 203 has passed the file on."""
    api.next("file", (203, {"ETag": '"1"'}, CSV))
    assert ask(connect(), "file").read_bytes() == CSV.encode()
    assert api.count("file") == 1


# --- sessions of the user's own ------------------------------------------------------------------------------------


def reads_content(response, **_):
    assert response.content is not None


def reads_data(response, **_):
    assert response.raw.data is not None


def replaces_content(response, **_):
    response._content = response.content


def replaces_the_stream(response, **_):
    response.raw = io.BytesIO(response.raw.read(decode_content=True))


def returns_another(response, **_):
    other = requests.Response()
    other.status_code, other.headers, other.url = response.status_code, response.headers, response.url
    other.request, other.raw, other._content = response.request, response.raw, response.content
    return other


HOOKS = [reads_content, reads_data, replaces_content, replaces_the_stream, returns_another]


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("packed", [False, True])
def test_hooks_that_take_the_body(run, folder, hook, packed):
    """A session whose hooks read, cache or replace the body works like any other, from creation to file."""
    session = requests.Session()
    session.hooks["response"].append(hook)
    world = run({"gzip": packed}, session=session)

    assert world.start().download(folder).read_bytes() == world.content()
    assert world.count("create") == 1


@pytest.mark.parametrize("hook", HOOKS)
def test_hooks_and_packed_replies(api, connect, ask, hook):
    """A reply that a hook has unpacked is not unpacked once more."""
    session = requests.Session()
    session.hooks["response"].append(hook)
    body = gzip.compress(api.right("create").encode())
    api.next("create", (200, {"Content-Encoding": "gzip", "Content-Length": str(len(body))}, body))

    assert ask(connect(session=session), "create").workflow_id == "w-1"


def test_an_answer_whose_connection_is_closed_already():
    """An answer that a Ctrl-C has left behind its connection is let go of without a word."""
    here, there = socket.socketpair()
    with here, there:
        answer = StrictResponse(here)
        answer.fp.close()
        answer.close()

    assert answer.closed
