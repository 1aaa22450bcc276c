"""An experiment as its user defined it, checked as a whole; what a restore needs to continue it."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from typing import Any, cast

from poptune._base.arguments import nearest
from poptune._base.copies import copied
from poptune._base.notices import warn
from poptune._base.types import Mode
from poptune._core.policy_log import read_policy
from poptune._core.random import derived_generator
from poptune._core.retention import Retention
from poptune._core.retries import Retries
from poptune._core.schedule import Schedule
from poptune._core.scheduler import Scheduler
from poptune._core.settings import Settings
from poptune._core.unopened import refuse_unopened
from poptune._keeping.storage import local_path, remote_url
from poptune._keeping.storage.remote import check_installed, read_url
from poptune._running.executors import Executor, InlineExecutor, ProcessExecutor, RayExecutor
from poptune._running.executors.shipping import ship, ship_config
from poptune._running.tuner.configs import RunConfig, TuneConfig
from poptune._running.tuner.doubts import misspelt_hooks, unread
from poptune._running.tuner.naming import named
from poptune._running.tuner.opening import opened
from poptune._running.tuner.storing import check_storable
from poptune._training.protocol import Terms
from poptune._training.trainable import Prepared, Trainable, bundles_of, check_resources
from poptune.callbacks import needs_lockstep
from poptune.errors import ConfigurationError, StorageError
from poptune.search_space import Resolved, entries, validate, variants
from poptune.stoppers import StopRules, stop_rules, thresholds

_EXECUTORS: dict[str, Callable[[], Executor]] = {
    "processes": ProcessExecutor,
    "ray": RayExecutor,
    "inline": InlineExecutor,
}


_ANY_NUMBER = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What to train, over which space, how, and where. Valid, as far as can be told beforehand."""

    prepared: Prepared | None
    """``None`` in a stored definition whose trainable could not be pickled."""
    param_space: Mapping[str, Any]
    tune: TuneConfig
    run: RunConfig
    executor: Executor
    bundles: tuple[dict[str, float], ...]
    """What one trial needs, in portions that each are on one machine."""

    @classmethod
    def make(
        cls, prepared: Prepared, param_space: Mapping[str, Any], tune: TuneConfig, run: RunConfig
    ) -> Definition:
        """Check everything and put it together.

        Raises:
            ConfigurationError: Something is wrong.
        """
        param_space, points = copied(param_space), copied(tune.points_to_evaluate)
        validate(param_space)
        refuse_unopened("param_space", param_space)
        refuse_unopened("points_to_evaluate", points)
        refuse_unopened("with_parameters", prepared.parameters)
        scheduler = _for_metrics(_fitted(tune.scheduler, param_space), tune)
        needs = scheduler.needs
        if needs.metric is not None and needs.mode is None:
            raise ConfigurationError(
                f'A metric needs a mode, got metric={needs.metric!r} without one: add mode="max" or "min"'
            )
        resources = prepared.resources or tune.resources_per_trial or {"cpu": 1.0}
        check_resources(resources)
        definition = cls(
            prepared=prepared,
            param_space=param_space,
            tune=replace(
                tune,
                scheduler=scheduler,
                metric=tune.metric if tune.objectives else needs.metric,
                mode=tune.mode if tune.objectives else needs.mode,
                points_to_evaluate=points,
            ),
            run=run,
            executor=_executor(run.executor),
            bundles=bundles_of(resources),
        )
        if url := remote_url(run.storage_path):
            check_installed(url)
        definition.executor.count_slots(definition.bundles)
        prepared.check_signature()
        prepared.check_runs_when_called()
        definition._check_class_form(prepared)
        definition._check_failures()
        if not isinstance(definition.executor, InlineExecutor):
            ship(prepared)
        ship_config(param_space)
        check_storable(definition.tune, definition.run)
        population = definition.sample(seed=0)
        ship_config(population[0].sampled)  # what a function of sample_from returns
        definition._warn_of_doubtful_choices(len(population))
        return definition

    def _check_failures(self) -> None:
        failures = self.run.failure_config
        if failures.report_timeout_s is not None and isinstance(self.executor, InlineExecutor):
            raise ConfigurationError(
                "report_timeout_s needs trials that can be ended from outside, but those of the executor "
                "'inline' run in this process: leave it out, or use the executor 'processes'"
            )
        if failures.on_exhausted == "clone" and not self.tune.scheduler.needs.rebirths:
            raise ConfigurationError(
                'on_exhausted="clone" needs a scheduler that copies trials, such as PopulationBasedTraining, '
                f"got {type(self.tune.scheduler).__name__}"
            )

    def _check_class_form(self, prepared: Prepared) -> None:
        if not (prepared.is_class and self.tune.scheduler.needs.checkpoints):
            return
        if not _can_save(prepared):
            raise ConfigurationError(
                f"{type(self.tune.scheduler).__name__} copies checkpoints, so {prepared.name} must define "
                "save_checkpoint(checkpoint_dir) and load_checkpoint(checkpoint)"
            )

    def _warn_of_doubtful_choices(self, population: int) -> None:
        scheduler = self.tune.scheduler
        wanted = scheduler.needs.population
        if wanted is not None and population != wanted:
            raise ConfigurationError(
                f"{type(scheduler).__name__} trains a population of exactly {wanted}, got {population}: set "
                f"TuneConfig(num_samples={wanted}), without a grid_search in the param_space"
            )
        if population == 1 and scheduler.needs.copies:
            warn(
                "The population has a single trial, so there is nobody to copy: "
                "set TuneConfig(num_samples=...) to 4 or more"
            )
        ends = dict(self.stop_rules.thresholds)
        for key, value in (self.run.stop_population_at or {}).items():
            ends[key] = min(value, ends.get(key, value))
        budgets = [budget for budget in (self.tune.time_budget_s, self.stop_rules.timeout_s) if budget]
        for doubt in (
            *scheduler.doubts(ends, time_budget_s=min(budgets, default=None)),
            *(unread(scheduler, self.prepared) if self.prepared else ()),
            *misspelt_hooks(self.run.callbacks, self.run.loggers),
        ):
            warn(doubt)
        stop = self.run.stop
        needs = self.tune.scheduler.needs
        if isinstance(stop, Mapping) and needs.mode == "min" and needs.metric in stop:
            warn(
                f"stop={dict(stop)!r} ends a trial when {needs.metric!r} is at least that value, also "
                'under mode="min"; to end it when the value falls below, pass a function: '
                "stop=lambda trial_id, result: ..."
            )

    def sample(self, seed: int) -> list[Resolved]:
        """Return the configs of the population."""
        return variants(
            self.param_space,
            num_samples=self.tune.num_samples,
            generator=lambda index, path: derived_generator(seed, f"sample:{path}", index),
            points_to_evaluate=self.tune.points_to_evaluate,
        )

    @property
    def stop_rules(self) -> StopRules:
        """What the user's ``stop`` comes down to."""
        return stop_rules(self.run.stop)

    @property
    def seed(self) -> int:
        """The user's seed, or a fresh one."""
        return secrets.randbits(31) if self.tune.seed is None else self.tune.seed

    @property
    def resources(self) -> dict[str, float]:
        """What one trial needs in all."""
        total: Counter[str] = Counter()
        for bundle in self.bundles:
            total.update(bundle)
        return dict(total)

    def slots(self, population: int) -> int:
        """Return how many trials run at once."""
        return min(self.executor.count_slots(self.bundles), self.most_slots(population))

    def most_slots(self, population: int) -> int:
        """Return how many trials may run at once if there is room for all."""
        if self.tune.scheduler.needs.spawns:
            return self.tune.max_concurrent_trials or _ANY_NUMBER
        return min(self.tune.max_concurrent_trials or population, population)

    def settings(self, population: int, *, slots: int | None = None) -> Settings:
        """Return what the machine must know beside the events.

        Args:
            population: How many trials there are.
            slots: How many run at once; by default what the executor says, which may have to look for it.
        """
        slots = self.slots(population) if slots is None else slots
        residents = self.executor.max_resident_trials
        if residents is None and (self.resources.get("gpu") or len(self.bundles) > 1):
            residents = slots
        checkpoints, failures = self.run.checkpoint_config, self.run.failure_config
        return Settings(
            slots=slots,
            max_residents=None if residents is None else max(residents, slots),
            retries=Retries(
                per_trial=failures.max_failures,
                in_all=failures.max_failures_in_all,
                pause_s=failures.retry_pause_s,
                rebirth=failures.on_exhausted == "clone",
                fail_fast=failures.fail_fast,
            ),
            retention=Retention(
                num_to_keep=checkpoints.num_to_keep,
                attribute=checkpoints.checkpoint_score_attribute,
                mode=checkpoints.checkpoint_score_order,
            ),
            named=partial(named, tune=self.tune),
        )

    def terms(self, name: str, path: str, remote: str = "") -> Terms:
        """Return what holds for every trial of the experiment in this folder, mirrored to this remote one."""
        needs = self.tune.scheduler.needs
        stop = self.stop_rules
        checkpoints = self.run.checkpoint_config
        at_end = checkpoints.checkpoint_at_end
        if at_end is None:
            at_end = self.prepared is not None and _can_save(self.prepared)
        return Terms(
            experiment_name=name,
            experiment_path=path,
            remote=remote,
            stop=stop.thresholds,
            stop_population=thresholds(self.run.stop_population_at),
            time_attr=needs.time_attr,
            metric=needs.metric,
            further_metrics=tuple(each.metric for each in self.tune.objectives[1:]),
            require_attrs=needs.require_attrs,
            lockstep=stop.lockstep or any(map(needs_lockstep, self.run.callbacks)),
            save_at_milestones=needs.checkpoints,
            checkpoint_frequency=checkpoints.checkpoint_frequency,
            checkpoint_at_end=at_end,
            background_saves=checkpoints.save_in_background,
            seed_libraries=self.tune.seed_libraries,
            resources=self.resources,
            hyperparameters=self._hyperparameters(),
        )

    def _hyperparameters(self) -> tuple[str, ...]:
        needs = self.tune.scheduler.needs
        if not needs.copies:
            return ()
        return tuple(dict.fromkeys((*entries(self.param_space), *needs.hyperparameters)))


