"""What each command prints, where its file goes, and how it ends."""

import json
import re
import shlex
from pathlib import Path
from types import MappingProxyType
from zipfile import is_zipfile

import click
import pyarrow.parquet as pq
import pytest
from attrs import evolve

from khoros_analytics import reports
from khoros_analytics._cli.main import cli
from khoros_analytics.reports import REPORTS, Kind, Parameter
from khoros_analytics.sandbox import faults

DAY = ("--start", "2019-02-01", "--end", "2019-02-02")
LEAVES = [
    pytest.param((name,), id=name)
    for name in cli.list_commands(click.Context(cli))
    if not isinstance(cli.commands[name], click.Group) and name != "sandbox"
]
GROUPS = [pytest.param((name, "conversation"), id=name) for name in ("export", "curl", "plan", "backfill")]


def token_in(text):
    return re.search(r"khoros2\.\S+", text)[0]


# --- from the table -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_has_all_its_options(command, name):
    """A report's command has an option for each of its parameters, and one for what the table does not know."""
    text = command("export", name, "--help").stdout
    for row in REPORTS[name].parameters:
        singular = row.name.replace("ies", "y") if row.name.endswith("ies") else row.name
        if row.name != "company_key":
            assert f"--{singular.replace('_', '-').removesuffix('s' if row.kind in LISTS else '-')}" in text
    assert "--extra NAME=VALUE" in text


LISTS = (Kind.REPEATED, Kind.COMMA)


def test_a_new_row_is_enough(command, monkeypatch):
    """A report that is new in the table has its commands, with the options of its parameters, new ones included."""
    colour = Parameter("colours", "colours", Kind.COMMA, "Only these colours", choices=("red", "blue"))
    row = evolve(
        REPORTS["conversation"], name="paint", title="Raw Paint", parameters=(*REPORTS["user"].parameters, colour)
    )
    table = MappingProxyType({**REPORTS, "paint": row})
    for module in ("report_options", "lists"):
        monkeypatch.setattr(f"khoros_analytics._cli.{module}.REPORTS", table)
    monkeypatch.setattr("khoros_analytics._protocol.arguments.REPORTS", table)
    assert reports.REPORTS is not table
    assert "--colour red|blue" in command("export", "paint", "--help").stdout
    assert "paint" in command("export", "--help").stdout
    script = command("curl", "paint", *DAY, "--colour", "red,blue").stdout
    assert "colours=red,blue" in script


@pytest.mark.parametrize("written", ["raw_brand_posts", "raw-brand-posts", "Raw Brand Posts Export"])
def test_names_of_reports(command, written):
    """A report is found by its name, with dashes, too, and by its title."""
    assert command("curl", written, *DAY).exit_code == 0


def test_arguments_arrive(command, sandbox):
    """What the options say goes over the wire, as the client's keywords would."""
    result = command(
        *("export", "team_performance_interval", *DAY, "--time-interval", "1 hour", "--timezone-offset=-05:00"),
        *("--metric", "TIME_ZONE", "--metric", "A, B", "--priority", "1,2", "--priority", "3", "--include-disabled"),
        *("--business-hours", "OUTSIDE", "--team-id", "6222", "--extra", "colour=red", "--no-wait"),
    )
    assert result.exit_code == 0, result.output
    sent = dict(sandbox.requests[-1].query)
    wanted = {"timeInterval": "3600000", "timezoneOffset": "-18000000", "priorities": "1,2,3", "teamIds": "6222"}
    wanted |= {"includeDisabled": "true", "businessHourType": "false", "colour": "red", "reportMetrics": "A, B"}
    assert {name: sent[name] for name in wanted} == wanted


# --- help ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [*LEAVES, *GROUPS])
def test_help(command, words):
    """Each command has help in groups, an example that it takes itself, and no option for a password."""
    text = command(*words, "--help").stdout
    example = re.search(r"^  khoros-analytics (.*)$", text.partition("Example:")[2], re.MULTILINE)[1]
    assert shlex.split(example)[0] == words[0]
    found = click.Context(cli)
    for word in shlex.split(example.partition(" > ")[0]):
        if isinstance(found.command, click.Group):
            found = click.Context(found.command.get_command(found, word), parent=found)
    found.command.make_context(
        words[0], shlex.split(example.partition(" > ")[0])[len(words) :], resilient_parsing=False
    )
    assert not re.search("--(password|company-key)", text)


def test_help_of_all(command):
    """The help names every command, in groups, with examples and what the status means."""
    text = command("--help").stdout
    for part in (*cli.commands, "One export:", "Examples:", "Exit status:", "130"):
        assert part in text


