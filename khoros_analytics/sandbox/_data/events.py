"""Events: what each row of a report is about, for any window, from the stories of the conversations that began in it.

An export of its natural length holds all of them, so two windows that meet hold what one holds. An export of so many
rows holds events of so many conversations, spread over the window as the week wants it, each of them known by the same
number in all reports of that window.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, count, islice
from types import MappingProxyType

from attrs import Factory, field, frozen

from .dice import Dice, lognormal, share
from .lookups import TEAMS
from .rhythm import DAY, HOUR, Rhythm
from .stories import AGENTS, Agent, Conversation, Response, at_work, conversation, team_share

__all__ = ["MOST_CONVERSATIONS", "Event", "Scope", "events"]

MOST_CONVERSATIONS = 200_000
"""So many conversations of a window are told at most, where no number of rows is given: about five years of them."""

_DAYS_COUNTED = 400
_BRAND_POSTS_A_DAY = 6
_TAKEN, _ANSWERED, _CLOSED = "ASSIGNED", "RESPONDED", "CLOSED"
_SPREAD = 10**12  # above the number of any second


@frozen
class Event:
    """What a row is about.

    Attributes:
        key: Its number among the events of its report: the dice of its own columns are thrown for it.
        at: When it happened, in epoch seconds.
        conversation: The conversation that it belongs to.
        agent: Who did it.
        team: The place of the team among the look-up's.
        order: Its place among its siblings, from 1.
        response: The response, where there is one.
        kind: What sort of event it is.
        seconds: How long it lasted; None when nobody knows.
        posts: How many posts there were.
        responses: How many responses.
        closed: How many conversations were closed.
        flag: Whether it was in business hours, or is in force.
    """

    key: int
    at: int
    conversation: Conversation
    agent: Agent | None
    team: int
    order: int = 1
    response: Response | None = None
    kind: str = ""
    seconds: float | None = None
    posts: int = 1
    responses: int = 0
    closed: int = 0
    flag: bool = False


@frozen
class Scope:
    """Which events an export is about.

    Attributes:
        seed: Other seeds have other people and other days.
        start: The window's first second.
        end: Its last one.
        rows: How many events are wanted; None for all of them.
        interval: The seconds of an interval.
        rhythm: When conversations begin.
    """

    seed: int
    start: int
    end: int
    rows: int | None = None
    interval: int = DAY
    rhythm: Rhythm = field(init=False, default=Factory(lambda self: Rhythm(self.seed), takes_self=True))

    def conversations(self) -> Iterator[Conversation]:
        """Yield the conversations of the window, in the order in which they began."""
        return (conversation(self.seed, number) for number in self._numbers())

    def further(self) -> Iterator[Conversation]:
        """Yield ever more conversations of the window, for reports that not every conversation appears in."""
        die, span = Dice(self.seed, "further"), self.end - self.start + 1
        for number in count(1):
            yield conversation(self.seed, self.start + die(number) % span + number * _SPREAD)

    def _numbers(self) -> Iterator[int]:
        if self.rows is None:
            yield from islice(self.rhythm.moments(self.start, self.end), MOST_CONVERSATIONS)
            return
        last, repeated = None, 0
        for moment in self.rhythm.spread(self.start, self.end, self.rows) if self.rows else ():
            repeated = repeated + 1 if moment == last else 0
            last = moment
            yield moment + repeated * _SPREAD


def events(report: str, scope: Scope) -> list[Event]:
    """Return the events of a report: as many as are wanted, or all of the window.

    Example:
        >>> monday = 1_551_657_600
        >>> day, night = Scope(0, monday, monday + DAY - 1), Scope(0, monday + DAY, monday + 2 * DAY - 1)
        >>> both = Scope(0, monday, monday + 2 * DAY - 1)
        >>> events("response", day) + events("response", night) == events("response", both)
        True
    """
    tell = _TOLD.get(report)
    if tell is None:
        return _so_many(_WHOLE[report](scope), scope)
    found = [event for story in scope.conversations() for event in tell(story)]
    if scope.rows is None:
        return found
    missing = scope.rows - len(found)
    if missing > 0:
        more = chain.from_iterable(map(tell, scope.further()))
        found = sorted(chain(found, islice(more, missing)), key=lambda event: event.at)
    return _so_many(found, scope)


def _so_many(found: Sequence[Event], scope: Scope) -> list[Event]:
    """Return as many events as are wanted, spread over all; where there are fewer, they come again."""
    if scope.rows is None:
        return list(found)
    if len(found) > scope.rows:
        return [found[place * len(found) // scope.rows] for place in range(scope.rows)]
    return [found[place % len(found)] for place in range(scope.rows)]


def _about(story: Conversation) -> Iterator[Event]:
    yield Event(
        story.number,
        story.began,
        story,
        story.agent,
        story.team,
        posts=len(story.posts),
        responses=len(story.responses),
    )


def _posts(story: Conversation) -> Iterator[Event]:
    for order, at in enumerate(story.posts, 1):
        response = story.responses[order - 1] if order <= len(story.responses) else None
        yield Event(
            story.number * 16 + order,
            at,
            story,
            story.agent,
            story.team,
            order,
            response,
            seconds=None if response is None else response.handled,
        )


def _responses(story: Conversation) -> Iterator[Event]:
    for response in story.responses:
        yield Event(
            story.number * 16 + response.order,
            response.at,
            story,
            story.agent,
            story.team,
            response.order,
            response,
            seconds=response.handled,
            flag=at_work(story.team, response.asked),
        )


def _actions(story: Conversation) -> Iterator[Event]:
    """Yield what was done with a conversation, in order."""
    done: list[tuple[int, str]] = []
    if story.responses:
        done.append((story.responses[0].at - min(60, story.responses[0].at - story.began), _TAKEN))
    done.extend((response.at, _ANSWERED) for response in story.responses)
    if story.closed is not None:
        done.append((story.closed, _CLOSED))
    for order, (at, kind) in enumerate(done, 1):
        yield Event(story.number * 16 + order, at, story, story.agent, story.team, order, kind=kind)


def _help(story: Conversation) -> Iterator[Event]:
    """Yield a question to an expert: about one conversation in twelve has one."""
    if story.responses and story.responses[0].handled > 450:
        first = story.responses[0]
        middle = first.asked + (first.at - first.asked) // 2
        yield Event(story.number, middle, story, story.agent, story.team, response=first)


def _authors(scope: Scope) -> list[Event]:
    """Return the authors of the window's conversations, each with the first of them and the posts of all."""
    first: dict[int, Conversation] = {}
    posts: dict[int, int] = {}
    more = () if scope.rows is None else scope.further()
    for story in chain(scope.conversations(), more):
        if len(first) == scope.rows:
            break
        first.setdefault(story.author, story)
        posts[story.author] = posts.get(story.author, 0) + len(story.posts)
    return [
        Event(author, each.began, each, each.agent, each.team, posts=posts[author]) for author, each in first.items()
    ]


