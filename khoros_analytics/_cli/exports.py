"""One export: ``export``, ``status``, ``download``, and ``curl``."""

import shutil
import sys
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import Any, Literal

import click
from attrs import frozen

from ..reports import Report
from .account import connect
from .command import Command, Option, flag, option
from .output import print_facts
from .report_options import ReportGroup, arguments_of, report_options, timeout_option
from .session import current

__all__ = ["curl", "download", "export", "status"]

_OUTPUT = "Output"
Form = Literal["folder", "csv", "json", "parquet", "xlsx", "stdout"]
_SUFFIXES: dict[str, Form] = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".xlsx": "xlsx"}
_LIBRARIES = {"parquet": ("pyarrow", "arrow"), "xlsx": ("xlsxwriter", "excel")}


def _output_options() -> list[Option]:
    return [
        option(
            "-o",
            "--output",
            metavar="FILE",
            section=_OUTPUT,
            help="A file (.csv, .json, .parquet or .xlsx), a folder, or - for standard output. The current folder when "
            "not given.",
        ),
        flag("--overwrite", "Replace another file that is there.", section=_OUTPUT),
        timeout_option("6 hours", section=_OUTPUT),
    ]


@frozen
class Output:
    """Where a file goes, and as what."""

    form: Form
    path: str | None

    @classmethod
    def parse(cls, text: str | None) -> "Output":
        """Read ``-o``; whatever can be known to be wrong is, before an export is started."""
        if text is None:
            return cls("folder", None)
        if text == "-":
            if current().json:
                raise click.UsageError("-o - prints the export itself: leave out --json")
            return cls("stdout", None)
        if Path(text).is_dir():
            return cls("folder", text)
        form = _SUFFIXES.get(Path(text).suffix.lower())
        if form is None:
            raise click.BadParameter(
                f"{text!r} is no folder, and does not end with {', '.join(_SUFFIXES)}", param_hint="'-o'"
            )
        if form in _LIBRARIES:
            _require(*_LIBRARIES[form])
        if "://" not in text and not Path(text).absolute().parent.is_dir():
            raise click.BadParameter(f"there is no folder {str(Path(text).parent)!r}", param_hint="'-o'")
        return cls(form, text)

    def format(self, asked: str | None) -> str | None:
        """Return the format of the export itself; None for the server's own choice of this library."""
        if self.form in ("csv", "json"):
            if asked and asked != self.form:
                raise click.UsageError(f"--format {asked} does not fit -o {self.path}")
            return self.form
        return asked


def _require(library: str, extra: str) -> None:
    from importlib.util import find_spec

    from .._checks import needs

    with needs(extra):
        if find_spec(library) is None:
            raise ImportError(library, name=library)


def _deliver(job: Any, output: Output, *, overwrite: bool, timeout: Any) -> None:
    """Wait for the file, put it where it should be, and say where that is."""
    seconds = None if timeout is None else timeout.total_seconds()
    session = current()
    session.go_on = lambda token: _line_of(token, output, overwrite=overwrite)
    if output.form == "stdout":
        _print_file(job, seconds)
        return
    if output.form == "parquet":
        place: Any = job.to_parquet(output.path or "", overwrite=overwrite, timeout=seconds)
    elif output.form == "xlsx":
        place = job.to_excel(output.path or "", overwrite=overwrite, timeout=seconds)
    else:
        place = job.download(output.path, overwrite=overwrite, timeout=seconds)
    if session.json:
        print_facts({"file": str(place), **_facts(job)}, also={"arguments": job.arguments})
    else:
        click.echo(str(place))


def _print_file(job: Any, seconds: float | None) -> None:
    # Only a whole file is printed: what arrives torn is fetched again.
    with TemporaryDirectory() as folder:
        path = job.download(folder, timeout=seconds)
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
        sys.stdout.flush()


def _line_of(token: str, output: Output, *, overwrite: bool) -> str:
    place = "-" if output.form == "stdout" else output.path
    return (
        f"khoros-analytics download {token}"
        + (f" -o {quote(place)}" if place else "")
        + (" --overwrite" if overwrite else "")
    )


def _facts(job: Any) -> dict[str, object]:
    return {
        "report": job.report,
        "window": job.window,
        "state": job.status.state,
        "detail": job.status.detail,
        "reason": job.status.reason,
        "expires_at": job.expires_at,
        "token": job.token,
    }