@pytest.mark.parametrize("option", ["--password", "--company-key", "--password=x"])
def test_secrets_are_never_options(command, option):
    """There is no option for what is secret."""
    assert command("teams", option).exit_code == 2


# --- where the file goes ------------------------------------------------------------------------------------------


def test_files_by_suffix(command, folder, world):
    """The suffix decides on the format, a folder gets the file under its own name, and - is standard output."""
    assert command("export", "conversation", *DAY, "-o", folder / "a.csv").stdout == f"{folder / 'a.csv'}\n"
    assert (folder / "a.csv").read_bytes() == world.content()
    command("export", "conversation", *DAY, "-o", folder / "a.json")
    assert (folder / "a.json").read_bytes() == world.content()
    command("export", "conversation", *DAY, "-o", folder / "a.parquet")
    assert pq.read_table(folder / "a.parquet").num_rows == 100
    command("export", "conversation", *DAY, "-o", folder / "a.xlsx")
    assert is_zipfile(folder / "a.xlsx")
    named = command("export", "conversation", *DAY, "-o", folder, "--format", "json").stdout.strip()
    assert Path(named) == folder / "conversation_2019-02-01_2019-02-02.json"
    assert command("export", "conversation", *DAY, "-o", "-").stdout_bytes == world.content()
    assert command("export", "conversation", *DAY).exit_code == 0
    assert Path("conversation_2019-02-01_2019-02-02.csv").exists()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("-o", "a.txt"), "does not end with"),
        (("-o", "missing/"), "does not end with"),
        (("-o", "missing/a.csv"), "there is no folder 'missing'"),
        (("-o", "a.csv", "--format", "json"), "--format json does not fit"),
        (("-o", "-", "--json"), "leave out --json"),
        (("--timeout", "soon"), "'soon' is not a duration"),
        (("--extra", "colour"), "NAME=VALUE"),
        (("--metric", ""), "--metric: '' is not a metric"),
        (("--timezone", "Europe/Berlim"), "--timezone: 'Europe/Berlim'"),
        (("--team-id", "7"), "No such option"),
        (("--region", "mars"), "'mars' is not known"),
        (("--profile", "emea"), "there is no profile 'emea'"),
        (("--url", "ftp://x"), "must"),
    ],
    ids=str,
)
def test_wrong_usage(command, sandbox, options, part):
    """What is wrong with a command is said before anything is sent, by the names of its options, with status 2."""
    result = command("export", "conversation", *DAY, *options)
    assert result.exit_code == 2
    assert part in result.stderr
    assert sandbox.requests == []


def test_a_file_that_is_there(command, folder):
    """Another file stays, unless it may be replaced; the message says how to go on with the export."""
    path = folder / "a.csv"
    path.write_text("mine", encoding="utf-8")
    result = command("export", "conversation", *DAY, "-o", path)
    assert result.exit_code == 1
    assert path.read_text("utf-8") == "mine"
    assert command("export", "conversation", *DAY, "-o", path, "--overwrite").exit_code == 0


def test_as_json(command, folder):
    """With --json there is one object on standard output, and the token in it goes on."""
    facts = json.loads(command("export", "conversation", *DAY, "-o", folder / "a.csv", "--json").stdout)
    assert facts["file"] == str(folder / "a.csv")
    assert facts["window"] == {
        "start": "2019-02-01T00:00:00+00:00",
        "end": "2019-02-02T00:00:00+00:00",
        "timezone": "UTC",
    }
    assert json.loads(command("status", facts["token"], "--json").stdout)["detail"] == "COMPLETED"


def test_started_now_fetched_later(command, folder, world):
    """An export that was only started is asked for and fetched by its token."""
    token = command("export", "response", *DAY, "--no-wait").stdout.strip()
    assert "report      response" in command("status", token).stdout
    assert command("download", token, "-o", folder / "a.csv").exit_code == 0
    assert (folder / "a.csv").read_bytes() == world.content()
    assert "written in csv" in command("download", token, "-o", folder / "a.json").stderr
    assert command("status", "nonsense").exit_code == 2


# --- how it ends --------------------------------------------------------------------------------------------------


def test_a_failed_export(command, sandbox):
    """An export that the server gives up ends with 1, and without a traceback."""
    sandbox.fail("status", faults.JobFails("no room"))
    result = command("export", "conversation", *DAY)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "no room" in result.stderr
    assert "--fresh" in result.stderr
    assert "Traceback" not in result.output


