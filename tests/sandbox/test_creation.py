"""Creation: which calls start an export, and what the others get."""

import pytest
import yaml

from khoros_analytics.reports import REPORTS
from khoros_analytics.sandbox._hosts import checks

BODY = [(name, verb) for name, row in REPORTS.items() for verb, place in row.other_verbs.items() if place == "body"]
BODY.append(("conversation_history_action", "POST"))
VERBS = {"GET", "POST", "PUT", "DELETE", "PATCH"}


def extra(report):
    return {"timeInterval": "86400000"} if report == "team_performance_interval" else {}


def path(report):
    return REPORTS[report].path


@pytest.mark.parametrize("report", [name for name, row in REPORTS.items() if row.sends == "query"])
def test_every_report_starts_by_its_query(caller, report):
    """Each report starts with its documented verb and its arguments in the query, and the export is recorded."""
    row = REPORTS[report]
    wanted = {**caller.key, **caller.window, **extra(report)}
    answer = caller.call(row.verb, row.path, params=wanted)

    assert answer.json()["status"] == "PASS"
    (export,) = caller.sandbox.exports
    assert export.report == report
    assert export.arguments == {wire: (value,) for wire, value in wanted.items()}
    assert (export.workflow_id, export.run_id) == tuple(answer.json()["result"].values())[:2]
    assert export.started == caller.sandbox.clock.time()


@pytest.mark.parametrize(("report", "verb"), BODY)
def test_arguments_in_a_form_body(caller, report, verb):
    """Where the vendor documents a body, the arguments travel in a form and the company key in the query."""
    form = [*caller.window.items(), ("reportMetrics", "A"), ("reportMetrics", "B & ü")]
    answer = caller.call(verb, path(report), params=caller.key, data=form)

    assert answer.json()["status"] == "PASS"
    (record,) = caller.sandbox.requests
    assert list(record.form) == form
    assert caller.sandbox.exports[0].arguments["reportMetrics"] == ("A", "B & ü")


@pytest.mark.parametrize(
    ("report", "verb", "place"), [("conversation", "POST", "data"), *((*each, "params") for each in BODY)]
)
def test_arguments_in_the_wrong_place_are_not_seen(caller, report, verb, place):
    """A query where a form belongs, and a form where a query belongs, is a bad request: the start is missing."""
    options = (
        {"params": caller.key, "data": caller.window}
        if place == "data"
        else {"params": {**caller.key, **caller.window}}
    )
    answer = caller.call(verb, path(report), **options)

    assert (answer.status_code, answer.headers["X-Sandbox-Reason"]) == (400, "startTime is required")


def test_raiselimit_travels_in_the_query(caller):
    """The vendor's curl sample has raiselimit in the query beside a form: there it counts."""
    query = {**caller.key, "raiselimit": "true"}
    caller.call("POST", path("conversation_history_action"), params=query, data=caller.window)

    assert caller.sandbox.exports[0].arguments["raiselimit"] == ("true",)


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("strict", [False, True])
def test_other_verbs_are_refused(run, report, facts, strict):
    """A verb that is not documented gets 405, and Allow names those that are. GET is one of them unless strict."""
    caller = run(strict=strict)
    row = yaml.safe_load((facts / "analytics-reports.yaml").read_text())["reports"][report]
    documented = {row["verb"], *row.get("other_verbs", {})} | (set() if strict else {"GET"})

    for verb in VERBS - documented:
        answer = caller.call(verb, path(report), params={**caller.key, **caller.window, **extra(report)})
        assert answer.status_code == 405
        assert set(answer.headers["Allow"].split(", ")) == documented
    assert caller.sandbox.exports == []


@pytest.mark.parametrize("report", REPORTS)
def test_get_starts_every_report(caller, report):
    """The vendor's development kit starts reports by GET, with all arguments in the query."""
    answer = caller.call("GET", path(report), params={**caller.key, **caller.window, **extra(report)})

    assert answer.json()["status"] == "PASS"
    assert [export.report for export in caller.sandbox.exports] == [report]


@pytest.mark.parametrize(("report", "verb"), [each for each in BODY if each[1] == "POST"])
@pytest.mark.parametrize("strict", [False, True])
def test_arguments_in_a_json_body(run, report, verb, strict):
    """A body is a form, as the vendor shows it, or JSON, as its file declares it: both start the same export."""
    caller = run(strict=strict)
    body = {"startTime": 1551441600000, "endTime": "1556712000000", "reportMetrics": ["TIME_ZONE"], "locale": None}
    answer = caller.call(verb, path(report), params=caller.key, json=body)

    assert answer.json()["status"] == "PASS"
    assert caller.sandbox.exports[0].arguments == {
        "companyKey": (caller.sandbox.company_key,),
        "startTime": ("1551441600000",),
        "endTime": ("1556712000000",),
        "reportMetrics": ("TIME_ZONE",),
    }
    assert ("startTime", "1551441600000") in caller.sandbox.requests[0].form


