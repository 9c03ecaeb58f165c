"""The tutorial's requests, made by curl itself."""

import csv
import json
import shutil
import subprocess

import pytest

from khoros_analytics.sandbox import Clock

CURL = shutil.which("curl")
CONVERSATION = (
    "{base}/api/public/reports/report/conversation?reportFormat=csv&locale=en_US&companyKey={key}"
    "&startTime=1551441600000&endTime=1556712000000"
)
METRICS = ["CONVERSATION_ID", "STATUS", "ASSIGNED_AGENT_DISPLAY_ID"]

pytestmark = pytest.mark.skipif(CURL is None, reason="curl is not installed")


def curl(*arguments):
    """Run curl as a user would, without a configuration file or a proxy."""
    command = [CURL, "-q", "--noproxy", "*", "--fail", "--silent", "--show-error", "--max-time", "20", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("metrics", [[], METRICS])
def test_the_tutorial(run, tmp_path, metrics):
    """Request, status and download work as the tutorial types them, and end in the export's file."""
    caller = run(clock=Clock(), seconds=0)
    sandbox = caller.sandbox
    login = ("-u", f"{sandbox.username}:{sandbox.password}")
    url = CONVERSATION.format(base=sandbox.base_url, key=sandbox.company_key)
    url += "".join(f"&reportMetrics={name}" for name in metrics)

    created = json.loads(curl(*login, "-X", "POST", url))["result"]
    status = json.loads(curl(*login, created["statusUrl"]))["result"]
    target = tmp_path / "conversations.csv"
    curl("-L", *login, status["jobInfo"]["downloadUrl"], "-o", str(target))

    assert status["result"]["detail"] == "COMPLETED"
    assert target.read_bytes() == sandbox.exports[0].content()
    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 101
    assert rows[0] == metrics if metrics else rows[0][:3] == METRICS


def test_curl_resumes(run, tmp_path):
    """``curl -C -`` continues a partial file by a Range."""
    caller = run()
    link = caller.signed()
    content = caller.sandbox.exports[0].content()
    target = tmp_path / "part.csv"
    target.write_bytes(content[:5000])
    curl("-C", "-", link, "-o", str(target))

    assert target.read_bytes() == content
    assert caller.sandbox.requests[-1].sent == len(content) - 5000


def test_curl_decompresses(run, tmp_path):
    """``curl --compressed`` understands the repeating gzip of large files."""
    caller = run(gzip=True, rows=30_000)
    target = tmp_path / "all.csv"
    curl("--compressed", caller.signed(), "-o", str(target))

    assert target.read_bytes() == caller.sandbox.exports[0].content()
