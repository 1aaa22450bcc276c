"""``ray.tune.trainable``: the class form, with what Ray's base class knows of its trial."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

import poptune
from poptune import get_context, with_parameters
from poptune._training import current
from poptune._training.shared import renewed
from poptune._training.trainable import Prepared
from poptune.compat.ray._checkpoint import Checkpoint
from poptune.compat.ray._metrics import as_plain
from poptune.compat.ray._missing import Unmirrored
from poptune.compat.ray.tune.execution.placement_groups import native_resources
from poptune.compat.ray.tune.result import DONE, SHOULD_CHECKPOINT
from poptune.compat.ray.tune.standalone import (
    NO_TRIAL,
    Standalone,
    TrainingResult,
    new_folder,
    saved,
    training_result_of,
)
from poptune.errors import ConfigurationError

__all__ = ["Trainable", "with_parameters", "with_resources"]

_NEVER_CALLED = {
    "_setup": "call it setup",
    "_train": "call it step",
    "_save": "call it save_checkpoint",
    "_restore": "call it load_checkpoint",
    "_stop": "call it cleanup",
    "_export_model": "write the model in save_checkpoint",
    "log_result": "log from a tune.Callback",
}


class _Counted:
    """The iteration by the name of Ray's own attribute; a subclass may have one of this name itself."""

    def __get__(self, trainable: Trainable | None, owner: type[Trainable]) -> Any:
        return self if trainable is None else trainable.iteration


