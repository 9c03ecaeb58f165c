"""Backfills on a sandbox: each window lands once, and what is there is not asked for again."""

import json
import logging
import os
import stat
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from khoros_analytics import (
    AuthenticationError,
    JobFailedError,
    JobTimeoutError,
    ParameterError,
    RequestRejectedError,
    TargetError,
    UntrustedUrlError,
    open_dataset,
)
from khoros_analytics._storage.folder import LocalFolder
from khoros_analytics.sandbox import faults

DAYS = [f"2019-02-0{day}" for day in range(1, 8)]


def sent(record):
    """What a request asked for."""
    return dict((*record.query, *record.form))


def test_every_window_lands_once(landing):
    """Each window is one file named by its date, made with one export of three requests."""
    week = landing()
    result = week.run()
    assert (result.landed, result.empty, result.skipped, result.failed) == (tuple(DAYS), (), (), ())
    assert week.files() == [f"window={day}/conversation.parquet" for day in DAYS]
    assert week.world.counts()[:3] == (7, 7, 7)
    assert result.requests == 21
    assert (result.rows, week.rows().num_rows) == (700, 700)
    assert result.bytes == sum((week.folder / name).stat().st_size for name in week.files())


def test_windows_do_not_overlap(landing):
    """What the server is asked for are the windows, side by side, each end a millisecond before the next start."""
    week = landing()
    week.run()
    asked = sorted((sent(record)["startTime"], sent(record)["endTime"]) for record in week.world.of("create"))
    assert [int(end) + 1 for _, end in asked[:-1]] == [int(start) for start, _ in asked[1:]]


def test_what_has_landed_is_skipped(landing):
    """A second call sends nothing; a longer range exports what is new alone."""
    week = landing()
    week.run()
    before = week.world.counts()
    again = week.run()
    assert (again.skipped, again.requests) == (tuple(DAYS), 0)
    longer = week.run(end="2019-02-10")
    assert longer.landed == ("2019-02-08", "2019-02-09")
    assert week.world.count("create") == before.create + 2


def test_plan_says_what_a_run_does(landing):
    """A plan sends nothing and writes nothing, and names what a run then lands."""
    week = landing()
    plan = week.plan()
    assert (plan.counts(), plan.requests, plan.time) == ({"missing": 7}, 21, timedelta(minutes=21 / 20))
    assert week.world.counts() == week.world.Counts()
    assert not week.folder.exists()
    week.run(end="2019-02-04")
    plan = week.plan()
    assert plan.counts() == {"landed": 3, "missing": 4}
    assert "conversation in" in repr(plan)
    assert "<caption" in plan._repr_html_()


def test_an_empty_window_has_a_line_and_no_file(landing):
    """Windows without rows are known, have no file, and are not exported again."""
    week = landing({"rows": 0})
    result = week.run()
    assert (result.landed, result.empty, week.files()) == ((), tuple(DAYS), [])
    assert week.run().skipped == tuple(DAYS)
    assert open_dataset(week.folder).windows()[0].rows == 0


@pytest.mark.parametrize("save_as", ["csv", "json"])
def test_files_as_they_came(landing, save_as):
    """Saved as CSV or JSON, a window's file is the export itself, byte for byte."""
    week = landing()
    week.run(end="2019-02-02", save_as=save_as)
    assert (week.folder / f"window=2019-02-01/conversation.{save_as}").read_bytes() == week.world.content()
    assert sent(week.world.of("create")[0])["reportFormat"] == save_as


def test_windows_of_hours_are_named_in_utc(landing):
    """Windows shorter than a day are named by their start in UTC."""
    week = landing(timezone="Europe/Berlin")
    week.run(end="2019-02-02", every="6 hours")
    starts = ["20190131T230000Z", "20190201T050000Z", "20190201T110000Z", "20190201T170000Z"]
    assert week.files() == [f"window={start}/conversation.parquet" for start in starts]


