"""Hooks of the user's own: code that runs in the controlling process as the experiment goes on.

The hooks, their order and their arguments are those of Ray Tune's ``Callback``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from poptune._base.copies import copied
from poptune._base.layout import Layout
from poptune._base.notices import warn
from poptune._base.places import checkpoint_path
from poptune._base.types import Config, Metrics, TrialStatus
from poptune._core.events import (
    Completed,
    Event,
    Left,
    Planned,
    Reported,
    Restarted,
    Spawned,
)
from poptune._core.scheduler import Load
from poptune._core.views import WatchedPopulation, WatchedTrial


class CallbackTrial:
    """A trial as callbacks see it: always its present state. Equal to any other view of the same trial."""

    __slots__ = ("_layout", "_trainable", "_trial")

    def __init__(self, trial: WatchedTrial, layout: Layout, trainable: str) -> None:
        self._trial = trial
        self._layout = layout
        self._trainable = trainable

    @property
    def trial_id(self) -> str:
        """The id, such as ``69158_00000``."""
        return self._trial.id

    @property
    def trial_name(self) -> str:
        """The name, such as ``train_convnet_69158_00000``."""
        return self._trial.spec.name

    @property
    def trainable_name(self) -> str:
        """What is trained."""
        return self._trainable

    @property
    def experiment_tag(self) -> str:
        """Index and sampled values, ``0_lr=0.0701``."""
        return self._trial.spec.tag

    @property
    def config(self) -> Config:
        """The config now."""
        return copied(dict(self._trial.config))

    @property
    def status(self) -> TrialStatus:
        """Where it stands."""
        return self._trial.status

    @property
    def last_result(self) -> Metrics:
        """The last result, empty before the first."""
        return copied(dict(self._trial.metrics))

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._layout.trial(self._trial.spec.folder)

    @property
    def local_path(self) -> str:
        """Its folder, as text."""
        return str(self.path)

    def __setattr__(self, name: str, value: object) -> None:
        if name not in CallbackTrial.__slots__:
            raise AttributeError(
                f"A callback only sees a trial, but it sets trial.{name} = {value!r}: keep what is your own "
                f"in the callback itself, for example in a dict, self.{name}[trial.trial_id]"
            )
        super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CallbackTrial) and other.trial_id == self.trial_id

    def __hash__(self) -> int:
        return hash(self.trial_id)

    def __str__(self) -> str:
        return self.trial_name

    def __repr__(self) -> str:
        return f"<trial {self.trial_name}: {self.status}>"


class Callback:
    """Override the hooks you need; the others do nothing.

    To write down what happens, take a :class:`poptune.loggers.TrialLogger`: it is told of donors, and of
    results that count no longer, and no trial waits for it.

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
    trial_view: type[CallbackTrial] = CallbackTrial
    """How trials are shown to the hooks."""
    checkpoint_view: Callable[[str], Any] = str
    """How the folder of a checkpoint is shown to :meth:`on_checkpoint`."""

    def setup(
        self,
        stop: Any = None,
        num_samples: int | None = None,
        total_num_samples: int | None = None,
        **info: Any,
    ) -> None:
        """Be called once, before anything else."""

    def on_step_begin(self, iteration: int, trials: list[CallbackTrial], **info: Any) -> None:
        """See a turn of the control loop begin, some ten times a second, also while trials are silent."""

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


def watches_the_clock(callback: Callback) -> bool:
    """Whether a callback sees each turn of the control loop, whatever happens in it."""
    own = type(callback)
    return (own.on_step_begin, own.on_step_end) != (Callback.on_step_begin, Callback.on_step_end)


