"""A week: the rows are those of a care team, and all reports tell of the same conversations."""

import csv
import io
import itertools
import statistics
from collections import Counter, defaultdict
from datetime import UTC, datetime

import pytest

from khoros_analytics.reports import REPORTS
from khoros_analytics.sandbox._data.export_spec import ExportSpec
from khoros_analytics.sandbox._data.lookups import TEAMS
from khoros_analytics.sandbox._data.rhythm import Rhythm

DAY = 86_400_000
MONDAY = 1_551_657_600_000  # 4 March 2019
PER_EVENT = sorted(set(REPORTS) - {"author", "team_performance", "team_performance_interval", "user"})


def rows_of(report, start=MONDAY, days=7.0, rows=None, **extra):
    """Return the rows of an export as dictionaries."""
    spec = ExportSpec(report, start, start + round(days * DAY) - 1, "csv", rows=rows, **extra)
    return list(csv.DictReader(io.StringIO(spec.body().content().decode(), newline="")))


@pytest.fixture(scope="module")
def week():
    """All reports of a week, each of its natural length."""
    return {report: rows_of(report) for report in REPORTS}


def moments(rows, name):
    return [datetime.fromisoformat(row[name]) for row in rows if row[name]]


@pytest.mark.parametrize("report", PER_EVENT)
@pytest.mark.parametrize("cut", [3.0, 0.5, 6.00007])
def test_two_windows_hold_what_one_holds(week, report, cut):
    """Windows that meet, whichever is asked first, hold the rows of the one that covers both."""
    later = rows_of(report, MONDAY + round(cut * DAY), 7 - cut)
    assert rows_of(report, days=cut) + later == week[report]


def test_totals_of_two_windows_add_up():
    """What counts over a window counts in two halves of it what it counts in all."""
    halves = zip(rows_of("team_performance", days=3), rows_of("team_performance", MONDAY + 3 * DAY, 4), strict=True)
    sums = [int(one["RESPONSE_COUNT"]) + int(other["RESPONSE_COUNT"]) for one, other in halves]
    assert sums == [int(row["RESPONSE_COUNT"]) for row in rows_of("team_performance")]


def test_days_and_hours_have_a_rhythm():
    """Mondays are busy and weekends quiet, noon is busy and nights are quiet; no two Mondays are alike."""
    start = MONDAY // 1000
    began = [datetime.fromtimestamp(each, UTC) for each in Rhythm(0).moments(start, start + 12 * 7 * 86_400 - 1)]
    days = Counter(moment.weekday() for moment in began)
    hours = Counter(moment.hour for moment in began)

    assert max(days, key=days.get) == 0
    assert days[5] + days[6] < days[0]
    assert sum(hours[hour] for hour in range(5)) * 8 < sum(hours[hour] for hour in range(9, 14))
    assert len(set(Counter(moment.date() for moment in began if moment.weekday() == 0).values())) > 6
    assert began == sorted(set(began))


def test_responses_are_quick_with_a_long_tail(week):
    """Half of the answers come within minutes, the mean lies far above, and teams differ."""
    teams = {row["AGENT_ID"]: row["TEAM_NAME"] for row in week["user"]}
    waits = defaultdict(list)
    for row in week["response"]:
        waits[teams[row["responding_agent_display_id"]]].append(float(row["response_tar"]))

    assert len(waits) == 3
    for each in waits.values():
        assert 300 < statistics.median(each) < statistics.mean(each)
        assert max(each) > 10 * statistics.median(each)
    medians = sorted(map(statistics.median, waits.values()))
    assert medians[-1] > 2 * medians[0]


