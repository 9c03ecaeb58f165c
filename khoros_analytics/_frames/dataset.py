"""Many files as one dataset of Arrow."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .read import require

if TYPE_CHECKING:
    import pyarrow.dataset as ds

__all__ = ["open_files"]


def open_files(paths: Sequence[str], system: Any, root: str, format: str) -> "ds.Dataset":
    """Return files as a dataset whose column ``window`` is read off their folders' names.

    ``system`` is a file system of fsspec, or None for paths on this machine; ``root`` is above all of the folders.
    """
    require("arrow")
    import pyarrow as pa
    import pyarrow.dataset as ds
    from pyarrow import fs

    filesystem = fs.LocalFileSystem() if system is None else fs.PyFileSystem(fs.FSSpecHandler(system))
    window = ds.partitioning(pa.schema([("window", pa.string())]), flavor="hive")
    return ds.dataset(list(paths), format=format, filesystem=filesystem, partitioning=window, partition_base_dir=root)
