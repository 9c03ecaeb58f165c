"""What a notebook shows of a wait, while it goes on and when it is saved."""

import re
from html.parser import HTMLParser

import pytest

pytestmark = pytest.mark.slow

BEGINNING = """
    import signal, threading
    from concurrent.futures import ThreadPoolExecutor
    from khoros_analytics import Client
    from khoros_analytics._display import live, screens
    from khoros_analytics.sandbox import Sandbox, faults

    sandbox = Sandbox(polls=3)
    sandbox.start()
    client = Client(**sandbox.settings)
    clock = sandbox.clock
    DAY = ("2019-02-01", "2019-02-02")
"""
CELLS = {
    "beginning": BEGINNING,
    "wait": "client.conversation(*DAY).wait();",
    "again": "job = client.conversation(*DAY).wait(); job.wait(); job.to_pandas(); job.download('there.csv');",
    "download": "client.response(*DAY).download('responses.csv');",
    "rows": "rows = list(client.author(*DAY).rows())",
    "pandas": "frame = client.user(*DAY).to_pandas()",
    "parquet": "client.user(*DAY).to_parquet('users.parquet');",
    "drawn meanwhile": """
        drawn, draw, live._EVERY = threading.Semaphore(0), screens._Notebook.draw, 0.001
        def counted(screen, snapshot):
            draw(screen, snapshot)
            drawn.release()
        screens._Notebook.draw = counted
        def dawdle(job):
            clock.sleep(5)  # so that there is something new to draw
            while drawn.acquire(blocking=False):
                pass
            assert drawn.acquire(timeout=20)
        client.conversation("2019-03-01", "2019-03-02").wait(on_update=dawdle)
        screens._Notebook.draw, live._EVERY = draw, 0.5;
    """,
    "threads": """
        with ThreadPoolExecutor(3) as pool:
            paths = list(pool.map(lambda day: client.combined(day, day + 86_400_000).download(), [
                1_551_398_400_000 + 86_400_000 * number for number in range(3)]))
    """,
    "backfill": "client.backfill('response', '2019-02-01', '2019-02-05', every='1 day', to='responses');",
    "interrupted": """
        job = client.conversation("2019-04-01", "2019-04-02")
        print(job.token)
        job.wait(on_update=lambda _: signal.raise_signal(signal.SIGINT))
    """,
    "interrupted backfill": """
        client.backfill('author', '2019-02-01', '2019-02-05', every='1 day', to='authors',
                        on_update=lambda _: signal.raise_signal(signal.SIGINT))
    """,
    "timed out": """
        sandbox.fail("create", faults.JobNeverEnds())
        client.conversation("2019-04-02", "2019-04-03").wait(timeout=60)
    """,
    "failed": """
        sandbox.fail("create", faults.JobFails("<script>alert('no space')</script>"))
        client.conversation("2019-04-03", "2019-04-04").to_pandas()
    """,
    "off": "Client(**sandbox.settings, progress=False).conversation('2019-04-05', '2019-04-06').wait();",
}


@pytest.fixture(scope="module")
def cells(run_notebook):
    """All cells, run once."""
    return run_notebook(CELLS)


@pytest.mark.parametrize("name", ["wait", "again", "download", "rows", "pandas", "parquet", "backfill"])
def test_one_card(cells, name):
    """Whatever waits shows one card, which is replaced in place; what is there already is not waited for."""
    cell = cells[name]
    assert cell.error() == ""
    assert len(cell.displays()) == (2 if name == "again" else 1)
    assert set(cell.updates()) == set(cell.displays())
    assert len(cell.cards()) == len(cell.displays())


def test_says_how_it_ended(cells):
    """In a saved notebook a card says how it ended, in HTML and as text."""
    assert cells["wait"].texts()[0].startswith("conversation 2019-02-01 to 2019-02-02: ready, 9 s")
    assert cells["download"].texts()[0].startswith("response 2019-02-01 to 2019-02-02: downloaded, responses.csv, ")
    assert cells["backfill"].texts()[0].startswith("backfill of response: 4 windows landed, 400 rows")
    for name in ("wait", "download", "rows", "pandas", "parquet", "backfill"):
        assert 'class="khoros-analytics-card done"' in cells[name].cards()[0]
        assert "<progress" not in cells[name].cards()[0]


