"""The file host: signed links to finished exports, on a second origin that wants no credentials."""

import csv
import gzip
import io
import json
import socket
import ssl
import threading
import time
from urllib.parse import urlsplit

import pytest
import requests
import trustme

from khoros_analytics.sandbox import Clock, Sandbox, VirtualClock

DAY = 86_400


def test_a_download_redirects_to_the_other_origin(caller):
    """The API's download answers 302 with a signed link elsewhere, and following it gives the export's file."""
    link = caller.link()
    redirect = caller.call("GET", link, allow_redirects=False)
    answer = caller.call("GET", link)

    assert redirect.status_code == 302
    assert redirect.headers["Location"].startswith(caller.sandbox.file_url + "/exports/")
    assert answer.content == caller.sandbox.exports[0].content()
    assert answer.headers["Content-Type"] == "text/csv;charset=UTF-8"
    assert int(answer.headers["Content-Length"]) == caller.sandbox.exports[0].length


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("rows", [0, 3, 4500])
def test_the_file_is_what_was_asked_for(run, form, rows):
    """The file has the wanted number of rows in the wanted format, with exactly the wanted columns."""
    caller = run(rows=rows)
    answer = caller.fetch(caller.signed(reportFormat=form, reportMetrics=["STATUS", "CONVERSATION_ID"]))
    text = answer.content.decode()
    records = json.loads(text) if form == "json" else list(csv.DictReader(io.StringIO(text, newline="")))

    assert len(records) == rows
    assert all(list(record) == ["STATUS", "CONVERSATION_ID"] for record in records)


@pytest.mark.parametrize(
    "secret",
    [
        {"auth": ("sandbox", "sandbox-password")},
        {"headers": {"Authorization": "Bearer x"}},
        {"headers": {"Cookie": "a=b"}},
        {"params": {"companyKey": "SANDBOX-COMPANY"}},
        {"params": {"analyticsAccessToken": "x"}},
    ],
)
def test_credentials_are_refused(caller, secret):
    """A request that carries a login, a cookie, the company key or a token is refused with 400."""
    signed = caller.signed()

    assert requests.get(signed, timeout=10, **secret).status_code == 400
    assert caller.fetch(signed).status_code == 200


@pytest.mark.parametrize(
    "change", [("Signature=", "Signature=0"), ("Expires=", "Expires=9"), (".csv", ".json"), ("?", "?x&")]
)
def test_a_changed_link_is_refused(caller, change):
    """A link is good only as it was signed; a parameter that is not part of it changes nothing."""
    status = caller.fetch(caller.signed().replace(*change)).status_code

    assert status == (200 if change[0] == "?" else 403)


def test_a_link_without_its_signature_is_refused(caller):
    """The path alone opens nothing."""
    assert caller.fetch(caller.signed().split("?")[0]).status_code == 403


def test_files_are_read_only(caller):
    """The file host answers GET alone, and a HEAD gets no body."""
    signed = caller.signed()

    for verb in ("POST", "PUT", "DELETE", "HEAD"):
        answer = caller.session.request(verb, signed, timeout=10)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    assert caller.fetch(signed).status_code == 200


def test_a_day_later_everything_is_gone(caller):
    """A link and its export live 24 hours: then the file host says 403, the API's download 410, the status the same."""
    link = caller.link()
    signed = caller.call("GET", link, allow_redirects=False).headers["Location"]
    caller.sandbox.clock.sleep(DAY - 1)
    assert caller.fetch(signed).status_code == caller.call("GET", link).status_code == 200
    caller.sandbox.clock.sleep(1)

    assert caller.fetch(signed).status_code == 403
    assert caller.call("GET", link).status_code == 410
    assert caller.status(link.replace("/download", "/status"))["result"]["detail"] == "COMPLETED"


def test_the_day_counts_from_the_end_of_the_job(run):
    """An export can be fetched for 24 hours after it was done, however long it took and whenever it was looked at."""
    caller = run(seconds=DAY)
    url = caller.started()["statusUrl"]
    caller.sandbox.clock.sleep(2 * DAY - 1)
    link = caller.status(url)["jobInfo"]["downloadUrl"]
    assert caller.call("GET", link).status_code == 200
    caller.sandbox.clock.sleep(1)

    assert caller.call("GET", link).status_code == 410


