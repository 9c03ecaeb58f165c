"""Every way in which this library gives up, provoked for real: a table of small programs that each end in one error.

The tests hold every message to what README promises, and the page ``docs/errors.rst`` shows these very messages.
"""

import errno
import logging
import os
import re
import socket
import sqlite3
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest
import trustme
from attrs import field, frozen

import khoros_analytics
from khoros_analytics import Client, Job, KhorosError
from khoros_analytics.sandbox import Sandbox, faults

WINDOW = ("2019-02-01", "2019-05-01")
PROXIES = [f"{kind}_proxy" for kind in ("http", "https", "all", "no")]
VARIABLES = ("USERNAME", "PASSWORD", "COMPANY_KEY", "REGION", "URL")

Program = Callable[["Stage"], object]


@frozen
class Scenario:
    """One way to fail.

    Attributes:
        name: What the page calls it.
        kind: The name of the error's class.
        program: What is done.
        has_job: Whether there is a job by then.
    """

    name: str
    kind: str
    program: Program = field(repr=False)
    has_job: bool

    def error(self, folder: Path) -> BaseException:
        """Run the program in an empty folder, and return the error that it ends in."""
        with Stage(folder) as stage:
            try:
                self.program(stage)
            except (KhorosError, ImportError) as error:
                return error
        raise AssertionError(f"{self.name}: nothing was raised")


SCENARIOS: dict[str, Scenario] = {}


def ends_in(kind: str, *, job: bool = False) -> Callable[[Program], Program]:
    """Put a program into the table, under its own name."""

    def enter(program: Program) -> Program:
        name = program.__name__.replace("_", " ").strip()
        assert name not in SCENARIOS
        SCENARIOS[name] = Scenario(name, kind, program, job)
        return program

    return enter


class Stage:
    """A folder, a sandbox, clients of it, and servers that do something else. All ends with the block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self.patch = self._stack.enter_context(pytest.MonkeyPatch.context())

    def __enter__(self) -> Self:
        for name in (*PROXIES, *map(str.upper, PROXIES), "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            self.patch.delenv(name, raising=False)
        for name in VARIABLES:
            self.patch.delenv(f"KHOROS_ANALYTICS_{name}", raising=False)
        self.patch.chdir(self.folder)
        # Without jitter each run makes as many attempts.
        self.patch.setattr("random.uniform", lambda low, high: high)
        logging.getLogger("khoros_analytics").addFilter(_silent)
        self.sandbox = self._stack.enter_context(Sandbox(polls=1, rows=50))
        return self

    def __exit__(self, *_about: object) -> None:
        logging.getLogger("khoros_analytics").removeFilter(_silent)
        self._stack.close()

    def client(self, **settings: Any) -> Client:
        """Return a client of the sandbox."""
        return self._stack.enter_context(Client(**{**self.sandbox.settings, **settings}))

    def start(self, *, client: Client | None = None, **arguments: Any) -> Job:
        """Start an export."""
        return (client or self.client()).conversation(*WINDOW, **arguments)

    def ready(self, **arguments: Any) -> Job:
        """Start an export, and wait until its file is ready."""
        return self.start(**arguments).wait()

    def fail(self, phase: Any, fault: faults.Fault, times: int | None = None) -> None:
        """Let something go wrong in the sandbox, again and again."""
        self.sandbox.fail(phase, fault, times)

    def serve(self, answer: Callable[[socket.socket], object]) -> int:
        """Start a server that does one thing with every connection; return its port."""
        listener = socket.create_server(("127.0.0.1", 0))

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    answer(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def stop() -> None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()

        self._stack.callback(stop)
        port: int = listener.getsockname()[1]
        return port

    def closed_port(self) -> int:
        """Return a port at which nobody listens."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
        return port


def _silent(_record: logging.LogRecord) -> bool:
    return False


# --- before anything is sent -----------------------------------------------------------------------------------------


@ends_in("ConfigurationError")
def missing_credentials(stage: Stage) -> None:
    Client("analyst")


@ends_in("ConfigurationError")
def unusable_address(stage: Stage) -> None:
    stage.client(base_url="http://analytics.example.com")


@ends_in("ConfigurationError")
def unknown_region(stage: Stage) -> None:
    stage.client(base_url=None, region="asia")


@ends_in("ConfigurationError")
def journal_that_is_damaged(stage: Stage) -> None:
    Path("exports.sqlite").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    stage.client(journal="exports.sqlite")


