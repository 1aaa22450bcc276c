"""The session of one trial: what ``report()``, ``get_checkpoint()`` and ``get_context()`` stand on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn, Protocol

import cloudpickle

from poptune._base.course import Course, Moving, present
from poptune._keeping.checkpoints import Checkpoint
from poptune._training.host import host
from poptune._training.protocol import (
    Assignment,
    Channel,
    CodeDeclined,
    Doubt,
    Idle,
    Order,
    ProceedOrder,
    QuitOrder,
    ReleaseOrder,
    Result,
    SaveOrder,
    Terms,
)
from poptune._training.stale_hyperparameters import StaleWatch, story_of
from poptune._training.trial_progress import TrialProgress
from poptune.errors import CheckpointError, CorruptCheckpointError, TrainableError


class Unwinding(BaseException):
    """Leaves the user's code from within ``report()``; no ``except Exception`` stops it."""


class Released(Unwinding):
    """The trial trains no further in this worker."""


class Reassigned(Unwinding):
    """The trial goes on from another state: its code is entered anew, or loads it in place."""

    def __init__(self, assignment: Assignment) -> None:
        super().__init__(assignment.trial)
        self.assignment = assignment


class InPlace(Protocol):
    """Training code that saves itself when asked, and may take over another state without being left."""

    def saved(self) -> AbstractContextManager[Checkpoint]:
        """Return the present state, which is to be stored before the context ends."""
        ...

    def take_over(self) -> bool:
        """Go on from the session's present config and checkpoint; False asks to be entered anew instead."""
        ...

    def take_config(self, config: dict[str, Any]) -> bool:
        """Go on from where it stands with another config; False asks to be entered anew instead."""
        ...

    def move(self, values: Mapping[str, float]) -> bool:
        """Go on with these values at these dotted paths of the config; False leaves all as it is."""
        ...


class States(Protocol):
    """Where a session saves states, and finds those that it is to go on from: a store, or less."""

    def save(self, checkpoint: Checkpoint, *, folder: str, number: int) -> object:
        """Write a checkpoint; once this has returned, the state that it was made from may change."""
        ...

    def open(self, relative_path: str, *, trusted: bool = False) -> Checkpoint:
        """Return a checkpoint that was saved."""
        ...


