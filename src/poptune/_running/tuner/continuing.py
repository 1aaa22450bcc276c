"""How an experiment goes on: what its user has changed of it, and who trains again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from poptune._base.equality import same
from poptune._base.nested import value_at
from poptune._base.notices import warn
from poptune._base.types import TrialId
from poptune._core.population import Population, Trial
from poptune._core.revival import to_revive
from poptune._core.scheduler import Scheduler
from poptune._running.tuner.configs import RunConfig, check_seconds
from poptune._running.tuner.definition import Definition
from poptune._running.tuner.references import Renewal
from poptune._training.metrics import is_at_least
from poptune._training.trainable import Prepared
from poptune.errors import ConfigurationError
from poptune.search_space import entries
from poptune.stoppers import StopFunction, Stopper


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What ``Tuner.restore`` was told beside the folder."""

    trainable: Prepared | None = None
    stop: Mapping[str, float] | StopFunction | Stopper | None = None
    param_space: Mapping[str, Any] | None = None
    run_config: RunConfig | None = None
    scheduler: Scheduler[Any] | None = None
    time_budget_s: float | None = None
    resume_errored: bool = False
    restart_errored: bool = False

    def applied(self, stored: Definition, *, spent_s: Callable[[], float]) -> Continuation:
        """Return how an experiment goes on that was stored as this.

        Raises:
            ConfigurationError: Something cannot be changed so.
        """
        if self.resume_errored and self.restart_errored:
            raise ConfigurationError(
                "Trials that failed either go on from their newest checkpoints or begin from nothing, got "
                "both resume_errored=True and restart_errored=True: give one of the two"
            )
        if self.time_budget_s is not None:
            check_seconds("time_budget_s", self.time_budget_s)
        run, tune = self._run(stored), stored.tune
        if self.scheduler is not None:
            tune = replace(tune, scheduler=_of_the_same_kind(self.scheduler, tune.scheduler))
        if self.time_budget_s is not None:
            tune = replace(tune, time_budget_s=spent_s() + self.time_budget_s)
        is_revised = run is not stored.run or tune is not stored.tune
        prepared = self.trainable or stored.prepared
        definition = replace(stored, prepared=prepared)
        if prepared is not None and (is_revised or self.trainable is not None):
            definition = Definition.make(prepared, stored.param_space, tune, run)
        return Continuation(
            definition=definition,
            is_revised=is_revised,
            has_new_stops=not same(run.stop, stored.run.stop)
            or not same(run.stop_population_at, stored.run.stop_population_at)
            or self.stop is not None
            or self.time_budget_s is not None,
            resume_errored=self.resume_errored,
            restart_errored=self.restart_errored,
            renewal=self._renewal(stored.param_space),
        )

    def _run(self, stored: Definition) -> RunConfig:
        """The settings of the run from now on; where it lies and what it is called stays."""
        run = stored.run
        if self.run_config is not None:
            run = replace(run, **_said(self.run_config))
        return run if self.stop is None else replace(run, stop=self.stop)

    def _renewal(self, stored: Mapping[str, Any]) -> Renewal:
        given = self.param_space or {}
        renewal = Renewal.between(stored, given)
        if given and not (renewal.pairs or renewal.places) and not _looks_the_same(given, stored):
            warn(
                "The trials of a restored experiment have their configs already: of the param_space that is "
                "given only references, as put() returns them, are taken; it holds none, so it changes "
                "nothing"
            )
        return renewal


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """An experiment, and how it goes on."""

    definition: Definition
    is_revised: bool = False
    """Whether settings have changed, so that they must be kept for the sessions that follow."""
    has_new_stops: bool = False
    """Whether trials that have ended may go on, by conditions that were changed."""
    resume_errored: bool = False
    restart_errored: bool = False
    renewal: Renewal = field(default_factory=Renewal)

    @property
    def asks_for_more(self) -> bool:
        """Whether trials that have ended may train on."""
        return self.has_new_stops or self.resume_errored or self.restart_errored

    def revived(self, population: Population) -> tuple[tuple[TrialId, ...], tuple[TrialId, ...]]:
        """Return the trials that have ended and train on, and those of them that begin from nothing."""
        revived = to_revive(
            population,
            failed=self.resume_errored or self.restart_errored,
            has_ended=self._has_ended if self.has_new_stops else None,
        )
        anew = tuple(trial for trial in revived if self.restart_errored and population[trial].error)
        return revived, anew

    def _has_ended(self, trial: Trial) -> bool:
        """Whether thresholds end a trial at its last result; rules of other kinds are asked at the next."""
        thresholds = {
            **self.definition.stop_rules.thresholds,
            **(self.definition.run.stop_population_at or {}),
        }
        return any(is_at_least(value_at(trial.metrics, key), least) for key, least in thresholds.items())


def _said(run_config: RunConfig) -> dict[str, Any]:
    """Return the settings that a run config says something of, beside its name and its place."""
    silent = RunConfig()
    names = [field.name for field in fields(RunConfig) if field.name not in {"name", "storage_path"}]
    said = {name: getattr(run_config, name) for name in names}
    return {name: value for name, value in said.items() if not same(value, getattr(silent, name))}


def _of_the_same_kind(given: Scheduler[Any], stored: Scheduler[Any]) -> Scheduler[Any]:
    if type(given).__qualname__ != type(stored).__qualname__:
        raise ConfigurationError(
            f"An experiment goes on with the algorithm that it was begun with, {type(stored).__name__}, got "
            f"a {type(given).__name__}: give one of that kind, or begin a new experiment"
        )
    return given


def _looks_the_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return {path: repr(value) for path, value in entries(one).items()} == {
        path: repr(value) for path, value in entries(other).items()
    }
