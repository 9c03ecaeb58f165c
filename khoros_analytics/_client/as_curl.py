"""An export as commands of curl, for the vendor's support and for the curious; credentials stay shell variables."""

from collections.abc import Iterator, Mapping
from shlex import quote
from urllib.parse import quote as percent_encoded

from .._protocol.arguments import encode, find_report
from .._protocol.calls import create_call
from .._protocol.encoding import Pairs
from .._protocol.messages import Call
from .._protocol.urls import BaseUrl
from .._secrecy import Hidden
from ..reports import COMPANY_KEY, FORMAT, REQUESTS_PER_MINUTE
from ..times import Moment, parse_zone
from .profiles import load_profile
from .settings import choose_url

__all__ = ["as_curl"]

_SIGN_IN = '-u "$KHOROS_ANALYTICS_USERNAME:$KHOROS_ANALYTICS_PASSWORD"'
_KEY = f'"{COMPANY_KEY.wire}=$KHOROS_ANALYTICS_COMPANY_KEY"'


def as_curl(
    name: str,
    start: Moment,
    end: Moment,
    arguments: Mapping[str, object],
    *,
    profile: str | None = None,
    region: str | None = None,
    base_url: str | None = None,
) -> str:
    """Return a shell script of three commands: start, ask, fetch. Nothing is sent, and no credential is needed."""
    named = load_profile(profile, use_default=base_url is None)
    base = BaseUrl.parse(choose_url(Hidden(base_url), region, named)[0].reveal())
    zone = named.get("timezone")
    request = encode(find_report(name), start, end, arguments, timezone=None if zone is None else parse_zone(zone))
    return "\n".join(_script(create_call(base, request), f"{request.report.name}.{_suffix(request.format)}")) + "\n"


def _suffix(sent: str) -> str:
    return sent.lower() if sent.lower() in FORMAT.choices else "txt"


def _script(call: Call, file: str) -> Iterator[str]:
    yield f"# {call.subject}, for curl. The variables KHOROS_ANALYTICS_USERNAME, KHOROS_ANALYTICS_PASSWORD and"
    yield "# KHOROS_ANALYTICS_COMPANY_KEY have to be set."
    yield ""
    yield "# 1. Start it. The answer holds its statusUrl."
    yield " \\\n  ".join(_creation(call))
    yield ""
    yield "# 2. Ask for its status until it is CLOSED and COMPLETED: then the answer holds its downloadUrl."
    yield f"#    All of the API takes {REQUESTS_PER_MINUTE} requests a minute."
    yield "STATUS_URL='put the statusUrl here'"
    yield f'curl -sS {_SIGN_IN} "$STATUS_URL"'
    yield ""
    yield "# 3. Fetch the file, within 24 hours."
    yield "DOWNLOAD_URL='put the downloadUrl here'"
    yield f'curl -sS -L --fail {_SIGN_IN} -o {quote(file)} "$DOWNLOAD_URL"'


def _creation(call: Call) -> Iterator[str]:
    """Yield the parts of the first command. Where there is a body, the query needs curl 7.87 or newer."""
    as_query = "--data-urlencode" if call.form is None else "--url-query"
    verb = f"-X {call.method} -G" if call.form is None else f"-X {call.method}"
    yield f"curl -sS {_SIGN_IN} {verb} {quote(call.target.url)}"
    yield f"{as_query} {_KEY}"
    yield from _written(as_query, call.query)
    yield from _written("--data-urlencode", call.form or ())


def _written(option: str, pairs: Pairs) -> Iterator[str]:
    # curl encodes what stands behind the first = itself, and takes the name as it is.
    return (f"{option} {quote(f'{percent_encoded(name)}={value}')}" for name, value in pairs)