def test_files_are_for_their_owner_alone(landing):
    """Rows hold customers' words: files are 0600 and folders 0700."""
    week = landing()
    week.run(end="2019-02-03")
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [week.folder, *week.folder.rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_no_secret_is_written(landing):
    """Nothing in the dataset holds the password or the company key."""
    week = landing()
    week.run(end="2019-02-02")
    settings = week.world.sandbox.settings
    for path in week.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert settings["password"].encode() not in content
            assert settings["company_key"].encode() not in content


# --- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": None}, "every: None is not a length of windows"),
        ({"every": "fortnightly"}, "every: 'fortnightly' is not a length"),
        ({"end": "2019-01-01"}, "is after end"),
        ({"save_as": "parqet"}, "save_as: 'parqet' is not a format of files; did you mean 'parquet'"),
        ({"save_as": "csv", "format": "json"}, "format: 'json' cannot be saved as csv"),
        ({"settle": "soon"}, "settle: 'soon' is not a stretch of time"),
        ({"refresh": "1 month"}, "refresh: '1 month' is not a stretch of time"),
        ({"max_active": 0}, "max_active: 0 is not a whole number"),
        ({"attempts": "3"}, "attempts: '3' is not a whole number"),
        ({"replace": "yes"}, "replace: 'yes' is not a flag"),
        ({"on_update": 5}, "on_update: 5 is not a function"),
        ({"start": "1971-01-01", "every": "1 hour"}, "421,.* windows of 1:00:00 would take at least"),
        ({"start": "1971-01-01", "every": "1 minute"}, "give longer ones"),
        ({"metrik": 5}, "metrik"),
        ({"timezone": "Europe/Berln"}, "did you mean 'Europe/Berlin'"),
    ],
)
def test_wrong_arguments(landing, arguments, message):
    """What cannot be used is named before anything is sent or written."""
    week = landing()
    with pytest.raises(ParameterError, match=message):
        week.run(**arguments)
    assert week.world.counts() == week.world.Counts()
    assert not week.folder.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": ["STATUS"]}, r"metrics \['STATUS'\] instead of \['CONVERSATION_ID'"),
        ({"every": "2 days"}, "every '2 days' instead of '1 day'"),
        ({"save_as": "csv"}, "save_as 'csv' instead of 'parquet'"),
        ({"timezone": "Europe/Berlin"}, "timezone 'Europe/Berlin' instead of"),
        ({"start": "2019-02-01T12:00", "every": "1 day"}, "do not begin at midnight"),
    ],
)
def test_other_arguments_are_refused_by_name(landing, arguments, message):
    """A dataset takes no windows of other arguments; the difference is named, and nothing is lost."""
    week = landing()
    week.run()
    with pytest.raises(TargetError, match=message):
        week.run(**arguments)
    with pytest.raises(TargetError, match=message):
        week.plan(**arguments)
    assert week.rows().num_rows == 700


def test_replace_begins_anew(landing):
    """With replace=True a dataset of other arguments is begun anew."""
    week = landing()
    week.run()
    result = week.run(end="2019-02-03", metrics=["STATUS"], replace=True)
    assert result.landed == ("2019-02-01", "2019-02-02")
    assert week.rows().column_names == ["STATUS", "window"]


def test_windows_that_would_overlap_are_refused(landing):
    """A range that begins in the middle of a landed window would hold its rows twice."""
    week = landing()
    week.run(every="1 week")
    with pytest.raises(TargetError, match="would overlap the one that has landed as 2019-02-01"):
        week.run(start="2019-02-03", every="1 week")


def test_a_last_window_that_was_cut_short_grows(landing):
    """A window that ended with an earlier range is exported anew when a later one makes it longer."""
    week = landing()
    week.run(end="2019-02-03", every="1 week")
    result = week.run(end="2019-02-15", every="1 week")
    assert result.landed == ("2019-02-01", "2019-02-08")
    assert sent(week.world.of("create")[1])["endTime"] == "1549583999999"


def test_a_folder_with_other_files(landing):
    """A folder that holds other data is not touched."""
    week = landing()
    week.folder.mkdir()
    (week.folder / "mine.txt").write_text("mine")
    with pytest.raises(TargetError, match="holds other files"):
        week.run()
    assert [path.name for path in week.folder.iterdir()] == ["mine.txt"]


def test_another_company(landing):
    """A dataset belongs to one company on one server."""
    week, other = landing(), None
    week.run(end="2019-02-02")
    other = week.world.connect(company_key="ANOTHER")
    with pytest.raises(TargetError, match="with other arguments: company"):
        week.run(client=other)