class CallbackRunner:
    """Calls the hooks of several callbacks as the journal goes on."""

    def __init__(self, callbacks: Sequence[Callback], layout: Layout, setup: Mapping[str, Any]) -> None:
        self._callbacks = callbacks
        self._watching = [callback for callback in callbacks if watches_the_clock(callback)]
        self._layout = layout
        self._setup = setup
        self._iteration = 0
        self._started: set[str] = set()
        self._views: dict[type[CallbackTrial], list[CallbackTrial]] = {}
        self._complained: set[tuple[int, str]] = set()

    def observe(self, events: Sequence[Event], population: WatchedPopulation) -> None:
        """Call the hooks that the events ask for, in their order."""
        if not self._iteration:
            self._begin(population)
        self._iteration += 1
        self._call("on_step_begin", iteration=self._iteration)
        for event in events:
            self._tell(event, population)
        self._call("on_step_end", iteration=self._iteration)
        if any(isinstance(event, Completed) for event in events):
            self._call("on_experiment_end")

    def idle(self) -> None:
        """See a turn of the control loop in which nothing happened."""
        if self._watching and self._iteration:
            self._iteration += 1
            self._call("on_step_begin", callbacks=self._watching, iteration=self._iteration)
            self._call("on_step_end", callbacks=self._watching, iteration=self._iteration)

    def _begin(self, population: WatchedPopulation) -> None:
        self._views = {callback.trial_view: [] for callback in self._callbacks}
        self._show_newcomers(population)
        for callback in self._callbacks:
            self._ask(callback, "setup", copied(dict(self._setup)))

    def _show_newcomers(self, population: WatchedPopulation) -> None:
        """Have a view of each trial; of one that is born later, too."""
        trainable = population.created.trainable if population.created else ""
        for view, shown in self._views.items():
            shown += [view(trial, self._layout, trainable) for trial in population.trials[len(shown) :]]

    def _tell(self, event: Event, population: WatchedPopulation) -> None:
        match event:
            case Spawned():
                self._show_newcomers(population)
            case Planned(plan=plan):
                for decision in plan.decisions:
                    if isinstance(decision.source, Load):
                        self._call_of(population[decision.trial], "on_trial_restore")
            case Reported(trial=trial):
                self._tell_result(event, population[trial])
            case Restarted(trial=trial, cause="failure"):
                self._call_of(population[trial], "on_trial_recover")
            case Left(trial=trial, status=status):
                failed = status is TrialStatus.ERROR
                self._call_of(population[trial], "on_trial_error" if failed else "on_trial_complete")
            case _:
                pass

    def _tell_result(self, event: Reported, trial: WatchedTrial) -> None:
        if trial.id not in self._started:
            self._started.add(trial.id)
            self._call_of(trial, "on_trial_start")
        self._call_of(trial, "on_trial_result", result=event.metrics)
        if event.checkpoint is not None:
            folder = self._layout.root / checkpoint_path(trial.spec.checkpoints_folder, event.checkpoint)
            self._call_of(trial, "on_checkpoint", checkpoint=str(folder))
            self._call_of(trial, "on_trial_save")

    def _call_of(self, trial: WatchedTrial, hook: str, **arguments: Any) -> None:
        """Call a hook that is of a trial; each callback is given a result of its own."""
        for callback in self._callbacks:
            own = dict(arguments)
            if "result" in own:
                own["result"] = copied(dict(own["result"]))
            if "checkpoint" in own:
                own["checkpoint"] = callback.checkpoint_view(own["checkpoint"])
            trials = self._views[callback.trial_view]
            step = {"iteration": self._iteration, "trials": trials, "trial": trials[trial.index]}
            self._ask(callback, hook, {**step, **own})

    def _call(self, hook: str, callbacks: Sequence[Callback] | None = None, **arguments: Any) -> None:
        for callback in self._callbacks if callbacks is None else callbacks:
            self._ask(callback, hook, {**arguments, "trials": self._views[callback.trial_view]})

    def _ask(self, callback: Callback, hook: str, arguments: Mapping[str, Any]) -> None:
        method: Callable[..., None] = getattr(callback, hook)
        try:
            method(**arguments)
        except Exception as error:
            name = f"{type(callback).__name__}.{hook}"
            if callback.fail_run:
                error.add_note(
                    f"This was raised by the callback {name}, which says fail_run. The results so far are "
                    "kept: mend it and run Tuner.restore(path).fit() in the same script, or give it, "
                    "Tuner.restore(path, run_config=...)"
                )
                raise
            if (id(callback), hook) not in self._complained:
                self._complained.add((id(callback), hook))
                warn(f"The callback {name} raised {type(error).__name__}: {error}. The run goes on")