def test_a_short_lived_link_can_be_renewed(run):
    """With link_seconds=60 a link ends after a minute, and the API hands out another one for the same file."""
    caller = run(link_seconds=60)
    link = caller.link()
    signed = caller.call("GET", link, allow_redirects=False).headers["Location"]
    first = caller.fetch(signed)
    caller.sandbox.clock.sleep(60)
    assert caller.fetch(signed).status_code == 403
    again = caller.call("GET", link)

    assert (again.content, again.headers["ETag"]) == (first.content, first.headers["ETag"])


def test_a_link_does_not_outlive_its_export(run):
    """A link that is handed out shortly before the export goes ends with it."""
    caller = run(export_seconds=100)
    link = caller.link()
    caller.sandbox.clock.sleep(99)
    signed = caller.call("GET", link, allow_redirects=False).headers["Location"]
    assert caller.fetch(signed).status_code == 200
    caller.sandbox.clock.sleep(1)

    assert caller.fetch(signed).status_code == 403


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("bytes=0-9", 0, 10), ("bytes=10-", 10, None), ("bytes=-5", -5, None), ("bytes=5-99999999", 5, None)],
)
def test_ranges(caller, wanted, start, stop):
    """A part of the file comes with 206, its place and exactly its bytes."""
    signed = caller.signed()
    content = caller.sandbox.exports[0].content()
    first, end, _ = slice(start, stop).indices(len(content))
    answer = caller.fetch(signed, Range=wanted)

    assert answer.status_code == 206
    assert answer.content == content[start:stop]
    assert answer.headers["Content-Range"] == f"bytes {first}-{end - 1}/{len(content)}"
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_a_range_beyond_the_end(caller):
    """A range that starts at the end or behind it gets 416 with the length, and the last byte can still be had."""
    signed = caller.signed()
    length = caller.sandbox.exports[0].length
    answer = caller.fetch(signed, Range=f"bytes={length}-")

    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{length}")
    assert caller.fetch(signed, Range=f"bytes={length - 1}-").status_code == 206


@pytest.mark.parametrize("wanted", ["bytes=0-1,3-4", "rows=0-1", "bytes=9-1", "nonsense"])
def test_ranges_that_are_not_understood(caller, wanted):
    """Several ranges, another unit or nonsense get the whole file, as HTTP allows."""
    assert caller.fetch(caller.signed(), Range=wanted).status_code == 200


def test_if_range(caller):
    """A part comes only of the same file, told by its ETag or date; of another one all comes."""
    signed = caller.signed()
    first = caller.fetch(signed)
    good = [first.headers["ETag"], first.headers["Last-Modified"]]
    bad = ['"other"', "W/" + first.headers["ETag"], "Thu, 01 Jan 1970 00:00:00 GMT", ""]

    assert [caller.fetch(signed, **{"Range": "bytes=1-", "If-Range": tag}).status_code for tag in good] == [206, 206]
    assert [caller.fetch(signed, **{"Range": "bytes=1-", "If-Range": tag}).status_code for tag in bad] == [200] * 4


def test_without_ranges(run):
    """With ranges=False a Range is not understood and not offered."""
    caller = run(ranges=False)
    answer = caller.fetch(caller.signed(), Range="bytes=5-")

    assert answer.status_code == 200
    assert "Accept-Ranges" not in answer.headers
    assert answer.content == caller.sandbox.exports[0].content()


def test_without_validators(run):
    """With validators=False there is no ETag and no date, so no If-Range can be met; a plain Range still works."""
    caller = run(validators=False)
    signed = caller.signed()
    answer = caller.fetch(signed, Range="bytes=5-")

    assert answer.status_code == 206
    assert not {"ETag", "Last-Modified"} & set(answer.headers)
    assert caller.fetch(signed, **{"Range": "bytes=5-", "If-Range": '"x"'}).status_code == 200


