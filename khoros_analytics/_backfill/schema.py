"""One schema for all files of a dataset: the widest that any window needed, and older files written anew for it."""

import logging
from collections.abc import Callable, Iterable, Iterator

from attrs import evolve

from .._frames.rebuildable import join, widen
from .dataset import DatasetFiles, digest
from .placing import temporary_folder
from .records import Line, fingerprint

__all__ = ["SchemaKeeper"]

log = logging.getLogger("khoros_analytics")


class SchemaKeeper:
    """Widens a dataset's columns as its windows need it.

    Args:
        dataset: The dataset; its lease is held.
        lines: The windows that have landed so far.
    """

    def __init__(self, dataset: DatasetFiles, lines: Iterable[Line]) -> None:
        self._dataset = dataset
        self._lines = {line.key: line for line in lines}

    def add(self, schema: str) -> None:
        """Note the columns of one more file, before its line is written."""
        known = self._dataset.identity.schema
        joined = schema if known is None else join(known, schema)
        if joined != known:
            self._dataset.widen(joined)

    def landed(self, line: Line) -> None:
        """Note one more window."""
        self._lines[line.key] = line

    def finish(self, check_lease: Callable[[], None]) -> Iterator[str]:
        """Write the files anew that have other columns than the dataset by now; yield the names of their windows."""
        schema = self._dataset.identity.schema
        if schema is None:
            return
        for line in self._dataset.outdated(self._lines.values()):
            check_lease()
            self._rewrite(line, schema)
            yield line.key

    def _rewrite(self, line: Line, schema: str) -> None:
        dataset, name = self._dataset, self._dataset.file_of(line.key)
        with temporary_folder() as folder:
            path = folder / "window.parquet"
            with dataset.folder.open(name) as file:
                widen(file, path, schema)
            new = evolve(line, bytes=path.stat().st_size, sha256=digest(path), schema=fingerprint(schema))
            dataset.will_replace(line, new)
            dataset.put(line.key, path)
        dataset.land(new, line)
        self._lines[line.key] = new
        log.info("%s: window %s was written anew with wider columns", dataset.folder, line.key)