def test_ids_agree_between_reports(week):
    """A conversation's posts and responses exist, with its author and its agent, as often as it says."""
    conversations = {row["CONVERSATION_ID"]: row for row in week["conversation"]}
    posts = {row["POST_ID"]: row for row in week["incoming_post"]}
    agents = {row["AGENT_ID"]: row for row in week["user"]}
    authors = {row["AUTHOR_ID"] for row in week["author"]}
    counted = Counter(row["CONVERSATION_ID"] for row in week["incoming_post"])

    assert len(conversations) == len(week["conversation"])
    assert counted == {each: int(row["POST_COUNT"]) for each, row in conversations.items()}
    assert {row["AUTHOR_ID"] for row in week["incoming_post"]} == authors
    for row in week["response"]:
        parent = conversations[row["conversation_id"]]
        assert parent["ASSIGNED_AGENT_DISPLAY_ID"] == row["responding_agent_display_id"]
        assert agents[row["responding_agent_display_id"]]["AGENT_EMAIL"] == row["responding_agent_email"]
        if not row["lsw_responded_to_external_post_id"]:
            continue
        post = posts[row["lsw_responded_to_external_post_id"]]
        assert post["CONVERSATION_ID"] == row["conversation_id"]
        assert post["POST_CONTENT"] == row["lsw_responded_to_post_content"]
        assert post["PUBLISHED_DATE"] == row["lsw_responded_to_post_published_time"] < row["response_published_date"]


def test_work_agrees_between_reports(week):
    """Agents' states add up to their total time, teams' counts to the responses and to the closed conversations."""
    states = defaultdict(float)
    for row in week["raw_agent_states"]:
        states[row["agent_id"]] += float(row["state_seconds"] or 0)
    teams, intervals = week["team_performance"], week["team_performance_interval"]

    assert states == {row["AGENT_ID"]: pytest.approx(float(row["TOTAL_SECONDS"])) for row in week["user"]}
    for rows in (teams, intervals):
        assert sum(int(row["RESPONSE_COUNT"]) for row in rows) == len(week["response"])
        closed = [row for row in week["conversation"] if row["STATUS"] == "CLOSED"]
        assert sum(int(row["CLOSED_COUNT"]) for row in rows) == len(closed)
    assert {int(row["TEAM_ID"]): row["TEAM_NAME"] for row in teams} == {each["teamId"]: each["name"] for each in TEAMS}
    assert len({row["INTERVAL_START_DATE"] for row in intervals}) == 7


def test_actions_follow_each_other(week):
    """A conversation's actions are in order, and answers come before the end."""
    for _, group in itertools.groupby(week["conversation_history_action"], key=lambda row: row["CONVERSATION_ID"]):
        actions = list(group)
        dates = [row["ACTION_DATE"] for row in actions]
        assert dates == sorted(dates)
        assert [int(row["ACTION_ORDER"]) for row in actions] == list(range(1, len(actions) + 1))


def test_so_many_rows_have_the_same_rhythm_and_ids():
    """An export of so many rows is spread over its window as the week wants it, and joins with the others."""
    conversations = rows_of("conversation", rows=700)
    days = Counter(moment.weekday() for moment in moments(conversations, "CREATED_DATE"))
    ids = {row["CONVERSATION_ID"] for row in conversations}

    assert days[0] > 1.8 * days[5]
    for report, name in (("response", "conversation_id"), ("incoming_post", "CONVERSATION_ID")):
        assert {row[name] for row in rows_of(report, rows=700)} <= ids


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize(("start", "length"), [(0, 1), (1, 1), (MONDAY + 7, 3), (0, 253_370_764_799_999)])
def test_any_window_has_rows(report, start, length):
    """A window of a millisecond and one of eight thousand years have as many rows as are asked for, at once."""
    spec = ExportSpec(report, start, start + length - 1, "csv", rows=20)
    assert len(list(csv.reader(io.StringIO(spec.body().content().decode(), newline="")))) == 21


@pytest.mark.parametrize("report", REPORTS)
def test_a_window_in_which_nothing_happened(report):
    """Of its natural length, a report of a second in which nobody wrote is empty, or counts nothing."""
    rows = rows_of(report, MONDAY, 1 / 86_400)
    assert not rows or report in ("team_performance", "team_performance_interval", "user")
    assert all(row.get("RESPONSE_COUNT", "0") == "0" for row in rows)