@ends_in("ConfigurationError")
def journal_of_another_program(stage: Stage) -> None:
    with closing(sqlite3.connect("exports.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
    connection.close()
    stage.client(journal="exports.sqlite")


@ends_in("ConfigurationError")
def journal_that_is_locked(stage: Stage) -> None:
    client = stage.client(journal="exports.sqlite")
    connect = sqlite3.connect
    stage.patch.setattr(sqlite3, "connect", lambda *given, **options: connect(*given, **{**options, "timeout": 0.01}))
    connection = sqlite3.connect("exports.sqlite", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        stage.start(client=client)
    finally:
        connection.close()


@ends_in("ConfigurationError")
def no_journal_to_list(stage: Stage) -> None:
    stage.client().jobs()


@ends_in("ParameterError")
def one_wrong_argument(stage: Stage) -> None:
    stage.start(format="exel")


@ends_in("ParameterError")
def several_wrong_arguments(stage: Stage) -> None:
    stage.client().start("conversation", "2019-05-01", "2019-02-01", format="exel", smart_view=7)


@ends_in("ParameterError")
def unknown_report(stage: Stage) -> None:
    stage.client().start("conversations", *WINDOW)


@ends_in("ParameterError")
def damaged_token(stage: Stage) -> None:
    stage.client().job(stage.start().token[:-9])


@ends_in("ParameterError", job=True)
def wrong_argument_of_a_job(stage: Stage) -> None:
    stage.start().wait(timeout=-1)


@ends_in("ImportError", job=True)
def missing_extra(stage: Stage) -> None:
    stage.patch.setitem(sys.modules, "pandas", None)
    stage.start().to_pandas()


# --- no connection ---------------------------------------------------------------------------------------------------


@ends_in("TransportError")
def refused_connection(stage: Stage) -> None:
    stage.start(client=stage.client(base_url=f"http://127.0.0.1:{stage.closed_port()}"))


@ends_in("TransportError", job=True)
def refused_connection_of_a_job(stage: Stage) -> None:
    job = stage.start()
    stage.sandbox.stop()
    job.refresh()


@ends_in("TransportError")
def unknown_host_name(stage: Stage) -> None:
    def resolve(host: object, *_arguments: object, **_settings: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    stage.patch.setattr(socket, "getaddrinfo", resolve)
    stage.start(client=stage.client(base_url="https://analytics.example.com"))


@ends_in("TransportError")
def certificate_that_is_not_trusted(stage: Stage) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)

    def answer(connection: socket.socket) -> None:
        context.wrap_socket(connection, server_side=True).close()

    stage.start(client=stage.client(base_url=f"https://localhost:{stage.serve(answer)}"))


@ends_in("TransportError")
def server_without_tls(stage: Stage) -> None:
    port = stage.serve(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    stage.start(client=stage.client(base_url=f"https://localhost:{port}"))


@ends_in("TransportError")
def proxy_that_is_not_there(stage: Stage) -> None:
    stage.patch.setenv("https_proxy", f"http://127.0.0.1:{stage.closed_port()}")
    stage.start(client=stage.client(base_url="https://analytics.example.com"))


@ends_in("TransportError")
def proxy_that_wants_a_password(stage: Stage) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    stage.patch.setenv("https_proxy", f"http://127.0.0.1:{stage.serve(answer)}")
    stage.start(client=stage.client(base_url="https://analytics.example.com"))


@ends_in("TransportError")
def broken_connection(stage: Stage) -> None:
    stage.fail("create", faults.Reset(after=True))
    stage.start()


@ends_in("TransportError")
def server_that_says_nothing(stage: Stage) -> None:
    done = threading.Event()
    port = stage.serve(lambda connection: done.wait(5))
    try:
        stage.start(client=stage.client(base_url=f"http://127.0.0.1:{port}", timeout=0.02))
    finally:
        done.set()


# --- what the API answers --------------------------------------------------------------------------------------------


@ends_in("AuthenticationError")
def wrong_password(stage: Stage) -> None:
    stage.start(client=stage.client(password="another one"))


@ends_in("AuthenticationError", job=True)
def wrong_password_of_a_job(stage: Stage) -> None:
    job = stage.start()
    stage.fail("status", faults.HttpStatus(401, body="empty"))
    job.wait()


@ends_in("AuthenticationError")
def forbidden(stage: Stage) -> None:
    stage.fail("create", faults.HttpStatus(403, body="html"))
    stage.start()


@ends_in("RequestRejectedError")
def nothing_at_this_address(stage: Stage) -> None:
    stage.fail("create", faults.HttpStatus(404, body="html"))
    stage.start()


@ends_in("RequestRejectedError")
def request_that_is_rejected(stage: Stage) -> None:
    stage.fail("create", faults.HttpStatus(400, body="envelope"))
    stage.start()


@ends_in("RequestRejectedError", job=True)
def job_that_the_server_does_not_know(stage: Stage) -> None:
    job = stage.start()
    stage.fail("status", faults.HttpStatus(404))
    job.wait()


@ends_in("RateLimitError")
def too_many_requests(stage: Stage) -> None:
    stage.fail("create", faults.HttpStatus(429, retry_after="30"))
    stage.start(client=stage.client(request_deadline=60))


@ends_in("RateLimitError", job=True)
def too_many_requests_for_a_job(stage: Stage) -> None:
    job = stage.start(client=stage.client(request_deadline=60))
    stage.fail("status", faults.HttpStatus(429))
    job.refresh()


@ends_in("ServerError")
def failure_of_the_server(stage: Stage) -> None:
    stage.fail("create", faults.HttpStatus(500))
    stage.start()


@ends_in("ServerError", job=True)
def failure_of_the_server_for_a_job(stage: Stage) -> None:
    job = stage.start()
    stage.fail("status", faults.HttpStatus(503, body="html"))
    job.refresh()


@ends_in("ServerError")
def failure_of_the_server_for_a_lookup(stage: Stage) -> None:
    stage.fail("teams", faults.HttpStatus(502, body="html"))
    stage.client().teams()


@ends_in("UnexpectedReplyError")
def page_in_place_of_a_creation(stage: Stage) -> None:
    stage.fail("create", faults.HtmlPage())
    stage.start()


@ends_in("UnexpectedReplyError", job=True)
def page_in_place_of_a_status(stage: Stage) -> None:
    job = stage.start()
    stage.fail("status", faults.HtmlPage())
    job.refresh()


@ends_in("UnexpectedReplyError", job=True)
def broken_json_in_place_of_a_status(stage: Stage) -> None:
    job = stage.start()
    stage.fail("status", faults.RawAnswer(content=b'{"status": "PASS", "result": [{'))
    job.refresh()


@ends_in("UnexpectedReplyError", job=True)
def nothing_in_place_of_a_status(stage: Stage) -> None:
    job = stage.start()
    stage.fail("status", faults.EmptyAnswer())
    job.refresh()


@ends_in("UnexpectedReplyError")
def redirects_without_end(stage: Stage) -> None:
    stage.fail("teams", faults.Redirect("/api/public/teams"))
    stage.client().teams()


@ends_in("UnexpectedReplyError", job=True)
def page_in_place_of_the_file(stage: Stage) -> None:
    job = stage.ready()
    stage.fail("file", faults.HtmlPage())
    job.download()


@ends_in("UnexpectedReplyError", job=True)
def message_in_place_of_the_file(stage: Stage) -> None:
    job = stage.ready()
    stage.fail("file", faults.RawAnswer(content=b'{"error": "no such report"}'))
    job.download()


@ends_in("UntrustedUrlError", job=True)
def link_that_is_not_followed(stage: Stage) -> None:
    job = stage.ready()
    stage.fail("download", faults.Redirect("ftp://files.example.com/export.csv"))
    job.download()


# --- the job ---------------------------------------------------------------------------------------------------------


@ends_in("JobFailedError", job=True)
def job_that_failed(stage: Stage) -> None:
    stage.fail("create", faults.JobFails("Too many conversations"))
    stage.start().wait()


@ends_in("JobFailedError", job=True)
def job_without_a_file(stage: Stage) -> None:
    stage.fail("status", faults.JobState("CLOSED", ""))
    stage.start().wait()


@ends_in("JobTimeoutError", job=True)
def job_that_is_not_ready_in_time(stage: Stage) -> None:
    stage.fail("create", faults.JobNeverEnds())
    stage.start().wait(timeout=600)


@ends_in("JobTimeoutError", job=True)
def server_that_is_away_until_the_timeout(stage: Stage) -> None:
    job = stage.start()
    stage.fail("status", faults.HttpStatus(503))
    job.wait(timeout=600)


@ends_in("JobTimeoutError", job=True)
def quota_that_is_used_up(stage: Stage) -> None:
    client = stage.client(requests_per_minute=1)
    stage.start(client=client).wait(timeout=20)


@ends_in("JobTimeoutError", job=True)
def file_that_is_cut_off_again_and_again(stage: Stage) -> None:
    stage.sandbox.ranges = False
    job = stage.ready()
    stage.fail("file", faults.Cut(100))
    job.download(timeout=120)


@ends_in("JobTimeoutError", job=True)
def download_that_is_not_done_in_time(stage: Stage) -> None:
    job = stage.ready()
    stage.fail("file", faults.HttpStatus(503))
    job.download(timeout=120)


# --- the file --------------------------------------------------------------------------------------------------------


@ends_in("DownloadExpiredError", job=True)
def file_that_is_gone(stage: Stage) -> None:
    job = stage.ready()
    stage.sandbox.clock.sleep(25 * 3600)
    job.download()


@ends_in("IncompleteDownloadError", job=True)
def file_that_may_be_cut_off(stage: Stage) -> None:
    stage.sandbox.ranges = False
    job = stage.ready()
    stage.fail("file", faults.EarlyEnd(100))
    job.download()


@ends_in("IncompleteDownloadError", job=True)
def file_that_is_empty(stage: Stage) -> None:
    job = stage.ready()
    stage.fail("file", faults.EmptyAnswer())
    job.download()


@ends_in("IncompleteDownloadError", job=True)
def link_that_is_refused(stage: Stage) -> None:
    job = stage.ready()
    stage.fail("file", faults.HttpStatus(403))
    job.download()


@ends_in("DownloadError", job=True)
def file_that_is_too_large(stage: Stage) -> None:
    stage.ready(client=stage.client(max_bytes=1000)).download()


@ends_in("TargetError", job=True)
def folder_that_is_not_there(stage: Stage) -> None:
    stage.start().download("exports/january.csv")


@ends_in("TargetError", job=True)
def folder_that_is_read_only(stage: Stage) -> None:
    folder = Path("exports")
    folder.mkdir()
    # The superuser may write everywhere.
    stage.patch.setattr(os, "access", lambda path, mode, **_: not (mode & os.W_OK and Path(path) == folder.absolute()))
    stage.start().download("exports/january.csv")


@ends_in("TargetError", job=True)
def disk_that_is_full(stage: Stage) -> None:
    job = stage.ready()
    with _full_disk(stage):
        job.download("january.csv")


@ends_in("TargetError", job=True)
def disk_that_is_full_at_a_parquet_file(stage: Stage) -> None:
    job = stage.ready()
    job.download()
    with _full_disk(stage):
        job.to_parquet("january.parquet")


@ends_in("TargetExistsError", job=True)
def file_that_is_there_already(stage: Stage) -> None:
    Path("january.csv").write_text("mine")
    stage.start().download("january.csv")


@ends_in("ExportFormatError", job=True)
def damaged_row(stage: Stage) -> None:
    job = stage.ready()
    stage.fail("file", faults.RawAnswer(content=b"CONVERSATION_ID,STATUS\n40000003,CLOSED\n40000010,OPEN,7\n"))
    list(job.rows())


@ends_in("ExportFormatError", job=True)
def value_of_another_type(stage: Stage) -> None:
    stage.start().to_arrow(types={"STATUS": "integer"})


@ends_in("ExportFormatError")
def page_on_disk(stage: Stage) -> None:
    Path("january.csv").write_text("<html><title>Please sign in</title></html>")
    list(khoros_analytics.read_rows("january.csv"))


@contextmanager
def _full_disk(stage: Stage) -> Iterator[None]:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", full)
        yield


# --- what a page shows -----------------------------------------------------------------------------------------------

_VARYING = (
    (re.compile(r"\bjob [0-9a-f-]{36} \("), "job cc645bd3-9def-3d5c-bf05-20efeb11f453 ("),
    (re.compile(r"\brun 23[\w+/=]+"), "run 23IS1+Anp9mm9Bl="),
    (re.compile(r"khoros2\.[\w-]+\.[0-9a-f]{8}"), "khoros2.WyI5ZjZk..."),
    (re.compile(r"\b(127\.0\.0\.\d+|localhost|\[::1\]):\d+"), r"\1:40123"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "12:00:00"),
    (re.compile(r"\b\d+\.\d+ s\b"), "0.5 s"),
    (re.compile(r" \(_ssl\.c:\d+\)"), ""),
)


def normalized(text: str, folder: Path) -> str:
    """Return a message without what differs from run to run: ids, ports, moments, and the folder."""
    text = text.replace(str(folder), "/data")
    for pattern, shown in _VARYING:
        text = pattern.sub(shown, text)
    return text


_BLOCK = re.compile(
    r"^\.\. message: (?P<name>[^\n]+)\n\n\.\. code-block:: none\n\n(?P<text>(?:   [^\n]*\n)+)", re.MULTILINE
)


def shown_on(page: str) -> dict[str, str]:
    """Return the messages that a page shows, by the names of their scenarios."""
    return {
        found["name"]: "\n".join(line[3:] for line in found["text"].splitlines()) for found in _BLOCK.finditer(page)
    }


def refreshed(page: str, messages: dict[str, str]) -> str:
    """Return the page with these messages in the place of those that it shows."""

    def block(found: re.Match[str]) -> str:
        text = "".join(f"   {line}\n" for line in messages[found["name"]].splitlines())
        return f".. message: {found['name']}\n\n.. code-block:: none\n\n{text}"

    return _BLOCK.sub(block, page)


def main() -> None:
    """Write the messages that are really provoked into the page."""
    page = Path(__file__).parents[2] / "docs" / "errors.rst"
    messages = {}
    for name, scenario in SCENARIOS.items():
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder).resolve()
            messages[name] = normalized(str(scenario.error(home)), home)
    page.write_text(refreshed(page.read_text(encoding="utf-8"), messages), encoding="utf-8")


if __name__ == "__main__":
    main()