def test_a_dataset_of_another_layout(landing):
    """A layout that this version does not know is refused, not guessed at."""
    week = landing()
    week.run(end="2019-02-02")
    path = week.folder / "_khoros_analytics" / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    with pytest.raises(TargetError, match="another version of this library"):
        week.run()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(landing):
    """A folder without write permission is named before anything is sent."""
    week = landing()
    week.folder.mkdir(0o500)
    with pytest.raises(TargetError, match="read-only"):
        week.run()


# --- time ------------------------------------------------------------------------------------------------------------


def test_now_stops_at_what_is_over(landing):
    """``"now"`` ends with the last window that has been over for an hour; later it goes on from there."""
    week = landing()
    clock = week.world.clock
    start = f"{clock.time() - 3 * 86400:.0f}"
    day = int(float(start)) // 86400 * 86400 * 1000
    first = week.run(start=day, end="now")
    assert len(first.landed) == 3
    clock.sleep(86400)
    assert len(week.run(start=day, end="now").landed) == 1


def test_refresh_exports_recent_windows_anew(landing):
    """Windows that ended within the time are exported anew, the others are not."""
    week = landing()
    clock = week.world.clock
    day = int(clock.time()) // 86400 * 86400 * 1000 - 5 * 86_400_000
    week.run(start=day, end="now")
    result = week.run(start=day, end="now", refresh="2 days")
    assert (len(result.landed), len(result.skipped)) == (2, 3)
    assert week.rows().num_rows == 500


def test_a_window_that_was_not_over(landing):
    """A window that was exported before it had ended lacks its last rows, so it is exported anew."""
    week = landing()
    clock = week.world.clock
    day = int(clock.time()) // 86400 * 86400 * 1000
    week.run(start=day, end=day + 86_400_000)
    clock.sleep(2 * 86400)
    assert len(week.run(start=day, end=day + 86_400_000).landed) == 1


def test_a_deadline(landing):
    """A run that takes longer than its timeout ends with what landed, and the next one goes on."""
    week = landing({"polls": None, "seconds": 100.0})
    with pytest.raises(JobTimeoutError, match="was not over after 60 s\nWhat to do: call it again to go on") as caught:
        week.run(timeout=60)
    assert caught.value.result.landed == ()
    assert len(week.records("running")) == 7
    result = week.run()
    assert (len(result.landed), week.world.count("create")) == (7, 7)


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_one_failure_stops_no_other(landing):
    """A window whose export fails is exported anew, up to three times, and the others land."""
    week = landing()
    week.world.sandbox.fail("create", faults.JobFails("no reason"), times=2)
    assert len(week.run(end="2019-02-02").landed) == 1
    week.world.sandbox.fail("create", faults.JobFails("no reason"), times=1)
    result = week.run(attempts=1)
    assert (len(result.landed), len(result.failed)) == (5, 1)
    assert "no reason" in str(result.failed[0].error)


def test_a_link_that_must_not_be_followed(landing):
    """A window whose link leads to a forbidden place fails; the others land."""
    week = landing()
    week.world.sandbox.fail("download", faults.Redirect("ftp://elsewhere/file"))
    result = week.run(attempts=1)
    assert (len(result.landed), [type(each.error) for each in result.failed]) == (6, [UntrustedUrlError])


def test_refused_credentials_stop_at_once(landing):
    """What would meet every window stops with the first request, and says what had landed."""
    week = landing()
    bad = week.world.connect(password="wrong")
    with pytest.raises(AuthenticationError) as caught:
        week.run(client=bad)
    assert (week.world.count("create"), caught.value.result.landed) == (1, ())


def test_a_refused_argument_stops_at_once(landing):
    """An argument that the server refuses is sent once, not once a window."""
    week = landing()
    week.world.sandbox.fail("create", faults.HttpStatus(400), times=100)
    with pytest.raises(RequestRejectedError):
        week.run()
    assert week.world.count("create") == 1


