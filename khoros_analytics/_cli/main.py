"""The tree of commands, in the groups of its help."""

import sys
from collections.abc import Mapping

import click

from .._version import __version__
from .exports import curl, download, export, status
from .failures import INTERRUPTED, STATUSES
from .lists import columns, jobs, reports, teams, timezones
from .ranges import backfill, plan
from .setup import completion, doctor, login, sandbox

__all__ = ["PROGRAM", "cli", "run"]

PROGRAM = "khoros-analytics"

_SECTIONS: Mapping[str, tuple[click.Command, ...]] = {
    "One export": (export, status, download, curl),
    "A long range": (plan, backfill),
    "What there is": (reports, columns, teams, timezones, jobs),
    "To begin": (login, doctor, completion, sandbox),
}

_EXAMPLES = """\
  khoros-analytics login
  khoros-analytics export conversation --start 2019-02-01 --end 2019-05-01 -o conversations.csv
  khoros-analytics export response --start 2019-02-01 --end 2019-02-02 -o - | head
"""


class _Tree(click.Group):
    """The program itself."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands, in the order of the help."""
        return [command.name or "" for commands in _SECTIONS.values() for command in commands]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in their groups."""
        del ctx
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(one.name or "", one.get_short_help_str(limit=88)) for one in commands])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples, and what the status of the program means."""
        del ctx
        with formatter.section("Examples"):
            formatter.write(_EXAMPLES)
        with formatter.section("Exit status"):
            formatter.write_dl([(str(number), meaning) for number, meaning in STATUSES])


@click.group(cls=_Tree, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=PROGRAM)
def cli() -> None:
    """Export the reports of the Khoros Care Analytics Reports API: to files, or window by window to a dataset.

    Credentials come from the variables KHOROS_ANALYTICS_USERNAME, KHOROS_ANALYTICS_PASSWORD and
    KHOROS_ANALYTICS_COMPANY_KEY, from a profile, from the keyring, or from a prompt; never from an option.
    """


for _commands in _SECTIONS.values():
    for _command in _commands:
        cli.add_command(_command)


def run() -> None:
    """Run it, and end the process with its status."""
    try:
        cli(prog_name=PROGRAM)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
