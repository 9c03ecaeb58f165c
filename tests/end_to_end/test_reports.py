"""Every report, in both formats: one call that ends in a file."""

from datetime import timedelta

import pytest

from khoros_analytics.reports import REPORTS

FORMATS = ("csv", "json")
ARGUMENTS = {"team_performance_interval": {"time_interval": timedelta(hours=1)}}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", REPORTS)
def test_a_file_for_every_report(run, folder, name, format):
    """Each report's method ends in the very bytes that the server has, with exactly three requests to the API."""
    world = run({"polls": 1, "strict": True})
    method = getattr(world.client, name)

    path = method("2019-02-01", "2019-02-02", format=format, **ARGUMENTS.get(name, {})).download(folder)

    assert path == folder / f"{name}_2019-02-01_2019-02-02.{format}"
    assert path.read_bytes() == world.content()
    assert len(path.read_bytes()) > 1000
    assert world.counts() == world.Counts(create=1, status=1, download=1, file=1)
    assert [record.status for record in world.sandbox.requests] == [200, 200, 302, 200]
    (export,) = world.sandbox.exports
    assert export.report == name
    assert export.arguments["reportFormat"] == (format,)


def test_all_reports_are_tried():
    """The table above holds all 14 reports of the API."""
    assert len(REPORTS) == 14


@pytest.mark.parametrize("name", REPORTS)
def test_start_by_name(run, name):
    """client.start(name) sends just what the report's own method sends."""
    world = run({"polls": 1, "strict": True})
    arguments = {"metrics": ["TIME_ZONE"], "locale": "de", **ARGUMENTS.get(name, {})}

    world.client.start(name, "2019-02-01", "2019-02-02", **arguments)
    getattr(world.client, name)("2019-02-01", "2019-02-02", **arguments)

    one, two = world.sandbox.requests
    assert (one.method, one.path, one.query, one.form) == (two.method, two.path, two.query, two.form)
    assert (one.method, one.path) == (REPORTS[name].verb, f"/api/public{REPORTS[name].path}")


@pytest.mark.parametrize(
    "options",
    [
        {"creation": "ids"},
        {"creation": "download"},
        {"url_origin": "https://internal.example"},
        {"framing": "chunked"},
        {"framing": "close"},
        {"gzip": True},
        {"keep_alive": False},
        {"ranges": False},
        {"validators": False},
        {"empty_links": 3},
        {"rows": 0},
        {"rows": 1},
        {"password": "pä ß+wörd=%😀", "company_key": "key /+&=?#ü"},
        {"requests_per_minute": 20},
    ],
    ids=str,
)
@pytest.mark.parametrize("format", FORMATS)
def test_whatever_the_server_is_like(run, folder, options, format):
    """The file is the same whatever the documentation leaves open: ids alone, other hosts in URLs, encodings."""
    world = run(options)

    path = world.start(format=format).download(folder)

    assert path.read_bytes() == world.content()


def test_what_the_window_sends(world):
    """The start is in, the end is out: the wire gets the millisecond before it, in the zone that was named."""
    job = world.client.conversation("2019-02-01", "2019-05-01", timezone="Europe/Berlin")

    (export,) = world.sandbox.exports
    assert export.arguments["startTime"] == ("1548975600000",)
    assert export.arguments["endTime"] == ("1556661599999",)
    assert export.arguments["timezone"] == ("Europe/Berlin",)
    assert "2019-02-01 to 2019-05-01 (Europe/Berlin, end excluded)" in repr(job)


def test_lookups(world):
    """Teams and time zones come as rows whose fields are the wire's names in snake_case."""
    team, zone = world.client.teams()[0], world.client.timezones(locale="de")[0]

    assert (team.name, zone.id) == ("North West", "Etc/GMT+12")
    assert isinstance(team.team_id, int)
    assert isinstance(zone.offset_millis, int)
    assert ("locale", "de") in world.of("timezones")[0].query
