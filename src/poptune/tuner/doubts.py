"""What is allowed, but hardly meant: told before anything starts, or when all is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from poptune.callbacks import Callback
from poptune.core.population import Population
from poptune.core.scheduler import Scheduler
from poptune.runtime.config_reads import is_never_read
from poptune.runtime.trainable import Prepared
from poptune.schedulers import Perturb, PopulationBasedTraining
from poptune.schedulers.placing import leaves
from poptune.spelling import meant
from poptune.types import TrialStatus


def doubts(
    scheduler: Scheduler[Any], ends: Mapping[str, float], *, time_budget_s: float | None = None
) -> list[str]:
    """Return a warning for each choice of a scheduler's that does not do what is hoped for.

    Args:
        scheduler: The scheduler.
        ends: The values of metrics at which a trial, or all, end.
        time_budget_s: After how many seconds everything ends.
    """
    if not isinstance(scheduler, PopulationBasedTraining):
        return []
    return [*_pairs(scheduler), *_no_milestone(scheduler, ends, time_budget_s)]


def unread(scheduler: Scheduler[Any], prepared: Prepared) -> list[str]:
    """Return a warning for each hyperparameter that is explored and that the training code certainly ignores.

    Args:
        scheduler: The scheduler.
        prepared: The training function, or whatever else it is.
    """
    mutations = scheduler.hyperparam_mutations if isinstance(scheduler, PopulationBasedTraining) else None
    paths = [".".join(keys) for keys, _ in leaves(mutations or {})]
    return [
        f"hyperparam_mutations changes {path!r}, but {prepared.name} names it "
        f"nowhere, so no change of it can have an effect: read it, config{_subscripts(path)}, or leave it out"
        for path in paths
        if is_never_read(prepared.trainable, path)
    ]


def misspelt_hooks(callbacks: Iterable[Callback]) -> list[str]:
    """Return a warning for each method of a callback whose name is like that of a hook, but is none."""
    hooks = [name for name in vars(Callback) if name.startswith("on_")]
    kinds = dict.fromkeys(type(callback) for callback in callbacks)
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
    if not isinstance(scheduler, PopulationBasedTraining) or len(trials) < 2:
        return ""
    if any(trial.decisions > 1 or trial.arrived for trial in trials):
        return ""
    longest = max((trial.age for trial in trials if trial.status is not TrialStatus.ERROR), default=0.0)
    if not longest:
        return ""
    return (
        f"Nobody has copied anybody, because no trial came to a milestone: {_first_milestone(scheduler)}, "
        f"but the longest trial came to {longest:.4g}. Set perturbation_interval to "
        f"{_tenth(longest, scheduler.time_attr)} or so{_with_iterations(scheduler)}"
    )


def _first_milestone(scheduler: PopulationBasedTraining) -> str:
    first = max(scheduler.perturbation_interval, scheduler.burn_in_period)
    name = "perturbation_interval" if first == scheduler.perturbation_interval else "burn_in_period"
    return f"the first is at {first:g} {scheduler.time_attr}, the {name}"


def _with_iterations(scheduler: PopulationBasedTraining) -> str:
    if scheduler.time_attr == "training_iteration":
        return ""
    return ', or count iterations, time_attr="training_iteration"'


def _pairs(scheduler: PopulationBasedTraining) -> Iterator[str]:
    explore = scheduler.explore
    mutations = explore.mutations if isinstance(explore, Perturb) else scheduler.hyperparam_mutations
    for keys, mutation in leaves(mutations or {}):
        if isinstance(mutation, tuple) and len(mutation) == 2 and all(map(_is_number, mutation)):
            low, high = mutation
            between = f"tune.uniform({low!r}, {high!r})"
            if low > 0 and high > 0:
                between += f" or tune.loguniform({low!r}, {high!r})"
            if all(isinstance(end, int) for end in mutation):
                between = f"tune.randint({low!r}, {high + 1!r})"
            yield (
                f"The mutation of {'.'.join(keys)!r} is the tuple {mutation!r}, which means these two values "
                f"and nothing between: write {between} for what is between, or the list {list(mutation)!r} "
                "for the two values"
            )


def _no_milestone(
    scheduler: PopulationBasedTraining, ends: Mapping[str, float], time_budget_s: float | None
) -> Iterator[str]:
    attr = scheduler.time_attr
    end, what = ends.get(attr), f"the end of a trial at {attr} {ends.get(attr):g}" if attr in ends else ""
    if attr == "time_total_s" and time_budget_s is not None and (end is None or time_budget_s < end):
        end, what = time_budget_s, f"the end of the time budget of {time_budget_s:g} s"
    first = max(scheduler.perturbation_interval, scheduler.burn_in_period)
    if end is not None and end <= first and not (attr == "training_iteration" and end <= 1):
        yield (
            f"No milestone comes before {what}, so nobody will copy: {_first_milestone(scheduler)}. Set "
            f"perturbation_interval to {_tenth(end, attr)} or so"
            + (f", and burn_in_period to less than {end:g}" if scheduler.burn_in_period >= end else "")
        )


def _tenth(end: float, attr: str) -> str:
    is_counted = attr != "time_total_s" and float(end).is_integer()
    return str(max(1, round(end / 10))) if is_counted else f"{end / 10:.2g}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
