"""What there is: ``reports``, ``columns``, ``teams``, ``timezones``, and ``jobs``."""

from collections import Counter
from typing import Any

import click

from ..reports import API_PREFIX, REPORTS, Report
from .account import connect
from .command import Command, flag, option
from .output import print_json, print_table
from .report_options import complete_report, find, option_name, timeout_option, unknown
from .session import current

__all__ = ["columns", "jobs", "reports", "teams", "timezones"]


def _reports() -> None:
    if current().json:
        rows = [
            {
                "name": report.name,
                "title": report.title,
                "verb": report.verb,
                "path": API_PREFIX + report.path,
                "options": list(
                    dict.fromkeys(option_name(row) for row in report.parameters if row.name != "company_key")
                ),
                "metrics": [metric.name for metric in report.metrics],
            }
            for report in REPORTS.values()
        ]
        print_json(rows)
        return
    print_table(
        ("report", "title", "options of its own"), [(one.name, one.title, _own(one)) for one in REPORTS.values()]
    )


def _own(report: Report) -> str:
    """Return the options that most other reports do not have."""
    usual = Counter(row.name for one in REPORTS.values() for row in {row.name: row for row in one.parameters}.values())
    rows = [row for row in report.parameters if usual[row.name] <= len(REPORTS) / 2]
    return " ".join(dict.fromkeys(option_name(row) for row in rows))


reports = Command(
    "reports",
    callback=_reports,
    help="List the reports. Each has options of its own: khoros-analytics export REPORT --help.",
    connects=False,
    example="reports",
)


def _columns(report: str, timeout: Any, *, examples: bool, fresh: bool) -> None:
    row = find(report)
    if row is None:
        raise click.BadArgumentUsage(unknown(report))
    with connect() as client:
        found = client.columns(
            row.name, examples=examples, fresh=fresh, timeout=None if timeout is None else timeout.total_seconds()
        )
    if current().json:
        print_json({"report": found.report, "window": found.window, "rows": found.rows, "columns": list(found)})
        return
    cells = [
        (
            column.name,
            column.label,
            column.type,
            "" if column.empty is None else f"{column.empty:.0%}",
            column.example or ("(looks personal)" if column.personal else ""),
        )
        for column in found
    ]
    print_table(("column", "label", "type", "empty", "example"), cells, nothing="no columns: the export was empty")


columns = Command(
    "columns",
    callback=_columns,
    params=[
        click.Argument(["report"], shell_complete=complete_report),
        flag("--examples", "Show examples of columns that look like personal data, too."),
        flag("--fresh", "Ask the server, even if the columns are known."),
        timeout_option("6 hours"),
    ],
    help="Find out which columns REPORT has in your company, by the smallest export that tells. They are remembered "
    "for a day where there is a journal.",
    waits=True,
    example="columns conversation",
)


def _teams() -> None:
    with connect() as client:
        found = client.teams()
    if current().json:
        print_json(list(found))
        return
    cells = [(team.team_id, team.name, team.number_of_members, team.description) for team in found]
    print_table(("team id", "name", "members", "description"), cells, nothing="no teams")


teams = Command("teams", callback=_teams, help="List the company's teams, for --team-id.", example="teams --json")


def _timezones(locale: str | None) -> None:
    with connect() as client:
        found = client.timezones(locale)
    if current().json:
        print_json(list(found))
        return
    print_table(("time zone", "offset", "name"), [(zone.id, zone.offset_string, zone.name) for zone in found])


timezones = Command(
    "timezones",
    callback=_timezones,
    params=[option("--locale", metavar="LANGUAGE", help="The language of their names, such as de.")],
    help="List the time zones that the API knows.",
    example="timezones --locale de",
)


def _jobs(report: str | None, state: str | None, since: str | None, limit: int | None) -> None:
    session = current()
    session.option_names.update({name: f"--{name}" for name in ("report", "state", "since", "limit")})
    row = None if report is None else find(report)
    if report is not None and row is None:
        raise click.BadParameter(unknown(report), param_hint="'--report'")
    if session.account["journal"] is None:
        _need_journal()
    with connect() as client:
        found = client.jobs(report=row.name if row else None, state=state, since=since, limit=limit)
    if session.json:
        print_json(list(found))
        return
    cells = [
        (f"{line.asked_at:%Y-%m-%d %H:%M:%S} UTC", line.report, line.window, line.state, line.file or line.token)
        for line in found
    ]
    print_table(("asked at", "report", "window", "state", "file, or token"), cells, nothing="no exports in the journal")


def _need_journal() -> None:
    from .._client.profiles import load_profile

    if load_profile(current().account["profile"]).get("journal") is None:
        raise click.UsageError("there is no journal: name it with --journal FILE, or as journal in a profile")


jobs = Command(
    "jobs",
    callback=_jobs,
    params=[
        option("--report", metavar="REPORT", shell_complete=complete_report, help="Only those of this report."),
        option("--state", metavar="STATE", help="Only those in this state, such as saved, started, failed or unknown."),
        option("--since", metavar="TIME", help="Only those that were asked for at this time or later."),
        option("--limit", type=click.IntRange(min=1), metavar="NUMBER", help="At most so many."),
    ],
    help="List the journal: the exports that were asked for with it, newest first.",
    example="jobs --report conversation --since 2019-02-01",
)
