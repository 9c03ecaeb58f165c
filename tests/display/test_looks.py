"""What values look like: tables that a screen reader can read, in the light and in the dark, and short texts."""

import json
import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from khoros_analytics import Client, ConfigurationError, ParameterError, Plan, Team, Teams, TimeZones
from khoros_analytics._tables import MOST_ROWS, Table, as_html, as_text
from khoros_analytics.reports import REPORTS
from khoros_analytics.sandbox import faults

DAY = ("2019-02-01", "2019-02-02")
HOSTILE = '<script>alert("x")</script>&amp;\x1b[31m\ud800\0'


class Page(HTMLParser):
    """Reads HTML strictly: what is not closed, and what could load or run something, is an error."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.scopes, self.cells, self.captions = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        assert tag in {"div", "table", "caption", "thead", "tbody", "tr", "th", "td"}
        assert set(given) <= {"style", "scope", "colspan"}
        assert not re.search(r"url|#|rgb|background|(?<!inherit)color:(?!inherit)", given.get("style", ""))
        assert ("scope" in given) == (tag == "th")
        self.open.append(tag)
        self.tags.append(tag)
        {"th": self.cells, "td": self.cells, "caption": self.captions}.get(tag, []).append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        texts = self.captions if self.open[-1] == "caption" else self.cells
        texts[-1] += data


@pytest.fixture
def values(world, tmp_path):
    """One of each value that shows itself."""
    client = world.connect(journal=tmp_path / "exports.sqlite")
    world.sandbox.fail("create", faults.JobFails("<i>no</i>"))
    range_ = ("2019-02-01", "2019-02-04")
    result = client.backfill("conversation", *range_, every="1 day", to=tmp_path / "data", attempts=1)
    job = client.conversation(*DAY, metrics=["STATUS"], extra={"x": "<b>"}).wait()
    return {
        "client": client,
        "reports": client.reports(),
        "report": REPORTS["response"],
        "job": job,
        "jobs": client.jobs(),
        "columns": client.columns("user"),
        "plan": client.plan("conversation", "2019-02-01", "2019-02-09", every="1 day", to=tmp_path / "data"),
        "result": result,
        "teams": client.teams(),
        "zones": client.timezones(),
    }


def test_every_value_is_a_readable_table(values):
    """Each table has a caption, its headers say what they head, nothing is loaded, and no colour is set."""
    for name, value in values.items():
        page = Page(value._repr_html_())
        assert page.tags.count("caption") == page.tags.count("table") >= 1, name
        assert all(page.captions), name


def test_what_is_shown(values):
    """The tables hold what one wants to know of each value."""
    cells = {name: Page(value._repr_html_()).cells for name, value in values.items()}
    assert cells["client"][:2] == ["user", "sandbox"]
    assert "14; client.reports() shows them" in cells["client"]
    assert re.search(r"20 requests a minute, \d+ of them free now", " ".join(cells["client"]))
    assert {"conversation (Raw Conversations)", "STATUS", "x=<b>", "CLOSED COMPLETED"} <= set(cells["job"])
    assert any(cell.startswith("on the server until 2019-05-02") for cell in cells["job"])
    assert {"2 windows, 200 rows"} <= {", ".join(cell.split(", ")[:2]) for cell in cells["result"]}
    assert "2019-02-01" in cells["result"]
    assert {"landed", "2 windows", "missing", "6 windows"} <= set(cells["plan"])
    assert {"North West", "6222", "Pacific/Apia", "+14:00"} <= {*cells["teams"], *cells["zones"]}
    assert {"AGENT_EMAIL", "(looks personal)"} <= set(cells["columns"])
    assert {"conversation", "ready"} <= set(cells["jobs"])


def test_all_reports_are_shown(values):
    """The table of reports has all 14, each with its verb, what it holds, its parameters and known columns."""
    page = Page(values["reports"]._repr_html_())
    lines = repr(values["reports"]).splitlines()
    assert page.tags.count("tr") == len(lines) - 1 == len(REPORTS) + 1
    for report in REPORTS.values():
        row = page.cells[page.cells.index(report.name) :][:5]
        assert row[:3] == [report.name, report.title, report.verb]
        assert report.metrics[0].name in row[4]
        named = row[3].replace("standard", page.captions[0].partition(": ")[2]).split(", ")
        assert sorted(named) == sorted(report.keywords)
        assert re.search(rf"^{report.name}  .*{report.title}  .*{report.verb} ", "\n".join(lines), re.MULTILINE)


def test_a_row_of_the_table(values):
    """A report's own row shows all of its parameters with what they are called on the wire, and every known column."""
    cells = Page(values["report"]._repr_html_()).cells
    assert {name.partition(" ")[0] for name in cells} >= {"start", "end", *REPORTS["response"].keywords}
    assert {metric.name for metric in REPORTS["response"].metrics} <= set(cells)
    assert {"enableBusinessHour, businessHourType", "workqueueIds"} <= set(cells)
    assert "time_interval (required)" in Page(REPORTS["team_performance_interval"]._repr_html_()).cells
    assert repr(values["report"]) == "<Report response: Raw Response, POST /reports/report/response>"