def test_a_file_that_is_gone_is_noticed(landing):
    """A file that somebody deleted or cut is named, and exported anew with verify=True."""
    week = landing()
    week.run()
    (week.folder / week.files()[2]).unlink()
    with pytest.raises(TargetError, match=r"windows 2019-02-03 are gone or changed.*\n.*verify=True"):
        week.run()
    assert week.run(verify=True).landed == ("2019-02-03",)


def test_a_file_that_was_changed_is_found_by_reading(landing):
    """A file of the same length with other bytes is found with verify=True."""
    week = landing()
    week.run()
    path = week.folder / week.files()[2]
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    assert week.run().skipped == tuple(DAYS)
    assert week.run(verify=True).landed == ("2019-02-03",)
    assert pq.read_table(path).num_rows == 100


def test_an_export_that_never_ends(landing):
    """An export that still runs after six hours is given up, and its window exported anew; the others do not wait."""
    week = landing()
    week.world.sandbox.fail("create", faults.JobNeverEnds())
    result = week.run()
    assert result.landed == tuple(DAYS)
    assert week.world.count("create") == 8
    assert result.seconds >= 6 * 3600


def test_a_secret_in_an_argument(landing):
    """A password among the arguments is refused before anything is written: arguments stand in the dataset."""
    week = landing()
    with pytest.raises(ParameterError, match="holds the password or the company key"):
        week.run(extra={"note": week.world.sandbox.settings["password"]})
    assert not week.folder.exists()


def test_a_window_that_has_become_empty(landing):
    """A window that has no rows any more loses its file; one that a kill left behind is removed by the next run."""
    week = landing()
    day = int(week.world.clock.time()) // 86400 * 86400 * 1000 - 86_400_000
    week.run(start=day, end="now")
    content = (week.folder / week.files()[0]).read_bytes()
    name = week.files()[0]
    week.world.sandbox.rows = 0
    assert week.run(start=day, end="now", refresh="2 days").empty
    assert week.files() == []
    (week.folder / name).parent.mkdir()
    (week.folder / name).write_bytes(content)
    assert week.run(start=day, end="now").requests == 0
    assert week.files() == []


def test_a_run_that_died_behind_its_last_step(landing):
    """A window whose line was written, but whose export is still noted as running, is not fetched again."""
    week = landing()
    week.run(end="2019-02-02")
    line = json.loads((week.folder / "_khoros_analytics/windows/2019-02-01.json").read_text())
    noted = {name: line[name] for name in ("key", "start_ms", "end_ms", "job")}
    path = week.folder / "_khoros_analytics/running/2019-02-01.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**noted, "token": "khoros2.x"}))
    assert week.run(end="2019-02-02").skipped == ("2019-02-01",)
    assert week.records("running") == []


def test_a_replacement_that_was_killed_goes_on(landing, monkeypatch):
    """Killed while a dataset is begun anew, the next run with replace=True begins it anew all the same."""
    week = landing()
    week.run()
    remove, removed = LocalFolder.remove, []

    def killed(folder, name):
        removed.append(name)
        if len(removed) > 9:
            raise KeyboardInterrupt
        remove(folder, name)

    monkeypatch.setattr(LocalFolder, "remove", killed)
    with pytest.raises(KeyboardInterrupt):
        week.run(metrics=["STATUS"], replace=True)
    monkeypatch.setattr(LocalFolder, "remove", remove)
    with pytest.raises(TargetError, match="with other arguments"):
        week.run(metrics=["STATUS"])
    week.run(metrics=["STATUS"], replace=True)
    assert week.rows().column_names == ["STATUS", "window"]
    assert week.rows().num_rows == 700


@pytest.mark.parametrize("save_as", ["parquet", "csv"])
@pytest.mark.parametrize("name", ["window", "WINDOW"])
def test_a_column_with_the_name_of_the_folders(landing, name, save_as):
    """A column of the name that each dataset has by its folders is refused: nothing lands, and the run ends there."""
    week = landing()
    week.world.sandbox.fail("file", faults.RawAnswer(200, f"{name},A\n1,2\n".encode()), times=None)
    with pytest.raises(ParameterError, match=f"the export has a column '{name}'"):
        week.run(save_as=save_as, max_active=1)
    assert week.files() == []
    assert week.world.count("create") <= 2  # the second was started while the first one's file came


