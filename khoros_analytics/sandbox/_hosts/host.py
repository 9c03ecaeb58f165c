"""A host: records each request, lets a planned fault meet it, and otherwise answers it."""

import abc
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

from attrs import evolve, frozen
from werkzeug.wrappers import Request

from .._fault_queue import Fault, Faults, Phase
from .._faults import Delay, Fate, Instead, Reset
from .._options import Options
from .._wire.answers import Answer, refusal
from .._wire.connection import CLEAN, Spoil
from .bodies import Problem, body_pairs
from .exports import Exports
from .links import Links, Origins
from .records import Entry, Log, Pairs, RecordedRequest

__all__ = ["Call", "Host", "Reply", "World", "not_allowed"]

_SMALL = 64 * 1024


@frozen
class Call:
    """A request, its record, and what meets it.

    Attributes:
        request: The request as werkzeug reads it.
        entry: Its record, which is still being filled in.
        problem: Why the body cannot be read, if so.
        fate: The fault that the host's own work has to obey, if any.
    """

    request: Request
    entry: Entry
    problem: Problem | None = None
    fate: Fate | None = None

    @property
    def record(self) -> RecordedRequest:
        """What came."""
        return self.entry.request

    def value(self, name: str) -> str | None:
        """Return the first value of a query parameter, or None."""
        return next((value for key, value in self.record.query if key == name), None)


@frozen
class Reply:
    """What to send.

    Attributes:
        answer: The answer.
        spoil: What is to go wrong while it is sent.
        entry: The request's record.
    """

    answer: Answer
    spoil: Spoil
    entry: Entry


@frozen
class World:
    """What both hosts share.

    Attributes:
        options: The sandbox's options.
        log: Where requests are recorded.
        faults: What is planned to go wrong.
        exports: All exports.
        origins: Where both hosts can be reached.
        links: Signs links to the file host, and judges them.
    """

    options: Options
    log: Log
    faults: Faults
    exports: Exports
    origins: Origins
    links: Links


class Host(abc.ABC):
    """One origin.

    Args:
        world: What both hosts share.
    """

    name: ClassVar[str]

    def __init__(self, world: World) -> None:
        self.world = world
        self.options = world.options

    @property
    def now(self) -> float:
        """The time on the sandbox's clock."""
        return self.options.now()

    @abc.abstractmethod
    def phase(self, path: str) -> Phase | None:
        """Return the kind of a call, or None where the host has no such path."""

    @abc.abstractmethod
    def act(self, call: Call) -> Answer:
        """Do the work of a call and answer it."""

    def refusal(self, call: Call) -> Answer | None:  # noqa: ARG002 - a host may look at it
        """Return the answer to a call that is turned away before any fault can meet it, or None."""
        return None

    def body_limit(self, request: Request) -> int:  # noqa: ARG002 - a host may look at it
        """Return how many bytes of a request's body are looked at; of a longer one nothing is."""
        return _SMALL

    def reply(self, request: Request, body: bytes | None) -> Reply:
        """Return what to send to a request, whose body is None when it was too long to be looked at."""
        form, problem = body_pairs(request.mimetype, body)
        entry = self.world.log.open(lambda: self._record(request, form))
        call = Call(request, entry, problem)
        answer = self.refusal(call)
        if answer is not None:
            return self._recorded(entry, answer)
        phase = entry.request.phase
        fault = entry.fault = self.world.faults.take(phase) if phase else None
        return self._recorded(entry, self._answer(call, fault), fault)

    def _answer(self, call: Call, fault: Fault | None) -> Answer:
        """Return the answer to a request that a fault may have met."""
        if isinstance(fault, Delay):
            self.options.sleep(fault.seconds)
        if isinstance(fault, Instead):
            if fault.after:
                self.act(call)
            return fault.answer()
        return self.act(evolve(call, fate=fault) if isinstance(fault, Fate) else call)

    @staticmethod
    def _recorded(entry: Entry, answer: Answer, fault: Fault | None = None) -> Reply:
        """Write the answer's status into the record."""
        entry.status = 0 if isinstance(fault, Reset) else answer.status
        return Reply(answer, CLEAN if fault is None else fault.spoil(), entry)

    def _record(self, request: Request, form: Pairs) -> RecordedRequest:
        """Return the record of a request."""
        target = urlsplit(str(request.environ["RAW_URI"]))
        return RecordedRequest(
            self.now,
            self.name,
            self.phase(target.path),
            request.method,
            target.path,
            tuple(parse_qsl(target.query, keep_blank_values=True)),
            form,
            tuple(request.headers.items()),
            "Authorization" in request.headers,
        )


def not_allowed(*verbs: str) -> Answer:
    """Return the answer to a verb that a path does not have."""
    allowed = ", ".join(verbs)
    return refusal(405, f"Only {allowed} here").adding(("Allow", allowed))
