"""The options of a report, from its row of the table: a new row, or a new parameter in one, needs nothing here."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click

from .._checks import close_matches
from ..reports import REPORTS, Kind, Parameter, Report
from ..times import parse_span
from .command import Command, Option, option
from .session import current

__all__ = [
    "ReportGroup",
    "arguments_of",
    "complete_report",
    "find",
    "option_name",
    "report_options",
    "timeout_option",
    "unknown",
]

_WINDOW = "Window"
_REPORT = "Report"
_LISTS = (Kind.REPEATED, Kind.COMMA)
_EXTRA = "extra"


class SpanType(click.ParamType):  # type: ignore[type-arg]  # before 8.4 it takes none
    """A stretch of time: ``"90 days"``, ``"12 hours"``, a number of seconds, or, with a sign, ``+02:00``."""

    name = "duration"

    def __init__(self, *, signed: bool = False) -> None:
        self.signed = signed

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return it as a timedelta."""
        if isinstance(value, timedelta):
            return value
        sign, text = (-1 if value.startswith("-") else 1, value.lstrip("+-")) if self.signed else (1, value)
        clock = re.fullmatch(r"(\d{1,2}):(\d{2})", text) if self.signed else None
        try:
            if clock:
                return sign * timedelta(hours=int(clock[1]), minutes=int(clock[2]))
            seconds = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:s|seconds?)?", text)
            if seconds:
                return sign * timedelta(seconds=float(seconds[1]))
            return sign * parse_span(text)
        except (ValueError, OverflowError):
            forms = "'90 minutes', '+02:00'" if self.signed else "'90 minutes', '6 hours'"
            return self.fail(f"{value!r} is not a duration; write {forms}, or a number of seconds", param, ctx)


def timeout_option(default: str, **settings: str) -> Option:
    """Return the option of how long a command may take, with what holds when it is not given."""
    text = f"How long all of it may take; {default} when not given."
    return option("--timeout", type=SpanType(), metavar="DURATION", help=text, **settings)


def option_name(parameter: Parameter) -> str:
    """Return a parameter's option; one that takes several values is given once for each, so it is singular."""
    name = parameter.name
    if parameter.kind in _LISTS:
        name = re.sub("ies$", "y", name) if name.endswith("ies") else re.sub("s$", "", name)
    return "--" + name.replace("_", "-")


def report_options(report: Report, *, without: tuple[str, ...] = ()) -> list[click.Parameter]:
    """Return the options of a report: all that the table knows of it, and a way to send what it does not."""
    rows = {row.name: row for row in reversed(report.parameters) if row.name not in ("company_key", *without)}
    names = [name for name in dict.fromkeys(row.name for row in report.parameters) if name in rows]
    ordered = sorted(names, key=lambda name: name not in ("start", "end"))
    extra = option(
        "--extra",
        multiple=True,
        metavar="NAME=VALUE",
        section=_REPORT,
        help="Any other parameter, by its name on the wire. Repeatable.",
    )
    return [*(_option(report, rows[name]) for name in ordered), extra]


def _option(report: Report, row: Parameter) -> Option:
    required = row.name in ("start", "end", *report.required)
    settings: dict[str, Any] = {"required": required, "section": _WINDOW if row.kind is Kind.EPOCH else _REPORT}
    names = [option_name(row), row.name]
    meaning = f"{row.meaning.replace('``', '')}."
    if row.kind is Kind.FLAG:
        names = [f"{names[0]}/--no-{names[0].removeprefix('--')}", row.name]
        settings["default"] = None
    elif row.kind is Kind.CHOICE:
        settings["type"] = click.Choice(row.choices, case_sensitive=False)
    elif row.kind is Kind.MILLISECONDS:
        settings["type"] = SpanType(signed=not row.steps)
        settings["metavar"] = "DURATION"
    elif row.kind in _LISTS:
        settings["multiple"] = True
        settings["metavar"] = "|".join(row.choices) or names[0].removeprefix("--").upper().replace("-", "_")
        meaning += " Repeatable."
    else:
        settings["metavar"] = "|".join(row.choices) or _METAVARS.get(row.kind, "TEXT")
    return Option(names, help=meaning, shell_complete=_completion(report, row), **settings)


