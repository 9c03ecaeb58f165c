"""The quota on clocks that the tests advance: the limit holds for any 60 seconds, and nobody is overtaken."""

import gc
import heapq
import logging
import os
import signal
import threading
import time
import weakref
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from khoros_analytics import Client, JobTimeoutError
from khoros_analytics._clock import Clock, Deadline
from khoros_analytics._http.credentials import account_id
from khoros_analytics._http.quota import Quota, quota_for
from khoros_analytics.sandbox import VirtualClock

FOREVER = 10**9
WAIT_FOR_THREADS = 30  # how long a broken test hangs before it fails


class SteppedClock(VirtualClock):
    """A clock on which sleepers sleep until the test moves it on, so that the test knows who waits."""

    def __init__(self):
        super().__init__()
        self.finished = 0
        self._changed = threading.Condition()
        self._sleepers = []

    def sleep(self, seconds):
        woken = threading.Event()
        with self._changed:
            self._sleepers.append((self._now + seconds, woken))
            self._changed.notify_all()
        assert woken.wait(WAIT_FOR_THREADS)

    def finish(self):
        """One thread has come to its end."""
        with self._changed:
            self.finished += 1
            self._changed.notify_all()

    def settle(self, threads):
        """Wait until each thread sleeps or has finished."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._sleepers) + self.finished == threads, WAIT_FOR_THREADS)

    def advance(self, seconds):
        with self._changed:
            self._now += seconds
            due = [woken for until, woken in self._sleepers if until <= self._now]
            self._sleepers = [(until, woken) for until, woken in self._sleepers if until > self._now]
        for woken in due:
            woken.set()


def use(share, clock, took=0.0):
    """Make one request; return when it started and when its answer began."""
    share.acquire(Deadline(clock, FOREVER))
    started = clock.monotonic()
    if took:
        clock.sleep(took)
    answered = clock.monotonic()
    share.release()
    return started, answered


def most_at_once(requests, window=60.0):
    """The largest number of requests that a server could see in any window: each somewhere between its two times."""
    starts = sorted(started for started, _ in requests)
    # Just as a request starts, all count that were not answered a whole window ago.
    return max(sum(began <= now < answered + window for began, answered in requests) for now in starts)


@pytest.fixture
def clock():
    return VirtualClock()


def test_no_wait_below_the_limit(clock):
    """As many requests as the limit allows start at once."""
    share = Quota(clock).share(20)
    waits = [share.acquire(Deadline(clock, FOREVER)) for _ in range(20)]
    assert waits == [0.0] * 20


def test_the_next_one_waits(clock):
    """One more waits until the first has left the window, which begins with its answer."""
    share = Quota(clock).share(2)
    use(share, clock, took=7.0)
    use(share, clock)
    assert share.acquire(Deadline(clock, FOREVER)) == pytest.approx(60.0)


@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.floats(0, 40), st.floats(0, 100)), min_size=1, max_size=60),
)
@example(20, [(0.0, 0.0)] * 60)
@example(1, [(59.999, 0.001)] * 5)
@example(3, [(0.0, 61.0)] * 10)
def test_never_more_than_the_limit(limit, rhythm):
    """However requests come, and however long their answers take, no 60 seconds of the server's see more."""
    clock = VirtualClock()
    share = Quota(clock).share(limit)
    made = []
    for idle, took in rhythm:
        clock.sleep(idle)
        made.append(use(share, clock, took))
    assert most_at_once(made) <= limit


@given(st.integers(1, 20), st.integers(0, 100))
def test_no_time_is_lost(limit, more):
    """A client that always has something to ask gets its whole quota: it waits for nothing else."""
    clock = VirtualClock()
    share = Quota(clock).share(limit)
    began = clock.monotonic()
    for _ in range(limit + more):
        use(share, clock)
    minutes = (limit + more - 1) // limit
    assert clock.monotonic() - began == pytest.approx(60.0 * minutes)