def _for_metrics(scheduler: Scheduler[Any], tune: TuneConfig) -> Scheduler[Any]:
    """Return the scheduler with what it is to optimise."""
    if tune.objectives:
        return scheduler.for_objectives(tune.objectives)
    return scheduler.for_metric(cast("str | None", tune.metric), cast("Mode | None", tune.mode))


def _fitted(scheduler: Scheduler[Any], param_space: Mapping[str, Any]) -> Scheduler[Any]:
    """Return the scheduler brought together with the space, and with the schedule that it replays, if any."""
    fitted = scheduler.for_space(param_space)
    if fitted.needs.replays is None:
        return fitted
    return fitted.with_schedule(_schedule(fitted.needs.replays, param_space))


def _schedule(policy: object, param_space: Mapping[str, Any]) -> Schedule:
    """Return the schedule that is to be replayed, with the values that it only names."""
    written = not isinstance(policy, Schedule)
    schedule = policy if isinstance(policy, Schedule) else _read_policy(cast("str | PathLike[str]", policy))
    replayed = set(schedule(1))
    if not set(param_space) <= replayed:
        raise ConfigurationError(
            f"A replay takes its config from the policy, whose keys are {sorted(replayed)}, but the "
            f"param_space has {sorted(param_space)}: is the policy of another experiment? If not, leave the "
            "param_space out"
        )
    schedule, taken = opened(schedule, param_space, written=written)
    if any(not any(f"{one}.".startswith(f"{path}.") for one in taken) for path in entries(param_space)):
        but = f", but for {', '.join(taken)}, which the policy only names" if taken else ""
        warn(f"The config comes from the replayed policy; the param_space is overridden{but}")
    return copied(schedule)


def _read_policy(path: str | PathLike[str]) -> Schedule:
    url = remote_url(path)
    try:
        text = read_url(url).decode() if url else local_path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, StorageError) as error:
        raise ConfigurationError(
            f"policy_file must be a pbt_policy_*.txt in an experiment's folder, but {str(path)!r} cannot be "
            f"read ({error})"
        ) from error
    return read_policy(text, name=str(path).rpartition("/")[2])


def _can_save(prepared: Prepared) -> bool:
    """Whether the code can be asked for its state: a function can where it is in the steps form."""
    cls: Any = prepared.trainable
    return not prepared.is_class or cls.save_checkpoint is not Trainable.save_checkpoint


def _executor(chosen: str | Executor) -> Executor:
    if not isinstance(chosen, str):
        return chosen
    if chosen not in _EXECUTORS:
        raise ConfigurationError(
            f"executor must be one of {', '.join(_EXECUTORS)} or an executor object, got {chosen!r}"
            + nearest(chosen, _EXECUTORS)
        )
    return _EXECUTORS[chosen]()
