"""The config over the iterations along one lineage."""

from __future__ import annotations

import bisect
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from poptune._base.types import Config
from poptune.errors import ConfigurationError

Change = tuple[int, Config]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Which config each iteration is trained with.

    Args:
        changes: Pairs (iteration, config), the first at 0, iterations rising. A config is applied *at* its
            iteration: it is in force for all later ones, up to and with the iteration of the next change.

    Raises:
        ConfigurationError: The changes are empty, out of order, or of the wrong types.

    Example:
        >>> schedule = Schedule([(0, {"lr": 0.1}), (5, {"lr": 0.02})])
        >>> schedule(5), schedule(6)
        ({'lr': 0.1}, {'lr': 0.02})
    """

    changes: tuple[Change, ...]

    def __init__(self, changes: Iterable[Change]) -> None:
        checked = tuple(_change(change, place) for place, change in enumerate(changes))
        iterations = [iteration for iteration, _ in checked]
        if iterations[:1] != [0]:
            raise ConfigurationError(
                f"The first change of a schedule must be at iteration 0, got the iterations {iterations}"
            )
        if any(later <= earlier for earlier, later in itertools.pairwise(iterations)):
            raise ConfigurationError(f"The iterations of a schedule's changes must rise, got {iterations}")
        object.__setattr__(self, "changes", checked)

    def __hash__(self) -> int:
        """Hash what of the changes can be hashed whatever the values are: the iterations, and the keys."""
        return hash(tuple((iteration, frozenset(config)) for iteration, config in self.changes))

    def __call__(self, iteration: int) -> Config:
        """Return the config that this iteration, counted from 1, is trained with."""
        if iteration < 1:
            raise ConfigurationError(f"Iterations are counted from 1, got {iteration!r}")
        return self.changes[bisect.bisect_left(self.changes, iteration, key=_iteration) - 1][1]

    def stretched(self, iterations: int, to: int) -> Schedule:
        """Return the schedule of a longer or shorter training, each change in its place in proportion.

        Of several changes that fall on one iteration the last counts.

        Args:
            iterations: How long the training was that this schedule is of.
            to: How long the training is that it is wanted for.

        Example:
            >>> Schedule([(0, {"lr": 0.1}), (5, {"lr": 0.02})]).stretched(50, to=100).changes
            ((0, {'lr': 0.1}), (10, {'lr': 0.02}))
        """
        if iterations < 1 or to < 1:
            raise ConfigurationError(
                f"A schedule is stretched from and to at least 1 iteration, got {iterations!r} and {to!r}"
            )
        return Schedule({at * to // iterations: config for at, config in self.changes}.items())

    def to_json(self) -> str:
        """Return the schedule as text for :meth:`from_json`; tuples become lists.

        Raises:
            ConfigurationError: A config holds a value that JSON cannot, such as a class.
        """
        changes = [
            {"iteration": iteration, "config": _plain(config, f"config at {iteration}")}
            for iteration, config in self.changes
        ]
        return json.dumps({"changes": changes}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Schedule:
        """Return the schedule that :meth:`to_json` has written.

        Raises:
            ConfigurationError: The text is none.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ConfigurationError(f"A schedule must be JSON, but {error}") from error
        if not isinstance(data, dict) or not isinstance(data.get("changes"), list):
            raise ConfigurationError(
                'A schedule must be {"changes": [{"iteration": 0, "config": {...}}, ...]}, '
                f"got {text[:80]!r}"
            )
        return cls(_from_entry(entry, place) for place, entry in enumerate(data["changes"]))


def _iteration(change: Change) -> int:
    return change[0]


def _change(change: object, place: int) -> Change:
    match change:
        case (int(iteration), Mapping() as config) if not isinstance(iteration, bool):
            return iteration, dict(config)
    raise ConfigurationError(
        f"Change {place} of a schedule must be an iteration and a config, got {change!r}"
    )


def _from_entry(entry: object, place: int) -> Change:
    match entry:
        case {"iteration": iteration, "config": config}:
            return iteration, config
    raise ConfigurationError(
        f'Change {place} of a schedule must have an "iteration" and a "config", got {entry!r}'
    )


def _plain(value: Any, path: str) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}[{place}]") for place, item in enumerate(value)]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(item, f"{path}.{key}") for key, item in value.items()}
    raise ConfigurationError(
        "A schedule that is to be JSON must hold numbers, strings, None, and lists or dicts of these, but "
        f"the {path} is {value!r}: leave it out, and add it where the schedule is replayed"
    )
