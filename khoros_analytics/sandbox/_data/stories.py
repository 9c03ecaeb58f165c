"""Stories: what became of a conversation, from its first post to its end. All reports tell of the same ones.

A conversation is named by the second in which it begins; everything else about it follows from that and from the seed.
The company, its people and their habits are made up.
"""

from functools import cached_property, lru_cache

from attrs import frozen

from .dice import Dice, lognormal, share, shares
from .lookups import TEAMS
from .rhythm import DAY, HOUR, weekday

__all__ = [
    "AGENTS",
    "FIRST_NAMES",
    "LAST_NAMES",
    "Agent",
    "Conversation",
    "Response",
    "at_work",
    "conversation",
    "team_share",
]

_FIRST_ID = 4_000_000_000
_REGULARS = 400
_MONTH = 30 * DAY

FIRST_NAMES = ("Ada", "Björn", "Chloé", "Dmitri", "Émile", "Fatma", "Gülşen", "Håkon", "Inês", "Zoë")
LAST_NAMES = ("Lovelace", "Müller", "O'Neil", "Łukasz", "Nguyễn", "Smith, Jr.", "Ångström", "Öztürk")


@frozen(slots=False)
class Agent:
    """Somebody who answers.

    Attributes:
        number: The place among all agents.
        team: The place of the team among :data:`TEAMS`.
    """

    number: int
    team: int

    @cached_property
    def display_id(self) -> str:
        """The id that people see, with leading zeros."""
        return f"{1009 + 37 * self.number:06d}"

    @cached_property
    def name(self) -> str:
        """The full name."""
        return f"{FIRST_NAMES[self.number % len(FIRST_NAMES)]} {LAST_NAMES[self.number * 3 % len(LAST_NAMES)]}"

    @cached_property
    def email(self) -> str:
        """The address."""
        return f"agent.{self.number + 1}@example.com"

    @property
    def active(self) -> bool:
        """Whether the account is turned on: the last one is not."""
        return self.number < len(AGENTS) - 1


def _agents() -> tuple[Agent, ...]:
    teams = [place for place, team in enumerate(TEAMS) for _ in range(team["numberOfMembers"])]
    return tuple(Agent(number, team) for number, team in enumerate(teams))


AGENTS = _agents()
"""All agents, by their teams."""

_MEMBERS = tuple(tuple(agent for agent in AGENTS if agent.team == place) for place in range(len(TEAMS)))
_OPEN = (((7, 21), (9, 17)), ((8, 20), (10, 16)), ((6, 17), None), (None, None))
"""The hours of each team on a workday and at the weekend, in UTC."""
_SPEED = (22 * 60, 48 * 60, 11 * 60, 0)
"""The seconds in which each team answers half of the posts that reach it at work."""
_WORKDAY_SHARES, _WEEKEND_SHARES = (0.27, 0.18, 0.55, 0.0), (0.62, 0.38, 0.0, 0.0)
_PROVIDERS = ("CHAT",) * 6 + ("WHATSAPP",) * 5 + ("TWITTER",) * 5 + ("FACEBOOK",) * 4
_PATIENCE = {"CHAT": 0.35, "WHATSAPP": 0.8, "TWITTER": 1.2, "FACEBOOK": 1.7}
_PRIORITIES = (0,) * 2 + (1,) * 3 + (2,) * 4 + (3,) * 6 + (4,) * 3 + (5,) * 2
_LANGUAGES = ("en",) * 9 + ("es",) * 2 + ("fr",) * 2 + ("de",) * 5 + ("tr", None)


@frozen
class Response:
    """An answer to a post.

    Attributes:
        asked: When the post was written that it answers, in epoch seconds.
        at: When it was published.
        handled: For how many seconds somebody worked on it.
        order: Its place in the conversation, from 1.
    """

    asked: int
    at: int
    handled: float
    order: int


@frozen
class Conversation:
    """What became of a conversation.

    Attributes:
        number: The second in which it began; of several in one second the later ones have larger numbers.
        began: When it began, in epoch seconds.
        team: The place of its team among :data:`TEAMS`.
        agent: Who answers; None when nobody needs to.
        author: The number of who asks: their own of somebody new, a small one of somebody who comes back.
        provider: Where it takes place.
        language: In which language, where that was recognized.
        priority: From 0 to 5.
        posts: When each post of the author was written.
        responses: What was answered.
        closed: When it was closed; None while it is not.
        status: ``OPEN``, ``PENDING`` or ``CLOSED``.
    """

    number: int
    began: int
    team: int
    agent: Agent | None
    author: int
    provider: str
    language: str | None
    priority: int
    posts: tuple[int, ...]
    responses: tuple[Response, ...]
    closed: int | None
    status: str

    @property
    def id(self) -> int:
        """The id that all reports call it by."""
        return _FIRST_ID + self.number


