"""Fresh references in the place of those whose objects have gone with the process that had put them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from poptune.core.population import Trial
from poptune.errors import ConfigurationError
from poptune.runtime.shared import ObjectRef, is_there
from poptune.search_space import Choice, GridSearch, Ordinal
from poptune.types import Config


@dataclass(frozen=True, slots=True)
class Renewal:
    """Which reference stands for which, from now on."""

    pairs: Mapping[ObjectRef[Any], ObjectRef[Any]]

    @classmethod
    def between(cls, old_space: Mapping[str, Any], new_space: Mapping[str, Any]) -> Renewal:
        """Take the references of a new space for those that stand in the same places of the old one."""
        return cls(dict(_pairs(old_space, new_space)))

    def renewed(self, config: Config) -> Config:
        """Return a config with the present references."""
        return _renewed(config, self.pairs) if self.pairs else config

    def check(self, trials: Iterable[Trial]) -> None:
        """Raise if a trial that is to train has a reference to what is gone.

        Raises:
            ConfigurationError: One has.
        """
        for trial in trials:
            for path, reference in _references(self.renewed(trial.config), ""):
                if not is_there(reference):
                    raise ConfigurationError(
                        f"The config of trial {trial.index} must hold what can be opened, but {path!r} is "
                        f"a reference to a {reference.kind} that is gone, since an object lives as long as "
                        "the process that has put it: put it again, and give the new reference in the same "
                        f'place, Tuner.restore(path, param_space={{"{path}": tune.put(...), ...}})'
                    )


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


def _renewed(value: Any, pairs: Mapping[ObjectRef[Any], ObjectRef[Any]]) -> Any:
    if isinstance(value, ObjectRef):
        return pairs.get(value, value)
    if isinstance(value, dict):
        return {key: _renewed(each, pairs) for key, each in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(_renewed(each, pairs) for each in value)
    return value


def _references(value: Any, path: str) -> Iterator[tuple[str, ObjectRef[Any]]]:
    if isinstance(value, ObjectRef):
        yield path, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _references(each, f"{path}.{key}" if path else str(key))
    elif type(value) in {list, tuple}:
        for each in value:
            yield from _references(each, path)
