"""Several programs, each a process of its own, on one account whose quota they cannot all have: no export is lost."""

import pytest

QUOTA = 20
EXPORTS = 8


PROGRAM = """
import threading

client = connect(clock=QuickClock(), requests_per_minute=ARGUMENTS["limit"])
files, errors = [], []


def export(number):
    try:
        job = client.conversation(*WINDOW, priorities=[number % 3 + 1])
        files.append(str(job.download(Path(ARGUMENTS["folder"]) / f"{number}.csv")))
    except BaseException as error:
        errors.append(repr(error))


threads = [threading.Thread(target=export, args=(number,)) for number in range(ARGUMENTS["exports"])]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
say(files=files, errors=errors)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "account", [((20, 20), False), ((20, 20), True), ((20, 20, 20), False), ((60, 5), True)], ids=str
)
def test_several_programs(run, launch, tmp_path, quick_clock, account):
    """Programs that each export eight things at once, on an account for one of them, all get all of their files; each
    export is started once, and the account is hardly ever asked for more than it allows.
    """
    limits, retry_after = account
    world = run(
        {"clock": quick_clock, "polls": None, "seconds": 20, "requests_per_minute": QUOTA, "retry_after": retry_after}
    )
    programs = []
    for number, limit in enumerate(limits):
        folder = tmp_path / str(number)
        folder.mkdir()
        programs.append(launch(world, PROGRAM, folder=str(folder), exports=EXPORTS, limit=limit))
    said = [program.facts() for program in programs]

    assert [facts["errors"] for facts in said] == [[]] * len(limits)
    assert [len(facts["files"]) for facts in said] == [EXPORTS] * len(limits)
    assert len(world.sandbox.exports) == EXPORTS * len(limits)
    assert sorted(path.read_bytes() for path in tmp_path.rglob("*.csv")) == sorted(
        export.content() for export in world.sandbox.exports
    )
    records = [record for record in world.sandbox.requests if record.phase != "file"]
    minutes = [int((record.time - records[0].time) // 60) for record in records]
    beyond = [minute for minute in range(max(minutes) + 1) if minutes.count(minute) > QUOTA]
    refused = sum(record.status == 429 for record in records)
    assert refused <= len(records) / 3
    assert len(beyond) <= 4
    # On a slow machine the programs may keep out of each other's way.
    assert any("does another program use this account?" in facts["log"] for facts in said) is (refused > 0)
