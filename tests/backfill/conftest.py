"""A backfill on a sandbox: a short range, and the questions that tests ask of what landed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

RANGE = ("2019-02-01", "2019-02-08")
METRICS = ["CONVERSATION_ID", "STATUS", "POST_COUNT", "CREATED_DATE"]


class Landing:
    """A world, and one folder in it that backfills land in."""

    def __init__(self, world: Any, folder: Path) -> None:
        self.world = world
        self.folder = folder

    def run(self, start=RANGE[0], end=RANGE[1], *, client=None, **arguments):
        """Run a backfill of conversations."""
        return (client or self.world.client).backfill(
            "conversation", start, end, **{"every": "1 day", "to": self.folder, "metrics": METRICS, **arguments}
        )

    def plan(self, start=RANGE[0], end=RANGE[1], **arguments):
        """Return what a backfill would do."""
        return self.world.client.plan(
            "conversation", start, end, **{"every": "1 day", "to": self.folder, "metrics": METRICS, **arguments}
        )

    def rows(self) -> pa.Table:
        """Return all rows as any engine reads them."""
        return ds.dataset(self.folder, partitioning="hive").to_table()

    def files(self) -> list[str]:
        """Return the names of the files with rows."""
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.glob("window=*/*"))

    def records(self, kind) -> list[str]:
        """Return the names of the windows that one kind of records knows."""
        return sorted(path.stem for path in (self.folder / "_khoros_analytics" / kind).glob("*.json"))


@pytest.fixture
def landing(run, tmp_path) -> Callable[..., Landing]:
    """Start a sandbox and a client with a folder for a dataset."""
    return lambda options=None, **settings: Landing(run(options, **settings), tmp_path / "conversations")