def test_threads_share_the_limit():
    """Any number of threads together make no more requests than one."""
    clock = VirtualClock()
    quota = Quota(clock)
    made = []

    def work(share):
        made.extend(use(share, clock, took=0.3) for _ in range(6))

    threads = [threading.Thread(target=work, args=(quota.share(5),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_FOR_THREADS)
    # What is seen from outside is later than a start and earlier than an answer, so compare them in order.
    starts, answers = sorted(started for started, _ in made), sorted(answered for _, answered in made)
    assert len(made) == 48
    assert all(start >= answers[number] + 60.0 - 1e-6 for number, start in enumerate(starts[5:]))


def test_first_come_first_served():
    """Whoever came first goes first, whatever the threads' scheduling."""
    clock = SteppedClock()
    quota = Quota(clock)
    share = quota.share(1)
    use(share, clock)
    served = []

    def work(name):
        share.acquire(Deadline(clock, FOREVER))
        served.append(name)
        share.release()
        clock.finish()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for number, thread in enumerate(threads, 1):
        thread.start()
        clock.settle(number)
    while clock.finished < len(threads):
        clock.advance(2.5)
        clock.settle(len(threads))
    assert served == list(range(6))


def test_lowest_limit_wins(clock):
    """Where the limits of an account's clients differ, the lowest holds for all."""
    quota = Quota(clock)
    generous, strict = quota.share(20), quota.share(3)
    assert [use(generous, clock)[0] - clock.monotonic() for _ in range(3)] == [0.0] * 3
    assert generous.acquire(Deadline(clock, FOREVER)) == pytest.approx(60.0)
    assert strict.limit == 3


def test_a_limit_ends_with_its_client(clock):
    """The limit of a client that is gone does not hold any more."""
    quota = Quota(clock)
    generous, strict = quota.share(4), quota.share(1)
    use(strict, clock)
    del strict
    gc.collect()
    assert [generous.acquire(Deadline(clock, FOREVER)) for _ in range(3)] == [0.0] * 3


def test_deadline(clock):
    """A wait ends at its deadline, with an error that says what it was for, and leaves the queue behind it."""
    quota = Quota(clock)
    share = quota.share(1)
    use(share, clock)
    began = clock.monotonic()
    with pytest.raises(JobTimeoutError, match="the time was up while waiting for the quota of 1 requests a minute"):
        share.acquire(Deadline(clock, 12.0))
    assert clock.monotonic() - began == pytest.approx(12.0)
    assert share.acquire(Deadline(clock, FOREVER)) == pytest.approx(48.0)


def test_interruption(clock):
    """A wait that is interrupted leaves the queue, so that nobody waits behind it for ever."""
    quota = Quota(clock)
    share = quota.share(1)
    use(share, clock)

    class Interrupting(VirtualClock):
        def sleep(self, seconds):
            raise KeyboardInterrupt

    quota._clock = Interrupting(clock.monotonic())
    with pytest.raises(KeyboardInterrupt):
        share.acquire(Deadline(clock, FOREVER))
    quota._clock = clock
    assert share.acquire(Deadline(clock, FOREVER)) == pytest.approx(60.0)


def test_long_waits_are_logged(clock, caplog):
    """A wait of more than a second is logged once, a short one is not."""
    caplog.set_level(logging.INFO, "khoros_analytics")
    share = Quota(clock).share(2)
    use(share, clock)
    clock.sleep(59.5)
    use(share, clock)
    use(share, clock)
    assert caplog.messages == []
    use(share, clock)
    assert caplog.messages == ["a request: waiting 60 s for the quota of 2 requests a minute"]


def test_one_quota_per_account(clock):
    """Clients of the same server and company share a quota; those of another one, or on another clock, do not."""
    account = account_id("https://a.example", "key")
    share = quota_for(account, clock, 20)
    assert quota_for(account_id("https://a.example", "key"), clock, 5).quota is share.quota
    assert quota_for(account_id("https://b.example", "key"), clock, 20).quota is not share.quota
    assert quota_for(account_id("https://a.example", "another"), clock, 20).quota is not share.quota
    assert quota_for(account, VirtualClock(), 20).quota is not share.quota


def test_clients_share_a_quota():
    """Clients of one account that bring no clock of their own share its quota; the lowest of their limits holds."""
    first, second = (Client("user", "password", "key", requests_per_minute=limit) for limit in (20, 7))
    shares = [client._transport._share for client in (first, second)]
    assert shares[0].quota is shares[1].quota
    assert shares[0].quota._limit() == 7


def test_quota_outlives_its_clients(clock):
    """A new client of the same account still waits for what an earlier one asked."""
    share = quota_for("an account", clock, 1)
    use(share, clock)
    del share
    gc.collect()
    assert quota_for("an account", clock, 1).acquire(Deadline(clock, FOREVER)) == pytest.approx(60.0)


def test_keys_are_not_kept(clock, monkeypatch):
    """No company key can be read from what the process remembers of its accounts."""
    kept, account = {}, account_id("https://a.example", "the company key")
    monkeypatch.setattr("khoros_analytics._http.quota._quotas", kept)
    quota_for(account, Clock(), 20)
    share = quota_for(account, clock, 20)
    assert len(kept) == len(vars(clock)["_quotas"]) == 1
    assert "the company key" not in f"{vars(clock)}"
    assert "the company key" not in f"{kept} {vars(share)} {vars(share.quota)}"


def test_forgotten_accounts_take_no_memory():
    """An account that nobody uses any more is forgotten once its last request is a minute old."""
    clock = VirtualClock()
    for number in range(50):
        use(quota_for(str(number), clock, 20), clock)
        clock.sleep(61)
    assert len(vars(clock)["_quotas"]) <= 2


def test_forgotten_clocks_take_no_memory():
    """What counts on a clock of one's own goes with that clock."""
    clock = VirtualClock()
    use(quota_for("an account", clock, 20), clock)
    gone = weakref.ref(clock)
    del clock
    gc.collect()
    assert gone() is None


def test_a_request_during_which_the_machine_slept(clock):
    """A request counts from its answer on, even if hours passed in the middle of it."""
    share = Quota(clock).share(2)
    use(share, clock, took=7200.0)
    use(share, clock)

    began = clock.monotonic()
    share.acquire(Deadline(clock, FOREVER))

    assert clock.monotonic() - began >= 60


# --- refusals --------------------------------------------------------------------------------------------------------


def ask(share, clock, status=200, retry_after=None, *, deadline=FOREVER):
    """Make one request that gets an answer; return when it started."""
    share.acquire(Deadline(clock, deadline))
    started = clock.monotonic()
    share.release(status, retry_after)
    return started


@pytest.mark.parametrize(("asked", "pause"), [(None, 60), (0, 0), (7, 7), (90, 90), (120, 120), (9000, 120)])
def test_a_refusal_pauses_everybody(clock, caplog, asked, pause):
    """After a 429 the whole account waits for as long as the server asks, up to two minutes, or for a whole window."""
    quota = Quota(clock)
    first, second = quota.share(20), quota.share(20)
    refused = ask(first, clock, 429, asked)
    assert ask(second, clock) - refused == pytest.approx(pause, abs=0.1)
    said = "the server says that there were too many requests: does another program use this account?"
    assert caplog.messages == [f"{said} Waiting {pause} s, then going slower for a while"]


@pytest.mark.parametrize("asked", [None, 60.0])
def test_half_the_rate_after_a_refusal(clock, asked):
    """After the pause half the limit holds, and grows back within ten minutes; never to more."""
    share = Quota(clock).share(20)
    ask(share, clock, 429, asked)
    times = [ask(share, clock) for _ in range(300)]
    minute = [sum(start <= then < start + 60 for then in times) for start in (times[0] + 60 * n for n in range(14))]
    assert minute[0] == 10
    assert minute == sorted(minute)
    assert minute[5] in (13, 14, 15)
    assert set(minute[11:]) == {20}


def test_each_refusal_halves_the_rate(clock):
    """Where half is still too much, because others share the account, the rate goes down until there is room."""
    share = Quota(clock).share(40)
    for limit in (20, 10, 5, 2, 1, 1):
        ask(share, clock, 429)
        ask(share, clock)
        assert share.quota._limit() == limit


@pytest.mark.parametrize("asked", [None, 0.0, 1.0, 60.0])
def test_a_server_that_refuses_on(clock, asked):
    """Where refusal follows refusal, one request at a time finds out when it is over: less than one and a half in a
    minute, whatever Retry-After says, and the rate is halved just once.
    """
    share = Quota(clock).share(20)
    began = clock.monotonic()
    times = [ask(share, clock, 429, asked) for _ in range(40)]
    assert times[-1] - times[10] >= 29 * 59
    assert times[-1] - began >= 30 * 60
    assert times[-1] - began <= 40 * 60
    ask(share, clock)
    assert share.quota._limit() == 10


def test_one_asks_alone():
    """After a pause one request finds out whether there is room; the others follow when it was let through."""
    clock = SteppedClock()
    quota = Quota(clock)
    share = quota.share(20)
    ask(share, clock, 429)
    asked, answered = [], threading.Semaphore(0)

    def work():
        share.acquire(Deadline(clock, FOREVER))
        asked.append(clock.monotonic())
        if len(asked) == 1:
            clock.sleep(3.0)
        share.release(200)
        answered.release()
        clock.finish()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    clock.settle(len(threads))
    began = clock.monotonic()
    while clock.finished < len(threads):
        clock.advance(0.5)
        clock.settle(len(threads))
    assert min(asked) - began == pytest.approx(60, abs=5)
    assert sorted(asked)[1] >= asked[0] + 3.0


def test_what_was_under_way(clock):
    """Refusals of requests that were under way when the first one came are one event: one pause, half the rate."""
    quota = Quota(clock)
    share = quota.share(20)
    go, seen = threading.Barrier(9), threading.Semaphore(0)

    def work():
        share.acquire(Deadline(clock, FOREVER))
        go.wait(WAIT_FOR_THREADS)
        share.release(429)
        seen.release()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    go.wait(WAIT_FOR_THREADS)
    for thread in threads:
        thread.join(WAIT_FOR_THREADS)
    began = clock.monotonic()
    assert ask(share, clock) - began == pytest.approx(60)
    assert quota._limit() == 10


def test_a_late_refusal(clock):
    """A refusal that comes after the pause, of a request from before it, pauses nobody again."""
    quota = Quota(clock)
    share = quota.share(20)
    acquired, go = threading.Event(), threading.Event()

    def work():
        share.acquire(Deadline(clock, FOREVER))
        acquired.set()
        assert go.wait(WAIT_FOR_THREADS)
        share.release(429)

    thread = threading.Thread(target=work)
    thread.start()
    assert acquired.wait(WAIT_FOR_THREADS)
    clock.sleep(1)
    ask(share, clock, 429)
    clock.sleep(61)
    go.set()
    thread.join(WAIT_FOR_THREADS)
    before = clock.monotonic()
    assert ask(share, clock) == before


def test_a_deadline_within_a_pause(clock):
    """Who gets no room before the deadline is told why, and what to look for."""
    share = Quota(clock).share(20)
    ask(share, clock, 429)
    with pytest.raises(JobTimeoutError, match="too many requests; does another program use this account"):
        ask(share, clock, deadline=30)


def test_a_probe_that_never_ends(clock, monkeypatch):
    """A request that an interrupt left without an end holds the others up for a minute at most."""
    monkeypatch.setattr("khoros_analytics._http.quota._ANSWER_POLL", 0.0)
    share = Quota(clock).share(20)
    ask(share, clock, 429)
    share.acquire(Deadline(clock, FOREVER))  # and no release
    began = clock.monotonic()
    assert ask(share, clock) - began <= 62


def play(limits, server, *, told, hours=2):
    """Let programs that always have something to ask share an account; return all attempts as (time, admitted)."""
    clocks = [VirtualClock() for _ in limits]
    shares = [Quota(clock).share(limit) for clock, limit in zip(clocks, limits, strict=True)]
    end = clocks[0].monotonic() + hours * 3600
    admitted, attempts, due = [], [], []

    def next_turn(number):
        shares[number].acquire(Deadline(clocks[number], FOREVER))
        heapq.heappush(due, (clocks[number].monotonic(), number))

    for number in range(len(limits)):
        next_turn(number)
    while due[0][0] < end:
        now, number = heapq.heappop(due)
        admitted = [then for then in admitted if now - then < 60]
        let_through = len(admitted) < server
        attempts.append((now, let_through))
        if let_through:
            admitted.append(now)
        shares[number].release(*((200,) if let_through else (429, 60 - now + admitted[0] if told else None)))
        clocks[number].sleep(0.05)
        next_turn(number)
    return attempts


@pytest.mark.parametrize("told", [False, True], ids=["", "Retry-After"])
@pytest.mark.parametrize(
    ("limits", "server"),
    [((20, 20), 20), ((20, 20, 20), 20), ((20, 5), 20), ((20,), 5), ((60, 60), 20), ((20, 20, 20, 20), 6)],
    ids=str,
)
def test_several_programs_on_one_account(limits, server, told):
    """Programs that share an account, or were given a limit above the server's, find a rate by the refusals alone:
    few requests are refused, and little of the quota is left unused.
    """
    attempts = play(limits, server, told=told)
    began = attempts[0][0]
    admitted = sum(let_through for _, let_through in attempts)
    minutes = Counter(int((then - began) // 60) for then, _ in attempts)
    beyond = [minutes[minute] > server for minute in range(120)]

    assert len(attempts) - admitted <= 0.1 * len(attempts)
    assert admitted >= 0.7 * server * 120
    assert sum(beyond) <= 20
    assert beyond[:6] != [True] * 6  # the first minutes show how much there is
    assert not any(beyond[minute] and beyond[minute + 1] for minute in range(5, 119))


# --- by the machine's own clock --------------------------------------------------------------------------------------


def test_who_waits_takes_no_time(monkeypatch):
    """Hundreds of threads that wait for their turn look when something has changed, and not again and again."""
    quota = Quota(Clock())
    share = quota.share(1)
    share.acquire(Deadline(Clock(), FOREVER))
    looks, errors = [], []
    look = quota._try
    monkeypatch.setattr(quota, "_try", lambda *arguments: looks.append(1) or look(*arguments))

    def work():
        try:
            share.acquire(Deadline(Clock(), 1.0))
        except JobTimeoutError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_FOR_THREADS)
    assert len(errors) == 300
    assert len(looks) <= 3 * 300


def test_hundreds_of_threads(monkeypatch):
    """Each of hundreds of threads gets its turn, no window holds more than the limit, and nobody is overtaken."""
    monkeypatch.setattr("khoros_analytics._http.quota.WINDOW", 0.05)
    clock = Clock()
    quota = Quota(clock)
    share = quota.share(20)
    made, lock, come, served = [], threading.Lock(), [], []
    join = quota._try

    def note(ticket, turn):
        with lock:
            if turn not in come:
                come.append(turn)
            pause = join(ticket, turn)
            if not pause:
                served.append(turn)
            return pause

    monkeypatch.setattr(quota, "_try", note)
    threads = [threading.Thread(target=lambda: made.append(use(share, clock))) for _ in range(300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_FOR_THREADS)
    assert len(made) == 300
    assert served == come
    starts, answers = sorted(started for started, _ in made), sorted(answered for _, answered in made)
    assert all(start >= answers[number] + 0.05 - 1e-3 for number, start in enumerate(starts[20:]))


def test_a_limit_that_rises_wakes_those_who_wait():
    """Who waits only because of another client's limit goes on as soon as that client is closed."""
    quota = Quota(Clock())
    generous, strict = quota.share(5), quota.share(1)
    generous.acquire(Deadline(Clock(), FOREVER))
    waits = []
    threads = [
        threading.Thread(target=lambda: waits.append(generous.acquire(Deadline(Clock(), FOREVER)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    while len(quota._queue) < 4:
        time.sleep(0.001)
    strict.close()
    for thread in threads:
        thread.join(WAIT_FOR_THREADS)
    assert len(waits) == 4
    assert max(waits) < 10


@pytest.mark.skipif(os.name != "posix", reason="how Ctrl-C is sent")
def test_ctrl_c_is_immediate():
    """Ctrl-C ends a wait at once, and leaves nothing in the queue."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may ignore it
    quota = Quota(Clock())
    share = quota.share(1)
    share.acquire(Deadline(Clock(), FOREVER))

    def interrupt():
        while not quota._queue:
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        share.acquire(Deadline(Clock(), 20))
    assert time.monotonic() - began < 10
    assert not quota._queue
    interrupting.join()
    signal.signal(signal.SIGINT, before)
