"""What several runs of a program come down to, and how that is written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

SUBUNITS = {"s": (1, "s"), "ms": (1e-3, "s"), "µs": (1e-6, "s")}


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and greatest of a figure over the runs."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        ordered = sorted(values)
        if not ordered:
            raise ValueError("A spread needs at least one value")
        return cls(median(ordered), ordered[0], ordered[-1])


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least so many percent of the sorted values do not exceed."""
    if not ordered:
        raise ValueError("A percentile needs at least one value")
    rank = -int(-percent * len(ordered) // 100)  # rounded up
    return ordered[min(max(rank, 1), len(ordered)) - 1]


def shown(value: float, unit: str) -> str:
    """Return a value with three digits and its unit: short times in ms or µs, counts as they are."""
    if not unit:
        return f"{value:,g}"
    if unit == "s":
        unit = "s" if value >= 1 else "ms" if value >= 1e-3 else "µs"
        value /= SUBUNITS[unit][0]
    return f"{digits(value)} {unit}"


def digits(value: float) -> str:
    """Return at least three digits of a number, never as a power of ten."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def with_spread(spread: Spread, unit: str) -> str:
    if spread.least == spread.greatest:
        return shown(spread.median, unit)
    return f"{shown(spread.median, unit)} ({shown(spread.least, unit)} … {shown(spread.greatest, unit)})"
