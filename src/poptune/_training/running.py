"""Runs a trial's code: enters it, enters it anew after an exploit, and says how it was left."""

from __future__ import annotations

import errno
import gc
import multiprocessing
import os
import reprlib
import shutil
import tempfile
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from poptune._base.attempts import attempt
from poptune._base.course import with_values
from poptune._keeping.checkpoints import Checkpoint
from poptune._training import current
from poptune._training.configs import own_copy
from poptune._training.protocol import Channel, CodeFailed, CodeReturned, Idle, Message
from poptune._training.seeding import seed_libraries
from poptune._training.session import Reassigned, Session, Unwinding
from poptune._training.trainable import Prepared, Trainable
from poptune.errors import CheckpointError, TrainingCodeError

_OWN_THREADS = "poptune-"
"""How the names of this library's threads begin: inline, the controller's are in the same process."""
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
"""What the system says where no program is at fault, but the disk is full or broken."""


def run_trial(prepared: Prepared, session: Session, channel: Channel) -> None:
    """Run a trial until this worker is free of it, and report how it ended."""
    before = _running_beside()
    while True:
        ending = _run_once(prepared, session)
        unwinding = session.unwinding
        if unwinding is not None:
            unwinding.__traceback__ = None  # or else it keeps alive all that the code had
        clean = not _leftovers(before)
        if isinstance(unwinding, Reassigned) and clean:
            ending = _adopt(session, unwinding)
            if ending is None:
                continue
        if ending is not None:
            channel.send(ending)
        replace = session.is_reassigned and ending is None
        channel.send(Idle(trial=session.assignment.trial, reusable=clean, replace=replace))
        return


def _adopt(session: Session, unwinding: Reassigned) -> CodeFailed | None:
    """Go on from where it says; return the trial's failure if that cannot be."""
    return attempt(lambda: session.adopt(unwinding.assignment), or_else=lambda error: _failed(session, error))


def _run_once(prepared: Prepared, session: Session) -> Message | None:
    """Enter the code once; return what is to be said if it was not told to end."""
    current.enter(session)
    if session.terms.seed_libraries:
        seed_libraries(session.assignment.seed)
    try:
        if prepared.is_class:
            _train_object(prepared, session)
        else:
            _call_function(prepared, session)
    except Unwinding:
        return None
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is that trial's failure
        if session.unwinding is not None:
            return None
        return _failed(session, error)
    finally:
        session.hold(None)  # a loop over steps() that was left by a break may be referred to somewhere
        session.before_report = None
        session.given = None
        session.stale_hyperparameters()
        current.enter(None)
    if session.unwinding is not None:
        return None
    if prepared.must_report and not session.has_reported:
        silent = TrainingCodeError(
            f"{prepared.name} ended without a report: call tune.report({{...}}) at least once, after each "
            "iteration of the training"
        )
        return _failed(session, silent)
    mine = session.assignment
    return CodeReturned(trial=mine.trial, incarnation=mine.incarnation)


def _failed(session: Session, error: BaseException) -> CodeFailed:
    """The failure of the trial as it stands now: exploits in place make other incarnations of it."""
    mine = session.assignment
    return CodeFailed(
        trial=mine.trial,
        incarnation=mine.incarnation,
        error=_story(error),
        damaged=session.damaged(),
        is_certain=_is_certain(session, error),
        refused=_unicode(str(error)) if _is_refused(error) else "",
    )


def _is_refused(error: BaseException) -> bool:
    return isinstance(error, CheckpointError) and is_of_the_disk(error.__cause__)


def _is_certain(session: Session, error: BaseException) -> bool:
    """Whether the code would fail so in any trial: it breaks our contract, or lacks what it is made of."""
    is_first = session.iteration <= session.assignment.iteration
    return isinstance(error, TrainingCodeError) or (is_first and isinstance(error, ImportError | NameError))


def is_of_the_disk(error: BaseException | None) -> bool:
    """Whether an error says that the disk is full or broken, so that no program is at fault."""
    return isinstance(error, OSError) and error.errno in DISK_ERRORS


