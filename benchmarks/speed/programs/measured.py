"""What the programs share: their arguments, their last line, and poptune's settings for a measurement."""

import argparse
import dataclasses
import json
from pathlib import Path

SLOTS = 2


def parser(*, executors: bool = False) -> argparse.ArgumentParser:
    """Return the arguments of all programs; with ``executors``, also that of those that can choose one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--storage", type=Path, required=True, help="where what is written is kept")
    if executors:
        parser.add_argument("--executor", choices=("processes", "ray"), default="processes")
    return parser


def tell(**figures: float) -> None:
    print(json.dumps(figures), flush=True)


def tell_unavailable(reason: str) -> None:
    print(json.dumps({"unavailable": reason}), flush=True)


def run_config(
    storage: Path,
    *,
    executor: str | object = "processes",
    slots: int = SLOTS,
    loggers: tuple[str, ...] | None = None,
    **more,
):
    """Return the settings of a run that shows nothing; ``loggers`` are all of poptune's own if not given.

    An executor that is given by its name has ``slots``.
    """
    import poptune as tune  # noqa: PLC0415 - not every program needs it

    if isinstance(executor, str):
        executor = (tune.RayExecutor if executor == "ray" else tune.ProcessExecutor)(slots=slots)

    if loggers is not None:
        more["loggers"] = loggers
    return tune.RunConfig(storage_path=storage, verbose=0, executor=executor, **more)


def can_choose_loggers() -> bool:
    import poptune as tune  # noqa: PLC0415

    return any(field.name == "loggers" for field in dataclasses.fields(tune.RunConfig))
