"""Long ranges, window by window: ``plan`` and ``backfill``."""

from typing import Any

import click

from ..reports import FORMAT, TIMEZONE, Report
from .account import connect
from .command import Command, Option, flag, option
from .output import print_facts, print_json, print_table
from .report_options import ReportGroup, arguments_of, report_options, timeout_option
from .session import current

__all__ = ["backfill", "plan"]

_DATASET, _WORK = "Dataset", "Work"


def _plan_options(report: Report) -> list[click.Parameter]:
    # The zone that cuts the windows is there for each report, also where the API itself has none.
    own_zone = any(row.name == TIMEZONE.name for row in report.parameters)
    zone = [] if own_zone else [option("--timezone", metavar="ZONE", section="Window", help="Whose days are cut.")]
    return [
        *report_options(report, without=(FORMAT.name,)),
        *zone,
        option(
            "--every", required=True, metavar="DURATION", section=_DATASET, help="How long each window is: '1 day'."
        ),
        option("--to", required=True, metavar="FOLDER", section=_DATASET, help="The folder or URL of the dataset."),
        option(
            "--save-as",
            type=click.Choice(["parquet", "csv", "json"]),
            default="parquet",
            section=_DATASET,
            help="The format of its files; parquet when not given.",
        ),
        option(
            "--settle",
            default="1 hour",
            metavar="DURATION",
            section=_DATASET,
            help="How long after its end a window is left alone, with --end now; '1 hour' when not given.",
        ),
        option(
            "--refresh", metavar="DURATION", section=_DATASET, help="Export windows anew that ended within this time."
        ),
        flag("--replace", "Begin a dataset of other arguments anew.", section=_DATASET),
    ]


def _work_options() -> list[Option]:
    return [
        option(
            "--max-active",
            type=click.IntRange(min=1),
            metavar="NUMBER",
            section=_WORK,
            help="How many exports may run at once; as many as the server bears when not given.",
        ),
        option(
            "--attempts",
            type=click.IntRange(min=1),
            default=3,
            metavar="NUMBER",
            section=_WORK,
            help="How many exports a window may take; 3 when not given.",
        ),
        flag("--retry-uncertain", "Export windows again whose export may have been started.", section=_WORK),
        flag("--verify", "Read all files to find those that somebody changed.", section=_WORK),
        timeout_option("no limit", section=_WORK),
    ]


def _wanted(report: Report, values: dict[str, Any]) -> dict[str, Any]:
    """Return what ``client.plan`` and ``client.backfill`` take, ``name`` aside."""
    names = ("every", "to", "save_as", "settle", "refresh", "replace", "timezone")
    own = {name: values.pop(name) for name in names if name in values}
    found = {**own, **arguments_of(report, values)}
    current().option_names.update({name: f"--{name.replace('_', '-')}" for name in names})
    return found


def _plan_command(report: Report) -> Command:
    def run(**values: Any) -> None:
        with connect() as client:
            planned = client.plan(report.name, **_wanted(report, values))
        if current().json:
            print_json({"counts": planned.counts(), **_attributes(planned)})
            return
        print_table(("state", "windows"), planned.counts().items())
        click.echo(f"at least {planned.requests:,} requests, which take {planned.time}")

    return Command(
        report.name,
        callback=run,
        help=f"Show what a backfill of {report.title} would do. Nothing is sent, and nothing is written.",
        short_help=report.title,
        params=_plan_options(report),
        example=f"plan {report.name} --start 2021-01-01 --end now --every '1 day' --to {report.name}",
    )


def _attributes(value: Any) -> dict[str, Any]:
    from attrs import fields

    return {attribute.name: getattr(value, attribute.name) for attribute in fields(type(value))}


plan = ReportGroup(
    "plan",
    _plan_command,
    help="Show what a backfill would do: its windows, and what the rest of them takes.",
    example="plan conversation --start 2021-01-01 --end now --every '1 day' --to conversations",
)


def _backfill_command(report: Report) -> Command:
    def run(**values: Any) -> None:
        session = current()
        timeout = values.pop("timeout")
        work = {name: values.pop(name) for name in ("attempts", "retry_uncertain", "verify")}
        work["max_active"] = values.pop("max_active") or "auto"
        work["timeout"] = None if timeout is None else timeout.total_seconds()
        session.go_on_by = "To go on:  run the same command again; what has landed stays."
        with connect() as client:
            result = client.backfill(report.name, **_wanted(report, values), **work)
        counts = {name: len(getattr(result, name)) for name in ("landed", "empty", "skipped", "failed")}
        print_facts(
            {**counts, "rows": result.rows, "bytes": result.bytes, "requests": result.requests, "to": result.to},
            also=_attributes(result),
        )
        for failure in result.failed:
            click.echo(f"Error: {failure.key}: {failure.error}", err=True)
        if result.failed:
            click.echo(session.go_on_by, err=True)
            click.get_current_context().exit(1)

    return Command(
        report.name,
        callback=run,
        help=f"Export a long range of {report.title}, window by window, into one dataset.\n\n"
        "Run it again after an interruption, from cron, or on another machine: it goes on with what is there.",
        short_help=report.title,
        params=[*_plan_options(report), *_work_options()],
        waits=True,
        example=f"backfill {report.name} --start 2021-01-01 --end now --every '1 day' --to {report.name}",
    )


backfill = ReportGroup(
    "backfill",
    _backfill_command,
    help="Export a long range, window by window, into one dataset that every engine reads.",
    example="backfill conversation --start 2021-01-01 --end now --every '1 day' --to conversations",
)
