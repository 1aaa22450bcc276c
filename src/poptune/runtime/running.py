"""Runs a trial's code: enters it, enters it anew after an exploit, and says how it was left."""

from __future__ import annotations

import gc
import multiprocessing
import shutil
import tempfile
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from poptune.checkpoints import Checkpoint
from poptune.errors import TrainableError
from poptune.runtime import current
from poptune.runtime.protocol import Channel, Failed, Idle, Message, Returned
from poptune.runtime.session import Restarted, Session, Unwinding
from poptune.runtime.trainable import Prepared, Trainable


def run_trial(prepared: Prepared, session: Session, channel: Channel) -> None:
    """Run a trial until this worker is free of it, and report how it ended."""
    before = _running_beside()
    while True:
        ending = _run_once(prepared, session)
        restart = session.unwinding
        if restart is not None:
            restart.__traceback__ = None  # or else it keeps alive all that the code had
        clean = not _leftovers(before)
        if isinstance(restart, Restarted) and clean:
            session.adopt(restart.assignment)
            continue
        if ending is not None:
            channel.send(ending)
        channel.send(Idle(trial=session.assignment.trial, reusable=clean, replace=session.is_to_restart))
        return


def _run_once(prepared: Prepared, session: Session) -> Message | None:
    """Enter the code once; return what is to be said if it was not told to end."""
    current.enter(session)
    try:
        if prepared.is_class:
            _train_object(prepared, session)
        else:
            prepared.call(session.config)
    except Unwinding:
        return None
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is that trial's failure
        if session.unwinding is not None:
            return None
        return _failed(session, error)
    finally:
        current.enter(None)
    if session.unwinding is not None:
        return None
    if not session.has_reported:
        silent = TrainableError(
            f"{prepared.name} ended without a report: call tune.report({{...}}) at least once, after each "
            "iteration of the training"
        )
        return _failed(session, silent)
    mine = session.assignment
    return Returned(trial=mine.trial, incarnation=mine.incarnation)


def _failed(session: Session, error: BaseException) -> Failed:
    """The failure of the trial as it stands now: exploits in place make other incarnations of it."""
    mine = session.assignment
    return Failed(trial=mine.trial, incarnation=mine.incarnation, error=_story(error))


def _train_object(prepared: Prepared, session: Session) -> None:
    """The class form: step, report, and at an exploit take over the new state in place if the object can."""
    trainable = prepared.build(session.config)
    try:
        _load(trainable, session)
        while True:
            _step(trainable, session)
    finally:
        trainable.cleanup()


def _step(trainable: Trainable, session: Session) -> None:
    metrics = trainable.step()
    done = isinstance(metrics, Mapping) and bool(metrics.get("done", False))
    saver = _Saver(trainable)
    try:
        session.report(metrics, save=saver.save, done=done)
    except Restarted as restarted:
        session.adopt(restarted.assignment)
        if not trainable.reset_config(session.config):
            session.leave_for(restarted)
        trainable.config = session.config
        _load(trainable, session)
    finally:
        saver.discard()


def _load(trainable: Trainable, session: Session) -> None:
    checkpoint = session.checkpoint()
    if checkpoint is None:
        return
    if checkpoint.kind == "dict":
        trainable.load_checkpoint(checkpoint.to_dict())
    else:
        with checkpoint.as_directory() as folder:
            trainable.load_checkpoint(folder)


class _Saver:
    """Saves a class-form object, through a scratch folder that lasts until the state is stored."""

    def __init__(self, trainable: Trainable) -> None:
        self._trainable = trainable
        self._scratch: str | None = None

    def save(self) -> Checkpoint:
        self._scratch = tempfile.mkdtemp(prefix="poptune-save-")
        state: Any = self._trainable.save_checkpoint(self._scratch)
        if isinstance(state, Mapping):
            return Checkpoint.from_dict(dict(state))
        return Checkpoint.from_directory(self._scratch)

    def discard(self) -> None:
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)


def _leftovers(before: set[object]) -> bool:
    """Whether the code left threads or processes running that would go on beside the next trial."""
    if _running_beside() <= before:
        return False
    gc.collect()  # a data loader ends its processes when it is collected
    return not _running_beside() <= before


def _running_beside() -> set[object]:
    """The threads and processes that this process must outlive."""
    return {*(t for t in threading.enumerate() if not t.daemon), *multiprocessing.active_children()}


def _story(error: BaseException) -> str:
    """The traceback as the user would see it in a plain loop, without our frames above theirs."""
    trace = _beyond_our_frames(error.__traceback__)
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()


def _beyond_our_frames(trace: TracebackType | None) -> TracebackType | None:
    ours = str(Path(__file__).parent)
    inner = trace
    while inner is not None and inner.tb_frame.f_code.co_filename.startswith(ours):
        inner = inner.tb_next
    return inner or trace