class _Narrator:
    """Tells the story of any conversation under a seed."""

    def __init__(self, seed: int) -> None:
        names = ("facts", "people", "after", "delay", "handled")
        self._facts, self._people, self._after, self._delay, self._handled = (
            Dice(seed, f"conversation/{name}") for name in names
        )

    def conversation(self, number: int) -> Conversation:
        """Return the conversation with a number."""
        began = number % 10**12
        team_place, agent_place, provider_place, fate = shares(self._facts(number))
        language, priority, returns, regular = shares(self._people(number))
        team = _team(began, team_place)
        agent = None if fate < 0.1 else _member(team, agent_place)
        provider = _PROVIDERS[int(provider_place * len(_PROVIDERS))]
        posts, responses, closed = self._course(number, began, agent, provider, fate)
        return Conversation(
            number,
            began,
            team,
            agent,
            number if returns < 0.72 else int(regular * _REGULARS),
            provider,
            _LANGUAGES[int(language * len(_LANGUAGES))],
            _PRIORITIES[int(priority * len(_PRIORITIES))],
            posts,
            responses,
            closed,
            "CLOSED" if closed is not None else "OPEN" if len(posts) > len(responses) else "PENDING",
        )

    def _course(
        self, number: int, began: int, agent: Agent | None, provider: str, fate: float
    ) -> tuple[tuple[int, ...], tuple[Response, ...], int | None]:
        """Return the posts, the responses and the end: now and then the last post waits, or the author is awaited."""
        after = self._after
        if agent is None:
            return (began,), (), began + _bounded(lognormal(after(number), 2 * HOUR, 0.9))
        posts, responses = [began], [self._response(number, began, agent, provider, 1)]
        while len(posts) < 8 and share(after(number * 16 + len(posts))) < 0.38:
            pause = _bounded(lognormal(after(number * 16 + 8 + len(posts)), 40 * 60, 1.1))
            posts.append(responses[-1].at + pause)
            responses.append(self._response(number, posts[-1], agent, provider, len(posts)))
        if fate > 0.98:
            return tuple(posts), tuple(responses[:-1]), None
        if fate > 0.96:
            return tuple(posts), tuple(responses), None
        end = responses[-1].at + _bounded(lognormal(after(number), 11 * HOUR, 1.2))
        return tuple(posts), tuple(responses), end

    def _response(self, number: int, asked: int, agent: Agent, provider: str, order: int) -> Response:
        key = number * 16 + order
        # The first answer of a conversation waits in a queue, the later ones have somebody who knows it.
        median = _SPEED[agent.team] * _PATIENCE[provider] * (1.0 if order == 1 else 0.6)
        wait = _bounded(lognormal(self._delay(key), median, 0.95))
        handled = round(lognormal(self._handled(key), 150.0, 0.8), 2)
        return Response(asked, _opening(agent.team, asked) + wait, handled, order)


_narrator = lru_cache(maxsize=8)(_Narrator)


@lru_cache(maxsize=8192)
def conversation(seed: int, number: int) -> Conversation:
    """Return the conversation with a number under a seed. The last ones are remembered, since reports share them.

    Example:
        >>> one = conversation(0, 1_551_441_600)
        >>> one.id, one.posts[0] - one.began
        (5551441600, 0)
    """
    return _narrator(seed).conversation(number)


def at_work(team: int, second: int) -> bool:
    """Return whether a team works at a moment.

    Example:
        >>> at_work(2, 1_551_441_600), at_work(2, 1_551_441_600 + DAY)  # a Friday, a Saturday
        (True, False)
    """
    hours = _OPEN[team][weekday(second) > 4]
    return hours is not None and hours[0] * HOUR <= second % DAY < hours[1] * HOUR


def team_share(team: int, second: int) -> float:
    """Return the share of a moment's conversations that a team gets."""
    return (_WEEKEND_SHARES if weekday(second) > 4 else _WORKDAY_SHARES)[team]


def _team(began: int, place: float) -> int:
    """Return which team gets a conversation."""
    for team in range(len(TEAMS)):
        place -= team_share(team, began)
        if place < 0:
            return team
    return 0


def _member(team: int, place: float) -> Agent:
    """Return who of a team takes it: some take more than others."""
    members = _MEMBERS[team]
    return members[int(place**1.25 * len(members))]


def _opening(team: int, second: int) -> int:
    """Return the next moment at which a team works."""
    if at_work(team, second):
        return second
    for day in range(second // DAY, second // DAY + 8):
        hours = _OPEN[team][weekday(day * DAY) > 4]
        if hours is not None and day * DAY + hours[0] * HOUR > second:
            return day * DAY + hours[0] * HOUR
    return second


def _bounded(seconds: float) -> int:
    """Return a pause that no story outlasts the calendar with."""
    return 1 + min(int(seconds), _MONTH)
