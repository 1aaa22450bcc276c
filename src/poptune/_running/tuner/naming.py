"""How experiments and trials are called."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from poptune._base.copies import copied
from poptune._base.layout import is_reserved, problem_of_new_folder
from poptune._base.places import checkpoints_folder
from poptune._base.types import TrialId
from poptune._core.trial_spec import TrialSpec
from poptune._running.tuner.configs import TuneConfig
from poptune._training.trainable import Prepared
from poptune.errors import ConfigurationError
from poptune.search_space import Resolved, trial_tag
from poptune.search_space.values import without_numpy_scalars

_LONGEST_FOLDER_BYTES = 200
_LONGEST_NAME_BYTES = 100


def experiment_name(prepared: Prepared, storage: Path) -> str:
    """Return a name for an experiment that was given none; none in the storage has it yet."""
    name = f"{_short(_clean(prepared.name), _LONGEST_NAME_BYTES)}_{_now()}"
    names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
    return next(name for name in names if not (storage / name).exists())


def trial_specs(prepared: Prepared, configs: list[Resolved], tune: TuneConfig) -> tuple[TrialSpec, ...]:
    """Return ids, names, tags and folders of the trials with these configs.

    Raises:
        ConfigurationError: A name or folder that the user's function made cannot be used.
    """
    experiment, now = secrets.token_hex(3)[:5], _now()
    specs = [
        named(_spec(prepared, index, resolved, experiment, now), tune)
        for index, resolved in enumerate(configs)
    ]
    folders = [spec.folder for spec in specs]
    if len(set(folders)) < len(folders):
        twice = next(folder for folder in folders if folders.count(folder) > 1)
        raise ConfigurationError(
            f"Each trial needs a folder of its own, but trial_dirname_creator named two {twice!r}: "
            "make the trial's id a part of the name"
        )
    return tuple(specs)


def _spec(prepared: Prepared, index: int, resolved: Resolved, experiment: str, now: str) -> TrialSpec:
    trial_id = TrialId(f"{experiment}_{index:05d}")
    tag = trial_tag(index, resolved.sampled)
    name = f"{prepared.name}_{trial_id}"
    begins = f"{_short(_clean(prepared.name), _LONGEST_NAME_BYTES)}_{trial_id}"
    room = _LONGEST_FOLDER_BYTES - len(f"{begins}__{now}".encode())
    folder = f"{begins}_{_short(_clean(tag), room)}_{now}"
    return TrialSpec(
        id=trial_id,
        index=index,
        name=name,
        tag=tag,
        folder=folder,
        config=without_numpy_scalars(resolved.config),
    )


def named(spec: TrialSpec, tune: TuneConfig) -> TrialSpec:
    """Return the spec with the names that the user's functions make."""
    name = _created("trial_name_creator", tune.trial_name_creator, spec, spec.name)
    folder = _created("trial_dirname_creator", tune.trial_dirname_creator, spec, spec.folder)
    problem = problem_of_new_folder(folder)
    if not problem and (folder.startswith(".") or is_reserved(folder)):
        problem = "it must not be one of our own files, nor hidden"
    if problem:
        raise ConfigurationError(
            f"trial_dirname_creator must return a folder's name, but {problem}, got {folder!r}"
        )
    return replace(spec, name=name, folder=folder, store=checkpoints_folder(folder))


def _created(what: str, creator: Callable[[TrialSpec], str] | None, spec: TrialSpec, default: str) -> str:
    if creator is None:
        return default
    name = creator(replace(spec, config=copied(spec.config)))
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"{what} must return a name, got {name!r} for trial {spec.id}")
    return name


def _clean(text: str) -> str:
    return re.sub(r"^\.|[^\w.,=+-]", "_", text)


def _short(text: str, most_bytes: int) -> str:
    return text.encode()[:most_bytes].decode(errors="ignore")


def _now() -> str:
    return datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
