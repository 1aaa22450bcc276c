"""A worker that is spoken to by calls of its methods, in several threads: what a cluster's actor does."""

from __future__ import annotations

import faulthandler
import functools
import multiprocessing
import os
import platform
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import msgspec

from poptune._keeping.storage import experiment_mirror, open_store
from poptune._training import shared
from poptune._training.captured_output import Captured
from poptune._training.mailbox import Batch, Mailbox
from poptune._training.memory import available_memory
from poptune._training.object_store import StorableParts
from poptune._training.protocol import Terms
from poptune._training.session import States
from poptune._training.sigterm import on_sigterm
from poptune._training.trainable import Prepared
from poptune._training.transfers import ReceivingStates, Transfer, pack
from poptune._training.versions import versions
from poptune._training.worker import train_all

if TYPE_CHECKING:
    from poptune._training.transfers import Files

_WARNING_S = 20.0
"""How long code that is told to end may take to its next report, where its state can be saved."""
_THREAD_LIMITS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True, kw_only=True)
class RemoteJob:
    """What every worker of an experiment is told; references in it are opened by the worker's ``fetch``."""

    terms: Terms
    trainable: bytes
    """A pickled :class:`Prepared` without its parameters."""
    parameters: Any
    """A reference to the parameters as :class:`StorableParts`; None if there are none."""
    objects: Mapping[str, Any] = field(default_factory=dict)
    """References to the :class:`StorableParts` of what the program has put, by its folder there."""
    home: str = ""
    """The node of the controller, which itself brings to a remote storage what is saved there."""
    sys_path: tuple[str, ...] = ()
    threads: int = 1
    """How many threads numeric libraries may use."""
    transfer_limit_bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a worker says of itself first."""

    versions: dict[str, str]
    machine: str
    node: str
    """What the cluster calls its machine."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A batch of what a worker has said."""

    batch: Batch
    memory_free: float | None
    """The fraction of its machine's memory that is left."""


class RemoteWorker:
    """The worker. ``work`` is called once; the other methods by other threads meanwhile.

    Args:
        job: A reference to the :class:`RemoteJob`.
        fetch: Returns what a reference stands for.
        node: What the cluster calls this machine.
    """

    def __init__(self, job: Any, fetch: Callable[[Any], Any], node: str) -> None:
        captured = Captured()
        faulthandler.enable(captured.log)
        self._job_reference = job
        self._fetch = fetch
        self._node = node
        self._mailbox = Mailbox(captured)
        self._sent: dict[str, Any] = {}
        on_sigterm(functools.partial(self._mailbox.leave, _WARNING_S))

    def greet(self) -> Greeting:
        """Say who is here."""
        return Greeting(versions(), platform.node(), self._node)

    @functools.cached_property
    def _job(self) -> RemoteJob:
        job: RemoteJob = self._fetch(self._job_reference)
        if job.terms.remote and self._is_away(job):
            own = str(experiment_mirror(job.terms.remote))
            return replace(job, terms=msgspec.structs.replace(job.terms, experiment_path=own))
        return job

    def _is_away(self, job: RemoteJob) -> bool:
        """Whether the controller's disk may be another one than this machine's."""
        return self._node != job.home

    def work(self) -> None:
        """Train one trial after another until told to quit.

        This happens in a thread of our own, which is no daemon: so threads that the training code starts are
        none by default, as they would be in a main thread.
        """
        ended: Future[None] = Future()

        def train() -> None:
            try:
                self._work()
                ended.set_result(None)
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                ended.set_exception(error)

        threading.Thread(target=train, name="poptune-training", daemon=False).start()
        ended.result()

    def _work(self) -> None:
        job = self._job
        for name in _THREAD_LIMITS:
            os.environ[name] = str(job.threads)
        sys.path += [entry for entry in job.sys_path if entry not in sys.path and Path(entry).exists()]
        for path, reference in job.objects.items():
            shared.provide(path, functools.partial(self._open_object, reference))
        train_all(self._mailbox, job.terms, self._states(job), self._open)
        for child in multiprocessing.active_children():
            child.kill()
        self._mailbox.close()

    def _open(self) -> Prepared:
        prepared: Prepared = cloudpickle.loads(self._job.trainable)
        if self._job.parameters is None:
            return prepared
        return replace(prepared, parameters=self._open_object(self._job.parameters))

    def _open_object(self, reference: Any) -> Any:
        parts: StorableParts = self._fetch(reference)
        return parts.joined()

    def _states(self, job: RemoteJob) -> States:
        root, remote = Path(job.terms.experiment_path), job.terms.remote
        store = open_store(root, remote, uploads=bool(remote) and self._is_away(job))
        return ReceivingStates(store, self._fetch, self._sent)

    def order(self, number: int, data: bytes, transfer: Transfer | None = None) -> None:
        """Take in an order.

        Args:
            number: Counts the orders; see `Mailbox.deliver`.
            data: The order.
            transfer: The checkpoint that an assignment names, if it is sent along.
        """
        if transfer is not None:
            self._sent.clear()
            self._sent[transfer.path] = transfer.files
        self._mailbox.deliver(number, data)

    def listen(self, heard: int) -> Heard:
        """Wait for what there is to say; see `Mailbox.fetch`."""
        return Heard(self._mailbox.fetch(heard), available_memory())

    def pack(self, path: str) -> Files:
        """Return a checkpoint that was saved here, to be sent to another machine."""
        job = self._job
        return pack(Path(job.terms.experiment_path) / path, limit_bytes=job.transfer_limit_bytes)
