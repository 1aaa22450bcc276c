"""``ray.tune.experiment``: a trial, as the functions see it that make its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from poptune.core.events import TrialSpec
from poptune.types import Config


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial before it has trained."""

    trial_id: str
    trainable_name: str
    experiment_tag: str
    config: Config

    def __str__(self) -> str:
        return f"{self.trainable_name}_{self.trial_id}"


@dataclass(frozen=True, slots=True)
class NameCreator:
    """A function of Ray's ``Trial`` that makes a name, as one of poptune's ``TrialSpec``."""

    create: Callable[[Trial], str]

    def __call__(self, spec: TrialSpec) -> str:
        trainable = spec.name.removesuffix(f"_{spec.id}")
        return self.create(Trial(spec.id, trainable, spec.tag, spec.config))
