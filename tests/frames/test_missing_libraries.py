"""The libraries of frames are extras: without them everything else works, and what needs one says how to get it."""

import subprocess
import sys
import textwrap
from functools import partial

import pytest

from khoros_analytics import read_arrow, read_pandas, read_polars, write_excel

LIBRARIES = ("pyarrow", "pandas", "polars", "fsspec", "orjson", "xlsxwriter")


def python(code, folder):
    """Run a program of its own, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


WITHOUT = f"""
    import sys
    for name in {LIBRARIES}:
        sys.modules[name] = None
"""


def test_rows_without_any(tmp_path):
    """Without all of them the package is imported, exports are downloaded, and rows are read, in both formats."""
    code = """
    from khoros_analytics import *
    import khoros_analytics
    from khoros_analytics import Client, read_rows
    from khoros_analytics.sandbox import Sandbox
    with Sandbox() as sandbox, Client(**sandbox.settings) as client:
        for format in ("csv", "json"):
            job = client.user("2019-02-01", "2019-02-02", format=format)
            path = job.download()
            print(format, len(list(job.rows())), list(read_rows(path)) == list(job.rows()))
    """
    assert python(WITHOUT + code, tmp_path) == "csv 100 True\njson 100 True\n"


def test_nothing_is_imported_early(tmp_path):
    """Nor are those that are there imported before they are needed: not by the package, nor by reading rows of CSV."""
    code = """
    import sys
    from khoros_analytics import *
    from khoros_analytics import Client, read_rows
    from khoros_analytics.sandbox import Sandbox
    with Sandbox() as sandbox, Client(**sandbox.settings) as client:
        rows = list(client.user("2019-02-01", "2019-02-02").rows())
    print([name for name in ("pyarrow", "pandas", "polars", "fsspec", "numpy", "xlsxwriter") if name in sys.modules])
    """
    assert python(code, tmp_path) == "[]\n"


@pytest.mark.parametrize("format", ["csv", "json"])
def test_no_other_library_is_imported(tmp_path, format):
    """A table of Arrow, its batches and a file of Parquet need no pandas, which takes longer to import than to read."""
    code = f"""
    import sys
    from khoros_analytics import Client
    from khoros_analytics.sandbox import Sandbox
    with Sandbox(rows=2000) as sandbox, Client(**sandbox.settings) as client:
        job = client.response("2019-02-01", "2019-02-02", format={format!r})
        print(job.to_arrow().num_rows, sum(batch.num_rows for batch in job.batches(700)), job.to_parquet("x").name)
    print([name for name in ("pandas", "polars", "fsspec", "xlsxwriter") if name in sys.modules])
    """
    assert python(code, tmp_path) == "2000 2000 x\n[]\n"


NEEDS = {
    "to_arrow": ("arrow", ["pyarrow"]),
    "batches": ("arrow", ["pyarrow"]),
    "to_pandas": ("pandas", ["pandas", "pyarrow"]),
    "to_polars": ("polars", ["polars", "pyarrow"]),
    "to_parquet": ("arrow", ["pyarrow"]),
    "to_excel": ("excel", ["xlsxwriter", "pyarrow"]),
}
PATHS = {"to_parquet": ["export.parquet"], "to_excel": ["export.xlsx"]}
CASES = [(how, extra, library) for how, (extra, libraries) in NEEDS.items() for library in libraries]


@pytest.mark.parametrize(("how", "extra", "library"), CASES)
def test_what_is_missing(how, extra, library, world, monkeypatch):
    """A missing library is an ImportError that names it and the extra, at once, before anything is asked."""
    job = world.start()
    asked = len(world.sandbox.requests)
    monkeypatch.setitem(sys.modules, library, None)
    install = (
        rf'^{library} is not installed: install it with  pip install "khoros_analytics\[{extra}\]"\nThe export: job '
    )
    with pytest.raises(ImportError, match=install) as caught:
        getattr(job, how)(*PATHS.get(how, []))
    assert caught.value.name == library
    assert len(world.sandbox.requests) == asked


@pytest.mark.parametrize(
    ("read", "extra", "library"),
    [
        (read_arrow, "arrow", "pyarrow"),
        (read_pandas, "pandas", "pandas"),
        (read_pandas, "pandas", "pyarrow"),
        (read_polars, "polars", "polars"),
        (read_polars, "polars", "pyarrow"),
        (partial(write_excel, path="export.xlsx"), "excel", "xlsxwriter"),
        (partial(write_excel, path="export.xlsx"), "excel", "pyarrow"),
    ],
)
def test_what_readers_miss(read, extra, library, files, monkeypatch):
    """The same for those that read files."""
    path = files.write("A\n1\n")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"^{library} is not installed: .*khoros_analytics\[{extra}\]"):
        read(path)


@pytest.mark.parametrize(
    ("library", "url", "hint"),
    [
        ("fsspec", "s3://bucket/x.parquet", r'^fsspec is not installed: .*"khoros_analytics\[fsspec\]"\n'),
        ("gcsfs", "gs://bucket/x.parquet", "^Please install gcsfs"),
    ],
)
def test_what_storage_misses(library, url, hint, world, monkeypatch):
    """For a URL it is fsspec, or what fsspec says that the scheme needs; a path on disk needs neither."""
    job = world.start()
    asked = len(world.sandbox.requests)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=hint):
        job.to_parquet(url)
    assert len(world.sandbox.requests) == asked
    assert job.to_parquet("export.parquet").is_file()


def test_only_what_is_needed(world, monkeypatch):
    """Arrow needs neither pandas nor Polars, and Polars needs no pandas."""
    job = world.start()
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert job.to_polars().height == 100
    monkeypatch.setitem(sys.modules, "polars", None)
    assert job.to_arrow().num_rows == 100