def _call_function(prepared: Prepared, session: Session) -> None:
    """The function form, and the steps form, which begins as one."""
    session.given = own_copy(session.config)
    returned = prepared.call(session.given)
    if isinstance(returned, Mapping | float | int) and not isinstance(returned, bool):
        session.doubt(
            "returned",
            f"{prepared.name} returned {reprlib.repr(returned)}, which nobody reads: give it to "
            "tune.report({...}) before the function ends, or return nothing",
        )


def _train_object(prepared: Prepared, session: Session) -> None:
    """The class form: step and report, until the session says that it is enough."""
    trainable = prepared.build(session.config)
    held = _HeldObject(trainable, session)
    try:
        held.load()
        session.hold(held)
        while True:
            metrics = trainable.as_reported(trainable.step())
            said = metrics if isinstance(metrics, Mapping) else {}
            session.report(metrics, done=bool(said.get("done")), save=bool(said.get("should_checkpoint")))
    finally:
        session.hold(None)
        held.discard()
        trainable.cleanup()


class _HeldObject:
    """A class-form object between its session and its state."""

    def __init__(self, trainable: Trainable, session: Session) -> None:
        self._trainable = trainable
        self._session = session
        self._scratch: str | None = None
        self._moves = True

    @contextmanager
    def saved(self) -> Iterator[Checkpoint]:
        """See `InPlace.saved`: the object is given a scratch folder that is empty whenever it saves."""
        if self._scratch is None:
            self._scratch = tempfile.mkdtemp(prefix="poptune-save-")
        state: Any = self._trainable.save_checkpoint(self._scratch)
        if isinstance(state, Mapping):
            yield Checkpoint.from_dict(dict(state))
        else:
            yield Checkpoint.from_directory(self._scratch)
        with os.scandir(self._scratch) as entries:
            is_used = any(entries)
        if is_used:
            self.discard()

    def discard(self) -> None:
        """Remove the scratch folder, if there is one."""
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def take_over(self) -> bool:
        """See `InPlace.take_over`."""
        if not self.take_config(self._session.config):
            return False
        self.load()
        return True

    def take_config(self, config: dict[str, Any]) -> bool:
        """See `InPlace.take_config`."""
        if not self._trainable.reset_config(config):
            self._moves = False
            return False
        self._trainable.config = config
        return True

    def move(self, values: Mapping[str, float]) -> bool:
        """See `InPlace.move`. An object that takes no new config in place is built anew at its milestones."""
        return self._moves and self.take_config(with_values(self._trainable.config, values))

    def load(self) -> None:
        """Bring the object to the state that the session is to go on from, if there is one."""
        checkpoint = self._session.checkpoint()
        if checkpoint is None:
            return
        if checkpoint.kind == "dict":
            self._trainable.load_checkpoint(checkpoint.to_dict())
        else:
            with checkpoint.as_directory() as folder:
                self._trainable.load_checkpoint(folder)


def _leftovers(before: set[object]) -> bool:
    """Whether the code left threads or processes running that would go on beside the next trial."""
    if _running_beside() <= before:
        return False
    gc.collect()  # a data loader ends its processes when it is collected
    return not _running_beside() <= before


def _running_beside() -> set[object]:
    """The threads and processes that this process must outlive, but for threads of ours."""
    threads = {
        thread
        for thread in threading.enumerate()
        if not (thread.daemon or thread.name.startswith(_OWN_THREADS))
    }
    return threads | set(multiprocessing.active_children())


def _story(error: BaseException) -> str:
    """The traceback as the user would see it in a plain loop, without our frames above theirs."""
    trace = _beyond_our_frames(error.__traceback__)
    return _unicode("".join(traceback.format_exception(type(error), error, trace)).rstrip())


def _unicode(text: str) -> str:
    """Return a text as it can be sent: that of an undecodable file name, say, holds half of a letter."""
    return text.encode(errors="backslashreplace").decode()


def _beyond_our_frames(trace: TracebackType | None) -> TracebackType | None:
    ours = str(Path(__file__).parent)
    inner = trace
    while inner is not None and inner.tb_frame.f_code.co_filename.startswith(ours):
        inner = inner.tb_next
    return inner or trace
