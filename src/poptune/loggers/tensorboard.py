"""``events.out.tfevents.*`` in each trial's folder, where the ``tensorboard`` package is installed.

A trial's run shows its numeric metrics, its numeric hyperparameters as ``hyperparameters/<key>``, and its
generation; so the lineage can be followed beside the curves, and each copy stands as a text under
``lineage``. Where a trial goes back to an earlier iteration, by an exploit or after a failure, TensorBoard is
told to forget what lies beyond it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from poptune._base.nested import flatten
from poptune._base.types import TrialId, TrialStatus
from poptune._core.events import Created, Event, Left, Planned, Reported, Restarted, Resumed
from poptune._core.scheduler import Decision, Load
from poptune._core.views import WatchedPopulation, WatchedTrial
from poptune.errors import ConfigurationError
from poptune.loggers.files import obstacles_told
from poptune.loggers.logger import Logger, WatchedRun

_UNTOLD = {"timestamp", "pid", "done"}
"""Numbers in every result that nobody wants a curve of."""


def is_installed() -> bool:
    """Whether the ``tensorboard`` package can be imported."""
    return find_spec("tensorboard") is not None


class TensorBoardLogger(Logger):
    """Writes event files that TensorBoard reads, with hyperparameters for its HPARAMS page.

    Raises:
        ConfigurationError: The ``tensorboard`` package is not installed.
    """

    def __init__(self) -> None:
        if not is_installed():
            raise ConfigurationError(
                "TensorBoardLogger needs the tensorboard package, which is not installed: pip install "
                'tensorboard, or leave it out; the name "tensorboard" is passed over where that is missing'
            )
        self._began_s = 0.0
        self._began: set[TrialId] = set()
        self._now_s = 0.0

    def observe(self, events: Sequence[Event], run: WatchedRun) -> None:
        """Add what happened to the trials' event files."""
        pending: dict[TrialId, list[bytes]] = {}
        for event in events:
            for trial_id, record in self._records(event, run.population):
                pending.setdefault(trial_id, []).append(record)
        for trial_id, records in pending.items():
            self._write(run.population[trial_id], records, run)

    def _records(self, event: Event, population: WatchedPopulation) -> Iterable[tuple[TrialId, bytes]]:
        self._now_s = getattr(event, "time_s", self._now_s)
        match event:
            case Created(time_s=time_s) | Resumed(time_s=time_s):
                self._began_s = time_s
                self._began.clear()
            case Reported(trial=trial):
                yield trial, _result(event, population[trial])
            case Planned(plan=plan):
                for decision in plan.decisions:
                    if isinstance(decision.source, Load):
                        yield from _copy(decision, decision.source, population, self._now_s)
            case Restarted(trial=trial):
                yield trial, _forget_beyond(population[trial].iteration, self._now_s)
            case Left(trial=trial, status=status):
                yield trial, _end(status, self._now_s)
            case _:
                pass

    def _write(self, trial: WatchedTrial, records: list[bytes], run: WatchedRun) -> None:
        path = run.layout.events(trial.spec.folder, self._began_s)
        if trial.id not in self._began or not path.exists():
            self._began.add(trial.id)
            start = _start(trial.spec.config, run.created.time_s, group=trial.spec.name)
            records = [_version(self._began_s), start, *records]
        with obstacles_told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.writelines(map(_framed, records))


def _result(event: Reported, trial: WatchedTrial) -> bytes:
    metrics, config = _numbers(event.metrics), _numbers(trial.config)
    numbers = {key: value for key, value in metrics.items() if key not in _UNTOLD}
    numbers |= {f"hyperparameters/{key}": value for key, value in config.items()}
    numbers["lineage/generation"] = float(trial.generation)
    return _event(event.time_s, event.iteration, scalars=numbers)


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the values that are numbers, by their paths."""
    numbers = {key: _number(value) for key, value in flatten(values).items()}
    return {key: number for key, number in numbers.items() if number is not None}


def _number(value: object) -> float | None:
    """Return a number as a float; None for anything else, and for a whole number that no float is near."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _copy(
    decision: Decision, source: Load, population: WatchedPopulation, time_s: float
) -> Iterable[tuple[TrialId, bytes]]:
    at = source.checkpoint.iteration
    donor = population[decision.donor or decision.trial].spec.tag
    stood = at if decision.iteration is None else decision.iteration
    text = f"iteration {stood}: goes on from iteration {at} of {donor}, "
    yield decision.trial, _forget_beyond(at, time_s)
    yield decision.trial, _event(time_s, at, text=f"{text}with {decision.config}")


def _event(
    time_s: float,
    step: int,
    *,
    scalars: Mapping[str, float] | None = None,
    text: str = "",
) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event as Proto
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

    values = [Summary.Value(tag=_unicode(tag), simple_value=value) for tag, value in (scalars or {}).items()]
    if text:
        plugin = SummaryMetadata.PluginData(plugin_name="text")
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        tensor = TensorProto(dtype="DT_STRING", string_val=[_unicode(text).encode()], tensor_shape=shape)
        metadata = SummaryMetadata(plugin_data=plugin)
        values.append(Summary.Value(tag="lineage/copies/text_summary", metadata=metadata, tensor=tensor))
    return bytes(Proto(wall_time=time_s, step=step, summary=Summary(value=values)).SerializeToString())


def _version(time_s: float) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event as Proto

    return bytes(Proto(wall_time=time_s, file_version="brain.Event:2").SerializeToString())


def _forget_beyond(iteration: int, time_s: float) -> bytes:
    """Have TensorBoard drop what it has seen of iterations after this one."""
    from tensorboard.compat.proto.event_pb2 import Event as Proto
    from tensorboard.compat.proto.event_pb2 import SessionLog

    log = SessionLog(status=SessionLog.START)
    return bytes(Proto(wall_time=time_s, step=iteration + 1, session_log=log).SerializeToString())


def _start(config: Mapping[str, Any], time_s: float, *, group: str) -> bytes:
    from tensorboard.plugins.hparams.plugin_data_pb2 import SessionStartInfo

    start = SessionStartInfo(start_time_secs=time_s, group_name=_unicode(group))
    for name, value in flatten(config).items():
        key = _unicode(name)
        if isinstance(value, bool):
            start.hparams[key].bool_value = value
        elif (number := _number(value)) is not None:
            start.hparams[key].number_value = number
        else:
            start.hparams[key].string_value = _unicode(str(value))
    return _hparams("_hparams_/session_start_info", time_s, session_start_info=start)


def _end(status: TrialStatus, time_s: float) -> bytes:
    from tensorboard.plugins.hparams.api_pb2 import Status
    from tensorboard.plugins.hparams.plugin_data_pb2 import SessionEndInfo

    name = "STATUS_FAILURE" if status is TrialStatus.ERROR else "STATUS_SUCCESS"
    end = SessionEndInfo(status=Status.Value(name), end_time_secs=time_s)
    return _hparams("_hparams_/session_end_info", time_s, session_end_info=end)


def _hparams(tag: str, time_s: float, **content: Any) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event as Proto
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    data = HParamsPluginData(version=0, **content).SerializeToString()
    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=data)
    value = Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin))
    return bytes(Proto(wall_time=time_s, summary=Summary(value=[value])).SerializeToString())


def _unicode(text: str) -> str:
    """Return a text as protocol buffers take it."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def _framed(record: bytes) -> bytes:
    """Return a record in the framing of TensorFlow's record files: length, data, and a checksum of each."""
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    length = struct.pack("<Q", len(record))
    sums = [struct.pack("<I", masked_crc32c(part)) for part in (length, record)]
    return length + sums[0] + record + sums[1]
