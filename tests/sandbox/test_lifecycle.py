"""Life: of the sandbox, and of the jobs in it."""

import errno
import socket
import threading
import time
from operator import methodcaller
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from khoros_analytics.sandbox import Clock, Sandbox, VirtualClock, faults
from khoros_analytics.sandbox import _clock as clocks
from khoros_analytics.sandbox import _sandbox as sandboxes


def threads():
    return {thread for thread in threading.enumerate() if thread.name.startswith("sandbox")}


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def stages(caller, url, looks):
    """Return what so many looks see, each a second after the one before."""
    seen = []
    for _ in range(looks):
        progress = caller.status(url)["result"]
        seen.append((progress["runnerState"], progress["detail"]))
        caller.sandbox.clock.sleep(1)
    return seen


RUNNING, DONE, FAILED = ("RUNNING", ""), ("CLOSED", "COMPLETED"), ("CLOSED", "FAILED")


def test_nothing_is_left_behind():
    """After the with block no thread, no socket and no open port is left, though a client keeps its connection."""
    before = descriptors()
    with Sandbox() as sandbox, socket.create_connection(sandbox.base_url.removeprefix("http://").split(":")) as idle:
        idle.sendall(b"GET /api/public/teams HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(15) == b"HTTP/1.1 401 Un"
        address = idle.getpeername()
        sandbox.stop()
        assert threads() == set()

    assert descriptors() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_start_and_stop_are_quick():
    """Thirty sandboxes come and go within a few seconds, so that each test can have its own."""
    began = time.perf_counter()
    for _ in range(30):
        with Sandbox():
            pass

    assert time.perf_counter() - began < 5


def test_start_and_stop_may_be_repeated():
    """Starting twice and stopping twice change nothing, and a sandbox comes back at its address with all it knew."""
    sandbox = Sandbox()
    sandbox.stop()
    sandbox.start()
    first = sandbox.base_url, sandbox.file_url
    sandbox.start()
    with socket.create_connection(sandbox.base_url.removeprefix("http://").split(":")) as client:
        client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1)
    sandbox.stop()
    sandbox.stop()
    with sandbox:
        assert (sandbox.base_url, sandbox.file_url) == first
        assert sandbox.count() == 1


def test_a_port_in_use_is_an_error():
    """A fixed port is used, and a second sandbox that wants it gets an OSError and leaves nothing behind."""
    with Sandbox() as first:
        port = int(first.base_url.rsplit(":", 1)[1])
        running = threads()
        with pytest.raises(OSError, match="in use"):
            Sandbox(port=port).start()
        assert threads() == running
    with Sandbox(port=port) as second:
        assert second.base_url == first.base_url


def test_no_address_before_the_start():
    """Without a start there is no address, and the error says what to do."""
    sandbox = Sandbox()

    for name in ("base_url", "file_url", "settings"):
        with pytest.raises(RuntimeError, match="with block"):
            getattr(sandbox, name)
    assert repr(sandbox) == "<Sandbox not running>"


def test_settings(caller):
    """The settings are what a client's constructor takes, clock included, and the repr hides the secrets."""
    sandbox = caller.sandbox

    assert sandbox.settings == {
        "username": "sandbox",
        "password": "sandbox-password",
        "company_key": "SANDBOX-COMPANY",
        "base_url": sandbox.base_url,
        "clock": sandbox.clock,
    }
    assert isinstance(sandbox.clock, VirtualClock)
    assert repr(sandbox) == f"<Sandbox {sandbox.base_url}>"


def test_the_host_names_are_two_origins(caller):
    """The API and the file host are different origins, with different names: some clients look at the name alone."""
    api, files = (urlsplit(url) for url in (caller.sandbox.base_url, caller.sandbox.file_url))

    assert (api.hostname, files.hostname) == ("127.0.0.1", "localhost")
    assert api.port != files.port


