"""Every row of the table against the vendor's facts."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml
from attrs import evolve, fields

from khoros_analytics import Team, TimeZone
from khoros_analytics.reports import API_PREFIX, BASE_URLS, REPORTS, REQUESTS_PER_MINUTE, Kind, Metric

FACTS = yaml.safe_load((Path(__file__).parent / "facts" / "analytics-reports.yaml").read_text(encoding="utf-8"))
GENERATOR = Path(__file__).parent.parent / "khoros_analytics" / "_client" / "generate.py"

# The two flags of business hours are one choice in Python.
ONE_CHOICE = {"enableBusinessHour": ("true", "true"), "businessHourType": ("true", "false")}
PYTHON_NAMES = {
    "startTime": "start",
    "endTime": "end",
    "reportFormat": "format",
    "reportMetrics": "metrics",
    "enableBusinessHour": "business_hours",
    "businessHourType": "business_hours",
    "teamId": "team_ids",
    "agentId": "agent_ids",
    "raiselimit": "raise_limit",
}


def snake(wire):
    return re.sub(r"([A-Z])", r"_\1", wire).lower()


def parameters():
    """Every distinct parameter of the table, with its report's name for messages."""
    rows = {row.wire: row for report in REPORTS.values() for row in report.parameters}
    return sorted(rows.values(), key=lambda row: row.wire)


def fact_metrics(name):
    """What the facts name for one report: pairs of name and label, and the source of each."""
    found = {}
    for group in (name, "any"):
        known = FACTS["metrics"].get(group)
        if known:
            labels = known.get("labels") or [None] * len(known["names"])
            source = known["source"].split(",")[0]
            found |= {metric: (label, source) for metric, label in zip(known["names"], labels, strict=True)}
    return found


def test_reports():
    """The table has the reports of the facts, all of them, in their order."""
    assert list(REPORTS) == list(FACTS["reports"])
    assert all(report.name == name for name, report in REPORTS.items())


@pytest.mark.parametrize("name", FACTS["reports"])
def test_row(name):
    """Title, verbs and the place of the arguments are those of the facts."""
    report, fact = REPORTS[name], FACTS["reports"][name]
    assert (report.title, report.verb) == (fact["title"], fact["verb"])
    assert dict(report.other_verbs) == fact.get("other_verbs", {})
    assert report.sends == ("body" if fact["sends"].startswith("form body") else "query")


@pytest.mark.parametrize("name", FACTS["reports"])
def test_path(name):
    """The path is the facts' pattern with the report's name in it."""
    pattern = FACTS["paths"][FACTS["reports"][name].get("path", "default")]
    assert REPORTS[name].path == pattern.format(report=name)


@pytest.mark.parametrize("name", FACTS["reports"])
def test_parameters(name):
    """A report takes exactly the parameters of the facts, and needs exactly those that they call required."""
    report, fact = REPORTS[name], FACTS["reports"][name]
    wires = [row.wire for row in report.parameters]
    assert sorted(wires) == sorted([*fact["parameters"], *fact.get("also", [])])
    needed = [row.wire for row in report.parameters if row.name in report.required]
    assert needed == fact.get("required", [])


@pytest.mark.parametrize("name", FACTS["reports"])
def test_what_stays_in_the_query(name):
    """Where arguments travel in the body, the company key and what the facts name stay in the query."""
    fact = FACTS["reports"][name]["sends"]
    expected = {"companyKey"} | set(re.findall(r"(\w+) in the query", fact))
    assert {row.wire for row in REPORTS[name].parameters if row.in_query} == expected


def test_every_fact_is_used():
    """No documented parameter is left out of the table, and it has no other."""
    assert [row.wire for row in parameters()] == sorted(FACTS["parameters"])


@pytest.mark.parametrize("row", parameters(), ids=lambda row: row.wire)
def test_python_name(row):
    """A keyword is the wire's name in snake_case, but for the few that the API makes awkward."""
    assert row.name == PYTHON_NAMES.get(row.wire, snake(row.wire))