def test_slices_look_the_same(values):
    """A part of a list of the library is such a list, and equal to the part of a plain one."""
    for name in ("jobs", "columns", "teams", "zones"):
        whole = values[name]
        part = whole[1:]
        assert type(part) is type(whole)
        assert list(part) == list(whole)[1:]
        assert whole[0] == next(iter(whole))
        assert Page(part._repr_html_()).tags.count("tr") == len(whole)
        assert len(repr(part).splitlines()) == len(whole) + 1
    assert values["teams"] == list(values["teams"])


def test_hostile_texts():
    """Whatever a server or a file name says is text, in a notebook, in a terminal, and in a file in UTF-8."""
    teams = Teams([Team(HOSTILE, None, HOSTILE, None, {"a": 1})])
    page = Page(teams._repr_html_())
    assert page.cells[-4:] == [r'<script>alert("x")</script>&amp;\x1b[31m\ud800\x00', "{'a': 1}", "", page.cells[-1]]
    for text in (repr(teams), teams._repr_html_()):
        assert text.encode()
        assert not set(text) & {"\x1b", "\0", "\ud800"}
    assert Page(as_html(Table(HOSTILE, (HOSTILE,), [(HOSTILE,)], 1))).cells[0].startswith("<script>")


def test_long_lists_are_cut():
    """A long list shows its beginning, and says how to see the others."""
    zones = TimeZones([*TimeZones()] * 0)
    assert repr(zones) == "<0 time zones>"
    teams = Teams([Team("u", number, "Team", None, 1) for number in range(1250)])
    assert Page(teams._repr_html_()).tags.count("tr") == MOST_ROWS + 2
    assert "and 1,150 more; a slice, such as [100:200], shows them" in teams._repr_html_()
    assert repr(teams).endswith("and 1,150 more; a slice, such as [100:200], shows them")
    assert repr(teams[100:102]).splitlines()[2].startswith("100 ")


def test_long_cells_of_a_terminal():
    """What would break the lines of a terminal is shortened, but for the last column, such as a path."""
    text = as_text(Table("files", ("name", "path"), [("x" * 200, "/" + "y" * 100)], 1))
    assert text.splitlines()[2].split() == ["x" * 57 + "...", "/" + "y" * 100]


def test_short_texts(values):
    """The others say in one line what they are."""
    assert repr(values["client"]).startswith("<Client sandbox at http://127.0.0.1:")
    assert (
        repr(values["job"]) == "<Job conversation 2019-02-01 to 2019-02-02 (UTC, end excluded), csv: CLOSED COMPLETED>"
    )
    assert repr(values["plan"]).startswith("<Plan of conversation in ")
    assert repr(values["result"]).startswith("<BackfillResult of conversation in ")
    assert all(len(repr(values[name]).splitlines()) == 1 for name in ("client", "job", "plan", "result", "report"))


