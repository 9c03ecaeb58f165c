"""One ``requests.Session``: sends calls, keeps credentials at home, and makes every fault an error without secrets."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar
from urllib.parse import quote_plus, urlsplit

import requests
from requests import Session
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from .._clock import Clock, Deadline
from .._protocol.advice import for_connection
from .._protocol.encoding import Pairs
from .._protocol.messages import Call, Phase, Reply
from .._protocol.replies import raise_for_status
from .._protocol.urls import STARS, BaseUrl, Target
from .._secrecy import Hidden, emptied_frames, unfinished
from .._version import __version__
from ..errors import (
    ConfigurationError,
    JobTimeoutError,
    KhorosError,
    ParameterError,
    RateLimitError,
    TransportError,
    UnexpectedReplyError,
    UntrustedUrlError,
)
from ..reports import COMPANY_KEY
from .concealment import revealed, starred_authorization
from .connections import (
    Watchdog,
    call_session,
    close_session,
    is_certificate_error,
    obstacle_of,
    root_cause,
    without_cookies,
)
from .credentials import Credentials
from .framing import FramingError
from .history import History
from .quota import Room, Share
from .redaction import Redactor, redact_urllib3_logs
from .response import StreamedResponse, body_of, retry_after_of
from .retry import FailuresInARow, repeat

__all__ = ["Session", "Transport"]

USER_AGENT = f"khoros_analytics/{__version__} {requests.utils.default_user_agent()}"

_REDIRECTS = (301, 302, 303, 307, 308)
MAX_REDIRECTS = 10
MAX_REDIRECTS_AT_HOME = 3  # each costs a request of the quota
MAX_KEPT_ALIVE = 32  # as many threads may share a client without urllib3's warnings of a full pool

T = TypeVar("T")


class Transport:
    """Sends calls for one account. Safe for threads, as far as the session is.

    Args:
        base: Where the API is.
        credentials: Who asks.
        clock: What reads time and sleeps.
        share: The client's part in the account's quota.
        timeout: The seconds for one connect and for one read.
        request_deadline: The seconds for one call with all its waits and repetitions.
        retries: How often a call is repeated.
        session: The user's own session, or None for a new one.
    """

    def __init__(
        self,
        base: BaseUrl,
        credentials: Credentials,
        *,
        clock: Clock,
        share: Share,
        timeout: tuple[float, float],
        request_deadline: float,
        retries: int,
        session: Session | None = None,
    ) -> None:
        self.base = base
        self.clock = clock
        self._company_key = credentials.company_key
        self.retries = retries
        self.redact: Redactor = credentials.redactor()
        self._authorization = credentials.authorization()
        self._share = share
        self._timeout = timeout
        self.request_deadline = request_deadline
        self._session = session or _new_session()
        self._owned = session is None
        self._process = os.getpid()

    @unfinished
    def __repr__(self) -> str:
        return f"<Transport to {self.base}>"

    def close(self) -> None:
        """Close the connections, and leave the quota to others; a session that the user brought stays as it is."""
        self._share.close()
        if self._owned:
            close_session(self._session)

    def refuse_secrets(self, subject: str, pairs: Pairs) -> None:
        """Raise a ParameterError where an argument of a call is a secret: it would be written into tokens and files."""
        for name, value in pairs:
            if self.redact.holds(value):
                raise ParameterError(
                    f"{subject}: {name} holds the password or the company key, which the client sends by itself"
                )

    def leads_to(self, call: Call, deadline: Deadline, history: History) -> str | None:
        """Return the address elsewhere at which the API says that a file is; None where it sends the file itself."""
        if not call.target.is_api:
            return call.target.url
        with self._session_for(call) as session:
            response, target = self._follow(session, call, deadline, history, leave_home=False)
            if not target.is_api:
                return target.url
            with self._as_stream(call, response, target, deadline).open() as stream:
                if not 200 <= stream.status_code < 300:
                    raise_for_status(call, stream.read_reply())
        return None

    def count_one(self, deadline: Deadline) -> None:
        """Count a request that another process is about to make."""
        self._share.acquire(deadline)
        self._share.release()

    def room(self) -> Room:
        """Return how much of the quota is free."""
        return self._share.room()

    @property
    def requests_made(self) -> int:
        """How many requests of the quota this client has made."""
        return self._share.requests

    def deadline(self, seconds: float) -> Deadline:
        """Return a deadline on this transport's clock."""
        return Deadline(self.clock, seconds)

    def send(
        self,
        call: Call,
        parse: Callable[[Reply], T],
        deadline: Deadline | None,
        history: History,
        *,
        retries: int | None = None,
    ) -> T:
        """Send a call, with repetitions where its phase allows them, and return what ``parse`` makes of the answer.

        With a deadline it goes on through every outage until then; without one it is given ``request_deadline`` seconds
        and ``retries`` repetitions, those of the client when None. A single attempt never takes longer than
        ``request_deadline``.
        """
        patient = deadline is not None
        until = deadline or self.deadline(self.request_deadline)
        failures = FailuresInARow(call.subject, history.log)

        def attempt() -> T:
            self._check_time(call, until, failures)
            try:
                with self.stream(call, until.within(self.request_deadline), history) as stream:
                    return parse(stream.read_reply())
            except JobTimeoutError as error:
                if until.passed():
                    raise
                failure = TransportError(str(error))
            raise failure

        with emptied_frames(), _creation_flag(call), _naming_the_refusal(call, failures, patient=patient):
            return repeat(
                attempt,
                call.phase,
                sleep=history.sleeper("repetition"),
                deadline=until,
                retries=self.retries if retries is None else retries,
                failures=failures,
                patient=patient,
            )

    def _check_time(self, call: Call, until: Deadline, failures: FailuresInARow) -> None:
        if until.passed():
            last = f"; the last attempt ended so: {failures.last_words()}" if failures.last else ""
            raise JobTimeoutError(
                f"{call.subject}: the {max(0.0, until.seconds):.0f} s for the {call.phase.value} call are over{last}",
                may_have_started=False if call.phase is Phase.CREATE else None,
            )

    @contextmanager
    def stream(self, call: Call, deadline: Deadline, history: History) -> Iterator[StreamedResponse]:
        """Send a call once, follow its redirects, and open its answer, the body unread."""
        began, outcome = self.clock.monotonic(), "interrupted"
        try:
            with self._session_for(call) as session:
                response, target = self._follow(session, call, deadline, history)
                with self._as_stream(call, response, target, deadline).open() as stream:
                    outcome = f"HTTP {stream.status_code}"
                    yield stream
        except KhorosError as error:
            outcome = f"{outcome}, {type(error).__name__}" if outcome.startswith("HTTP") else type(error).__name__
            raise
        finally:
            history.attempted(call.phase.value, began, outcome)
            history.log.debug("%s: %s after %.2f s", call.place, outcome, self.clock.monotonic() - began)

    def _session_for(self, call: Call) -> AbstractContextManager[Session]:
        # After a fork the parent's connections are the child's as well, and answers would reach whoever reads first.
        fresh = call.phase is Phase.CREATE or os.getpid() != self._process
        return call_session(self._session, fresh=fresh)

    def _as_stream(
        self, call: Call, response: requests.Response, target: Target, deadline: Deadline
    ) -> StreamedResponse:
        host = parse_url(target.starred).netloc or "the server"
        try:
            body, headers, framing = body_of(response)
        except FramingError as error:
            response.close()
            why = root_cause(error, self.redact)
            raise TransportError(f"{call.place}: the answer of {host} cannot be taken for one: {why}") from None
        # A file host may echo the link, which opens the file.
        redact = self.redact if target.is_api else self.redact.knowing(*target.secrets())
        return StreamedResponse(
            status_code=response.status_code,
            headers=headers,
            is_api=target.is_api,
            host=host,
            raw=body,
            close=response.close,
            deadline=deadline,
            redact=redact,
            subject=call.place,
            framing=framing,
        )

    def _follow(
        self, session: Session, call: Call, deadline: Deadline, history: History, *, leave_home: bool = True
    ) -> tuple[requests.Response, Target]:
        """Follow redirects; without ``leave_home`` only as far as the API's own origin goes."""
        target, seen = call.target, Counter[str | int]()
        for hop in range(MAX_REDIRECTS + 1):
            with self._turn(call, target, deadline, history) as note:
                response = self._send_now(session, call, target, deadline, first=hop == 0)
                note(response)
            redirects = response.status_code in _REDIRECTS and response.headers.get(_LOCATION)
            if call.phase is Phase.CREATE or not redirects:
                return response, target
            response.close()
            target = self._redirected(call, target, response)
            place = hash(target.url)
            seen.update([place, "home"] if target.is_api else [place])
            if seen[place] > 1 or seen["home"] > MAX_REDIRECTS_AT_HOME:
                raise UnexpectedReplyError(f"{call.place}: the server redirects in a circle, or again and again")
            if not (target.is_api or leave_home):
                return response, target
        raise UnexpectedReplyError(f"{call.place}: more than {MAX_REDIRECTS} redirects in a row")

    def _redirected(self, call: Call, target: Target, response: requests.Response) -> Target:
        try:
            return self.base.redirect(target.url, response.headers[_LOCATION])
        except UntrustedUrlError as error:
            why = self.redact(str(error))
        raise UntrustedUrlError(f"{call.place}: {why}", status_code=response.status_code)

    @contextmanager
    def _turn(
        self, call: Call, target: Target, deadline: Deadline, history: History
    ) -> Iterator[Callable[[requests.Response], None]]:
        """Wait for the quota, which only the API itself counts, and let it know what the answer is."""
        answers: list[requests.Response] = []
        if not target.is_api:
            yield answers.append
            return
        self._wait_for_turn(call, deadline, history)
        try:
            yield answers.append
        finally:
            status, retry_after = _refusal(answers[0], self.clock) if answers else (None, None)
            self._share.release(status, retry_after, history.log, call.place)

    def _wait_for_turn(self, call: Call, deadline: Deadline, history: History) -> None:
        began = self.clock.monotonic()
        try:
            with history.pausing("quota"):
                self._share.acquire(deadline, history.log, call.place)
        except JobTimeoutError as error:
            started = False if call.phase is Phase.CREATE else None
            raise JobTimeoutError(f"{call.place}: {error}", may_have_started=started) from None
        finally:
            history.held_up("quota", self.clock.monotonic() - began)

    def _send_now(
        self, session: Session, call: Call, target: Target, deadline: Deadline, *, first: bool
    ) -> requests.Response:
        # An environment variable would win over the session's own choice of certificates.
        verify = None if session.verify is True else session.verify
        soon = deadline.within(self.request_deadline)
        watchdog = Watchdog(None if target.is_api else Hidden(target.path), soon.remaining)
        try:
            prepared, url = self._prepare(call, target, first=first)
            authorization = self._authorization if target.is_api else None
            settings = session.merge_environment_settings(target.starred, {}, True, verify, None)  # noqa: FBT003
            if not target.is_api:
                settings["cert"] = None
                session = without_cookies(session)
            if target.starred.startswith("http://"):
                # Plain http never leaves this machine; a proxy would, and would see the password.
                settings["proxies"] = {}
            with (
                redact_urllib3_logs(is_api=target.is_api),
                watchdog.on(),
                self._alarm(soon, watchdog),
                revealed(prepared, url, authorization, self.redact),
            ):
                return session.send(prepared, timeout=self._timeouts(soon), allow_redirects=False, **settings)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            failure = self._failure(call, target, error, deadline, sent=watchdog.may_have_sent(error))
        # Raised outside of the except block: the original would carry the URL, secrets included, as its context.
        raise failure

    def _alarm(self, deadline: Deadline, watchdog: Watchdog) -> AbstractContextManager[None]:
        return self.clock.alarm(max(0.0, deadline.remaining()), watchdog.expire)

    def _prepare(self, call: Call, target: Target, *, first: bool) -> tuple[requests.PreparedRequest, Hidden[str]]:
        """Make the request, for the API with all that the session adds and for anybody else with nothing of it.

        Stars stand in it for what is secret; with it comes its URL without them.
        """
        query, form = (list(call.query), call.form) if first else ([], None)
        needs_key = first and call.needs_key and target.is_api
        if needs_key:
            query.insert(0, (COMPANY_KEY.wire, STARS))
        request = requests.Request(
            call.method,
            target.starred,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **call.headers},
            params=query,
            data=list(form) if form is not None else None,
            hooks={"response": [*(self._session.hooks["response"] if target.is_api else ()), _keep_redirect]},
        )
        if target.is_api:
            request.auth = starred_authorization
            prepared = self._session.prepare_request(request)
            return prepared, self._whole_url(prepared.url or "", target, needs_key=needs_key)
        # Not prepared by the session: that would add its own headers and cookies, and credentials from netrc.
        return request.prepare(), Hidden(target.url)

    def _whole_url(self, starred: str, target: Target, *, needs_key: bool) -> Hidden[str]:
        """Return the URL of a request to the API, to which the session may have added something, without stars."""
        if needs_key:
            key = f"{COMPANY_KEY.wire}="
            hidden = Hidden(quote_plus(self._company_key.reveal().encode()))
            return Hidden(starred.replace(key + quote_plus(STARS), key + hidden.reveal(), 1))
        return Hidden(starred.replace(f"?{STARS}", f"?{urlsplit(target.url).query}", 1))

    def _timeouts(self, deadline: Deadline) -> tuple[float, float]:
        left = max(0.001, deadline.remaining())
        return min(self._timeout[0], left), min(self._timeout[1], left)

    def _failure(self, call: Call, target: Target, error: Exception, deadline: Deadline, *, sent: bool) -> KhorosError:
        host = parse_url(target.starred).netloc or "the server"
        started = sent if call.phase is Phase.CREATE else None
        why = root_cause(error, self.redact)
        if deadline.passed():
            return JobTimeoutError(
                f"{call.place}: the time was up while asking {host} ({why})", may_have_started=started
            )
        obstacle = obstacle_of(error)
        advice = for_connection(obstacle, host, is_api=target.is_api)
        if is_certificate_error(error):
            return TransportError(
                f"{call.place}: no safe connection to {host}, its certificate is not trusted: {why}",
                transient=False,
                may_have_started=started,
                advice=advice,
            )
        if isinstance(error, ValueError) and not sent:  # requests: an unusable URL, header or proxy setting
            return ConfigurationError(f"{call.place}: {host} cannot be asked: {why}", may_have_started=started)
        what = f"no connection to {host}" if not sent else f"the connection to {host} broke before an answer came"
        if obstacle == "proxy":
            what = f"no connection to {host} through the proxy"
        elif sent and obstacle == "slow":
            what = f"{host} did not answer in time"
        return TransportError(f"{call.place}: {what}: {why}", may_have_started=started, advice=advice)


