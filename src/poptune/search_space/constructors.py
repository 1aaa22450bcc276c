"""The functions with which a user writes a search space, named and called as in Ray Tune.

Bounds may be given in either order. All arguments are checked here, before anything starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poptune.errors import ConfigurationError
from poptune.search_space.domains import Choice, GridSearch, Ordinal, SampleFrom
from poptune.search_space.numeric import Float, Integer, Normal, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def uniform(lower: float, upper: float) -> Float:
    """Floats between two bounds, each equally likely.

    Args:
        lower: One bound; it belongs to the domain.
        upper: The other bound; equal bounds make a constant.

    Raises:
        ConfigurationError: If a bound is not a finite number.

    Example:
        >>> uniform(0.1, 0.99)
        uniform(0.1, 0.99)
        >>> uniform(1e-2, 1e-5) == uniform(1e-5, 1e-2)
        True
    """
    return Float(lower, upper)


def quniform(lower: float, upper: float, q: float) -> Float:
    """Multiples of ``q`` between two bounds, each equally likely.

    Unlike in Ray, a value never lies outside the bounds, the outermost multiples are as likely as
    the others, and values are clean decimals.

    Args:
        lower: One bound; it belongs to the domain if it is a multiple of q.
        upper: The other bound; likewise.
        q: The distance between two values, above 0.

    Raises:
        ConfigurationError: If a number is not finite, q is not above 0, or no multiple is in range.

    Example:
        >>> quniform(0, 1, 0.1).clip(0.32)
        0.3
    """
    return Float(lower, upper, q=q)


def loguniform(lower: float, upper: float) -> Float:
    """Floats between two bounds above 0, each order of magnitude equally likely.

    Unlike in Ray there is no base: it would change nothing.

    Args:
        lower: One bound, above 0; it belongs to the domain.
        upper: The other bound; likewise.

    Raises:
        ConfigurationError: If a bound is not a finite number above 0.

    Example:
        >>> loguniform(1e-4, 1).contains(0.01)
        True
    """
    return Float(lower, upper, log=True)


def qloguniform(lower: float, upper: float, q: float) -> Float:
    """Multiples of ``q`` between two bounds above 0, on the logarithmic scale.

    Unlike in Ray, a value never lies outside the bounds.

    Args:
        lower: One bound, above 0; it belongs to the domain if it is a multiple of q.
        upper: The other bound; likewise.
        q: The distance between two values, above 0.

    Raises:
        ConfigurationError: If a bound or q is not a finite number above 0, or no multiple is in
            range.

    Example:
        >>> qloguniform(1e-4, 1e-1, 5e-5).clip(0.00026)
        0.00025
    """
    return Float(lower, upper, log=True, q=q)


def randn(mean: float = 0.0, sd: float = 1.0) -> Normal:
    """Normally distributed floats.

    Args:
        mean: The mean.
        sd: The standard deviation, above 0.

    Raises:
        ConfigurationError: If a number is not finite, or sd is not above 0.

    Example:
        >>> randn(10, 2)
        randn(10, 2)
    """
    return Normal(mean, sd)


def qrandn(mean: float, sd: float, q: float) -> Normal:
    """Normally distributed floats, rounded to multiples of ``q``.

    Args:
        mean: The mean.
        sd: The standard deviation, above 0.
        q: The distance between two values, above 0.

    Raises:
        ConfigurationError: If a number is not finite, or sd or q is not above 0.

    Example:
        >>> qrandn(10, 2, 0.2).clip(9.31)
        9.4
    """
    return Normal(mean, sd, q=q)


def randint(lower: int, upper: int) -> Integer:
    """Integers from one bound up to, but not including, the other, each equally likely.

    Args:
        lower: The smallest integer.
        upper: The integer after the largest.

    Raises:
        ConfigurationError: If a bound is not a whole number, or no integer is in range.

    Example:
        >>> randint(0, 3).contains(3)
        False
    """
    return Integer(*_without_upper("randint", lower, upper))


def qrandint(lower: int, upper: int, q: int = 1) -> Integer:
    """Multiples of ``q`` between two bounds, each equally likely.

    Unlike in `randint`, the upper bound belongs to the domain. Unlike in Ray, a value never lies
    outside the bounds, and the outermost multiples are as likely as the others.

    Args:
        lower: One bound; it belongs to the domain if it is a multiple of q.
        upper: The other bound; likewise.
        q: The distance between two values, at least 1.

    Raises:
        ConfigurationError: If a number is not whole, q is below 1, or no multiple is in range.

    Example:
        >>> qrandint(16, 128, 16).contains(128)
        True
    """
    return Integer(lower, upper, q=q)


def lograndint(lower: int, upper: int) -> Integer:
    """Integers from one bound up to, but not including, the other, on the logarithmic scale.

    Unlike in Ray, a draw is rounded to the nearest integer, not down, and there is no base.

    Args:
        lower: The smallest integer, at least 1.
        upper: The integer after the largest.

    Raises:
        ConfigurationError: If a bound is not a whole number above 0, or no integer is in range.

    Example:
        >>> lograndint(1, 1000)
        lograndint(1, 1000)
    """
    return Integer(*_without_upper("lograndint", lower, upper), log=True)


def qlograndint(lower: int, upper: int, q: int) -> Integer:
    """Multiples of ``q`` between two bounds above 0, on the logarithmic scale.

    Unlike in `lograndint`, the upper bound belongs to the domain. Unlike in Ray, a value never
    lies outside the bounds.

    Args:
        lower: One bound, at least 1; it belongs to the domain if it is a multiple of q.
        upper: The other bound; likewise.
        q: The distance between two values, at least 1.

    Raises:
        ConfigurationError: If a number is not whole and above 0, or no multiple is in range.

    Example:
        >>> qlograndint(8, 1024, 8).clip(13)
        16
    """
    return Integer(lower, upper, log=True, q=q)


def choice(categories: Sequence[Any]) -> Choice:
    """One of several values without an order, each equally likely.

    A category may be a dict that holds domains itself: a branch, whose domains are drawn only where
    it is chosen.

    Args:
        categories: The values, at least one.

    Raises:
        ConfigurationError: If there is no value, or ``categories`` is no list.

    Example:
        >>> choice(["relu", "gelu"])
        choice(['relu', 'gelu'])
        >>> choice([{"name": "adam"}, {"name": "sgd", "momentum": uniform(0, 0.99)}]).contains(
        ...     {"name": "sgd", "momentum": 0.9}
        ... )
        True
    """
    return Choice(categories)


def ordinal(values: Sequence[Any]) -> Ordinal:
    """One of several values in an order, so that each has neighbours.

    Ray has no such domain; there a list within ``hyperparam_mutations`` means the same.

    Args:
        values: The values in their order, at least one.

    Raises:
        ConfigurationError: If there is no value, or ``values`` is no list.

    Example:
        >>> ordinal([16, 32, 64]).step(32, 1)
        64
        >>> ordinal([16, 32, 64]).step(64, 1)
        64
    """
    return Ordinal(values)


def sample_from(function: Callable[..., Any]) -> SampleFrom:
    """A value that a function computes, from the rest of the config if it likes.

    The function is called once a trial. Entries may read each other in any order, as long as none
    waits for itself. Unlike in Ray, the function may do without an argument.

    Args:
        function: Takes the spec, or nothing: ``spec.config.lr`` and ``spec.config["lr"]`` are the
            trial's value of ``lr``. May use randomness of its own, which no seed then covers.

    Raises:
        ConfigurationError: If ``function`` cannot be called with one argument or with none.

    Example:
        >>> space = {"width": choice([32, 64]), "depth": sample_from(lambda s: s.config.width // 8)}
    """
    return SampleFrom(function)


def grid_search(values: Sequence[Any]) -> GridSearch:
    """Values that are all tried: the trials are multiplied by their number.

    Args:
        values: The values, at least one.

    Raises:
        ConfigurationError: If there is no value, or ``values`` is no list.

    Example:
        >>> grid_search([32, 64])
        grid_search([32, 64])
    """
    return GridSearch(values)


def _without_upper(owner: str, lower: int, upper: int) -> tuple[int, int]:
    first, end = sorted(whole_number(owner, bound) for bound in (lower, upper))
    if first == end:
        raise ConfigurationError(
            f"{owner} excludes its upper bound and needs a range that holds an integer, "
            f"got {owner}({lower!r}, {upper!r}): raise the upper bound."
        )
    return first, end - 1