class Session:
    """One trial in a worker, from one assignment to the next."""

    def __init__(self, channel: Channel, terms: Terms, assignment: Assignment, states: States) -> None:
        self.terms = terms
        self.pid = os.getpid()
        self._channel = channel
        self._states = states
        self._in_place: InPlace | None = None
        self._being_saved: int | None = None
        self.before_report: Callable[[Checkpoint | None], None] | None = None
        """Told of each ``report()`` of the user's code, with its checkpoint; may refuse it."""
        self.given: dict[str, Any] | None = None
        """The very dict that the training function was called with."""
        self._stale: StaleWatch | None = None
        self.adopt(assignment)

    def adopt(self, assignment: Assignment) -> None:
        """Go on from where the assignment says."""
        self.assignment = assignment
        self.config: dict[str, Any] = cloudpickle.loads(assignment.config)
        self._follow(assignment.course)
        self.stale_hyperparameters()
        if assignment.donor_config:
            self._stale = StaleWatch(cloudpickle.loads(assignment.donor_config), self.config)
        self._progress = TrialProgress(self.terms, assignment)
        self._host: dict[str, Any] | None = host()
        self._next_save = assignment.next_save
        self._is_save_wanted = False
        self._unwinding: Unwinding | None = None
        self._swallowed = 0

    @property
    def folder(self) -> Path:
        """The trial's folder."""
        return Path(self.terms.experiment_path) / self.assignment.folder

    @property
    def unwinding(self) -> Unwinding | None:
        """Why the user's code was told to end, if it was."""
        return self._unwinding

    @property
    def is_reassigned(self) -> bool:
        """Whether the user's code was told to end so as to be entered anew."""
        return isinstance(self._unwinding, Reassigned)

    @property
    def has_reported(self) -> bool:
        """Whether there is any result along the lineage of the trial's state."""
        return self._progress.iteration > 0

    @property
    def iteration(self) -> int:
        """The last iteration that was reported along the lineage of the trial's state."""
        return self._progress.iteration

    def stale_hyperparameters(self) -> dict[str, tuple[float, Any]]:
        """Return, once, the values that a copied optimizer brought along, and those that the config has."""
        watch, self._stale = self._stale, None
        return {} if watch is None else watch.end()

    def has_loaded(self, objects: Iterable[Any]) -> None:
        """Note that these objects have just taken over a saved state."""
        if self._stale is not None:
            self._stale.note_loaded(objects)

    @property
    def iterations_made(self) -> int:
        """The same, but one that is made and not yet reported, because its state is being saved, counts."""
        return self.iteration if self._being_saved is None else self._being_saved

    def hold(self, code: InPlace | None) -> None:
        """Have this code asked for its state, and told of another one; ``None`` ends that."""
        self._in_place = code

    @property
    def held(self) -> InPlace | None:
        """The code that is asked for its state."""
        return self._in_place

    def checkpoint(self) -> Checkpoint | None:
        """Return the state that the trial is to go on from."""
        path = self.assignment.checkpoint
        return None if path is None else self._states.open(path, trusted=True)

    def damaged(self) -> str:
        """Return the path of the state that the trial was to go on from, if it is damaged and led nowhere."""
        path = self.assignment.checkpoint
        if path is None or self._progress.iteration > self.assignment.iteration:
            return ""
        try:
            self._states.open(path).verify()
        except CorruptCheckpointError:
            return path
        except CheckpointError:
            pass
        return ""

    def report(
        self,
        metrics: Mapping[str, Any],
        checkpoint: Checkpoint | None = None,
        *,
        done: bool = False,
        save: bool = False,
    ) -> None:
        """Hand over one result, and wait if the controller has a say in what comes next.

        Args:
            metrics: What was measured.
            checkpoint: The state to save with it.
            done: Whether the training code says that this is its last result.
            save: Whether it wants to be asked for its state now, if it can be.
        """
        if self._unwinding is not None:
            self._leave_again()
        if self._stale is not None and (story := story_of(self.stale_hyperparameters())):
            self.doubt("stale", story)
        while (order := self._channel.poll()) is not None:
            self._obey(order)
        progress, assignment = self._progress, self.assignment
        row = progress.next_row(metrics)
        stop, ends_all, at_milestone = progress.verdict(row, done=done)
        number = None
        if checkpoint is not None:
            number = self._save(checkpoint)
        elif self._in_place is not None and (
            save or self._needs_save(row, at_milestone=at_milestone, stop=bool(stop))
        ):
            number = self._save_in_place(self._in_place, row["training_iteration"])
        progress.advance(row)
        row["done"] = bool(stop)
        waiting = not stop and (at_milestone or self.terms.lockstep)
        self._channel.send(
            Result(
                trial=assignment.trial,
                incarnation=assignment.incarnation,
                iteration=row["training_iteration"],
                metrics=row,
                checkpoint=number,
                waiting=waiting,
                stop=stop,
                stops_population=ends_all,
                host=self._host,
            )
        )
        self._host = None
        if stop:
            self._unwind(Released(stop))
        if waiting:
            self._wait()
        if self._moving is not None and self._in_place is not None:
            self._in_place.move(self._moving.at(self._progress.age))
        self._progress.begin_iteration()  # which is another's after an exploit in place

    def _follow(self, course: Course) -> None:
        """Have the config move from now on, if there is a course."""
        self._course, self._moving = course, Moving(course) if course else None

    def present_config(self) -> dict[str, Any]:
        """Return the config as it is now."""
        return present(self.config, self._course, self._progress.age)

    def doubt(self, kind: str, message: str) -> None:
        """Have the user told, once of each kind."""
        self._channel.send(Doubt(trial=self.assignment.trial, kind=kind, message=message))

    def _leave_again(self) -> NoReturn:
        """The code has caught the exception that was to end it: raise it once more, then give up."""
        assert self._unwinding is not None
        self._swallowed += 1
        if self._swallowed > 1:
            self._channel.abandon(
                Idle(trial=self.assignment.trial, reusable=False, replace=self.is_reassigned)
            )
        raise self._unwinding

    def _wait(self) -> None:
        while not self._obey(self._channel.receive()):
            pass

    def _obey(self, order: Order) -> bool:
        """Carry out an order; return whether the trial may go on. An order for another trial is late."""
        match order:
            case ProceedOrder() if self._is_mine(order):
                return self._proceed(order)
            case Assignment() if order.trial == self.assignment.trial:
                self._go_on_from(order)
                return True
            case ReleaseOrder() if order.trial == self.assignment.trial:
                self._unwind(Released("told to"))
            case SaveOrder() if order.trial == self.assignment.trial:
                self._is_save_wanted = True
            case QuitOrder():
                self._unwind(Released("the worker ends"))
            case _:
                pass
        return False

    def _proceed(self, order: ProceedOrder) -> bool:
        if order.config:
            config: dict[str, Any] = cloudpickle.loads(order.config)
            if self._in_place is None or not self._in_place.take_config(config):
                self._channel.send(CodeDeclined(trial=order.trial, incarnation=order.incarnation))
                return False
            self.config = config
            self._follow(order.course)
        self._progress.until = order.until
        return True

    def _is_mine(self, order: ProceedOrder) -> bool:
        mine = self.assignment
        return order.trial == mine.trial and order.incarnation == mine.incarnation

    def _go_on_from(self, assignment: Assignment) -> None:
        """Take over another state: in place if the code can, else by leaving it, to be entered anew."""
        if self._in_place is not None:
            self.adopt(assignment)
            if self._in_place.take_over():
                return
        self._unwind(Reassigned(assignment))

    def _unwind(self, unwinding: Unwinding) -> NoReturn:
        self._unwinding = unwinding
        raise unwinding

    def _needs_save(self, row: dict[str, Any], *, at_milestone: bool, stop: bool) -> bool:
        terms = self.terms
        return (
            self._is_save_wanted
            or self._progress.is_save_due(row)
            or (at_milestone and terms.save_at_milestones)
            or (stop and terms.checkpoint_at_end)
        )

    def _save_in_place(self, code: InPlace, iteration: int) -> int:
        """Save the state of held code, to which the iteration that it has just made counts already."""
        self._being_saved = iteration
        try:
            with code.saved() as state:
                return self._save(state)
        finally:
            self._being_saved = None

    def _save(self, checkpoint: Checkpoint) -> int:
        if not isinstance(checkpoint, Checkpoint):
            raise TrainableError(
                f"checkpoint must be a poptune Checkpoint, got {checkpoint!r}: wrap it in "
                "Checkpoint.from_dict({...}) or Checkpoint.from_directory(path)"
            )
        number = self._next_save
        self._next_save += 1
        self._states.save(checkpoint, folder=self.assignment.store, number=number)
        self._is_save_wanted = False
        return number