def _refusal(response: requests.Response, clock: Clock) -> tuple[int, float | None]:
    """Return what the quota wants to know of an answer: its status, and what it asks to wait in seconds."""
    return response.status_code, retry_after_of(response.headers, clock)


_LOCATION = "X-Khoros-Analytics-Location"


def _keep_redirect(response: requests.Response, **_settings: object) -> None:
    """Move a redirect's address aside: requests would prepare the next request itself, and read this body for that."""
    if "Location" in response.headers:
        response.headers[_LOCATION] = response.headers.pop("Location")


@contextmanager
def _creation_flag(call: Call) -> Iterator[None]:
    """Let no error of a creation call go without an answer to the question whether the export may have started."""
    try:
        yield
    except KhorosError as error:
        if call.phase is Phase.CREATE and error.may_have_started is None:
            error.may_have_started = True
        raise


@contextmanager
def _naming_the_refusal(call: Call, failures: FailuresInARow, *, patient: bool) -> Iterator[None]:
    """Where the time ran out because the server refused again and again, raise that refusal: it says more.

    Not where a creation was under way when the time ran out: a refusal would say that nothing was started.
    """
    try:
        yield
    except JobTimeoutError as error:
        under_way = call.phase is Phase.CREATE and error.may_have_started is not False
        if patient or under_way or not isinstance(failures.last, RateLimitError):
            raise
    else:
        return
    raise failures.last


def _new_session() -> Session:
    session = Session()
    for prefix in list(session.adapters):
        session.mount(prefix, HTTPAdapter(pool_maxsize=MAX_KEPT_ALIVE))
    return session
