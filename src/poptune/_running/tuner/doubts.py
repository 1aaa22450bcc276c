"""What is allowed, but hardly meant: told before anything starts, or when all is over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from poptune._base.spelling import meant
from poptune._base.types import TrialStatus
from poptune._core.population import Population
from poptune._core.scheduler import Scheduler
from poptune._training.config_reads import is_never_read
from poptune._training.trainable import Prepared
from poptune.callbacks import Callback
from poptune.loggers import Logger, TrialLogger


def unread(scheduler: Scheduler[Any], prepared: Prepared) -> list[str]:
    """Return a warning for each hyperparameter that is explored and that the training code certainly ignores.

    Args:
        scheduler: The scheduler.
        prepared: The training function, or whatever else it is.
    """
    return [
        f"{type(scheduler).__name__} changes {path!r}, but {prepared.name} names it "
        f"nowhere, so no change of it can have an effect: read it, config{_subscripts(path)}, or leave it out"
        for path in scheduler.needs.hyperparameters
        if is_never_read(prepared.trainable, path)
    ]


def misspelt_hooks(callbacks: Iterable[Callback], loggers: Iterable[str | Logger]) -> list[str]:
    """Return a warning for each method whose name is like that of a hook, but is none."""
    trial_loggers = [logger for logger in loggers if isinstance(logger, TrialLogger)]
    return [*_misspelt(callbacks, Callback), *_misspelt(trial_loggers, TrialLogger)]


def _misspelt(hooked: Iterable[object], base: type) -> Sequence[str]:
    hooks = [name for name in vars(base) if name.startswith("on_")]
    kinds = dict.fromkeys(map(type, hooked))
    return [
        f"{kind.__name__}.{name} is no hook, so it is not called; did you mean {hook!r}? Name it so, or, if "
        "it is a helper of your own, so that it does not begin with on_"
        for kind in kinds
        for name in dir(kind)
        if name.startswith("on_") and name not in hooks and callable(getattr(kind, name))
        if (hook := meant(name, hooks))
    ]


def _subscripts(path: str) -> str:
    return "".join(f"[{key!r}]" for key in path.split("."))


def never_at_a_milestone(population: Population, scheduler: Scheduler[Any]) -> str:
    """Return a warning if a whole experiment was too short for anybody to copy; else an empty text.

    Args:
        population: As it was at the end.
        scheduler: Who would have decided at each milestone.
    """
    trials = population.trials
    if len(trials) < 2 or any(trial.decisions > 1 or trial.arrived for trial in trials):
        return ""
    longest = max((trial.age for trial in trials if trial.status is not TrialStatus.ERROR), default=0.0)
    return scheduler.too_short(longest) if longest else ""
