"""Who fetches the files: a few threads of this process, or whoever an executor has."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Self

from attrs import field, frozen

from .._clock import Clock, Deadline
from .._frames.column_types import parse_types
from .._jobs.file import JobFile
from .._jobs.link import job_behind, link_of
from .._jobs.remote import Account, RemoteJob
from .._jobs.start import find_job
from ..errors import ConfigurationError, JobTimeoutError, KhorosError
from .placing import Placed, WindowFile, place

__all__ = ["ExecutorFetcher", "Mandate", "ThreadFetcher"]

_THREADS = 2
_TIMEOUT = 6 * 3600.0  # how long one file may take, in seconds
_REQUESTS_OF_A_WORKER = 2  # one poll, and one for a file that the API itself sends


def _fetch(remote: RemoteJob, window: WindowFile, deadline: Deadline) -> Placed:
    def check() -> None:
        if deadline.passed():
            raise JobTimeoutError(f"{remote.subject}: the backfill was broken off, or the time for one file was up")

    file = JobFile(remote)
    temporary = file.open(None, deadline)
    try:
        export = file.export_file(temporary.path, parse_types(None, remote.request.report.name))
        return place(window, export, remote.transport.clock.time(), check)
    except KhorosError as error:
        error.add_subject(remote.subject)
        raise
    finally:
        temporary.close()


class _Cancellable(Deadline):
    """A deadline that passes at once when the run is broken off."""

    def __init__(self, clock: Clock, seconds: float, run: "ThreadFetcher") -> None:
        super().__init__(clock, seconds)
        self._run = run

    def remaining(self) -> float:
        return -1.0 if self._run.cancelled else super().remaining()


class ThreadFetcher:
    """Fetches in threads of this process, with the client's own connections and quota."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="khoros_analytics backfill")
        self.cancelled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def submit(self, remote: RemoteJob, window: WindowFile) -> "Future[Placed]":
        """Begin with one."""
        return self._pool.submit(self._fetch, remote, window)

    def cancel(self) -> None:
        """Begin with no other one, and let those under way end soon."""
        self.cancelled = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, remote: RemoteJob, window: WindowFile) -> Placed:
        return _fetch(remote, window, _Cancellable(self._clock, _TIMEOUT, self))


@frozen
class Mandate:
    """How a worker on another machine gets an account of its own, where a file needs credentials.

    Attributes:
        make: Makes it of the settings; a function of a module, so that it can be sent.
        settings: The client's settings, without credentials.
    """

    make: Callable[[Mapping[str, Any]], Account]
    settings: Mapping[str, Any]


@frozen
class _Work:
    """What is sent to a worker: all that it takes to fetch one file and to put it in its place.

    It carries a signed link, which its repr hides, or none where the API itself sends the file.
    """

    token: str
    account: str
    base: str
    window: WindowFile
    mandate: Mandate = field(repr=False)
    link: str | None = field(default=None, repr=False)

    def run(self) -> Placed:
        """Do it, on whatever machine this is."""
        if self.link is None:
            remote = find_job(self.mandate.make(self.mandate.settings), self.token)
        else:
            remote = job_behind(self.link, self.token, self.account, self.base)
        return _fetch(remote, self.window, remote.transport.deadline(_TIMEOUT))


def _run(work: _Work) -> Placed:
    return work.run()


class ExecutorFetcher:
    """Lets an executor's workers fetch: they get links, and know no password."""

    def __init__(self, executor: Executor, mandate: Mandate) -> None:
        self._executor = executor
        self._mandate = mandate
        self._futures: list[Future[Placed]] = []
        self._served_by_api = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def submit(self, remote: RemoteJob, window: WindowFile) -> "Future[Placed]":
        """Begin with one: get its link, by one request of the quota, and send it to a worker."""
        transport = remote.transport
        deadline = transport.deadline(transport.request_deadline)
        work = _Work(
            remote.token,
            remote.account.id,
            str(transport.base),
            window,
            self._mandate,
            None if self._served_by_api else link_of(remote, deadline),
        )
        if work.link is None:
            self._served_by_api = True
            for _ in range(_REQUESTS_OF_A_WORKER):
                transport.count_one(deadline)
        try:
            future = self._executor.submit(_run, work)
        except (
            RuntimeError,
            OSError,
            ValueError,
        ) as error:  # a pool that is broken or shut down, a cluster that is gone
            why = f"{type(error).__name__}: {error}"
        else:
            self._futures.append(future)
            return future
        raise ConfigurationError(f"executor: it takes no work any more ({why})", advice="call again with a new one")

    def cancel(self) -> None:
        """Begin with no other one."""
        for future in self._futures:
            future.cancel()