def test_refused_credentials(command, monkeypatch):
    """Credentials that the server refuses end with 3."""
    monkeypatch.setenv("KHOROS_ANALYTICS_PASSWORD", "another")
    assert command("teams").exit_code == 3
    assert command("doctor").exit_code == 3


def test_missing_credentials(command, monkeypatch):
    """Credentials that are nowhere end with 2, and the message says what to do; nobody is asked without a terminal."""
    monkeypatch.delenv("KHOROS_ANALYTICS_PASSWORD")
    result = command("teams")
    assert result.exit_code == 2
    assert "KHOROS_ANALYTICS_PASSWORD" in result.stderr
    assert "khoros-analytics login" in result.stderr


def test_time_is_up(command, sandbox, folder):
    """A passed deadline ends with 4, and names the line that goes on."""
    sandbox.polls = 10_000
    result = command(
        "export",
        "conversation",
        *DAY,
        "-o",
        folder / "a.csv",
        "--timeout",
        "90 seconds",
        "--region",
        "us",
        "--url",
        sandbox.base_url,
    )
    assert result.exit_code == 4
    assert (
        f"To go on:  khoros-analytics download {token_in(result.stderr)} -o {folder / 'a.csv'} --region us --url"
        in result.stderr
    )
    assert "client.job" not in result.stderr


def test_interrupted(command, sandbox, folder, monkeypatch):
    """A Ctrl-C ends with 130, and names the line that goes on; that line works."""

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(type(sandbox.clock), "sleep", interrupt)
        sandbox.polls = 3
        result = command("export", "conversation", *DAY, "-o", folder / "a.csv")
    assert result.exit_code == 130
    line = result.stderr.partition("To go on:  khoros-analytics ")[2].strip()
    assert command(*shlex.split(line)).stdout == f"{folder / 'a.csv'}\n"


def test_an_unexpected_error(command, monkeypatch):
    """An error that nobody foresaw is one line without its text, which may hold anything; --debug shows more."""
    monkeypatch.setattr("khoros_analytics._client.client.Client.teams", lambda self: 1 / 0)
    result = command("teams")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "ZeroDivisionError" in result.stderr
    assert "--debug" in result.stderr
    assert "Traceback" in command("teams", "--debug").stderr


# --- lists --------------------------------------------------------------------------------------------------------


def test_lists(command):
    """The lists are tables for people, with every row, and JSON for scripts."""
    assert [line.split()[0] for line in command("reports").stdout.splitlines()[1:]] == list(REPORTS)
    assert {row["name"] for row in json.loads(command("reports", "--json").stdout)} == set(REPORTS)
    assert "North West" in command("teams").stdout
    assert json.loads(command("teams", "--json").stdout)[0]["team_id"] == 6222
    zones = json.loads(command("timezones", "--json").stdout)
    assert len(command("timezones").stdout.splitlines()) == len(zones) + 1
    assert "CONVERSATION_ID" in command("columns", "conversation").stdout
    assert json.loads(command("columns", "conversation", "--json").stdout)["columns"][0]["name"] == "CONVERSATION_ID"
    assert "Did you mean conversation?" in command("columns", "conversatoin").stderr


def test_the_journal(command, journal, folder):
    """Exports that were asked for with a journal are listed by it, and found again instead of started twice."""
    assert command("jobs").exit_code == 2
    for _ in range(2):
        assert command("export", "author", *DAY, "-o", folder / "a.csv", "--journal", journal).exit_code == 0
    found = json.loads(command("jobs", "--journal", journal, "--json").stdout)
    assert [(line["report"], line["state"]) for line in found] == [("author", "saved")]
    assert "saved" in command("jobs", "--journal", journal, "--report", "author").stdout
    assert "--state" in command("jobs", "--journal", journal, "--state", "savd").stderr


def test_a_long_range(command, folder):
    """A plan sends nothing; a backfill lands every window once, and goes on with what is there."""
    week = ("conversation", "--start", "2019-02-01", "--end", "2019-02-04", "--every", "1 day", "--to", folder / "days")
    assert "missing  3" in command("plan", *week).stdout
    assert json.loads(command("backfill", *week, "--json").stdout)["landed"] == [
        "2019-02-01",
        "2019-02-02",
        "2019-02-03",
    ]
    assert "skipped   3" in command("backfill", *week).stdout
    assert "landed  3" in command("plan", *week).stdout
    assert "--every" in command("plan", *week[:-3], "never", "--to", "x").stderr


