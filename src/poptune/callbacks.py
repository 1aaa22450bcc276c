"""Hooks of the user's own: code that runs in the controlling process as the experiment goes on.

The hooks, their order and their arguments are those of Ray Tune's ``Callback``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poptune.copies import copied
from poptune.core.events import (
    Completed,
    Event,
    Left,
    Planned,
    Reported,
    Restarted,
)
from poptune.core.population import Population, Trial
from poptune.core.scheduler import Load
from poptune.layout import Layout
from poptune.notices import warn
from poptune.places import checkpoint_path
from poptune.types import Config, Metrics, TrialId, TrialStatus


@dataclass(frozen=True, slots=True)
class CallbackTrial:
    """A trial as callbacks see it: always its present state."""

    _trial: Trial
    _layout: Layout

    @property
    def trial_id(self) -> str:
        """The id, such as ``69158_00000``."""
        return self._trial.id

    @property
    def trial_name(self) -> str:
        """The name, such as ``train_convnet_69158_00000``."""
        return self._trial.spec.name

    @property
    def experiment_tag(self) -> str:
        """Index and sampled values, ``0_lr=0.0701``."""
        return self._trial.spec.tag

    @property
    def config(self) -> Config:
        """The config now."""
        return self._trial.config

    @property
    def status(self) -> TrialStatus:
        """Where it stands."""
        return self._trial.status

    @property
    def last_result(self) -> Metrics:
        """The last result, empty before the first."""
        return self._trial.metrics

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._layout.trial(self._trial.spec.folder)

    @property
    def local_path(self) -> str:
        """Its folder, as text."""
        return str(self.path)

    def __str__(self) -> str:
        return self.trial_name


class Callback:
    """Override the hooks you need; the others do nothing.

    Where :meth:`on_trial_result` is overridden, a trial waits at each report until the hook has seen the
    result. Set ``synchronous = False`` to have it train on meanwhile. A hook that raises is reported once as
    a warning, and the run goes on; set ``fail_run = True`` to have it end the run.

    Example:
        >>> import poptune as tune
        >>> class Printer(tune.Callback):
        ...     def on_trial_result(self, iteration, trials, trial, result, **info):
        ...         print(trial, result["loss"])
        >>> run_config = tune.RunConfig(callbacks=[Printer()])
    """

    synchronous: bool = True
    fail_run: bool = False

    def setup(
        self,
        stop: Any = None,
        num_samples: int | None = None,
        total_num_samples: int | None = None,
        **info: Any,
    ) -> None:
        """Be called once, before anything else."""

    def on_step_begin(self, iteration: int, trials: list[CallbackTrial], **info: Any) -> None:
        """See a turn of the control loop, in which something happened, begin."""

    def on_step_end(self, iteration: int, trials: list[CallbackTrial], **info: Any) -> None:
        """See that turn end."""

    def on_trial_start(
        self, iteration: int, trials: list[CallbackTrial], trial: CallbackTrial, **info: Any
    ) -> None:
        """See a trial being started."""

    def on_trial_restore(
        self, iteration: int, trials: list[CallbackTrial], trial: CallbackTrial, **info: Any
    ) -> None:
        """See a trial taking over a checkpoint, its own or a donor's."""

    def on_trial_save(
        self, iteration: int, trials: list[CallbackTrial], trial: CallbackTrial, **info: Any
    ) -> None:
        """See that a trial has saved a checkpoint."""

    def on_trial_result(
        self,
        iteration: int,
        trials: list[CallbackTrial],
        trial: CallbackTrial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """See a result."""

    def on_trial_complete(
        self, iteration: int, trials: list[CallbackTrial], trial: CallbackTrial, **info: Any
    ) -> None:
        """See a trial end well."""

    def on_trial_recover(
        self, iteration: int, trials: list[CallbackTrial], trial: CallbackTrial, **info: Any
    ) -> None:
        """See a trial being restarted after a failure."""

    def on_trial_error(
        self, iteration: int, trials: list[CallbackTrial], trial: CallbackTrial, **info: Any
    ) -> None:
        """See a trial given up."""

    def on_checkpoint(
        self,
        iteration: int,
        trials: list[CallbackTrial],
        trial: CallbackTrial,
        checkpoint: str,
        **info: Any,
    ) -> None:
        """See the folder of a checkpoint that a trial has saved."""

    def on_experiment_end(self, trials: list[CallbackTrial], **info: Any) -> None:
        """Be called once, when the experiment is complete."""


def needs_lockstep(callback: Callback) -> bool:
    """Whether trials must wait at each report for a callback."""
    return callback.synchronous and type(callback).on_trial_result is not Callback.on_trial_result


class CallbackRunner:
    """Calls the hooks of several callbacks as the journal goes on."""

    def __init__(self, callbacks: Sequence[Callback], layout: Layout, setup: Mapping[str, Any]) -> None:
        self._callbacks = callbacks
        self._layout = layout
        self._setup = setup
        self._iteration = 0
        self._started: set[str] = set()
        self._trials: list[CallbackTrial] = []
        self._complained: set[tuple[int, str]] = set()

    def observe(self, events: Sequence[Event], population: Population) -> None:
        """Call the hooks that the events ask for, in their order."""
        if not self._iteration:
            self._call("setup", **copied(dict(self._setup)))
            self._trials = [CallbackTrial(trial, self._layout) for trial in population.trials]
        self._iteration += 1
        step = {"iteration": self._iteration, "trials": self._trials}
        self._call("on_step_begin", **step)
        for event in events:
            self._tell(event, population, step)
        self._call("on_step_end", **step)
        if any(isinstance(event, Completed) for event in events):
            self._call("on_experiment_end", trials=self._trials)

    def _tell(self, event: Event, population: Population, step: Mapping[str, Any]) -> None:
        match event:
            case Planned(plan=plan):
                for decision in plan.decisions:
                    if isinstance(decision.source, Load):
                        self._call("on_trial_restore", **step, trial=self._view(decision.trial, population))
            case Reported(trial=trial):
                self._tell_result(event, self._view(trial, population), step, population)
            case Restarted(trial=trial, cause="failure"):
                self._call("on_trial_recover", **step, trial=self._view(trial, population))
            case Left(trial=trial, status=status):
                failed = status is TrialStatus.ERROR
                hook = "on_trial_error" if failed else "on_trial_complete"
                self._call(hook, **step, trial=self._view(trial, population))
            case _:
                pass

    def _tell_result(
        self, event: Reported, trial: CallbackTrial, step: Mapping[str, Any], population: Population
    ) -> None:
        if trial.trial_id not in self._started:
            self._started.add(trial.trial_id)
            self._call("on_trial_start", **step, trial=trial)
        self._call("on_trial_result", **step, trial=trial, result=copied(dict(event.metrics)))
        if event.checkpoint is not None:
            self._call("on_trial_save", **step, trial=trial)
            path = checkpoint_path(population[event.trial].spec.checkpoints_folder, event.checkpoint)
            folder = self._layout.root / path
            self._call("on_checkpoint", **step, trial=trial, checkpoint=str(folder))

    def _view(self, trial: TrialId, population: Population) -> CallbackTrial:
        return self._trials[population[trial].index]

    def _call(self, hook: str, **arguments: Any) -> None:
        for callback in self._callbacks:
            method: Callable[..., None] = getattr(callback, hook)
            try:
                method(**arguments)
            except Exception as error:
                name = f"{type(callback).__name__}.{hook}"
                if callback.fail_run:
                    error.add_note(f"This was raised by the callback {name}, which says fail_run")
                    raise
                if (id(callback), hook) not in self._complained:
                    self._complained.add((id(callback), hook))
                    warn(f"The callback {name} raised {type(error).__name__}: {error}. The run goes on")
