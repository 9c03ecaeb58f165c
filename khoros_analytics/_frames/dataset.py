"""Many files as one dataset of Arrow."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arrays import text_array, text_scalar
from .read import read_arrow, require

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

__all__ = ["open_files", "read_texts"]


def open_files(paths: Sequence[str], system: Any, root: str) -> "ds.Dataset":
    """Return Parquet files as a dataset whose column ``window`` is read off their folders' names.

    ``system`` is a file system of fsspec, or None for paths on this machine; ``root`` is above all of the folders.
    """
    require("arrow")
    import pyarrow as pa
    import pyarrow.dataset as ds
    from pyarrow import fs

    filesystem = fs.LocalFileSystem() if system is None else fs.PyFileSystem(fs.FSSpecHandler(system))
    window = ds.partitioning(pa.schema([("window", pa.string())]), flavor="hive")
    return ds.dataset(
        list(paths), format="parquet", filesystem=filesystem, partitioning=window, partition_base_dir=root
    )


def read_texts(files: Iterable[tuple[str, Path]]) -> "ds.Dataset":
    """Return exports of CSV or JSON, each given with the name of its window, as a dataset in memory, all columns text.

    Arrow's own reader of many such files takes the types of the first one for those of all, so ids lose their zeros.
    """
    require("arrow")
    import pyarrow as pa
    import pyarrow.dataset as ds

    tables = [_with_window(read_arrow(path, types="text"), window) for window, path in files]
    nothing = pa.table({"window": text_array([])})
    table = pa.concat_tables(tables, promote_options="default") if tables else nothing
    last = [*(name for name in table.column_names if name != "window"), "window"]
    return ds.dataset(table.select(last))


def _with_window(table: "pa.Table", window: str) -> "pa.Table":
    import pyarrow as pa

    return table.append_column("window", pa.repeat(text_scalar(window), table.num_rows))