@pytest.mark.parametrize("row", parameters(), ids=lambda row: row.wire)
def test_kind(row):
    """How a parameter is written follows from its type and its list form in the facts."""
    fact = FACTS["parameters"][row.wire]
    by_type = {
        "string": Kind.TEXT,
        "boolean": Kind.FLAG,
        "epoch milliseconds": Kind.EPOCH,
        "milliseconds": Kind.MILLISECONDS,
        "time zone id": Kind.ZONE,
    }
    expected = Kind.CHOICE if isinstance(fact["type"], list) else by_type.get(fact["type"])
    if fact.get("list") == "comma-separated":
        expected = Kind.COMMA
    elif "list" in fact:
        expected = Kind.REPEATED
    if row.wire in ONE_CHOICE:
        assert (fact["type"], row.sent_as) == ("boolean", ONE_CHOICE[row.wire])
        expected = Kind.CHOICE
    if row.wire == "locale":
        expected = Kind.LANGUAGE  # the vendor's samples also send a country with it
    assert row.kind is expected


@pytest.mark.parametrize("row", parameters(), ids=lambda row: row.wire)
def test_choices(row):
    """The allowed values are those of the facts, whoever documents none allows any."""
    fact = FACTS["parameters"][row.wire]["type"]
    expected = fact if isinstance(fact, list) else ["0", "1", "2", "3", "4", "5"] if fact == "0..5" else []
    if row.wire in ONE_CHOICE:
        expected = ["within", "outside"]
    assert sorted(row.choices) == sorted(expected)
    assert len(row.sent_as) in (0, len(row.choices))


@pytest.mark.parametrize("row", parameters(), ids=lambda row: row.wire)
def test_steps(row):
    """Only the time interval is bound to a list of durations, and it is the list of the facts."""
    assert list(row.steps) == FACTS["parameters"][row.wire].get("values", [])


@pytest.mark.parametrize("row", parameters(), ids=lambda row: row.wire)
def test_meaning(row):
    """Each parameter says what it does, and what the server does without it where the facts say so."""
    default = FACTS["parameters"][row.wire].get("default")
    assert row.meaning[0].isupper()
    assert not row.meaning.endswith(".")
    if isinstance(default, str) and row.wire != "reportFormat":  # this library has its own default there
        assert default in row.meaning
    assert row.unit == ("milliseconds" if "milliseconds" in str(FACTS["parameters"][row.wire]["type"]) else "")


@pytest.mark.parametrize("name", FACTS["reports"])
def test_metrics(name):
    """The known metrics of a report are those that a source names, with label and source, and no invention."""
    found = {metric.name: (metric.label, metric.source) for metric in REPORTS[name].metrics}
    assert found == fact_metrics(name)
    assert len(found) == len(REPORTS[name].metrics)


def test_metrics_of_no_other_report():
    """Every group of metrics in the facts belongs to a report of the table, or to all."""
    assert set(FACTS["metrics"]) - {"any"} <= set(REPORTS)


def test_servers():
    """The regions are those of the facts, and so are prefix and rate limit."""
    assert dict(BASE_URLS) == {name: url for name, url in FACTS["servers"].items() if name != "other"}
    assert FACTS["prefix"] == API_PREFIX
    assert FACTS["rate_limit"].startswith(f"{REQUESTS_PER_MINUTE} requests per minute")


@pytest.mark.parametrize(("row", "name"), [(Team, "teams"), (TimeZone, "timezones")])
def test_lookup_rows(row, name):
    """A look-up's row has the facts' fields, in snake_case."""
    assert [field.name for field in fields(row)] == [snake(wire) for wire in FACTS["lookups"][name]["row"]]


@pytest.mark.parametrize("table", [REPORTS, BASE_URLS, REPORTS["user"].other_verbs])
def test_read_only(table):
    """Nobody can change the table by accident."""
    with pytest.raises(TypeError):
        table["another"] = None


def test_a_new_row_is_all_it_takes():
    """A report that is added to the table gets its method, its metrics and its constants without further work."""
    spec = importlib.util.spec_from_file_location("generator_for_the_table", GENERATOR)
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    added = evolve(REPORTS["user"], name="raw_survey", title="Raw Survey", metrics=(Metric("SCORE", "Survey Score"),))

    before, after = generator.render(list(REPORTS.values())), generator.render([*REPORTS.values(), added])

    for line in (
        "    def raw_survey(",
        '    "Survey Score",',
        '    SCORE: Final = "SCORE"',
        "        agent_ids: Texts",
    ):
        assert after.count(line) == before.count(line) + 1, line
    assert "    raw_survey: Final = _RawSurveyMetrics" in after
    compile(after, "report_methods.py", "exec")
