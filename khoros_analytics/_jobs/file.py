"""The file of a job on this machine: fetched once, kept or temporary, by one thread at a time."""

import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import time
from pathlib import Path

from .._clock import Deadline
from .._frames.arrow_reader import ExportFile
from .._frames.column_types import SchemaHints
from .._http.download import download
from .._http.retry import FailuresInARow
from .._rows.ending import ending_of
from .._rows.source import Format, problem_of
from .._secrecy import unfinished
from .._storage.atomic import SavedFile, check_target, commit, copy, resolve_target
from .._storage.partial import PartialFile, open_partial
from .._storage.system_errors import map_os_errors
from .._version import __version__
from ..errors import JobTimeoutError
from .remote import RemoteFile, RemoteJob
from .watch import watched

__all__ = ["JobFile", "TemporaryFile"]


class TemporaryFile:
    """A file on disk while it is read; its folder, if it has one of its own, goes with it.

    ``saved`` is what it looked like when it was complete, and None before that.
    """

    def __init__(self, path: Path, saved: SavedFile | None = None, *, folder: str | None = None) -> None:
        self.path = path
        self.saved = saved
        self._remove = weakref.finalize(self, _remove_folder, folder, os.getpid()) if folder else None

    def close(self) -> None:
        """Remove it if it has a folder of its own."""
        if self._remove:
            self._remove()


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count:,} bytes"