def test_plan_that_is_done():
    """A plan of nothing has no table of windows."""
    page = Page(Plan("user", "data", (), 0, timedelta())._repr_html_())
    assert page.captions == ["Plan of a backfill of user"]


def test_reports_is_a_mapping():
    """The table of reports is read as any mapping, cannot be changed, and Tab completes its keys."""
    assert REPORTS["user"].title == REPORTS.get("user").title == "User"
    assert ("nobody" in REPORTS, len(REPORTS), REPORTS._ipython_key_completions_()) == (False, 14, list(REPORTS))
    assert dict(REPORTS) == REPORTS
    with pytest.raises(KeyError):
        REPORTS["nobody"]
    with pytest.raises(TypeError):
        REPORTS["user"] = None


# --- mistakes --------------------------------------------------------------------------------------------------------


def wrong_call(client):
    return client.start("conversaton", *DAY)


@pytest.mark.parametrize(
    "make",
    [
        wrong_call,
        lambda client: client.author("yesterday", "today"),
        lambda client: client.plan("user", *DAY, every="x", to="a"),
        lambda client: client.author(*DAY).to_arrow(types={"A": "money"}),
        lambda _client: Client(region="mars"),
    ],
    ids=["report", "moments", "plan", "types", "client"],
)
def test_a_mistake_of_the_caller_stands_alone(client, make):
    """A notebook shows of a wrong argument the caller's own lines and the message, and no line of the library."""
    with pytest.raises((ParameterError, ConfigurationError)) as caught:
        make(client)
    text = "\n".join(caught.value._render_traceback_())
    assert set(re.findall(r'File ".*?(\w+/\w+\.py)"', text)) == {"display/test_looks.py"}
    assert text.count("Traceback") == 1
    assert str(caught.value) in text
    assert ("wrong_call" in text) is (make is wrong_call)


def test_a_mistake_that_no_line_led_to():
    """An error that was never raised, or far from any line of the caller's, is shown as it is."""
    assert ParameterError("no")._render_traceback_() == ["khoros_analytics.errors.ParameterError: no\n"]


CELLS = {
    "client": """
        from khoros_analytics import Client
        from khoros_analytics.reports import REPORTS
        from khoros_analytics.sandbox import Sandbox
        sandbox = Sandbox(polls=1)
        sandbox.start()
        client = Client(**sandbox.settings, journal="exports.sqlite", progress=False)
        client
        """,
    "reports": "REPORTS",
    "report": "client.reports()['user']",
    "job": "client.conversation('2019-02-01', '2019-02-02')",
    "ready": "_.wait()",
    "columns": "client.columns('conversation')",
    "some columns": "client.columns('conversation')[:2]",
    "jobs": "client.jobs()[:2]",
    "teams": "client.teams()[1:]",
    "zones": "client.timezones()",
    "plan": "client.plan('user', '2019-02-01', '2019-02-03', every='1 day', to='users')",
    "result": "client.backfill('user', '2019-02-01', '2019-02-03', every='1 day', to='users')",
}


@pytest.mark.slow
def test_in_a_notebook(run_notebook):
    """In a notebook that runs without a browser each value is a table, beside its text; no secret is kept."""
    wrong = "def ask():\n    client.plan('user', '2019-02-01', '2019-02-03', every='never', to='users')\nask()"
    cells = run_notebook({**CELLS, "wrong": wrong})
    mistake = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(cells.pop("wrong").outputs[0].traceback))
    assert len(mistake.splitlines()) < 16, mistake
    assert "khoros_analytics/" not in mistake
    assert "every: 'never' is not a length of windows" in mistake
    for name, cell in cells.items():
        assert cell.error() == "", cell.outputs
        [table], [text] = cell.cards(), cell.texts()
        assert Page(table).captions, name
        assert text.startswith("<"), name
        assert not re.search("sandbox-password|SANDBOX-COMPANY|Signature=|companyKey=", json.dumps(cell.outputs))
