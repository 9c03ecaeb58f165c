"""What it takes to begin: ``login``, ``doctor``, ``completion`` and ``sandbox``."""

import os
import runpy
import sys
from typing import TYPE_CHECKING

import click

from ..reports import BASE_URLS
from .account import ask_for, somebody_is_there
from .command import Command, option
from .failures import FAILED, explain
from .output import print_json
from .session import current

if TYPE_CHECKING:
    from .._client.diagnosis import Finding

__all__ = ["completion", "doctor", "login", "sandbox"]

_PLACES = ("KHOROS_ANALYTICS_REGION", "KHOROS_ANALYTICS_URL")


def _login(keep_in: str) -> None:
    """Ask for what is missing, try it, and keep it."""
    from .._client.login import credentials_at_hand, log_in, profile_to_write

    account = current().account
    name = profile_to_write(account["profile"])
    found = credentials_at_hand(account["username"])
    missing = [one for one in ("username", "password", "company_key") if one not in found]
    region = account["region"]
    if missing and not somebody_is_there():
        raise click.UsageError(
            f"nobody is here to be asked for {', '.join(missing)}: run it in a terminal, or set the variables "
            "KHOROS_ANALYTICS_USERNAME, KHOROS_ANALYTICS_PASSWORD and KHOROS_ANALYTICS_COMPANY_KEY"
        )
    if missing and not (region or account["url"] or any(map(os.environ.get, _PLACES))):
        region = click.prompt("Region", type=click.Choice(list(BASE_URLS)), default="us", err=True)
    found.update(ask_for(missing))
    service = None if keep_in == "file" else account["keyring"] or f"khoros_analytics/{name}"
    kept = log_in(name, found, region=region, base_url=account["url"], keyring=service)
    click.echo(f"The server takes them: {kept.account} sees {kept.teams} teams.", err=True)
    where = f"the password is in the keyring, as {service}" if service else "its owner alone can read that file"
    click.echo(f"Kept as the profile {name} in {kept.path}; {where}.", err=True)


login = Command(
    "login",
    callback=_login,
    params=[
        option(
            "--keep-in",
            type=click.Choice(["keyring", "file"]),
            default="keyring",
            help="Where the password and the company key are kept: in the system's keyring, or in the file of the "
            "profiles, which its owner alone can read then. The keyring when not given.",
        )
    ],
    help="Ask for the credentials of an account, try them with one look-up, and keep them as a profile. Variables that "
    "are set are taken without a question.",
    short_help="Ask for credentials, try them, and keep them as a profile.",
    lists=False,
    example="login --profile emea --region emea",
)


def _doctor() -> None:
    """Say what there is, where it comes from, and whether the server takes it."""
    from .._client.diagnosis import diagnose

    session = current()
    account = session.account
    found: list[Finding] = []
    width = len("certificates")
    for finding in diagnose(
        profile=account["profile"],
        region=account["region"],
        base_url=account["url"],
        username=account["username"],
        keyring=account["keyring"],
        journal=account["journal"],
    ):
        found.append(finding)
        if not session.json:
            sign = {"ok": " ", "warning": "!", "problem": "x"}[finding.state]
            text = finding.text if finding.error is None else explain(finding.error, session).message
            lines = text.removeprefix("Error: ").splitlines()
            indent = "\n" + " " * (width + 4)
            click.echo(f"{sign} {finding.topic.ljust(width)}  {indent.join(lines)}")
    if session.json:
        print_json([{"topic": one.topic, "state": one.state, "text": one.text} for one in found])
    problems = [one for one in found if one.state == "problem"]
    if problems:
        error = next((one.error for one in problems if one.error is not None), None)
        click.get_current_context().exit(explain(error, session).status if error else FAILED)


doctor = Command(
    "doctor",
    callback=_doctor,
    help="Show what a command would work with, and where each part of it comes from: profile, credentials (never a "
    "password), address, proxy, certificates; then ask the server once, and compare the clocks. Lines with x are "
    "problems, lines with ! may become one.",
    short_help="Show what a command would work with, where it comes from, and whether it works.",
    example="doctor",
)


def _completion(shell: str) -> None:
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    tree = click.get_current_context().find_root().command
    click.echo(found(tree, {}, "khoros-analytics", "_KHOROS_ANALYTICS_COMPLETE").source())


completion = Command(
    "completion",
    callback=_completion,
    params=[click.Argument(["shell"], type=click.Choice(["bash", "zsh", "fish"]))],
    help='Print the completion of a SHELL. Put  eval "$(khoros-analytics completion bash)"  into ~/.bashrc, the same '
    "with zsh into ~/.zshrc behind compinit, or write the one of fish into "
    "~/.config/fish/completions/khoros-analytics.fish.",
    short_help="Print the completion for bash, zsh or fish.",
    connects=False,
    lists=False,
    example="completion bash",
)


@click.command(
    "sandbox",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    short_help="Serve the API on this machine, to try things without an account.",
    add_help_option=False,
)
@click.pass_context
def sandbox(context: click.Context) -> None:
    """Serve the API on this machine, to try things without an account; --help shows its options."""
    from .._checks import needs

    sys.argv = ["khoros-analytics sandbox", *context.args]
    with needs("sandbox"):
        # As `python -m` does it: nothing in this package imports the sandbox.
        runpy.run_module("khoros_analytics.sandbox", run_name="__main__")
