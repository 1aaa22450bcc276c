"""What is ours of an experiment, as plain records: a kind, a version, and the arguments it was made with.

An object of ours keeps each argument of its class as an attribute of the same name, so that it can be
described, and made anew from its description by whichever poptune opens it. What is the user's own is a
*part*: pickled, and named by its place.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from msgspec import Struct

from poptune._base.attempts import attempt
from poptune.errors import JournalError

Arguments = dict[str, Any]
_PLAIN = frozenset({type(None), bool, int, float, str})
_NAMES = frozenset({int, str})


class Described(Struct, frozen=True, kw_only=True):
    """An object of ours, by what it was made with."""

    kind: str
    version: int
    arguments: Arguments
    """Plain values, lists, tuples and dicts of them, :class:`Part`, and further objects of ours."""


class Part(Struct, frozen=True, kw_only=True):
    """A value of the user's own, which is kept elsewhere."""

    place: int
    """Its place among the parts that were kept with the description."""
    text: str
    """What it looks like, for readers that open no pickles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How objects of one class are described.

    Args:
        at: Where the class is, ``module:name``. A class may move; its kind stays what it is called.
        whole: Arguments that are the user's own all through, however plain they look.
        upgrades: What makes the arguments of each version those of the next. A class whose arguments change
            gets one more, also if it does no more than return them: who reads must know what is to come.
    """

    at: str
    whole: frozenset[str] = frozenset()
    upgrades: tuple[Callable[[Arguments], Arguments], ...] = ()

    @property
    def version(self) -> int:
        """The version that descriptions are written in."""
        return 1 + len(self.upgrades)

    def load(self) -> type[Any]:
        """Return the class itself."""
        module, name = self.at.split(":")
        found: type[Any] = getattr(import_module(module), name)
        return found


def _with_parts_renamed(arguments: Arguments) -> Arguments:
    parts = {"selector": arguments.pop("exploit", None), "explorer": arguments.pop("explore", None)}
    return arguments | parts


_RAY = "poptune.compat.ray"
KINDS: dict[str, Kind] = {
    "Definition": Kind(at="poptune._running.tuner.definition:Definition"),
    "Prepared": Kind(at="poptune._training.trainable:Prepared", whole=frozenset({"trainable", "parameters"})),
    "TuneConfig": Kind(at="poptune._running.tuner.configs:TuneConfig"),
    "RunConfig": Kind(at="poptune._running.tuner.configs:RunConfig", whole=frozenset({"callbacks"})),
    "CheckpointConfig": Kind(at="poptune._running.tuner.configs:CheckpointConfig"),
    "FailureConfig": Kind(at="poptune._running.tuner.configs:FailureConfig"),
    "ProcessExecutor": Kind(at="poptune._running.executors.processes:ProcessExecutor"),
    "RayExecutor": Kind(at="poptune._running.executors.distributed:RayExecutor"),
    "InlineExecutor": Kind(at="poptune._running.executors.inline:InlineExecutor"),
    "FIFOScheduler": Kind(at="poptune.schedulers.fifo:FIFOScheduler"),
    "PopulationBasedTraining": Kind(
        at="poptune.schedulers.pbt:PopulationBasedTraining", upgrades=(_with_parts_renamed,)
    ),
    "PopulationBasedTrainingReplay": Kind(at="poptune.schedulers.replay:PopulationBasedTrainingReplay"),
    "AsyncHyperBandScheduler": Kind(at="poptune.schedulers.asha:AsyncHyperBandScheduler"),
    "MedianStoppingRule": Kind(at="poptune.schedulers.median:MedianStoppingRule"),
    "Truncation": Kind(at="poptune.schedulers.exploit:Truncation"),
    "KeepOwn": Kind(at="poptune.schedulers.exploit:KeepOwn"),
    "Perturb": Kind(at="poptune.schedulers.explore:Perturb"),
    "Schedule": Kind(at="poptune._core.schedule:Schedule"),
    "Float": Kind(at="poptune.search_space.numeric:Float"),
    "Integer": Kind(at="poptune.search_space.numeric:Integer"),
    "Normal": Kind(at="poptune.search_space.numeric:Normal"),
    "Choice": Kind(at="poptune.search_space.domains:Choice"),
    "Ordinal": Kind(at="poptune.search_space.domains:Ordinal"),
    "SampleFrom": Kind(at="poptune.search_space.domains:SampleFrom"),
    "GridSearch": Kind(at="poptune.search_space.domains:GridSearch"),
    "NoopStopper": Kind(at="poptune.stoppers:NoopStopper"),
    "FunctionStopper": Kind(at="poptune.stoppers:FunctionStopper"),
    "MaximumIterationStopper": Kind(at="poptune.stoppers:MaximumIterationStopper"),
    "TimeoutStopper": Kind(at="poptune.stoppers:TimeoutStopper"),
    "TrialPlateauStopper": Kind(at="poptune.stoppers:TrialPlateauStopper"),
    "ExperimentPlateauStopper": Kind(at="poptune.stoppers:ExperimentPlateauStopper"),
    "CombinedStopper": Kind(at="poptune.stoppers:CombinedStopper"),
    "ray.PopulationBasedTraining": Kind(
        at=f"{_RAY}.tune.schedulers.pbt:PopulationBasedTraining", upgrades=(_with_parts_renamed,)
    ),
    "ray.PopulationBasedTrainingReplay": Kind(at=f"{_RAY}.tune.schedulers.pbt:PopulationBasedTrainingReplay"),
    "ray.AsyncHyperBandScheduler": Kind(at=f"{_RAY}.tune.schedulers.async_hyperband:AsyncHyperBandScheduler"),
    "ray.MedianStoppingRule": Kind(at=f"{_RAY}.tune.schedulers.median_stopping_rule:MedianStoppingRule"),
    "ray.FIFOScheduler": Kind(at=f"{_RAY}.tune.schedulers.trial_scheduler:FIFOScheduler"),
    "ray.FailureConfig": Kind(at=f"{_RAY}.air.config:FailureConfig"),
    "ray.ThresholdStopper": Kind(at=f"{_RAY}.air.stopping:ThresholdStopper"),
}
"""All that is described, by the name that it has in records for ever."""
_KIND_AT = {kind.at: name for name, kind in KINDS.items()}


