"""What keeps a display up to date never gets into the way of what is displayed."""

import logging
import threading

import pytest

from khoros_analytics import Client, ConfigurationError
from khoros_analytics._display import live, screens
from khoros_analytics._display.live import shown
from khoros_analytics._display.snapshot import Snapshot, bytes_in_words, error_in_words, one_line, time_in_words


def end(error):
    return Snapshot(title="it", state=f"ended: {error!r}")


def test_is_kept_up_to_date(look_on):
    """Another thread draws what has changed, and only that; then the end is drawn, and nothing more."""
    screen, state = look_on(), ["0"]
    with shown(None, lambda: Snapshot(title="it", state=state[0]), end):
        for number in range(3):
            assert screen.news.acquire(timeout=20)
            state[0] = str(number + 1)
    assert screen.states() == ["0", "1", "2", *(["3"] if "3" in screen.states() else []), "ended: None"]
    assert screen.closed
    assert not watchers()


def watchers():
    """The threads that still draw, once they had the time to end."""
    found = [thread for thread in threading.enumerate() if thread.name == "khoros_analytics progress"]
    for thread in found:
        thread.join(timeout=20)
    return [thread for thread in found if thread.is_alive()]


@pytest.mark.parametrize("fails", [{1}, {2}])
def test_error_of_a_screen(look_on, caplog, fails):
    """An error of a screen breaks no wait: it is in the log once, at DEBUG, and nothing more is drawn."""
    screen = look_on(fails)
    with caplog.at_level(logging.DEBUG, "khoros_analytics"), shown(None, lambda: Snapshot(title="it", state="on"), end):
        pass
    assert len(screen.drawn) == max(fails)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "the progress is not shown: OSError: the screen broke")
    ]


@pytest.mark.parametrize("where", ["find", "look", "end"])
def test_error_elsewhere(monkeypatch, look_on, caplog, where):
    """Nor does an error of what finds the screen, or of what is to be shown."""

    def fail(*_):
        raise ValueError("broken")

    look_on()
    if where == "find":
        monkeypatch.setattr(live, "find_screen", fail)
    with caplog.at_level(logging.DEBUG, "khoros_analytics"):
        good = lambda: Snapshot(title="it", state="on")  # noqa: E731
        with shown(None, fail if where == "look" else good, fail if where == "end" else end):
            pass
    assert [record.getMessage() for record in caplog.records] == ["the progress is not shown: ValueError: broken"]


def test_error_of_the_wait(look_on):
    """An error of the wait goes its way, and the end that is drawn knows it."""
    screen = look_on()
    with pytest.raises(LookupError), shown(None, lambda: Snapshot(title="it", state="on"), end):
        raise LookupError("gone")
    assert screen.states() == ["on", "ended: LookupError('gone')"]


def test_screen_that_takes_nothing(look_on, monkeypatch):
    """A screen that hangs holds the end of a wait up for a moment only."""
    stuck, free = threading.Event(), threading.Event()
    screen = look_on()
    monkeypatch.setattr(live, "_PATIENCE", 0.01)

    def hang(snapshot):
        if threading.current_thread() is not threading.main_thread():
            stuck.set()
            free.wait(20)

    monkeypatch.setattr(screen, "draw", hang)
    numbers = iter(range(1000))
    with shown(None, lambda: Snapshot(title="it", state=str(next(numbers))), end):
        assert stuck.wait(20)
    free.set()
    assert not watchers()
    assert not screen.closed


def test_short_block(look_on):
    """What is over before its delay is not shown at all."""
    screen = look_on()
    with shown(None, lambda: Snapshot(title="it", state="on"), end, delay=60):
        pass
    assert not watchers()
    assert screen.drawn == []
    assert not screen.closed


def test_long_block(look_on):
    """What takes longer than its delay is shown from then on, and how it ended."""
    screen = look_on()
    with shown(None, lambda: Snapshot(title="it", state="on"), end, delay=0.001):
        assert screen.news.acquire(timeout=20)
    assert screen.states() == ["on", "ended: None"]


def test_nobody_looks(monkeypatch):
    """Where nobody looks there is no thread, and nothing is asked."""
    monkeypatch.setattr(screens.sys, "stderr", None)
    before = set(threading.enumerate())
    with shown(None, lambda: pytest.fail("looked"), lambda _: pytest.fail("looked")):
        assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("wrong", ["yes", 1, 0.5])
def test_wrong_flag(sandbox, wrong):
    """Anything but True, False and None is refused by a client."""
    with pytest.raises(ConfigurationError, match=r"progress: .* is not a flag"):
        Client(**sandbox.settings, progress=wrong)


def test_library_is_missing(sandbox, monkeypatch):
    """Who insists on a line without the library for it is told which extra to install."""
    monkeypatch.setitem(screens.sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r'pip install "khoros_analytics\[progress\]"'):
        Client(**sandbox.settings, progress=True)
    Client(**sandbox.settings).close()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (59.4, "59 s"), (65, "1 min 5 s"), (120, "2 min"), (3660, "1 h 1 min"), (90_000, "1 d 1 h")],
)
def test_time_in_words(seconds, words):
    """The longer a time is, the coarser it is said."""
    assert time_in_words(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (27_000_000, "27.0 MB")]
)
def test_bytes_in_words(count, words):
    """A number of bytes has the unit in which it is read best."""
    assert bytes_in_words(count) == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [("two\nlines", "two lines"), ("\x1b[31mred\x1b]0;title\x07", "[31mred ]0;title"), ("\udcff", "\\udcff")],
)
def test_one_line(text, shown):
    """Texts of servers and names of files cannot move the cursor, change colours, or break what writes them."""
    assert one_line(text) == shown


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyboardInterrupt("job 1 goes on"), "interrupted"),
        (ValueError("job 1: broken\nWhat to do: mend it"), "ValueError: broken"),
        (LookupError(), "LookupError"),
    ],
)
def test_error_in_words(error, words):
    """What ended a wait is said in one line: the message that is raised says the rest."""
    assert error_in_words(error, "job 1") == words
