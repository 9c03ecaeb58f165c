"""What the sandbox's tests share: a caller that speaks plain HTTP. It is not a part of khoros_analytics, on purpose."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from khoros_analytics.sandbox import Sandbox, VirtualClock

WINDOW = {"startTime": "1551441600000", "endTime": "1556712000000"}


class Caller:
    """Calls one sandbox with the right credentials, as a script on top of requests would."""

    window = WINDOW

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False
        self.auth = (sandbox.username.encode(), sandbox.password.encode())
        self.key = {"companyKey": sandbox.company_key}

    def call(self, verb, path, **options):
        """Call a path of the API, or a whole URL."""
        url = path if path.startswith("http") else f"{self.sandbox.base_url}/api/public{path}"
        return self.session.request(verb, url, **{"auth": self.auth, "timeout": 10, **options})

    def create(self, report="conversation", verb="POST", **extra):
        """Ask for an export with its arguments in the query; a value of None leaves an argument out."""
        wanted = {**self.key, **WINDOW, "reportFormat": "csv", **extra}
        params = {wire: value for wire, value in wanted.items() if value is not None}
        return self.call(verb, f"/reports/report/{report}", params=params)

    def started(self, **extra):
        """Start an export and return its creation's result."""
        answer = self.create(**extra).json()
        assert answer["status"] == "PASS"
        return answer["result"]

    def status(self, url):
        """Ask for a status and return the job's object, out of its list where it is in one."""
        result = self.call("GET", url).json()["result"]
        return result[0] if isinstance(result, list) else result

    def link(self, **extra):
        """Start an export, let it end on the virtual clock, and return its download URL."""
        created = self.started(**extra)
        self.sandbox.clock.sleep(10)
        return self.status(created["statusUrl"])["jobInfo"]["downloadUrl"]

    def signed(self, **extra):
        """Return the signed link of a new export's file."""
        return self.call("GET", self.link(**extra), allow_redirects=False).headers["Location"]

    def fetch(self, link, **headers):
        """Fetch a signed link, without credentials."""
        return self.session.get(link, headers=headers, timeout=10)


@pytest.fixture
def run() -> Iterator[Callable[..., Caller]]:
    """Start a sandbox with some options and return its caller. All stop with the test."""
    with ExitStack() as stack:

        def start(**options):
            # The default clock runs in real time until a test uses it: a slow machine would see other seconds.
            sandbox = stack.enter_context(Sandbox(**{"clock": VirtualClock(), **options}))
            caller = Caller(sandbox)
            stack.callback(caller.session.close)
            return caller

        yield start


@pytest.fixture
def caller(run) -> Caller:
    """Return the caller of a sandbox with all its defaults, but on a clock that never runs by itself."""
    return run()


@pytest.fixture
def facts() -> Path:
    """Return the folder of the vendor's facts and sample answers."""
    return Path(__file__).parents[1] / "facts"