def test_localhost_may_mean_either(caller):
    """Where there is IPv6, the file host answers at 127.0.0.1 and at ::1: localhost may lead to either."""
    port = urlsplit(caller.sandbox.file_url).port
    for address in ["127.0.0.1", *(["::1"] if has_ipv6() else [])]:
        with socket.create_connection((address, port), timeout=10) as client:
            client.sendall(b"GET /x HTTP/1.1\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 403"


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6")
def test_a_port_that_somebody_has_at_the_other_address():
    """A fixed port that another program has at ::1 is an error: that program would be taken for the file host."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        running = threads(), descriptors()
        with pytest.raises(OSError, match="in use"):
            Sandbox(file_port=taken.getsockname()[1]).start()
        assert (threads(), descriptors()) == running


def test_without_ipv6(monkeypatch):
    """On a machine without IPv6 the file host listens at 127.0.0.1 alone."""
    listen = sandboxes.listen

    def listen_at_4(host, port):
        if ":" in host:
            raise OSError(errno.EADDRNOTAVAIL, "no such address")
        return listen(host, port)

    monkeypatch.setattr(sandboxes, "listen", listen_at_4)
    with Sandbox() as sandbox:
        socket.create_connection(("127.0.0.1", urlsplit(sandbox.file_url).port)).close()
        assert urlsplit(sandbox.file_url).hostname == "localhost"


@pytest.mark.parametrize(
    ("options", "api", "files"),
    [
        ({"file_host": "127.0.0.2"}, "127.0.0.1", "127.0.0.2"),
        ({"host": "127.0.0.1", "file_host": "files.example"}, "127.0.0.1", "files.example"),
        ({"host": "0.0.0.0"}, "127.0.0.1", "localhost"),
        ({"host": "0.0.0.0", "file_host": "files.example"}, "127.0.0.1", "files.example"),
        ({"host": "localhost"}, "localhost", "localhost"),
    ],
)
def test_addresses(options, api, files):
    """The address to listen at and the file host's name can be given; 0.0.0.0 is called 127.0.0.1."""
    with Sandbox(**options) as sandbox:
        assert (urlsplit(sandbox.base_url).hostname, urlsplit(sandbox.file_url).hostname) == (api, files)
        socket.create_connection(("127.0.0.1", urlsplit(sandbox.file_url).port), timeout=10).close()


def test_a_fixed_file_port():
    """The file host's port can be fixed, as a container that publishes it needs it."""
    with Sandbox() as first:
        port = urlsplit(first.file_url).port
    with Sandbox(file_port=port) as second:
        assert second.file_url == first.file_url


@pytest.fixture
def real(monkeypatch) -> SimpleNamespace:
    """Stand for the machine's time, as the sandbox's own clock reads it."""
    machine = SimpleNamespace(now=1000.0, monotonic=lambda: machine.now)
    monkeypatch.setattr(clocks, "time", machine)
    return machine


def test_by_default_an_export_is_done_at_the_second_look(caller):
    """By default an export is done when its status is asked for the second time, though no time passes."""
    url = caller.started()["statusUrl"]
    looks = [caller.status(url)["result"]["detail"] for _ in range(3)]

    assert looks == ["", "COMPLETED", "COMPLETED"]


def test_by_default_an_export_is_done_after_ten_seconds(real, run):
    """For a program that knows nothing of the sandbox's clock, real time passes: ten seconds of it are enough."""
    caller = run(clock=Sandbox().clock)
    early, late = caller.started()["statusUrl"], caller.started()["statusUrl"]
    real.now += 9.9
    assert caller.status(early)["result"] == {**caller.status(late)["result"], "runnerState": "RUNNING"}
    real.now += 0.1

    assert caller.status(caller.started()["statusUrl"])["result"]["detail"] == ""
    assert caller.status(late)["result"]["detail"] == "COMPLETED"


def test_real_time_moves_everything(real, run):
    """Quota, dates and links follow real time until a program uses the clock."""
    caller = run(clock=Sandbox().clock, requests_per_minute=1, seconds=30)
    assert [caller.call("GET", "/teams", params=caller.key).status_code for _ in range(2)] == [200, 429]
    real.now += 60
    answer = caller.call("GET", "/teams", params=caller.key)

    assert (answer.status_code, answer.headers["Date"]) == (200, "Wed, 01 May 2019 12:01:00 GMT")


@pytest.mark.parametrize("use", [methodcaller("time"), methodcaller("monotonic"), methodcaller("sleep", 0)])
def test_whoever_uses_the_clock_decides(real, run, use):
    """Once a program uses the sandbox's clock, real time counts no longer: it stands still between sleeps."""
    caller = run(clock=Sandbox().clock, seconds=30)
    real.now += 500  # nothing has been asked yet
    url = caller.started()["statusUrl"]
    real.now += 20
    use(caller.sandbox.clock)
    real.now += 1000
    assert stages(caller, url, 1) == [RUNNING]
    caller.sandbox.clock.sleep(9)

    assert stages(caller, url, 1) == [DONE]


def test_an_export_takes_its_seconds_on_the_clock(run):
    """With seconds=10 an export runs for ten seconds of the sandbox's clock, looked at or not."""
    caller = run(seconds=10)
    url = caller.started()["statusUrl"]

    assert stages(caller, url, 12) == [RUNNING] * 10 + [DONE] * 2


@pytest.mark.parametrize(("options", "running"), [({"polls": 3, "seconds": 10}, 2), ({"polls": 9, "seconds": 4}, 4)])
def test_polls_and_seconds(run, options, running):
    """When both are given, what comes first decides."""
    caller = run(**options)

    assert stages(caller, caller.started()["statusUrl"], running + 2) == [RUNNING] * running + [DONE] * 2


@pytest.mark.parametrize("looks", [1, 2, 5])
def test_an_export_is_done_at_a_look(run, looks):
    """With polls=N the N-th status request says done, whatever the time."""
    caller = run(polls=looks)

    assert stages(caller, caller.started()["statusUrl"], looks + 1) == [RUNNING] * (looks - 1) + [DONE] * 2


def test_durations_can_differ(run):
    """Seconds may be a callable, asked once for each export, and may be changed for the next ones."""
    caller = run(seconds=iter([1, 3]).__next__)
    first, second = caller.started()["statusUrl"], caller.started()["statusUrl"]
    caller.sandbox.seconds = 0
    third = caller.started()["statusUrl"]

    assert stages(caller, third, 1) == [DONE]
    assert stages(caller, first, 1) == [DONE]
    assert stages(caller, second, 2) == [RUNNING, DONE]


def test_real_time(run):
    """On a real clock an export takes real seconds."""
    caller = run(clock=Clock(), seconds=0.05)
    url = caller.started()["statusUrl"]
    began = time.monotonic()
    while caller.status(url)["result"]["runnerState"] == "RUNNING":
        assert time.monotonic() - began < 20

    assert time.monotonic() - began > 0.03


def test_there_is_no_link_before_the_end(caller):
    """A running export has an empty downloadUrl, and its download path has no file yet."""
    created = caller.started()

    assert created["downloadUrl"] == caller.status(created["statusUrl"])["jobInfo"]["downloadUrl"] == ""
    assert caller.call("GET", created["statusUrl"].replace("/status", "/download")).status_code == 404


def test_a_download_url_from_the_start(run):
    """With creation="download" the first answer already has a link, though the export is not ready before its time."""
    caller = run(creation="download")
    link = caller.started()["downloadUrl"]

    assert caller.call("GET", link).status_code == 404
    caller.sandbox.clock.sleep(10)
    assert caller.call("GET", link).status_code == 200


def test_completed_without_a_link(run):
    """With empty_links=2 the first two looks at a completed export show no link, as the tutorial warns."""
    caller = run(empty_links=2, polls=2)
    url = caller.started()["statusUrl"]
    seen = [caller.status(url) for _ in range(4)]

    assert [each["result"]["detail"] for each in seen] == ["", "COMPLETED", "COMPLETED", "COMPLETED"]
    assert [bool(each["jobInfo"]["downloadUrl"]) for each in seen] == [False, False, False, True]


def test_urls_at_another_host(run):
    """The URLs in answers can name another origin than the one that was called."""
    caller = run(url_origin="https://analytics-api.app.lithium.com", polls=1)
    url = caller.started()["statusUrl"]
    shown = caller.status(url.replace("https://analytics-api.app.lithium.com", caller.sandbox.base_url))["jobInfo"]

    assert all(
        each.startswith("https://analytics-api.app.lithium.com/api/public/")
        for each in (url, *list(shown.values())[2:])
    )


@pytest.mark.parametrize("phase", ["create", "status"])
def test_a_job_fails(run, phase):
    """A job doomed at creation fails at its time, one doomed at a look right there; it stays so, without a file."""
    caller = run(polls=2)
    caller.sandbox.fail(phase, faults.JobFails("no such work queue"))
    url = caller.started()["statusUrl"]

    assert stages(caller, url, 3) == ([RUNNING] if phase == "create" else []) + [FAILED] * (
        2 if phase == "create" else 3
    )
    assert caller.status(url)["result"]["reason"] == "no such work queue"
    assert isinstance(caller.call("GET", url).json()["result"], list)
    assert caller.call("GET", url.replace("/status", "/download")).status_code == 404


@pytest.mark.parametrize("phase", ["create", "status"])
@pytest.mark.parametrize("options", [{"polls": 2}, {"seconds": 1}])
def test_a_job_never_ends(run, phase, options):
    """A job that never ends is still running after a year, by looks and by seconds; the next one is sound."""
    caller = run(**options)
    caller.sandbox.fail(phase, faults.JobNeverEnds())
    url = caller.started()["statusUrl"]
    assert stages(caller, url, 4) == [RUNNING] * 4
    caller.sandbox.clock.sleep(365 * 86_400)

    assert stages(caller, url, 1) == [RUNNING]
    assert stages(caller, caller.started()["statusUrl"], 2)[1] == DONE


def test_a_completed_job_cannot_fail_any_more(run):
    """A job that is done stays done, whatever is planned for its next status."""
    caller = run(polls=1)
    url = caller.started()["statusUrl"]
    caller.status(url)
    caller.sandbox.fail("status", faults.JobFails())

    assert stages(caller, url, 1) == [DONE]