def _remove_folder(folder: str, process: int) -> None:
    """Remove a folder of this process; one that the parent of a fork made is the parent's."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


class JobFile:
    """The file of a job, wherever on this machine it is. ``progress`` says whether its fetching is shown."""

    def __init__(self, remote: RemoteJob, progress: bool | None = False) -> None:  # noqa: FBT001, FBT002 - as Account's
        self._remote = remote
        self._progress = progress
        self._saved: dict[Path, SavedFile] = {}
        self._temporary: TemporaryFile | None = None
        self._lock = threading.RLock()
        self._process = os.getpid()
        if remote.earlier_file:
            self._saved[remote.earlier_file.path] = remote.earlier_file

    @unfinished
    def __repr__(self) -> str:
        return f"<JobFile of {self._remote.subject}>"

    def download(
        self,
        path: str | os.PathLike[str] | None,
        *,
        overwrite: bool,
        deadline: Deadline,
        accept_unverified: bool = False,
    ) -> Path:
        """Have the file in the place that the caller names, and return that place."""
        with self._remote.detaching(), self._one_at_a_time(deadline):
            target = resolve_target(path, self.name())
            if not (target in self._saved and self._saved[target].intact()):
                check_target(target, overwrite=overwrite)
                began = self._remote.age()
                saved = self._fetch(
                    target,
                    overwrite=overwrite,
                    deadline=deadline,
                    announce=self._remote.recorder.complete,
                    accept_unverified=accept_unverified,
                )
                self._saved[saved.path] = saved
                self._remote.recorder.saved(saved)
                took = self._remote.age() - began
                place = str(target).encode("utf-8", "backslashreplace").decode()  # a log in UTF-8 takes no other name
                self._remote.log.info(
                    "%s: saved, %s in %.1f s, as %s", self._remote.subject, _size(saved.size), took, place
                )
        return target

    def open(self, keep: str | os.PathLike[str] | None, deadline: Deadline) -> TemporaryFile:
        """Have the file somewhere to be read once: where it is kept, else in a temporary folder until it is closed."""
        if keep is not None:
            return TemporaryFile(self.download(keep, overwrite=False, deadline=deadline))
        with self._remote.detaching(), self._one_at_a_time(deadline):
            there = self._find()
            return TemporaryFile(there.path, there) if there else self._fetch_temporarily(deadline)

    def path(self, deadline: Deadline) -> Path:
        """Have the file somewhere for as long as the job lives, so that a second frame costs no request."""
        with self._remote.detaching(), self._one_at_a_time(deadline):
            there = self._find()
            if there:
                return there.path
            self._temporary = self._fetch_temporarily(deadline)
            return self._temporary.path

    def export_file(self, path: Path, hints: SchemaHints) -> ExportFile:
        """Return the file as the frames want it."""
        arguments = self._remote.request.arguments
        metrics, zone = arguments.get("metrics"), arguments.get("timezone")
        columns = tuple(map(str, metrics)) if isinstance(metrics, tuple | list) else ()
        return ExportFile(path, self.format(), hints, columns, zone=str(zone) if zone else None)

    def format(self) -> Format | None:
        """Return the format that was asked for; None for one that cannot be read, or is not known."""
        known: dict[str, Format] = {"csv": "csv", "json": "json"}
        return known.get(self._remote.request.format.lower())

    def name(self, ending: str | None = None) -> str:
        """Return a name made of report, window and format."""
        request = self._remote.request
        ending = ending or "".join(filter(str.isalnum, request.format.lower()))
        moments = [
            f"{moment:%Y-%m-%d}" if moment.time() == time() else f"{moment:%Y-%m-%dT%H%M%S}"
            for moment in (request.window.start, request.window.end)
        ]
        return f"{request.report.name}_{'_'.join(moments)}.{ending}"

    def metadata(self) -> dict[str, object]:
        """Return what a file made from this one says of itself."""
        request = self._remote.request
        window = {"start": request.window.start.isoformat(), "end": request.window.end.isoformat()}
        return {
            "report": request.report.name,
            "window": window,
            "arguments": request.arguments,
            "version": __version__,
        }

    def _find(self) -> SavedFile | None:
        """Return a place where the file is already, as it came."""
        temporary = self._temporary.saved if self._temporary else None
        return next((saved for saved in (*self._saved.values(), temporary) if saved and saved.intact()), None)

    def _fetch_temporarily(self, deadline: Deadline) -> TemporaryFile:
        with map_os_errors(Path(tempfile.gettempdir()), "cannot be used"):
            folder = tempfile.mkdtemp(prefix="khoros_analytics-")
        temporary = TemporaryFile(Path(folder) / self.name(), folder=folder)
        # The journal does not name a file that nobody else will find.
        try:
            temporary.saved = self._fetch(temporary.path, overwrite=False, deadline=deadline, announce=lambda _: None)
        except BaseException:
            temporary.close()  # nobody will find what has arrived there
            raise
        return temporary

    def _fetch(
        self,
        target: Path,
        *,
        overwrite: bool,
        deadline: Deadline,
        announce: Callable[[SavedFile], object],
        accept_unverified: bool = False,
    ) -> SavedFile:
        there = self._find()
        if there:
            return copy(there, target, overwrite=overwrite)
        with watched(self._remote, self._progress) as watch:
            self._remote.wait(deadline)
            ids = self._remote.identity.created
            with open_partial(target, owner=f"{ids.workflow_id} {ids.run_id}") as part:
                watch.part = part
                self._download(part, deadline, accept_unverified=accept_unverified)
                saved = commit(part, overwrite=overwrite, announce=announce)
            watch.saved_as = target.name, saved.size
        return saved

    def _download(self, part: PartialFile, deadline: Deadline, *, accept_unverified: bool) -> None:
        remote = self._remote
        download(
            RemoteFile(remote, deadline),
            part,
            failures=FailuresInARow(remote.subject, remote.log),
            sleep=remote.history.sleeper("repetition"),
            deadline=deadline,
            retries=remote.transport.retries,
            max_bytes=remote.account.max_bytes,
            ending=lambda path: ending_of(path, self.format()),
            problem=lambda path: problem_of(path, self.format(), remote.transport.redact),
            accept_unverified=accept_unverified,
        )

    @contextmanager
    def _one_at_a_time(self, deadline: Deadline) -> Iterator[None]:
        if os.getpid() != self._process:
            # In the child of a fork, no other thread of the parent is there to release it.
            self._lock, self._process = threading.RLock(), os.getpid()
        lock = self._lock
        if not lock.acquire(timeout=min(max(0.0, deadline.remaining()), threading.TIMEOUT_MAX)):
            raise JobTimeoutError(
                f"{self._remote.subject}: the time was up while another thread downloads the same job"
            )
        try:
            yield
        finally:
            lock.release()
