"""What a benchmark is: programs that measure, and limits that their figures are held against."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from spread import digits, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program in ``programs/``, run in a process of its own each time.

    Its last line is a JSON object of its figures. Added to them are ``whole_s``, the time from its start to
    its end as seen from outside, and ``cpu_s``, the processor time of it and of the processes it waited for.

    Args:
        name: What its figures are kept under.
        script: Its file, without ``.py``.
        arguments: What it is started with.
        quick: What it is started with in a quick run.
        needs: The distributions that it cannot do without.
        is_quick: Whether it takes part in a quick run.
        once: Whether one run is enough, because what it measures does not vary.
    """

    name: str
    script: str
    arguments: tuple[str, ...] = ()
    quick: tuple[str, ...] | None = None
    needs: tuple[str, ...] = ()
    is_quick: bool = True
    once: bool = False

    def arguments_of(self, *, quick: bool) -> tuple[str, ...]:
        return self.quick if quick and self.quick is not None else self.arguments


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the numbers that a program measures."""

    program: Program
    key: str
    unit: str = "s"

    @property
    def path(self) -> tuple[str, str]:
        return self.program.name, self.key


Medians = Mapping[tuple[str, str], float]
"""By the paths of figures."""


class Verdict(Enum):
    REACHED = "reached"
    MISSED = "missed"
    OPEN = "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a figure must reach.

    Args:
        figure: What is held against it.
        asked: The limit in words.
        bound: From the medians of the same run, the value that the figure may just have.
        compared: How the figure stands, in words.
        is_least: Whether the figure must be at least the bound; if not, at most.
        what: Which of a benchmark's figures this is, where it has several.
    """

    figure: Figure
    asked: str
    bound: Callable[[Medians], float]
    compared: Callable[[Medians], str]
    is_least: bool = False
    what: str = ""

    def judge(self, medians: Medians) -> "Judgement":
        try:
            value, bound, compared = medians[self.figure.path], self.bound(medians), self.compared(medians)
        except KeyError:
            return Judgement(Verdict.OPEN)
        reached = value >= bound if self.is_least else value <= bound
        return Judgement(Verdict.REACHED if reached else Verdict.MISSED, bound, value / bound, compared)


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: Verdict
    bound: float | None = None
    ratio: float | None = None
    """The figure divided by its bound."""
    compared: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A line of the table.

    Args:
        name: For ``--only`` and the file of its results.
        title: What is measured, in a few words.
        method: How it is measured, for the page.
        limits: What its figures must reach.
        stated: Further figures, with what they are, that have no limit.
    """

    name: str
    title: str
    method: str
    limits: tuple[Limit, ...]
    stated: tuple[tuple[str, Figure], ...] = ()
    programs: tuple[Program, ...] = ()


def times_faster(figure: Figure, than: Figure, *, times: float, whom: str, what: str = "") -> Limit:
    def compared(medians: Medians) -> str:
        return f"{digits(medians[than.path] / medians[figure.path])} times faster ({_median(medians, than)})"

    return Limit(
        figure=figure,
        asked=f"≥ {times:g} times faster than {whom}",
        bound=lambda medians: medians[than.path] / times,
        compared=compared,
        what=what,
    )


def at_most_times(figure: Figure, of: Figure, *, times: float, whom: str, what: str = "") -> Limit:
    def compared(medians: Medians) -> str:
        return f"{digits(medians[figure.path] / medians[of.path])} times ({_median(medians, of)})"

    return Limit(
        figure=figure,
        asked=f"≤ {times:g} times {whom}",
        bound=lambda medians: times * medians[of.path],
        compared=compared,
        what=what,
    )


def at_most(figure: Figure, bound: float, *, what: str = "") -> Limit:
    return _fixed(figure, bound, what, is_least=False)


def at_least(figure: Figure, bound: float, *, what: str = "") -> Limit:
    return _fixed(figure, bound, what, is_least=True)


def _fixed(figure: Figure, bound: float, what: str, *, is_least: bool) -> Limit:
    return Limit(
        figure=figure,
        asked=f"{'≥' if is_least else '≤'} {shown(bound, figure.unit)}",
        bound=lambda _: bound,
        compared=lambda medians: _median(medians, figure),
        is_least=is_least,
        what=what,
    )


def _median(medians: Medians, figure: Figure) -> str:
    return shown(medians[figure.path], figure.unit)
