"""``ray.tune.callback``: the hooks, which have Ray's names and order already."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import poptune
from poptune.compat.ray._arguments import logger
from poptune.compat.ray._checkpoint import Checkpoint
from poptune.compat.ray.tune.experiment import SeenTrial
from poptune.compat.ray.tune.result import SHOULD_CHECKPOINT

__all__ = ["Callback"]


class Callback(poptune.Callback):
    """As :class:`poptune.Callback`; trials and checkpoints are shown as in Ray.

    What a hook writes into the result that it is shown is told in the log: in Ray it becomes the trial's,
    here the result is a copy.
    """

    trial_view = SeenTrial
    checkpoint_view = Checkpoint

    def __init_subclass__(cls, *, may_change_results: bool = False) -> None:
        super().__init_subclass__()
        if "on_trial_result" in vars(cls):
            told = None if may_change_results else _Told(cls.__name__)
            wrapped: Any = cls
            wrapped.on_trial_result = _as_in_ray(cls.on_trial_result, told)


def _as_in_ray(hook: Callable[..., None], told: _Told | None) -> Callable[..., None]:
    """Return a hook that finds the config in the result, and that tells what it writes there."""

    @functools.wraps(hook)
    def on_trial_result(
        self: Callback, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if isinstance(trial, SeenTrial):
            result.setdefault("config", trial.config)
        before = dict(result)
        hook(self, iteration=iteration, trials=trials, trial=trial, result=result, **info)
        if told is not None:
            told.what_is_new(before, result)

    return on_trial_result


class _Told:
    """Says, once for each, which values a hook has written into a result."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._keys: set[str] = set()

    def what_is_new(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Compare what a hook was shown with what it left."""
        written = {key for key, value in after.items() if key not in before or value is not before[key]}
        for key in sorted(written - self._keys, key=str):
            self._keys.add(key)
            logger.warning(
                "%s.on_trial_result writes result[%r], which reaches nobody here, where it sees a copy: %s",
                self._owner,
                key,
                _instead(key),
            )


def _instead(key: str) -> str:
    if key == SHOULD_CHECKPOINT:
        return f'return {{"{SHOULD_CHECKPOINT}": True}} from step(), or set checkpoint_frequency'
    return "report it in the training code"