def test_windows_that_fail(command, sandbox, folder):
    """A backfill with windows that did not land ends with 1, and says how to go on."""
    sandbox.fail("create", faults.HttpStatus(400), times=None)
    result = command("backfill", "conversation", *DAY, "--every", "1 day", "--to", folder / "days", "--attempts", "1")
    assert result.exit_code == 1
    assert "run the same command again" in result.stderr


# --- login and doctor ---------------------------------------------------------------------------------------------


def test_login(command, keyring, sandbox, monkeypatch):
    """A login keeps what the server takes: secrets in the keyring, the rest in a profile, which then is enough."""
    result = command("login", "--profile", "here")
    assert result.exit_code == 0, result.output
    assert set(keyring.known) == {("khoros_analytics/here", "password"), ("khoros_analytics/here", "company_key")}
    config = Path.home() / ".config/khoros_analytics/config.toml"
    assert "hush" not in config.read_text("utf-8")
    for name in ("USERNAME", "PASSWORD", "COMPANY_KEY", "URL"):
        monkeypatch.delenv(f"KHOROS_ANALYTICS_{name}")
    assert command("teams", "--profile", "here").exit_code == 0
    monkeypatch.setenv("KHOROS_ANALYTICS_PROFILE", "here")
    found = command("doctor")
    assert found.exit_code == 0
    for part in ("set, from keyring 'khoros_analytics/here'", f"{sandbox.base_url}, from the profile here", "quota"):
        assert part in found.stdout


def test_login_into_the_file(command, monkeypatch):
    """Without a keyring the file holds the password, for its owner alone; when others can read it, it is refused."""
    monkeypatch.setenv("KHOROS_ANALYTICS_PROFILE", "new")
    assert command("login", "--keep-in", "file").exit_code == 0
    monkeypatch.delenv("KHOROS_ANALYTICS_PASSWORD")
    assert command("teams").exit_code == 0
    config = Path.home() / ".config/khoros_analytics/config.toml"
    config.chmod(0o644)
    result = command("teams")
    assert result.exit_code == 2
    assert "chmod 600" in result.stderr


def test_login_that_is_refused(command, keyring, monkeypatch):
    """Nothing is kept of what the server refuses."""
    monkeypatch.setenv("KHOROS_ANALYTICS_PASSWORD", "another")
    assert command("login").exit_code == 3
    assert keyring.known == {}
    assert not (Path.home() / ".config").exists()


def test_login_without_anybody(command, monkeypatch):
    """Where nobody can be asked, a login says which variables to set."""
    monkeypatch.delenv("KHOROS_ANALYTICS_PASSWORD")
    result = command("login")
    assert result.exit_code == 2
    assert "KHOROS_ANALYTICS_PASSWORD" in result.stderr


def test_questions(command, monkeypatch, keyring):
    """At a terminal what is missing is asked for, and what is secret is not shown."""
    for name in ("PASSWORD", "COMPANY_KEY"):
        monkeypatch.delenv(f"KHOROS_ANALYTICS_{name}")
    for module in ("account", "setup"):
        monkeypatch.setattr(f"khoros_analytics._cli.{module}.somebody_is_there", lambda: True)
    answers = "hush pass/word+ü\nhush key/+=\n"
    assert command("teams", input=answers).exit_code == 0
    assert command("login", input=answers).exit_code == 0
    assert keyring.known["khoros_analytics/default", "password"] == "hush pass/word+ü"
    keyring.known.clear()
    assert command("teams", input="wrong\nwrong\n").exit_code == 3


def test_doctor_of_a_clock_that_is_off(command, clock, monkeypatch):
    """A clock that is far off the server's is a warning."""
    monkeypatch.setattr(clock, "time", lambda: 1_556_712_000 - 3600)
    found = command("doctor")
    assert found.exit_code == 0
    assert "! clock" in found.stdout
    assert "s behind the server's" in found.stdout


def test_doctor_without_anything(command, monkeypatch):
    """What is missing is said line by line, and a proxy's password is not shown."""
    monkeypatch.delenv("KHOROS_ANALYTICS_PASSWORD")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hush@proxy.example:3128")
    monkeypatch.setenv("KHOROS_ANALYTICS_URL", "https://api.example")
    result = command("doctor")
    assert result.exit_code == 2
    assert "x password" in result.stdout
    assert "http://***@proxy.example:3128" in result.stdout
    assert {"password"} == {
        row["topic"] for row in json.loads(command("doctor", "--json").stdout) if row["state"] == "problem"
    }