def kind_of(cls: type[Any]) -> str | None:
    """Return the name of what objects of a class are described as; ``None`` for the user's classes."""
    return _KIND_AT.get(f"{cls.__module__}:{cls.__qualname__}")


def describe(value: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return a value's description, and the parts of it that are the user's own."""
    parts = _Parts()
    return parts.describe(value), tuple(parts.values)


def made(description: Any, parts: Sequence[Any]) -> Any:
    """Return what was described.

    Raises:
        JournalError: It is of a kind or a version that this poptune does not know, or was changed.
    """
    match description:
        case Part():
            return _part(description, parts)
        case Described():
            arguments = {name: made(value, parts) for name, value in description.arguments.items()}
            return made_of(description.kind, description.version, arguments)
        case list() | tuple():
            return type(description)(made(item, parts) for item in description)
        case dict():
            return {key: made(item, parts) for key, item in description.items()}
    return description


def arguments_of(value: Any) -> Arguments:
    """Return what makes another object of the same class like this one."""
    return {name: getattr(value, name) for name in _parameters(type(value))}


def made_of(name: str, version: int, arguments: Arguments) -> Any:
    """Return the object of ours that was described by these arguments.

    Raises:
        JournalError: Its kind or version is unknown, or the arguments do not fit.
    """
    kind = KINDS.get(name)
    if kind is None or not 1 <= version <= kind.version:
        raise JournalError(
            f"The settings of an experiment hold a {name!r} of version {version}, but this poptune knows "
            + (f"versions up to {kind.version}" if kind else "none of that kind")
            + ": open it with the poptune that wrote it, or a newer one"
        )
    for upgrade in kind.upgrades[version - 1 :]:
        arguments = upgrade(dict(arguments))
    cls = kind.load()
    positional = [value for one in _spread(cls) for value in arguments[one]]
    named = {one: value for one, value in arguments.items() if one not in _spread(cls)}
    try:
        return cls(*positional, **named)
    except Exception as error:
        raise JournalError(
            f"The settings of an experiment hold a {name!r} that cannot be made again ({error})"
        ) from error


def _parameters(cls: type[Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(cls).parameters


def _spread(cls: type[Any]) -> tuple[str, ...]:
    """The argument that takes any number of values, if there is one."""
    kinds = _parameters(cls).items()
    return tuple(name for name, one in kinds if one.kind is inspect.Parameter.VAR_POSITIONAL)


class _Parts:
    """The user's own values in one description, each once."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[int, int] = {}

    def describe(self, value: Any) -> Any:
        cls = type(value)
        if cls in _PLAIN:
            return value
        if cls in {list, tuple}:
            return cls(map(self.describe, value))
        if cls is dict and all(type(key) in _NAMES for key in value):
            return {key: self.describe(item) for key, item in value.items()}
        if (name := kind_of(cls)) is None:
            return self._part(value)
        kind = KINDS[name]
        arguments = {
            argument: self._part(given) if argument in kind.whole else self.describe(given)
            for argument, given in arguments_of(value).items()
        }
        return Described(kind=name, version=kind.version, arguments=arguments)

    def _part(self, value: Any) -> Part:
        place = self._places.setdefault(id(value), len(self.values))
        if place == len(self.values):
            self.values.append(value)
        return Part(place=place, text=_shown(value))


def _shown(value: Any) -> str:
    return attempt(
        lambda: repr(value)[:200],
        or_else=lambda error: f"<{type(value).__name__} whose repr raises {type(error).__name__}>",
    )


def _part(part: Part, parts: Sequence[Any]) -> Any:
    if not 0 <= part.place < len(parts):
        raise JournalError(f"The settings of an experiment name a part {part.text}, which objects.pkl lacks")
    return parts[part.place]
