"""Fresh references in the place of those whose objects have gone with the process that had put them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from poptune._base.types import Config
from poptune._core.population import Trial
from poptune._training.shared import ObjectRef, is_there
from poptune.errors import ConfigurationError
from poptune.search_space import Choice, GridSearch, Ordinal

Place = tuple[Any, ...]
"""Where a value is in a config: the keys and indices on the way to it."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """Which reference stands for which, from now on."""

    pairs: Mapping[ObjectRef[Any], ObjectRef[Any]] = field(default_factory=dict)
    """By what they refer to: those that stand in the same places of two spaces."""
    places: Mapping[Place, ObjectRef[Any]] = field(default_factory=dict)
    """By where they are in a config: for those that the space draws, and so does not name."""

    @classmethod
    def between(cls, old_space: Mapping[str, Any], new_space: Mapping[str, Any]) -> Renewal:
        """Take the references of a new space for those that stand in the same places of the old one."""
        return cls(dict(_pairs(old_space, new_space)), dict(_references(dict(new_space), ())))

    def renewed(self, config: Config) -> Config:
        """Return a config with the present references."""
        return self._renewed(config, ()) if self.pairs or self.places else config

    def _renewed(self, value: Any, place: Place) -> Any:
        if isinstance(value, ObjectRef):
            renewed = self.pairs.get(value, value)
            return renewed if is_there(renewed) else self.places.get(place, renewed)
        if isinstance(value, dict):
            return {key: self._renewed(each, (*place, key)) for key, each in value.items()}
        if type(value) in {list, tuple}:
            return type(value)(self._renewed(each, (*place, index)) for index, each in enumerate(value))
        return value

    def check(self, trials: Iterable[Trial]) -> None:
        """Raise if a trial that is to train has a reference to what is gone.

        Raises:
            ConfigurationError: One has.
        """
        for trial in trials:
            for place, reference in _references(self.renewed(trial.config), ()):
                if not is_there(reference):
                    raise ConfigurationError(
                        f"The config of trial {trial.index} must hold what can be opened, but "
                        f"{'.'.join(map(str, place))!r} is a reference to a {reference.kind} that is gone, "
                        "since an object lives as long as the process that has put it: put it again, and "
                        "give the new reference in the same place, "
                        f"Tuner.restore(path, param_space={_written(place)})"
                    )


def _written(place: Place) -> str:
    """Return the code of a space that has a new reference in a place, and leaves all else open."""
    if not place:
        return "tune.put(...)"
    first, rest = place[0], _written(place[1:])
    return f"[{'..., ' * first}{rest}]" if isinstance(first, int) else f"{{{first!r}: {rest}}}"


def _pairs(old: Any, new: Any) -> Iterator[tuple[ObjectRef[Any], ObjectRef[Any]]]:
    match old, new:
        case ObjectRef(), ObjectRef():
            yield old, new
        case Mapping(), Mapping():
            for key in old.keys() & new.keys():
                yield from _pairs(old[key], new[key])
        case (Choice(categories=mine), Choice(categories=theirs)) | (
            (GridSearch(values=mine), GridSearch(values=theirs))
            | (Ordinal(values=mine), Ordinal(values=theirs))
        ):
            yield from _pairs(list(mine), list(theirs))
        case (list() | tuple(), list() | tuple()):
            for one, other in zip(old, new, strict=False):
                yield from _pairs(one, other)
        case _:
            pass


def _references(value: Any, place: Place) -> Iterator[tuple[Place, ObjectRef[Any]]]:
    if isinstance(value, ObjectRef):
        yield place, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _references(each, (*place, key))
    elif type(value) in {list, tuple}:
        for index, each in enumerate(value):
            yield from _references(each, (*place, index))