_METAVARS = {Kind.EPOCH: "TIME", Kind.ZONE: "ZONE"}


def _completion(report: Report, row: Parameter) -> Callable[[click.Context, click.Parameter, str], list[str]] | None:
    if row.kind in (Kind.CHOICE, Kind.FLAG):
        return None  # click knows by itself

    def complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        if row.kind is Kind.ZONE:
            from zoneinfo import available_timezones

            known = sorted(available_timezones())
        elif row.name == "metrics":
            known = [metric.name for metric in report.metrics]
        else:
            known = list(row.choices)
        return [name for name in known if name.lower().startswith(incomplete.lower())]

    return complete


def arguments_of(report: Report, values: dict[str, Any]) -> dict[str, Any]:
    """Take a report's arguments out of the values of a command, as the client wants them."""
    session = current()
    rows = {row.name: row for row in report.parameters}
    session.option_names.update({name: option_name(row) for name, row in rows.items()}, extra="--extra")
    given = {name: _value(rows[name], values.pop(name)) for name in rows if name in values}
    extra = _extra(values.pop(_EXTRA, ()))
    return {
        **{name: value for name, value in given.items() if value not in (None, [])},
        **({_EXTRA: extra} if extra else {}),
    }


def _value(row: Parameter, value: Any) -> Any:
    if row.kind not in _LISTS:
        return value
    if row.name == "metrics":
        return list(value)  # a label may hold a comma
    return [part.strip() for text in value for part in text.split(",") if part.strip()]


def _extra(texts: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.BadOptionUsage(_EXTRA, f"--extra {text!r}: write NAME=VALUE")
        found.setdefault(name, []).append(value)
    return found


# --- commands with one for each report below -----------------------------------------------------------------------


def find(name: str) -> Report | None:
    """Return the report of that name, or of that title, however it is written; None for none."""
    if name in REPORTS:
        return REPORTS[name]
    plain = name.replace("-", " ").replace("_", " ").casefold().split()
    found = [
        report
        for report in REPORTS.values()
        if plain in (report.name.replace("_", " ").split(), report.title.casefold().split())
    ]
    return found[0] if len(found) == 1 else None


def unknown(name: str) -> str:
    """Return what to say where there is no such report."""
    known = {report.title: key for key, report in REPORTS.items()} | {key: key for key in REPORTS}
    near = close_matches(name, known)
    hint = f"Did you mean {near[0]}?" if near else "khoros-analytics reports  lists them."
    return f"There is no report {name!r}. {hint}"


def complete_report(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a report."""
    return [name for name in REPORTS if name.startswith(incomplete)]


class ReportGroup(click.Group):
    """A command with one for each report below it, made when it is asked for."""

    def __init__(self, name: str, make: Callable[[Report], Command], *, example: str, **settings: Any) -> None:
        super().__init__(name, subcommand_metavar="REPORT [OPTIONS]", **settings)
        self._make = make
        self.example = example

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the reports."""
        return list(REPORTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Return the command of a report."""
        report = find(cmd_name)
        return None if report is None else self._make(report)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the report, or say which one is near."""
        if args and not args[0].startswith("-") and find(args[0]) is None and not ctx.resilient_parsing:
            ctx.fail(unknown(args[0]))
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of the reports; each has options of its own."""
        with formatter.section("Reports"):
            formatter.write_dl([(name, report.title) for name, report in REPORTS.items()])
        del ctx

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say where the options are, and give an example."""
        with formatter.section("Example"):
            formatter.write(f"  khoros-analytics {self.example}\n")
        formatter.write(f"\nEach report has its own options: {ctx.command_path} REPORT --help\n")
