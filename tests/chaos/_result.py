"""What became of one life, and of all of them together."""

from collections import Counter

from _plan import Plan
from attrs import define, field, frozen

__all__ = ["REPLAY", "Problem", "Result", "Summary"]

REPLAY = "nox -s chaos -- --seed {seed}"


@frozen
class Problem:
    """Something that must not be.

    Attributes:
        kind: ``torn``, ``duplicate``, ``hang``, ``quota``, ``leak``, ``phase``, ``secret``, ``given up``, ``lost`` or
            ``stray``.
        text: What was seen.
    """

    kind: str
    text: str


@define
class Result:
    """What became of one life."""

    plan: Plan
    outcome: str = "nothing"
    problems: list[Problem] = field(factory=list)
    notes: Counter[str] = field(factory=Counter)
    story: list[str] = field(factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        """Show all that is needed to understand and to replay it."""
        lines = [f"seed {self.plan.seed}: {self.outcome}; replay it with: {REPLAY.format(seed=self.plan.seed)}"]
        lines += [f"  {each.kind}: {each.text}" for each in self.problems]
        lines += [f"    {line}" for line in str(self.plan).splitlines()]
        lines += [f"    > {line}" for line in self.story]
        return "\n".join(lines)


@define
class Summary:
    """All lives together."""

    lives: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(factory=Counter)
    problems: Counter[str] = field(factory=Counter)
    notes: Counter[str] = field(factory=Counter)
    failed: list[int] = field(factory=list)
    slowest: tuple[float, int] = (0.0, 0)

    def add(self, result: Result) -> None:
        """Count one more."""
        self.lives += 1
        self.seconds += result.seconds
        self.outcomes[result.outcome] += 1
        self.problems.update({problem.kind for problem in result.problems})
        self.notes.update(result.notes)
        self.slowest = max(self.slowest, (result.seconds, result.plan.seed))
        if result.problems:
            self.failed.append(result.plan.seed)

    def __str__(self) -> str:
        kinds = [f"{name} {count:,}" for name, count in self.outcomes.most_common()]
        notes = [f"{name} {count:,}" for name, count in sorted(self.notes.items())]
        slow, which = self.slowest
        lines = [
            f"seeds: {self.lives:,}, {self.seconds / max(1, self.lives):.2f} s each, at most {slow:.1f} (seed {which})",
            f"first outcomes: {', '.join(kinds)}",
            f"on the way: {', '.join(notes)}",
            f"torn files: {self.problems['torn']}",
            f"duplicated exports: {self.problems['duplicate']}",
            f"hangs: {self.problems['hang']}",
            f"files that never arrived: {self.problems['lost']}",
            f"given up while the deadline lasted: {self.problems['given up']}",
            f"minutes beyond the quota: {self.problems['quota']}",
            f"leaked threads, descriptors or files: {self.problems['leak']}",
            f"errors that do not name their phase: {self.problems['phase']}",
            f"anything else: {self.problems['stray'] + self.problems['secret']}",
            f"failing seeds: {', '.join(map(str, self.failed[:50])) or 'none'}",
        ]
        return "\n".join(lines)
