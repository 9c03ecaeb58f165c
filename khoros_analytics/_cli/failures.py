"""Every error as a person at a terminal needs it: what happened, what to type next, and a status for scripts."""

import os
import re
import sys

from attrs import frozen

from ..errors import (
    AuthenticationError,
    ConfigurationError,
    JobTimeoutError,
    KhorosError,
    ParameterError,
)
from .session import Session

__all__ = ["INTERRUPTED", "PIPE_CLOSED", "STATUSES", "Failure", "explain", "explain_interruption", "silence_output"]

FAILED, USAGE, REFUSED, TIMED_OUT, INTERRUPTED, PIPE_CLOSED = 1, 2, 3, 4, 130, 141
STATUSES = (
    (0, "done"),
    (FAILED, "failed"),
    (USAGE, "wrong usage: an option, an argument, or a setting that is missing"),
    (REFUSED, "the server refused the credentials"),
    (TIMED_OUT, "the time was up; an export goes on"),
    (INTERRUPTED, "interrupted; an export goes on"),
    (PIPE_CLOSED, "whoever read the output stopped reading"),
)
"""What the status of the program means."""

_BY_CLASS: tuple[tuple[type[KhorosError], int], ...] = (
    (AuthenticationError, REFUSED),
    (JobTimeoutError, TIMED_OUT),
    (ParameterError, USAGE),
    (ConfigurationError, USAGE),
)
_TOKEN = re.compile(r"client\.job\('([^']+)'\)")
# What messages tell a program to do, as a command line does it.
_IN_COMMANDS = (
    ("start it again with job.restart()", "start it again with --fresh"),
    ("export it again with job.restart()", "export it again with --fresh"),
    ("call download() again", "run the same command again"),
    ("call again", "run it again"),
    ("Call again", "Run it again"),
    ("; give them to Client, or set the variables", "; set the variables, or run  khoros-analytics login"),
    (", or as session.verify of Client(session=...)", ""),
    (", or session.proxies", ""),
    ("base_url takes any other address", "--url takes any other one"),
    ("give the text that job.token returned", "give what export --no-wait printed"),
)


@frozen
class Failure:
    """How a command ends."""

    status: int
    message: str


def explain(error: Exception, session: Session) -> Failure:
    """Return what to say about an error, and the status to end with."""
    if isinstance(error, ParameterError):
        return Failure(USAGE, _parameter_message(error, session))
    if isinstance(error, KhorosError):
        status = next((status for kind, status in _BY_CLASS if isinstance(error, kind)), FAILED)
        return Failure(status, f"Error: {_message(error, session)}")
    if isinstance(error, ImportError) and "khoros_analytics[" in str(error):
        return Failure(FAILED, f"Error: {error}")
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return Failure(FAILED, f"Error: {where}{error.strerror}")
    # Its text is not ours, and may hold anything.
    return Failure(FAILED, f"Error: unexpected {type(error).__name__}; the same command with --debug shows where")


def _parameter_message(error: ParameterError, session: Session) -> str:
    problems = [_as_option(problem, session) for problem in error.problems]
    if len(problems) == 1:
        return f"Error: {problems[0]}"
    return "".join([f"Error: {len(problems)} wrong arguments, nothing was sent", *(f"\n- {one}" for one in problems)])


def _as_option(problem: str, session: Session) -> str:
    names, colon, rest = problem.partition(": ")
    known = [session.option_names.get(name) for name in names.split(", ")]
    return f"{', '.join(map(str, known))}{colon}{rest}" if all(known) else problem


def _message(error: KhorosError, session: Session) -> str:
    """Return the error's own words, as a command line would say them."""
    text = str(error)
    token = token_of(error)
    for words, instead in _IN_COMMANDS:
        text = text.replace(words, instead)
    if token:
        text = re.sub(r"; (pick it up|find it again) [^\n]*client\.job\('[^']+'\)", "", text)
        if "it is gone from the server" not in text and "it has ended without a file" not in text:
            text += f"\n{_line(session, token)}"
    elif session.go_on_by:
        text += f"\n{session.go_on_by}"
    return text


def token_of(error: BaseException) -> str | None:
    """Return the token of the job that an error, or an interruption, is about."""
    job = getattr(error, "job", None)
    if job is not None:
        return str(job.token)
    found = _TOKEN.search(str(error))
    return found[1] if found else None


def _line(session: Session, token: str) -> str:
    command = session.go_on(token) if session.go_on else f"khoros-analytics download {token}"
    return f"To go on:  {command}{session.account_options()}"


def explain_interruption(interruption: KeyboardInterrupt, session: Session) -> str:
    """Return what to say after a Ctrl-C: an export goes on, and a line goes on with it."""
    token = token_of(interruption)
    if token:
        return f"Interrupted; the export goes on on the server.\n{_line(session, token)}"
    said = str(interruption)
    return "\n".join(filter(None, (f"Interrupted{': ' if said else ''}{said}.", session.go_on_by)))


def silence_output() -> None:
    """Let nothing more be written where nobody reads: Python would say so at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):  # a stand-in, in a test
        return
