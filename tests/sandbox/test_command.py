"""``python -m khoros_analytics.sandbox`` and the import without its extra."""

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import requests

from khoros_analytics.sandbox.__main__ import main

MODULE = [sys.executable, "-m", "khoros_analytics.sandbox"]


@contextmanager
def serving(*arguments):
    """Run the command, and end it in any case."""
    process = subprocess.Popen([*MODULE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal(number):
    """It listens once its first line is there, serves on real time, and ends with 0 and nothing on standard error."""
    with serving("--json", "--seconds", "0", "--rows", "7", "--username", "me", "--password", "pü") as process:
        facts = json.loads(process.stdout.readline())
        auth = (facts["username"].encode(), facts["password"].encode())
        query = {"companyKey": facts["company_key"], "startTime": "0", "endTime": "1"}
        created = requests.get(
            f"{facts['base_url']}/api/public/reports/report/user", query, auth=auth, timeout=10
        ).json()
        ready = requests.get(created["result"]["statusUrl"], auth=auth, timeout=10).json()["result"]
        rows = requests.get(ready["jobInfo"]["downloadUrl"], auth=auth, timeout=10)
        process.send_signal(number)
        output, errors = process.communicate(timeout=10)

    assert (facts["username"], facts["password"]) == ("me", "pü")
    assert rows.url.startswith(facts["file_url"])
    assert len(rows.json()) == 7
    assert (process.returncode, output, errors) == (0, "", "")


def test_what_it_prints_can_be_pasted():
    """It shows the base URL, user, password and company key, and its curl lines work as they stand."""
    with serving("--polls", "1", "--password", "it's") as process:
        text = welcome(process)
        lines = [line.strip() for line in text.splitlines() if line.strip().startswith("curl")]
        creation, _, _, teams = (shlex.split(line) for line in lines)
        created = json.loads(subprocess.run([*creation, "-s"], capture_output=True, check=True).stdout)
        looked_up = json.loads(subprocess.run([*teams, "-s"], capture_output=True, check=True).stdout)

    assert created["status"] == looked_up["status"] == "PASS"
    for shown in (r"base URL +http://127", "user +sandbox", "password +it's", "company key +SANDBOX-COMPANY"):
        assert re.search(shown, text)


def welcome(process):
    """Return what the command prints at its start: its last line is the one about the teams."""
    text = ""
    while "/teams?" not in text:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        text += line
    return text


def test_options_reach_the_sandbox():
    """The quota, strictness and the other switches of the command line change what is answered."""
    with serving(
        "--json", "--strict", "--requests-per-minute", "2", "--no-ranges", "--gzip", "--polls", "1"
    ) as process:
        facts = json.loads(process.stdout.readline())
        url = f"{facts['base_url']}/api/public/reports/report/user"
        query = {"companyKey": facts["company_key"], "startTime": "0", "endTime": "1", "timezone": "UTC"}
        auth = (facts["username"], facts["password"])
        codes = [requests.get(url, query, auth=auth, timeout=10).status_code for _ in range(3)]

    assert codes == [400, 400, 429]


def test_a_port_in_use():
    """A port that is taken is one line on standard error and exit status 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run([*MODULE, "--port", port], capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert ended.stderr == f"The sandbox cannot listen on port {port}: Address already in use\n"
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--rows", "-1"], "rows cannot be -1: give a whole number from 0"),
        (["--rows", "many"], "argument --rows: invalid int value: 'many'"),
        (["--framing", "zip"], "framing cannot be 'zip': give 'length' or 'chunked' or 'close'"),
        (["--running", "dict"], "running cannot be 'dict': give 'object' or 'list'"),
        (["--url-origin", "x"], "url_origin cannot be 'x': give a scheme and a host, such as 'https://api.example'"),
    ],
)
def test_wrong_options(capsys, arguments, reason):
    """A wrong option ends the command with 2 and says what would be right."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f"error: {reason}\n")


def test_an_address_that_is_not_here():
    """An address that this machine does not have is one line on standard error."""
    ended = subprocess.run([*MODULE, "--host", "203.0.113.1"], capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert ended.stderr.startswith("The sandbox cannot listen on any port of 203.0.113.1: ")
    assert ended.stderr.count("\n") == 1


def test_a_broken_request_is_one_line():
    """On the command's standard error a broken request is one line."""
    with serving("--json") as process:
        address = urlsplit(json.loads(process.stdout.readline())["base_url"])
        with socket.create_connection((address.hostname, address.port), timeout=10) as client:
            client.sendall(b"GET\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 400"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)

    assert errors.count("\n") == 1
    assert errors.endswith("host answered 400 to a request: the request line or a header is broken\n")


def test_addresses():
    """The file host's name and port and the origin in URLs can be given, as containers need it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    arguments = (
        "--file-host",
        "127.0.0.1",
        "--file-port",
        port,
        "--url-origin",
        "http://api.example",
        "--running",
        "list",
    )
    with serving("--json", "--host", "0.0.0.0", *arguments) as process:
        facts = json.loads(process.stdout.readline())
        query = {"companyKey": facts["company_key"], "startTime": "0", "endTime": "1"}
        auth = (facts["username"], facts["password"])
        created = requests.get(f"{facts['base_url']}/api/public/reports/report/user", query, auth=auth, timeout=10)
        url = created.json()["result"]["statusUrl"]
        status = requests.get(url.replace("http://api.example", facts["base_url"]), auth=auth, timeout=10).json()

    assert facts["file_url"] == f"http://127.0.0.1:{port}"
    assert isinstance(status["result"], list)


def test_a_fixed_port():
    """The API listens where it is told to."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving("--json", "--port", str(port)) as process:
        assert urlsplit(json.loads(process.stdout.readline())["base_url"]).port == port


def test_without_werkzeug():
    """Without its extra, importing the sandbox says how to install it."""
    program = "import sys; sys.modules['werkzeug'] = None; import khoros_analytics.sandbox"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert (
        'ImportError: The sandbox needs werkzeug: install it with  pip install "khoros_analytics[sandbox]"'
        in ended.stderr
    )