@pytest.mark.parametrize("key", ["../../mine", "", "2019-02-01/x", "2019-2-1"])
def test_a_line_that_leads_out_of_the_folder(landing, key):
    """A record whose window has a name that none has is as if it were not there: a name becomes part of a path."""
    week = landing()
    week.run(end="2019-02-02")
    records = week.folder / "_khoros_analytics" / "windows"
    line = json.loads((records / "2019-02-01.json").read_text())
    (records / "other.json").write_text(json.dumps({**line, "key": key}))
    assert [window.key for window in open_dataset(week.folder).windows()] == ["2019-02-01"]


def test_two_at_once(landing):
    """A second backfill into the same dataset is refused, and names who is at work."""
    week = landing()
    problems = []

    def second(_progress):
        with pytest.raises(TargetError, match=f"is being worked on by process {os.getpid()} on ") as caught:
            week.run()
        problems.append(caught.value)

    week.run(end="2019-02-02", on_update=second)
    assert problems
    assert week.run().skipped == ("2019-02-01",)


def test_progress_and_log(landing, caplog):
    """The progress counts up to all windows, and each landed window is one line in the log, no poll is."""
    week = landing()
    seen = []
    with caplog.at_level(logging.INFO, "khoros_analytics"):
        week.run(on_update=seen.append)
    last = seen[-1]
    assert (last.windows, last.landed, last.failed, last.active, last.rows) == (7, 7, 0, 0, 700)
    assert last.requests == 21
    assert 0 < last.quota <= 1
    assert seen[0].landed == 0
    lines = [record.getMessage() for record in caplog.records]
    assert sum("landed, 100 rows" in line for line in lines) == 7
    assert not [line for line in lines if "poll" in line]


def test_ctrl_c(landing):
    """Ctrl-C ends the run, and says what landed, what goes on, and how to go on."""
    week = landing({"polls": None, "seconds": 100.0})
    seen = []

    def interrupt(progress):
        seen.append(progress)
        if len(seen) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"0 of 7 windows have landed, 4 exports go on"):
        week.run(on_update=interrupt)
    assert len(week.run().landed) == 7
    assert week.world.count("create") == 7


def test_forget(landing, caplog):
    """Windows that are too old go with their lines, and the log says which."""
    week = landing()
    week.run()
    with caplog.at_level(logging.INFO, "khoros_analytics"):
        gone = open_dataset(week.folder).forget("2019-02-04")
    assert [window.key for window in gone] == DAYS[:3]
    assert week.files() == [f"window={day}/conversation.parquet" for day in DAYS[3:]]
    assert "window 2019-02-01 removed, 100 rows" in caplog.text
    assert week.records("windows") == DAYS[3:]


def test_reading(landing):
    """A dataset opens for Arrow, all of it or the windows of a time."""
    week = landing()
    week.run()
    dataset = open_dataset(week.folder)
    assert repr(dataset).startswith("<Dataset of conversation in ")
    assert dataset.read().count_rows() == 700
    assert dataset.read("2019-02-02", "2019-02-04").to_table()["window"].unique().to_pylist() == DAYS[1:3]
    with pytest.raises(ParameterError, match="start: 'soon' is not a time"):
        dataset.read("soon")
    with pytest.raises(TargetError, match="holds no dataset"):
        open_dataset(week.folder / "nowhere")


def test_raise_if_failed(landing):
    """A result with failures raises the first one's error, which carries the result; one without returns itself."""
    week = landing()
    result = week.run()
    assert result.raise_if_failed() is result
    week.world.sandbox.fail("create", faults.JobFails(), times=None)
    failed = week.run(end="2019-02-09", attempts=1)
    with pytest.raises(JobFailedError) as caught:
        failed.raise_if_failed()
    assert caught.value.result is failed
    assert "2019-02-08" in failed._repr_html_()


def test_no_length_of_windows(world, folder):
    """A call without ``every`` says what one looks like, before anything is sent."""
    with pytest.raises(ParameterError, match="every: None is not a length of windows; give a text such as '6 hours'"):
        world.client.backfill("conversation", "2019-02-01", "2019-02-04", to=folder)
    assert world.count("create") == 0