# --- export --------------------------------------------------------------------------------------------------------


def _export_command(report: Report) -> Command:
    def run(**values: Any) -> None:
        fresh, wait = values.pop("fresh"), not values.pop("no_wait")
        output = Output.parse(values.pop("output"))
        overwrite, timeout = values.pop("overwrite"), values.pop("timeout")
        arguments = arguments_of(report, values)
        asked = output.format(arguments.pop("format", None))
        start, end = arguments.pop("start"), arguments.pop("end")
        if asked:
            arguments["format"] = asked
        session = current()
        session.go_on = lambda token: _line_of(token, output, overwrite=overwrite)
        with connect() as client:
            job = client.start(report.name, start, end, fresh=fresh, **arguments)
            if wait:
                _deliver(job, output, overwrite=overwrite, timeout=timeout)
            elif session.json:
                print_facts(_facts(job))
            else:
                click.echo(job.token)

    return Command(
        report.name,
        callback=run,
        help=f"Export {report.title}: start it, wait, and save the file.\n\n{report.note}".strip(),
        short_help=report.title,
        params=[
            *report_options(report),
            *_output_options(),
            flag("--no-wait", "Only start it, and print its token, for status and download.", section=_OUTPUT),
            flag("--fresh", "Start it anew, even if the journal knows the same export.", section=_OUTPUT),
        ],
        waits=True,
        example=_example("export", report, f"-o {report.name}.parquet"),
    )


def _example(command: str, report: Report, end: str) -> str:
    required = {row.name: row for row in report.parameters if row.name in report.required}
    texts = [f"--{name.replace('_', '-')} '1 hour'" for name in required]
    return " ".join([command, report.name, "--start 2019-02-01 --end 2019-03-01", *texts, end])


export = ReportGroup(
    "export",
    _export_command,
    help="Export a report: start it, wait until the server has finished it, and save the file.",
    example="export conversation --start 2019-02-01 --end 2019-05-01 -o conversations.xlsx",
)


# --- status, download ----------------------------------------------------------------------------------------------


def _token_argument() -> click.Argument:
    return click.Argument(["token"])


def _status(token: str) -> None:
    with connect() as client:
        print_facts(_facts(client.job(token).refresh()))


status = Command(
    "status",
    callback=_status,
    params=[_token_argument()],
    help="Ask for the status of an export by the TOKEN that export printed.",
    example="status TOKEN",
)


def _download(token: str, output: str | None, timeout: Any, *, overwrite: bool) -> None:
    place = Output.parse(output)
    current().go_on = lambda token: _line_of(token, place, overwrite=overwrite)
    with connect() as client:
        job = client.job(token)
        written = str(job.arguments.get("format", ""))
        if place.form in ("csv", "json") and written and written != place.form:
            raise click.UsageError(f"this export is written in {written}, which does not fit -o {place.path}")
        _deliver(job, place, overwrite=overwrite, timeout=timeout)


download = Command(
    "download",
    callback=_download,
    params=[_token_argument(), *_output_options()],
    help="Wait for an export that was started earlier, and save its file. TOKEN is what export printed.",
    waits=True,
    example="download TOKEN -o conversations.csv",
)


# --- curl ----------------------------------------------------------------------------------------------------------


def _curl_command(report: Report) -> Command:
    def run(**values: Any) -> None:
        from .._client.as_curl import as_curl

        account = current().account
        arguments = arguments_of(report, values)
        start, end = arguments.pop("start"), arguments.pop("end")
        script = as_curl(
            report.name,
            start,
            end,
            arguments,
            profile=account["profile"],
            region=account["region"],
            base_url=account["url"],
        )
        click.echo(script, nl=False)

    return Command(
        report.name,
        callback=run,
        help=f"Print the export of {report.title} as commands of curl. Nothing is sent.",
        short_help=report.title,
        params=report_options(report),
        lists=False,
        example=_example("curl", report, "> export.sh"),
    )


curl = ReportGroup(
    "curl",
    _curl_command,
    short_help="Print an export as commands of curl. Nothing is sent.",
    help="Print an export as commands of curl, with the credentials as shell variables: for the vendor's support, and "
    "for the curious. Nothing is sent.",
    example="curl conversation --start 2019-02-01 --end 2019-05-01 > export.sh",
)