def test_flags_in_a_json_body(caller):
    """true and false are written as in a query."""
    body = {"startTime": 0, "endTime": 1, "enableBusinessHour": True, "businessHourType": False}
    caller.call("POST", path("conversation_actions"), params=caller.key, json=body)

    arguments = caller.sandbox.exports[0].arguments
    assert (arguments["enableBusinessHour"], arguments["businessHourType"]) == (("true",), ("false",))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "The body is not JSON"),
        (b"", "The body is not JSON"),
        (b"[" * 100_000, "The body is not JSON"),
        (b"\xff\xfe\x00", "The body is not JSON"),
        (b"[]", "The body is not a JSON object"),
        (b'{"startTime": {"a": 1}}', "The body has a value"),
        (b'{"startTime": [[1]]}', "The body has a value"),
        (b'{"locale": "\\ud800"}', "The body has a text that is not Unicode"),
        (b'{"startTime": ' + b"1" * 5000 + b', "endTime": 1}', "startTime cannot be"),
        (b'{"startTime": 1e3, "endTime": 2}', "startTime cannot be"),
        (b'{"startTime": NaN, "endTime": 2}', "startTime cannot be"),
        (b'{"a": [' + b"1," * 10_000 + b"1]}", "The body has more than 10000 parameters"),
    ],
)
def test_json_bodies_that_cannot_be_read(caller, body, reason):
    """JSON that is broken, or no object of plain values, is a bad request with its reason."""
    headers = {"Content-Type": "application/json"}
    answer = caller.call("POST", path("user"), params=caller.key, data=body, headers=headers)

    assert (answer.status_code, answer.text) == (400, "{}")
    assert answer.headers["X-Sandbox-Reason"].startswith(reason)


def test_a_body_that_is_too_long(caller):
    """A creation's arguments have room in 1 MiB, and in 10,000 parameters."""
    for form, status in (
        (b"a=" + b"x" * 1_000_000, 400),
        (b"a=" + b"x" * 1_100_000, 413),
        (b"a=1&" * 10_001, 400),
        (b"a=1&" * 100 + b"startTime=0&endTime=1", 200),
    ):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = caller.call("POST", path("user"), params=caller.key, data=form, headers=headers)
        assert answer.status_code == status


@pytest.mark.parametrize("report", REPORTS)
def test_content_types(caller, report, facts):
    """Each creation's answer has the type that the vendor's file declares for it."""
    row = REPORTS[report]
    for verb, place in {row.verb: row.sends, **row.other_verbs}.items():
        arguments = {**caller.window, **extra(report)}
        options = (
            {"params": caller.key, "data": arguments} if place == "body" else {"params": {**caller.key, **arguments}}
        )
        as_json = report in {"author", "user"} or (report, verb) == ("conversation_actions", "GET")

        answer = caller.call(verb, row.path, **options)
        assert answer.headers["Content-Type"] == ("application/json" if as_json else "text/plain")


@pytest.mark.parametrize(
    "unknown", ["/reports/report/nothing", "/reports/report/marketing/author", "/reports/report/raw_brand_posts"]
)
def test_unknown_report(caller, unknown):
    """A report that does not exist, or not in this folder, gets 404 and an envelope that says FAIL."""
    answer = caller.call("POST", unknown, params={**caller.key, **caller.window})

    assert (answer.status_code, answer.json()["status"]) == (404, "FAIL")


@pytest.mark.parametrize("wire", ["startTime", "endTime"])
def test_the_window_is_required(caller, wire):
    """Without one end of the window nothing starts."""
    assert caller.create(**{wire: None}).status_code == 400
    assert caller.sandbox.exports == []


def test_time_interval_is_required_for_its_report(caller):
    """A report's own required parameter is asked for too."""
    answer = caller.create("team_performance_interval")

    assert (answer.status_code, answer.headers["X-Sandbox-Reason"]) == (400, "timeInterval is required")


@pytest.mark.parametrize(
    ("report", "wrong"),
    [
        ("conversation", {"startTime": "2019-03-01"}),
        ("conversation", {"startTime": "-1"}),
        ("conversation", {"endTime": "9" * 20}),
        ("conversation", {"startTime": "1556712000001"}),
        ("conversation", {"startTime": ["1", "2"]}),
        ("conversation", {"reportFormat": "xml"}),
        ("conversation", {"locale": "jp"}),
        ("conversation", {"timezone": "Mars/Phobos"}),
        ("conversation", {"timezone": "../etc"}),
        ("conversation", {"timezoneOffset": "one hour"}),
        ("conversation", {"timezoneOffset": "86400000"}),
        ("conversation", {"enableBusinessHour": "yes"}),
        ("conversation", {"businessHourType": "true"}),
        ("conversation", {"businessHourType": "true", "enableBusinessHour": "false"}),
        ("conversation", {"priorities": "1,6"}),
        ("conversation", {"priorities": "1,,2"}),
        ("conversation", {"workqueueIds": ""}),
        ("conversation", {"smartViewId": ["a", "b"]}),
        ("conversation", {"reportMetrics": ""}),
        ("conversation", {"conversationReportType": "created"}),
        ("team_performance", {"includeDisabled": "1"}),
        ("team_performance_interval", {"timeInterval": "1000"}),
        ("team_performance_interval", {"timeInterval": "3600000.0"}),
    ],
)
def test_bad_values(caller, report, wrong):
    """A value that cannot be, or two where one belongs, is a bad request that starts nothing."""
    answer = caller.create(report, **{**extra(report), **wrong})

    assert (answer.status_code, answer.text) == (400, "{}")
    assert caller.sandbox.exports == []