def test_the_etag_belongs_to_the_export(caller):
    """The same export has the same ETag each time, another window another one."""
    one, other = caller.signed(), caller.signed(startTime="0")
    tags = [caller.fetch(link).headers["ETag"] for link in (one, one, other)]

    assert tags[0] == tags[1] != tags[2]


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("wanted", [None, "bytes=7-"])
def test_framing(run, framing, wanted):
    """The end of a file is told by its length, by chunks, or by closing the connection alone; parts likewise."""
    caller = run(framing=framing, rows=5000)
    answer = caller.fetch(caller.signed(), **({"Range": wanted} if wanted else {}))

    assert answer.content == caller.sandbox.exports[0].content()[7 if wanted else 0 :]
    assert ("Content-Length" in answer.headers) == (framing == "length")
    assert (answer.headers.get("Transfer-Encoding") == "chunked") == (framing == "chunked")
    assert (answer.headers["Connection"] == "close") == (framing == "close")


def test_gzip(run):
    """With gzip=True the stored file is compressed: length, ETag and ranges are those of the compressed bytes."""
    caller = run(gzip=True, rows=5000)
    signed = caller.signed()
    answer = caller.fetch(signed)
    raw = caller.session.get(signed, headers={"Range": "bytes=100-"}, stream=True, timeout=10)
    rest = raw.raw.read(decode_content=False)
    head = caller.session.get(signed, headers={"Range": "bytes=0-99"}, stream=True, timeout=10)

    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.content == caller.sandbox.exports[0].content()
    assert int(answer.headers["Content-Length"]) == len(rest) + 100 < len(answer.content)
    assert gzip.decompress(head.raw.read(decode_content=False) + rest) == answer.content


def test_a_large_file_streams(run):
    """A file of 200 MB comes whole."""
    caller = run(size=200_000_000)
    answer = caller.session.get(caller.signed(), stream=True, timeout=10)
    received = sum(map(len, answer.iter_content(1 << 20)))

    assert received == caller.sandbox.exports[0].length == pytest.approx(200_000_000, rel=0.02)


def test_a_client_that_leaves_early(run, capfd):
    """When the client goes in the middle of a large file, the server's thread ends without a word."""
    caller = run(size=1 << 30)
    signed = caller.signed()
    before = threading.active_count()
    with requests.get(signed, stream=True, timeout=10) as answer:
        assert next(answer.iter_content(1000))
        assert threading.active_count() == before + 1
    deadline = time.monotonic() + 20
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)

    assert 0 < caller.sandbox.requests[-1].sent < 1 << 30
    assert capfd.readouterr().err == ""


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def test_tls(run, authority, tmp_path):
    """With an ssl_context both origins speak https, and the file host's link says so."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    caller = run(ssl_context=context)
    caller.session.verify = str(bundle)
    signed = caller.signed()

    assert signed.startswith("https://127.0.0.1:")
    assert caller.fetch(signed).content == caller.sandbox.exports[0].content()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_with_a_certificate_for_both_names(run, authority, tmp_path, version):
    """Where the certificate is good for localhost too, the file host is called so, as without TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = version
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    caller = run(ssl_context=context)
    caller.session.verify = str(bundle)
    signed = caller.signed()

    assert signed.startswith("https://localhost:")
    assert caller.fetch(signed).content == caller.sandbox.exports[0].content()


def test_tls_without_any_certificate():
    """A context that has no certificate serves nobody, and breaks nothing."""
    with Sandbox(ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)) as sandbox:
        assert sandbox.file_url.startswith("https://127.0.0.1:")


def test_tls_is_not_blocked_by_a_silent_client(authority):
    """A client that connects and never greets, or speaks plain http, disturbs neither the others nor the stop."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    sandbox = Sandbox(ssl_context=context)
    sandbox.start()
    address = ("127.0.0.1", urlsplit(sandbox.base_url).port)
    with socket.create_connection(address), socket.create_connection(address) as rude:
        rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with (
            socket.create_connection(address) as plain,
            trusting.wrap_socket(plain, server_hostname="127.0.0.1") as polite,
        ):
            polite.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert polite.recv(12) == b"HTTP/1.1 401"
        sandbox.stop()


def test_clocks_are_offered_beside_the_sandbox():
    """Both clocks can be imported where the sandbox is, for whoever needs real time."""
    assert Clock().time() > VirtualClock().time()
