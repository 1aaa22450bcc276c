"""What algorithms, loggers, executors and integrations of your own are made of: see ``docs/extending.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poptune._base.lazy import exports

if TYPE_CHECKING:
    from poptune._base.course import Curve
    from poptune._base.pickling import dumps
    from poptune._base.types import Objective
    from poptune._core.events import Failed, Left, Planned, Reported, Restarted, Resumed, Spawned
    from poptune._core.scheduler import (
        CheckpointRef,
        Decision,
        End,
        Fresh,
        Keep,
        Load,
        Needs,
        Plan,
        PopulationView,
        Ready,
        Rest,
        Run,
        Scheduler,
    )
    from poptune._core.trial import TrialView
    from poptune._core.trial_spec import TrialSpec
    from poptune._core.views import WatchedExperiment, WatchedPopulation, WatchedTrial
    from poptune._keeping.storage import open_store
    from poptune._running.executors.base import Executor, Work, Workers, on_one_machine
    from poptune._running.executors.desk import Desk, Hire, Tell
    from poptune._running.executors.room import Boundless, Room
    from poptune._training.states import BoundState
    from poptune._training.worker import die_with_parent, end_process, train_all
    from poptune.loggers import Logger, TrialLogger
    from poptune.schedulers import Choice, Copy, Explored, Explorer, Selection, Selector
    from poptune.schedulers.metric import with_metric

_NAMES_BY_HOME = {
    "_base.course": "Curve",
    "_base.pickling": "dumps",
    "_base.types": "Objective",
    "_core.events": "Failed Left Planned Reported Restarted Resumed Spawned",
    "_core.scheduler": (
        "CheckpointRef Decision End Fresh Keep Load Needs Plan PopulationView Ready Rest Run Scheduler"
    ),
    "_core.trial": "TrialView",
    "_core.trial_spec": "TrialSpec",
    "_core.views": "WatchedExperiment WatchedPopulation WatchedTrial",
    "_keeping.storage": "open_store",
    "_running.executors.base": "Executor Work Workers on_one_machine",
    "_running.executors.desk": "Desk Hire Tell",
    "_running.executors.room": "Boundless Room",
    "_training.states": "BoundState",
    "_training.worker": "die_with_parent end_process train_all",
    "loggers": "Logger TrialLogger",
    "schedulers": "Choice Copy Explored Explorer Selection Selector",
    "schedulers.metric": "with_metric",
}

__all__ = [
    "BoundState",
    "Boundless",
    "CheckpointRef",
    "Choice",
    "Copy",
    "Curve",
    "Decision",
    "Desk",
    "End",
    "Executor",
    "Explored",
    "Explorer",
    "Failed",
    "Fresh",
    "Hire",
    "Keep",
    "Left",
    "Load",
    "Logger",
    "Needs",
    "Objective",
    "Plan",
    "Planned",
    "PopulationView",
    "Ready",
    "Reported",
    "Rest",
    "Restarted",
    "Resumed",
    "Room",
    "Run",
    "Scheduler",
    "Selection",
    "Selector",
    "Spawned",
    "Tell",
    "TrialLogger",
    "TrialSpec",
    "TrialView",
    "WatchedExperiment",
    "WatchedPopulation",
    "WatchedTrial",
    "Work",
    "Workers",
    "die_with_parent",
    "dumps",
    "end_process",
    "on_one_machine",
    "open_store",
    "train_all",
    "with_metric",
]

__getattr__ = exports("poptune", _NAMES_BY_HOME)
