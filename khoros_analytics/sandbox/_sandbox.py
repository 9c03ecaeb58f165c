"""The sandbox itself: starts and stops the two hosts, and shows what happened in them."""

import errno
import socket
from types import TracebackType
from typing import Any, Self

from attrs import define, field

from ._fault_queue import Fault, Faults, Phase
from ._hosts.api import Api
from ._hosts.exports import Export, Exports
from ._hosts.files import Files
from ._hosts.host import World
from ._hosts.links import Links, Origins
from ._hosts.records import Log, RecordedRequest
from ._options import Options
from ._server import Server, listen
from ._validation import checks_names
from ._wire.names import LOOPBACK, LOOPBACK_6, NAME, certified

__all__ = ["Sandbox"]

_ANY = {"0.0.0.0": LOOPBACK, "::": LOOPBACK_6}  # noqa: S104 - only asked for, never the default
_TRIES = 20


@checks_names
@define(kw_only=True, eq=False, slots=False, repr=False)
class Sandbox(Options):
    """A local server that speaks the Analytics Reports API, for tests and for trying things out.

    It listens on two free ports of this machine: the API at 127.0.0.1, and at localhost a file host to which downloads
    redirect. Everything that :class:`Options` lists may be given, and changed while it runs (addresses and TLS: for the
    next start). Safe for any number of threads.

    A request that no server should take is refused with a 4xx, and one line in the log ``khoros_analytics.sandbox``: a
    head over 64 KiB or slower than 15 seconds, a body over 16 MiB, broken chunks, a head that can be read in two ways.
    A creation's arguments have room in 1 MiB. 256 connections at a time are served by each host; for one more the
    connection that has been idle for longest is closed.

    Example:
        >>> import requests
        >>> with Sandbox(polls=1) as sandbox:
        ...     answer = requests.get(f"{sandbox.base_url}/api/public/teams?companyKey=SANDBOX-COMPANY",
        ...                           auth=("sandbox", "sandbox-password"), timeout=10)
        ...     answer.json()["result"][0]["name"], sandbox.count("teams")
        ('North West', 1)
    """

    _servers: list[Server] = field(init=False, factory=list)
    _ports: tuple[int, int] | None = field(init=False, default=None)
    _world: World = field(init=False)

    def __attrs_post_init__(self) -> None:
        origins = Origins()
        self._world = World(self, Log(self), Faults(), Exports(self), origins, Links(self, origins))

    def __repr__(self) -> str:
        return f"<Sandbox {self._world.origins.api if self._servers else 'not running'}>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start listening. A sandbox that was stopped comes back at the same ports, with all it knew.

        Does nothing when it runs already.

        Raises:
            OSError: A port is in use.
        """
        if self._servers:
            return
        port, file_port = self._ports or (self.port, self.file_port)
        name = _ANY.get(self.host, self.host)
        both = self.file_host is None and name == LOOPBACK and certified(self.ssl_context)
        file_name = self.file_host or (NAME if both else name)
        listening = [listen(self.host, port)]
        try:
            files_listening = _listen_both(self.host, file_port) if both else [listen(self.host, file_port)]
        except OSError:
            listening[0].close()
            raise
        api = Server(Api(self._world), listening, name)
        files = Server(Files(self._world), files_listening, file_name)
        self._servers = [api, files]
        self._ports = (api.port, files.port)
        self._world.origins.api, self._world.origins.files = api.origin, files.origin

    def stop(self) -> None:
        """End all connections and leave no thread or socket behind. Does nothing when it does not run."""
        while self._servers:
            self._servers.pop().stop()

    @property
    def base_url(self) -> str:
        """The API's origin, such as ``http://127.0.0.1:40123``.

        Raises:
            RuntimeError: It has never been started.
        """
        if not self._world.origins.api:
            raise RuntimeError("The sandbox has no address yet: use it in a with block, or call start() first")
        return self._world.origins.api

    @property
    def file_url(self) -> str:
        """The file host's origin.

        Raises:
            RuntimeError: It has never been started.
        """
        return self.base_url and self._world.origins.files

    @property
    def settings(self) -> dict[str, Any]:
        """What ``Client(**sandbox.settings)`` needs, the clock included, so that it waits for nothing.

        Raises:
            RuntimeError: It has never been started.
        """
        return {
            "username": self.username,
            "password": self.password,
            "company_key": self.company_key,
            "base_url": self.base_url,
            "clock": self.clock,
        }

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request that came in, in the order of arrival, as it stands now."""
        return self._world.log.records()

    @property
    def exports(self) -> list[Export]:
        """Every export that was started, in that order; ``len(sandbox.exports)`` counts them."""
        return [job.export for job in self._world.exports.jobs()]

    def count(self, phase: Phase | None = None) -> int:
        """Return how many requests came in.

        Args:
            phase: Only those of this kind.
        """
        return sum(phase in (None, record.phase) for record in self.requests)

    def fail(self, phase: Phase, fault: Fault, times: int | None = 1, skip: int = 0) -> None:
        """Let something go wrong in one of the next calls. Faults of one phase happen in the order in which they came.

        A call that the quota turns away meets no fault.

        Args:
            phase: ``create``, ``status``, ``download`` (the API's call), ``file`` (the file host), ``teams`` or
                ``timezones``.
            fault: One of :mod:`khoros_analytics.sandbox.faults`.
            times: How many calls it meets; None for all that follow.
            skip: How many calls are let through before it, counted when its turn has come.

        Raises:
            ValueError: There is no such phase, or the fault makes no sense in it.

        Example:
            >>> from khoros_analytics.sandbox import Sandbox, faults
            >>> sandbox = Sandbox()
            >>> sandbox.fail("status", faults.HttpStatus(503), times=2)
            >>> sandbox.fail("file", faults.ResetWithin(0.9))
        """
        self._world.faults.plan(phase, fault, times, skip)

    def heal(self) -> None:
        """Forget all faults that have not happened yet. Jobs that are doomed stay so."""
        self._world.faults.clear()

    @property
    def planned(self) -> list[tuple[Phase, Fault]]:
        """The faults that have not been used up yet."""
        return self._world.faults.left()


def _listen_both(host: str, port: int) -> list[socket.socket]:
    """Listen at an address and at the same port of ::1, since localhost may mean either; there may be no IPv6."""
    for left in reversed(range(_TRIES)):
        first = listen(host, port)
        try:
            return [first, listen(LOOPBACK_6, first.getsockname()[1])]
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return [first]
            # Whoever has that port would be taken for the file host.
            first.close()
            if port or not left:
                raise
    raise AssertionError
