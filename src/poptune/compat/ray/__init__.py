"""Ray Tune's module paths and names over poptune: a script migrates by its imports alone.

``import ray`` becomes ``import poptune.compat.ray as ray``, ``from ray import tune, air`` becomes
``from poptune.compat.ray import tune, air``, and ``from ray.X.Y import Z`` becomes
``from poptune.compat.ray.X.Y import Z``. Scripts of 2022 (``air.session``, ``Checkpoint.from_dict``) run as
well as present ones. Only names are translated here; the one thing of Ray's own is its numbers, such as the
default arguments and that Population Based Training may leave a domain's bounds. An argument that means
nothing here is accepted with a line in the log ``poptune.compat.ray``; one that cannot be honoured is an
error. Ray itself is never imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, overload

import poptune
from poptune._running.executors.base import available_cores
from poptune._running.executors.gpus import visible_gpus
from poptune._training.shared import ObjectRef, put, renewed
from poptune.compat.ray import air, cloudpickle, train, tune
from poptune.compat.ray._arguments import logger, refuse, set_aside
from poptune.compat.ray._missing import install, refuse_names

__all__ = [
    "ObjectRef",
    "air",
    "available_resources",
    "cloudpickle",
    "cluster_resources",
    "get",
    "init",
    "is_initialized",
    "put",
    "shutdown",
    "train",
    "tune",
]
__version__ = "2.60.0"
"""The release of Ray whose behaviour is mirrored."""

T = TypeVar("T")
_state = {"initialized": False}
_OF_A_CLUSTER = "trials run in processes of this machine, started when a Tuner needs them"

__getattr__ = refuse_names(__name__, {})


def init(
    address: str | None = None,
    *,
    num_cpus: int | None = None,
    num_gpus: int | None = None,
    resources: Mapping[str, float] | None = None,
    object_store_memory: int | None = None,
    local_mode: bool | None = None,
    ignore_reinit_error: bool = False,
    include_dashboard: bool | None = None,
    dashboard_host: str | None = None,
    dashboard_port: int | None = None,
    configure_logging: bool = True,
    logging_level: object = None,
    log_to_driver: bool | None = None,
    namespace: str | None = None,
    runtime_env: Mapping[str, Any] | None = None,
) -> None:
    """Do nothing: there is no cluster to start.

    Raises:
        ConfigurationError: A cluster elsewhere, or a changed environment, is asked for.
    """
    del ignore_reinit_error, configure_logging
    given: dict[str, object] = dict(locals())
    refuse("ray.init", given, {"runtime_env": "set the environment up before the program starts"})
    if address not in {None, "local", "auto"}:
        refuse("ray.init", given, {"address": "poptune trains on this machine"})
    bound = "set max_concurrent_trials in the TuneConfig"
    set_aside(
        "ray.init",
        given,
        {
            "num_cpus": f"to bound how many trials run at once, {bound}",
            "num_gpus": "set CUDA_VISIBLE_DEVICES to bound which GPUs are used",
            "local_mode": 'give the Tuner a poptune.RunConfig(executor="inline")',
            **dict.fromkeys(("resources", "object_store_memory", "namespace"), _OF_A_CLUSTER),
            **dict.fromkeys(("include_dashboard", "dashboard_host", "dashboard_port"), "there is none"),
            "logging_level": "poptune logs through Python's logging",
            "log_to_driver": "what trials print is shown, or kept with RunConfig(log_to_file=True)",
        },
    )
    logger.info("ray.init() does nothing: %s", _OF_A_CLUSTER)
    _state["initialized"] = True


def is_initialized() -> bool:
    """Return whether ``init`` was called."""
    return _state["initialized"]


def shutdown() -> None:
    """Do nothing: workers end with their experiment."""
    logger.info("ray.shutdown() does nothing: workers end with their experiment")
    _state["initialized"] = False


@overload
def get(object_refs: ObjectRef[T], *, timeout: float | None = None) -> T: ...
@overload
def get(object_refs: list[ObjectRef[T]], *, timeout: float | None = None) -> list[T]: ...
def get(object_refs: Any, *, timeout: float | None = None) -> Any:
    """Return the object that a reference names, or a list of those that a list of references names.

    Each call returns a copy, but arrays and tensors in it are those of all that get it in this process.
    """
    del timeout  # an object is there as soon as it was put
    if isinstance(object_refs, list):
        return [renewed(poptune.get(reference)) for reference in object_refs]
    return renewed(poptune.get(object_refs))


def cluster_resources() -> dict[str, float]:
    """Return how many cores and GPUs this program may use."""
    gpus = {"GPU": float(len(visible_gpus()))} if visible_gpus() else {}
    return {"CPU": float(available_cores()), **gpus}


def available_resources() -> dict[str, float]:
    """Return the same as :func:`cluster_resources`: between experiments nothing is in use."""
    return cluster_resources()


install()
