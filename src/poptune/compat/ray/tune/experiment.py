"""``ray.tune.experiment``: a trial, as functions that make its name, callbacks and analyses see it."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from poptune._base.types import Config, TrialId, TrialStatus
from poptune._core.trial_spec import TrialSpec
from poptune._keeping.storage import open_store
from poptune.callbacks import CallbackTrial
from poptune.compat.ray._checkpoint import Checkpoint, of_native
from poptune.compat.ray._missing import Unmirrored
from poptune.loggers.errors import write_error
from poptune.search_space import trial_tag

Path = tuple[str, ...]
_SERIES = "all results are in result.metrics_dataframe of the grid that the Tuner returns"


class Trial:
    """A trial by Ray's names. It prints as its name; two are equal if they are the same trial."""

    PENDING: ClassVar = TrialStatus.PENDING
    RUNNING: ClassVar = TrialStatus.RUNNING
    PAUSED: ClassVar = TrialStatus.PAUSED
    TERMINATED: ClassVar = TrialStatus.TERMINATED
    ERROR: ClassVar = TrialStatus.ERROR

    metric_n_steps = Unmirrored(_SERIES)
    run_metadata = Unmirrored(f"the trial has its last_result and its checkpoint; {_SERIES}")
    placement_group_factory = Unmirrored("the trial itself knows: tune.get_context().get_trial_resources()")
    pickled_error_file = Unmirrored("opening a pickle runs code; error_file names the text")
    set_config = Unmirrored("a config is changed by a scheduler")
    set_status = Unmirrored("a trial is ended by stop=..., or by a scheduler")
    storage = Unmirrored("path is the trial's folder")
    temporary_state = Unmirrored("it is a part of Ray's own machinery")
    update_resources = Unmirrored("the resources of a trial do not change")

    @property
    @abstractmethod
    def _spec(self) -> TrialSpec: ...

    @property
    @abstractmethod
    def trainable_name(self) -> str:
        """What is trained."""

    @property
    def trial_id(self) -> TrialId:
        """The id, such as ``69158_00000``."""
        return self._spec.id

    @property
    def experiment_tag(self) -> str:
        """The trial's index and what was sampled for it."""
        return self._spec.tag

    @property
    def relative_logdir(self) -> str:
        """The name of its folder in the experiment's."""
        return self._spec.folder

    @property
    def evaluated_params(self) -> dict[str, Any]:
        """What was sampled for the trial, by paths such as ``optimizer/lr``."""
        return evaluated_params(self._spec.tag, self._spec.config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trial) and other.trial_id == self.trial_id

    def __hash__(self) -> int:
        return hash(self.trial_id)

    def __str__(self) -> str:
        return self._spec.name

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NewTrial(Trial):
    """A trial before it has trained."""

    spec: TrialSpec

    @property
    def _spec(self) -> TrialSpec:
        return self.spec

    @property
    def trainable_name(self) -> str:
        return self.spec.name.removesuffix(f"_{self.spec.id}")

    @property
    def config(self) -> Config:
        """The config that it begins with."""
        return self.spec.config

    @property
    def status(self) -> TrialStatus:
        """It has not begun."""
        return TrialStatus.PENDING


class SeenTrial(Trial, CallbackTrial):
    """A trial as callbacks see it, the same object in all hooks; they may keep attributes of their own in it.

    These last as long as the program does.
    """

    @property
    def _spec(self) -> TrialSpec:
        return self._trial.spec

    @property
    def trainable_name(self) -> str:
        return self._trainable

    @property
    def last_result(self) -> dict[str, Any]:
        """The last result, and the config under ``"config"``; empty before the first."""
        last = dict(super().last_result)
        return {**last, "config": self.config} if last else last

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint of its present state."""
        ref = self._trial.checkpoint
        if ref is None:
            return None
        store = open_store(self._layout.root, "")
        return of_native(store.open(ref.path, checkpoint_id=ref.id, trusted=True))

    @property
    def logdir(self) -> str:
        """Its folder."""
        return self.local_path

    def is_finished(self) -> bool:
        """Return whether it trains no further."""
        return not self.status.is_live

    @property
    def error_file(self) -> str | None:
        """The file with its whole error, once it was given up; hooks are called before it is written else."""
        if self.status is not TrialStatus.ERROR:
            return None
        return str(write_error(self._trial, self._layout))

    def init_logdir(self) -> None:
        """Have its folder exist, which it does anyhow once the trial has begun."""
        self.path.mkdir(exist_ok=True)

    init_local_path = init_logdir

    metric_analysis = Unmirrored("keep what you need in on_trial_result; an ExperimentAnalysis has it later")

    def __setattr__(self, name: str, value: object) -> None:
        if name not in CallbackTrial.__slots__ and hasattr(type(self), name):
            raise AttributeError(
                f"trial.{name} is the trial's own, which a callback only sees, but it is set to {value!r}: "
                "end trials with stop=..., change configs with a scheduler, and keep what is yours under "
                "another name"
            )
        object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class NameCreator:
    """A function of Ray's ``Trial`` that makes a name, as one of poptune's ``TrialSpec``."""

    create: Callable[[Trial], str]

    def __call__(self, spec: TrialSpec) -> str:
        return self.create(NewTrial(spec))


def evaluated_params(tag: str, config: Config) -> dict[str, Any]:
    """Return what a trial's tag says was sampled, with the values that its first config has.

    Example:
        >>> evaluated_params("0_lr=0.1000", {"optimizer": {"lr": 0.1}, "width": 64})
        {'optimizer/lr': 0.1}
    """
    found: dict[str, Any] = {}
    for part in filter(None, tag.partition("_")[2].split(",")):
        name, _, shown = part.partition("=")
        for path, value in _values(config):
            key = "/".join(path)
            if key not in found and name in _names(path) and _shown(path, value) == shown:
                found[key] = value
                break
    return found


def _values(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if path:
        yield path, value
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _values(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _values(inner, (*path, str(place)))


def _names(path: Path) -> set[str]:
    """What a tag may call the value at a path."""
    dotted = ".".join(path)
    return {re.sub(r"[^\w.+-]", "_", name) for name in (dotted, dotted.rpartition(".")[2])}


def _shown(path: Path, value: Any) -> str:
    """How a tag shows a value."""
    return trial_tag(0, {".".join(path): value}).partition("=")[2]