class Trainable(poptune.Trainable):
    """As :class:`poptune.Trainable`; and an object may be driven by hand, as tests and debuggers do.

    Example:
        >>> from poptune.compat.ray import tune
        >>> class Counter(tune.Trainable):
        ...     def step(self):
        ...         return {"seen": self.iteration}
        >>> counter = Counter()
        >>> counter.train()["seen"], counter.train()["training_iteration"]
        (0, 2)

    Raises:
        ConfigurationError: A subclass defines what Ray calls but nobody calls here.
    """

    _standalone: Standalone | None = None
    """Where the object stands once it was driven by hand."""
    _scratch: str | None = None

    export_model = Unmirrored("write the model in save_checkpoint, and read it from the trial's checkpoint")
    get_auto_filled_metrics = Unmirrored("train() returns them with what step() has returned")
    get_state = Unmirrored("save() returns the state")
    get_current_ip_pid = Unmirrored("the result of train() has node_ip and pid")
    is_actor = Unmirrored("there are no actors: poptune.get_context() raises outside a trial")
    resource_help = Unmirrored("override default_resource_request")

    def __init__(
        self,
        config: dict[str, Any] | None = None,
        storage: object = None,
        *of_ray_1: object,
        logger_creator: object = None,
        remote_checkpoint_dir: object = None,
        custom_syncer: object = None,
        sync_config: object = None,
        sync_timeout: object = None,
    ) -> None:
        """Set the object up for a config; all else is Ray's own, means nothing here and may be anything."""
        del storage, of_ray_1, logger_creator, remote_checkpoint_dir, custom_syncer, sync_config, sync_timeout
        super().__init__(config)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, remedy in _NEVER_CALLED.items():
            if name in vars(cls):
                raise ConfigurationError(f"{cls.__name__}.{name} is never called here: {remedy}")

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> Any:
        """Return what a trial needs; override it to say so. It is asked once, with the ``param_space``."""
        del config

    @property
    def iteration(self) -> int:
        """How many iterations lie behind the present state; in the first ``step`` it is 0."""
        if self._standalone is not None:
            return self._standalone.iteration
        session = current.running()
        return 0 if session is None else session.iterations_made

    @property
    def training_iteration(self) -> int:
        """The same as :attr:`iteration`."""
        return self.iteration

    _iteration = _Counted()

    @property
    def trial_id(self) -> str:
        """The trial's id; ``"default"`` outside a trial."""
        return get_context().trial_id if current.running() else NO_TRIAL

    @property
    def trial_name(self) -> str:
        """The trial's name; ``"default"`` outside a trial."""
        return get_context().trial_name if current.running() else NO_TRIAL

    @property
    def logdir(self) -> str:
        """The trial's folder; a temporary one outside a trial."""
        if current.running():
            return get_context().trial_dir
        if self._scratch is None:
            self._scratch = tempfile.mkdtemp(prefix="trainable_")
        return self._scratch

    @property
    def trial_resources(self) -> dict[str, float] | None:
        """What the trial may use; None outside a trial."""
        return dict(get_context().trial_resources) if current.running() else None

    def get_config(self) -> dict[str, Any]:
        """Return the config now."""
        return self.config

    def as_reported(self, metrics: Any) -> Any:
        return as_plain(metrics)

    def as_given(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        return renewed(parameters)

    def train(self) -> dict[str, Any]:
        """By hand: make one :meth:`step`, and return its result with what a trial would add to it."""
        self._standalone = self._standalone or Standalone()
        began_s = time.perf_counter()
        return self._standalone.completed(self.step(), self.config, began_s)

    def train_buffered(self, buffer_time_s: float, max_buffer_length: int = 1000) -> list[dict[str, Any]]:
        """By hand: call :meth:`train` for so many seconds, but at least once, and return the results.

        The one that says ``done`` or ``should_checkpoint`` is the last, and so is that of number
        ``max_buffer_length``.
        """
        ends_at_s = time.perf_counter() + buffer_time_s
        results = [self.train()]
        while time.perf_counter() < ends_at_s and len(results) < max_buffer_length:
            if results[-1].get(DONE) or results[-1].get(SHOULD_CHECKPOINT):
                break
            results.append(self.train())
        return results

    def save(self, checkpoint_dir: str | PathLike[str] | None = None) -> TrainingResult:
        """By hand: save the state, by default into a temporary folder, and return what restores it."""
        folder = new_folder(checkpoint_dir)
        metrics = self._standalone.last_result if self._standalone else {}
        return saved(self.save_checkpoint(folder), folder, metrics)

    def restore(self, checkpoint_path: TrainingResult | Checkpoint | str | PathLike[str]) -> None:
        """By hand: go on from what :meth:`save` returned, or from its folder, where iterations begin anew."""
        state = training_result_of(checkpoint_path)
        self._standalone = Standalone(state.metrics)
        if state.checkpoint.native.kind == "dict":
            self.load_checkpoint(state.checkpoint.to_dict(trusted=True))
            return
        with state.checkpoint.as_directory() as folder:
            self.load_checkpoint(folder)

    def reset(self, new_config: dict[str, Any]) -> bool:
        """By hand: begin anew with another config, if :meth:`reset_config` can; return whether it could."""
        self.config = new_config
        if not self.reset_config(new_config):
            return False
        self._standalone = Standalone()
        return True

    def stop(self) -> None:
        """By hand: release what the object holds."""
        self.cleanup()


def with_requested_resources(prepared: Prepared, param_space: Mapping[str, Any] | None) -> Prepared:
    """Return a trainable with the resources that its class asks for, unless it was given some.

    Raises:
        ConfigurationError: The class cannot tell them from the ``param_space``.
    """
    cls: Any = prepared.trainable
    if prepared.resources is not None or not (prepared.is_class and issubclass(cls, Trainable)):
        return prepared
    try:
        request = cls.default_resource_request(dict(param_space or {}))
    except Exception as error:
        raise ConfigurationError(
            f"{cls.__name__}.default_resource_request must tell what each trial needs from the param_space, "
            f"but it raised {type(error).__name__}: {error}. Pass tune.with_resources(trainable, {{...}})"
        ) from error
    return prepared if request is None else with_resources(prepared, request)


def with_resources(trainable: Callable[..., Any] | Prepared, resources: object) -> Prepared:
    """Say what one trial needs, as a dict or as a :class:`PlacementGroupFactory` of one bundle."""
    native: Any = trainable
    return poptune.with_resources(native, native_resources(resources))