def _states(scope: Scope) -> list[Event]:
    """Return the states of agents that began in the window."""
    first, last = scope.start // DAY, scope.end // DAY
    step = 1 if scope.rows is None else max(1, (last - first) // (scope.rows // 40 + 3))
    days = range(first, min(last, first + MOST_CONVERSATIONS) + 1, step)
    found = [event for day in days for event in _states_of(scope, day) if scope.start <= event.at <= scope.end]
    missing = max(0, (scope.rows or 0) - len(found))
    for number, moment in enumerate(scope.rhythm.spread(scope.start, scope.end, missing) if missing else ()):
        agent = AGENTS[number % len(AGENTS)]
        story = conversation(scope.seed, moment)
        found.append(Event(moment + number * _SPREAD, moment, story, agent, agent.team, kind="ONLINE", seconds=60.0))
    return sorted(found, key=lambda event: event.at)


def _states_of(scope: Scope, day: int) -> Iterator[Event]:
    story = conversation(scope.seed, day * DAY)
    for key, at, agent, order, kind, seconds in _shifts(scope.seed, day):
        yield Event(key, at, story, agent, agent.team, order, kind=kind, seconds=seconds)


@lru_cache(maxsize=512)
def _shifts(seed: int, day: int) -> tuple[tuple[int, int, Agent, int, str, float | None], ...]:
    """Return the states of all agents on a day: a shift with a break, then offline until the next one."""
    die, states = Dice(seed, "state"), []
    for agent in AGENTS:
        key = (day * len(AGENTS) + agent.number) * 16
        opening = next((hour for hour in range(24) if at_work(agent.team, day * DAY + hour * HOUR)), None)
        if opening is None or share(die(key)) < 0.12:
            continue
        at = day * DAY + opening * HOUR + die(key + 1) % (4 * HOUR)
        for order, (kind, hours) in enumerate((*_SHIFT, ("OFFLINE", None)), 1):
            seconds = None if hours is None else round(hours * HOUR * (0.75 + share(die(key + 1 + order)) / 2), 2)
            states.append((key + order, at, agent, order, kind, seconds))
            at += int(seconds or 0)
    return tuple(states)


_SHIFT: tuple[tuple[str, float | None], ...] = (
    ("ONLINE", 2.0),
    ("BUSY", 1.5),
    ("BREAK", 0.6),
    ("ONLINE", 2.2),
    ("BUSY", 1.2),
)


def _brand_posts(scope: Scope) -> list[Event]:
    """Return the posts of the brand itself, a few on each day."""
    if scope.rows is None:
        die, last = Dice(scope.seed, "brand"), min(scope.end // DAY, scope.start // DAY + MOST_CONVERSATIONS)
        days = range(scope.start // DAY, last + 1)
        drawn = (
            day * DAY + 7 * HOUR + die(day * 16 + number) % (12 * HOUR)
            for day in days
            for number in range(_BRAND_POSTS_A_DAY)
        )
        moments = sorted({moment for moment in drawn if scope.start <= moment <= scope.end})
    else:
        moments = scope.rhythm.spread(scope.start, scope.end, scope.rows) if scope.rows else []
    stories = ((moment, conversation(scope.seed, moment)) for moment in moments)
    return [
        Event(moment + number * _SPREAD * (scope.rows is not None), moment, story, None, story.team)
        for number, (moment, story) in enumerate(stories)
    ]


def _teams(scope: Scope) -> list[Event]:
    """Return what each team did within business hours and outside of them."""
    return _totals(scope, scope.conversations(), scope.start, 0)


def _intervals(scope: Scope) -> list[Event]:
    """Return what each team did in each interval."""
    whole = range(0, scope.end - scope.start + 1, scope.interval)
    if scope.rows is not None:
        return [event for place in _some(whole, scope.rows) for event in _estimates(scope, scope.start + place)]
    told: dict[int, list[Conversation]] = {}
    for story in scope.conversations():
        told.setdefault((story.began - scope.start) // scope.interval, []).append(story)
    return [
        event
        for number, place in enumerate(whole[:MOST_CONVERSATIONS])
        for event in _totals(scope, told.get(number, ()), scope.start + place, number + 1)
    ]


def _some(places: range, rows: int) -> list[int]:
    wanted = min(len(places), rows // (2 * len(TEAMS)) + 1)
    return [places[number * len(places) // wanted] for number in range(wanted)]


def _totals(scope: Scope, told: Iterable[Conversation], at: int, number: int) -> list[Event]:
    """Return the sums over conversations, by team and by whether an answer's post came in business hours."""
    sums = {(team, flag): [0, 0, 0.0] for team in range(len(TEAMS)) for flag in (True, False)}
    for story in told:
        for response in story.responses:
            total = sums[story.team, at_work(story.team, response.asked)]
            total[0] += 1
            total[2] += response.handled
        if story.closed is not None:
            sums[story.team, at_work(story.team, story.closed)][1] += 1
    story = conversation(scope.seed, at)
    return [
        Event(
            (at * len(TEAMS) + team) * 2 + flag,
            at,
            story,
            None,
            team,
            number,
            seconds=round(handled / responses, 2) if responses else None,
            responses=int(responses),
            closed=int(closed),
            flag=flag,
        )
        for (team, flag), (responses, closed, handled) in sums.items()
    ]


def _estimates(scope: Scope, at: int) -> Iterator[Event]:
    """Yield what each team is about to do in an interval, where its conversations are not told one by one."""
    expected = scope.rhythm.expected(at, min(at + scope.interval, scope.end + 1))
    die, story = Dice(scope.seed, "interval"), conversation(scope.seed, at)
    for team in range(len(TEAMS)):
        for flag in (True, False):
            key = (at * len(TEAMS) + team) * 2 + flag
            size = expected * team_share(team, at) * (0.8 if flag else 0.2) * lognormal(die(key), 1.0, 0.15)
            seconds = round(lognormal(die(key + _SPREAD), 190.0, 0.2), 2) if size >= 1 else None
            responses, closed = round(size * 1.4), round(size * 0.9)
            yield Event(key, at, story, None, team, seconds=seconds, responses=responses, closed=closed, flag=flag)


def _users(scope: Scope) -> list[Event]:
    """Return the agents, each with the time for which the window knows their states."""
    first, last = scope.start // DAY, max(scope.start, scope.end) // DAY
    days = range(first, min(last, first + _DAYS_COUNTED) + 1)
    total: dict[int, float] = {}
    for _, at, agent, _, _, seconds in chain.from_iterable(_shifts(scope.seed, day) for day in days):
        if scope.start <= at <= scope.end:
            total[agent.number] = total.get(agent.number, 0.0) + (seconds or 0.0)
    longer = (last - first + 1) / len(days)
    story = conversation(scope.seed, scope.start)
    return [
        Event(
            agent.number,
            scope.start,
            story,
            agent,
            agent.team,
            seconds=round(total.get(agent.number, 0.0) * longer, 2),
            flag=agent.active,
        )
        for agent in AGENTS
    ]


_TOLD: Mapping[str, Callable[[Conversation], Iterator[Event]]] = MappingProxyType(
    {
        "combined": _posts,
        "conversation": _about,
        "conversation_actions": _actions,
        "conversation_history_action": _actions,
        "incoming_post": _posts,
        "raw_expert_help": _help,
        "response": _responses,
        "response_approval": _responses,
    }
)
"""What each conversation tells, in the reports whose rows belong to one."""

_WHOLE: Mapping[str, Callable[[Scope], list[Event]]] = MappingProxyType(
    {
        "author": _authors,
        "raw_agent_states": _states,
        "raw_brand_posts": _brand_posts,
        "team_performance": _teams,
        "team_performance_interval": _intervals,
        "user": _users,
    }
)
"""The other reports."""
