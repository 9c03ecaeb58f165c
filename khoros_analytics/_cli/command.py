"""A command: help in groups with an example, and no traceback: every error is a message and a status."""

import logging
import sys
from collections.abc import Sequence
from typing import Any

import click

from .failures import INTERRUPTED, PIPE_CLOSED, Failure, explain, explain_interruption, silence_output
from .session import Session

__all__ = ["Command", "Option", "flag", "option"]


class Option(click.Option):
    """An option that stands in a group of the help."""

    def __init__(self, *declarations: Any, section: str = "Options", **settings: Any) -> None:
        super().__init__(*declarations, **settings)
        self.section = section


def option(*names: str, section: str = "Options", **settings: Any) -> Option:
    """Return an option."""
    return Option(names, section=section, show_default=settings.pop("show_default", False), **settings)


def flag(name: str, help: str, *, section: str = "Options") -> Option:
    """Return an option without a value."""
    return Option((name,), section=section, is_flag=True, help=help)


def _complete_profile(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from .._client.profiles import profile_names
    from ..errors import KhorosError

    try:
        return [name for name in profile_names() if name.startswith(incomplete)]
    except KhorosError:
        return []


_ACCOUNT = "Account"


def _account_options() -> list[click.Parameter]:
    # A password is never an option: the list of processes and the shell's history would show it.
    return [
        option(
            "--profile",
            metavar="NAME",
            shell_complete=_complete_profile,
            section=_ACCOUNT,
            help="The profile to take what is missing from.",
        ),
        option("--region", metavar="us|emea", section=_ACCOUNT, help="The region of the account."),
        option("--url", metavar="URL", section=_ACCOUNT, help="The API's address, where it is another one."),
        option("--username", metavar="USER", section=_ACCOUNT, help="The API user."),
        option("--keyring", metavar="SERVICE", section=_ACCOUNT, help="The keyring's service with the credentials."),
        option("--journal", metavar="FILE", section=_ACCOUNT, help="The file in which exports are written down."),
    ]


class Command(click.Command):
    """A command of the tree.

    Args:
        example: A line to copy, without the program's name.
        connects: Whether it takes the options about the account.
        waits: Whether it shows progress, which ``--quiet`` turns off.
        lists: Whether it takes ``--json``.
        exit_codes: What else a status may mean, for its help.
    """

    def __init__(
        self,
        name: str,
        *,
        params: Sequence[click.Parameter] = (),
        example: str,
        connects: bool = True,
        waits: bool = False,
        lists: bool = True,
        **settings: Any,
    ) -> None:
        general: list[click.Parameter] = []
        if lists:
            general.append(flag("--json", "Print JSON, for scripts.", section="General"))
        if waits:
            general.append(flag("--quiet", "Show no progress.", section="General"))
        general.append(flag("--debug", "Show tracebacks, and log every request.", section="General"))
        everything = [*params, *(_account_options() if connects else []), *general]
        super().__init__(name, params=everything, **settings)
        self.example = example

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; whatever goes wrong ends in a message on standard error and a status."""
        session = ctx.obj = Session(ctx.params)
        if session.debug:
            logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except click.exceptions.ClickException:
            raise
        except (click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            silence_output()
            ctx.exit(PIPE_CLOSED)
        except KeyboardInterrupt as interruption:
            self._end(ctx, Failure(INTERRUPTED, explain_interruption(interruption, session)), interruption)
        except Exception as error:  # noqa: BLE001 - a person gets a message, and the traceback with --debug
            self._end(ctx, explain(error, session), error)
        else:
            return result

    def _end(self, ctx: click.Context, failure: Failure, error: BaseException) -> None:
        if ctx.obj.debug:
            import traceback

            click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
        click.echo(failure.message, err=True)
        ctx.exit(failure.status)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in their groups."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(getattr(parameter, "section", "General"), []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the example."""
        with formatter.section("Example"):
            formatter.write(f"  khoros-analytics {self.example}\n")