def test_without_time_zone_data(caller, monkeypatch):
    """A machine that knows no time zone cannot judge them, and refuses only an empty one."""
    monkeypatch.setattr(checks, "available_timezones", set)

    assert caller.create(timezone="Europe/Berlin").status_code == 200
    assert caller.create(timezone="").status_code == 400


@pytest.mark.parametrize(
    ("report", "right"),
    [
        ("conversation", {"reportFormat": "CSV"}),
        ("conversation", {"locale": "en_US"}),
        ("conversation", {"locale": "tr"}),
        ("conversation", {"timezone": "Etc/GMT+12"}),
        ("conversation", {"timezoneOffset": "-28800000"}),
        ("conversation", {"enableBusinessHour": "true", "businessHourType": "false"}),
        ("conversation", {"priorities": "0,5"}),
        ("conversation", {"workqueueIds": "a,b c"}),
        ("conversation", {"reportMetrics": ["A", "B"]}),
        ("conversation", {"conversationReportType": "CREATED"}),
        ("conversation", {"startTime": "1556712000000"}),
        ("raw_agent_states", {"teamIds": "1,2"}),
        ("response_approval", {"includeDisabled": "true"}),
        ("team_performance_interval", {"timeInterval": "604800001"}),
    ],
)
def test_good_values(caller, report, right):
    """Values that the vendor documents or shows in a sample start an export."""
    assert caller.create(report, **{**extra(report), **right}).json()["status"] == "PASS"


@pytest.mark.parametrize(
    ("days", "interval", "refused"),
    [
        (1, 300_000, False),
        (6, 300_000, False),
        (7, 14_400_000, True),
        (7, 28_800_000, False),
        (27, 43_200_000, False),
        (28, 43_200_000, True),
        (28, 86_400_000, False),
        (365, 604_800_000, False),
    ],
)
def test_intervals_too_short_for_the_window(caller, days, interval, refused):
    """Over a week an interval has at least 8 hours, over a month a day; the window's end is its last millisecond."""
    end = str(1551398400000 + days * 86_400_000 - 1)
    answer = caller.create("team_performance_interval", startTime="1551398400000", endTime=end, timeInterval=interval)

    assert (answer.json()["status"] == "FAIL") is refused


def test_unlisted_parameters_are_recorded(caller):
    """A parameter that the report does not list is let through, as in the vendor's own samples, and can be seen."""
    caller.started(timeInterval="3600000", whatever="ü & x")

    assert caller.sandbox.exports[0].arguments["whatever"] == ("ü & x",)
    assert ("timeInterval", "3600000") in caller.sandbox.requests[0].query


def test_strict_refuses_unlisted_parameters(run):
    """With strict=True such a parameter is a bad request, and a listed one is not."""
    caller = run(strict=True)
    answer = caller.create(timeInterval="3600000")

    assert answer.headers["X-Sandbox-Reason"] == "conversation has no parameter timeInterval"
    assert caller.create(**{"ü\r\nX": "1"}).headers["X-Sandbox-Reason"] == r"conversation has no parameter \xfc\r\nX"
    assert answer.status_code == 400
    assert caller.create(priorities="1").status_code == 200


def test_strict_refuses_unknown_columns(run):
    """With strict=True a column that the sandbox does not know is a bad request; otherwise it is made up."""
    caller = run(strict=True)
    answer = caller.create(reportMetrics=["STATUS", "STATU"])

    assert (answer.status_code, answer.headers["X-Sandbox-Reason"]) == (400, "conversation has no column STATU")
    assert caller.create(reportMetrics=["STATUS", "SUBJECT"]).status_code == 200
    caller.sandbox.strict = False
    assert caller.create(reportMetrics=["STATU"]).status_code == 200


@pytest.mark.parametrize("columns", [["C" * 201], [f"C{number}" for number in range(1001)]])
def test_columns_have_a_bound(caller, columns):
    """A thousand columns with names of 200 letters are enough: a test's server must not eat all memory."""
    form = {**caller.window, "reportMetrics": columns}

    assert caller.call("POST", path("user"), params=caller.key, data=form).status_code == 400


def test_the_default_format_is_json(caller):
    """Without reportFormat the file is JSON, as documented."""
    assert caller.fetch(caller.signed(reportFormat=None)).json()[0]["CONVERSATION_ID"]


def test_two_creations_are_two_exports(caller):
    """There is no idempotency: the same call again starts a second job with other ids."""
    first, second = caller.started(), caller.started()

    assert first["workflowId"] != second["workflowId"]
    assert first["runId"] != second["runId"]
    assert len(caller.sandbox.exports) == caller.sandbox.count("create") == 2