def test_is_drawn_meanwhile(cells):
    """It is replaced again and again by another thread, in the output of the cell that waits."""
    cell = cells["drawn meanwhile"]
    assert cell.error() == ""
    assert len(cell.displays()) == 1
    assert len(cell.updates()) >= 4


def test_threads_have_a_card_each(cells):
    """Exports that are waited for by several threads do not share a card."""
    cell = cells["threads"]
    assert cell.error() == ""
    assert len(set(cell.displays())) == len(cell.displays()) == 3
    assert sorted(re.findall(r"combined (\S+) to", " ".join(cell.texts()))) == [
        "2019-03-01",
        "2019-03-02",
        "2019-03-03",
    ]
    assert all("downloaded" in text for text in cell.texts())


def test_interrupt_says_how_to_go_on(cells):
    """After an interrupt of the kernel the card says that the export goes on, and how to go on with it."""
    cell = cells["interrupted"]
    token = cell.outputs[0].text.strip()
    assert cell.error() == "KeyboardInterrupt"
    assert 'class="khoros-analytics-card stopped"' in cell.cards()[0]
    assert "interrupted" in cell.cards()[0]
    assert f"client.job('{token}')" in cell.texts()[0]
    assert f"client.job(&#x27;{token}&#x27;)" in cell.cards()[0]


def test_interrupted_backfill_says_how_to_go_on(cells):
    """After an interrupt the card of a backfill says that the same call goes on."""
    cell = cells["interrupted backfill"]
    assert cell.error() == "KeyboardInterrupt"
    assert "interrupted" in cell.cards()[0]
    assert "the same call goes on from here" in cell.cards()[0]


def test_time_is_over(cells):
    """A wait whose time is over leaves a card that says so, and how to go on."""
    cell = cells["timed out"]
    assert cell.error() == "JobTimeoutError"
    assert 'class="khoros-analytics-card stopped"' in cell.cards()[0]
    assert "JobTimeoutError: not ready after 60 s, last seen as RUNNING" in cell.cards()[0]
    assert "client.job(" in cell.texts()[0]


def test_failed(cells):
    """An export that failed leaves a card that says why, without a way on; texts of the server are no HTML."""
    cell = cells["failed"]
    assert cell.error() == "JobFailedError"
    assert 'class="khoros-analytics-card failed"' in cell.cards()[0]
    assert "&lt;script&gt;" in cell.cards()[0]
    assert "<script" not in cell.cards()[0]
    assert "it has ended without a file" in cell.cards()[0]
    assert "client.job(" not in cell.texts()[0]


def test_off(cells):
    """Without progress a notebook shows nothing."""
    assert cells["off"].outputs == []


class Outline(HTMLParser):
    """The tags of a page, each with its attributes, and what is open when it ends."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", [name for name in CELLS if name not in ("beginning", "off")])
def test_html_of_a_card(cells, name):
    """A card is whole HTML that loads nothing and runs nothing; a screen reader hears its state and reads its table."""
    for card in cells[name].cards():
        outline = Outline(card)
        assert outline.open == []
        names = {tag for tag, _ in outline.tags}
        assert names <= {"div", "style", "p", "strong", "progress", "table", "tbody", "tr", "th", "td", "code"}
        assert not re.search(r"https?:|url\(|@import| on\w+=", card)
        assert ("p", {"role": "status"}) in outline.tags
        assert all(attributes == {"scope": "row"} for tag, attributes in outline.tags if tag == "th")


@pytest.mark.parametrize("name", list(CELLS))
def test_no_secret(cells, name):
    """Neither the password, nor the company key, nor a signed link is anywhere in what a notebook keeps."""
    kept = str(cells[name].outputs) + str(cells[name].sent)
    assert "sandbox-password" not in kept
    assert not re.search("analyticsAccessToken|/exports/", kept)
    assert name == "beginning" or "SANDBOX-COMPANY" not in kept
