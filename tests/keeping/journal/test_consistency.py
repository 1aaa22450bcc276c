"""A journal whose events cannot have followed one another is an error that names the first of them."""

import re

import pytest
from msgspec.structs import replace

from poptune._base.types import TrialStatus
from poptune._core.events import Completed, Created, Failed, Forgotten, Left, Planned, Reported, Restarted
from poptune._core.scheduler import CheckpointRef, Decision, Load, Plan, Run
from poptune._core.trial_spec import TrialSpec
from poptune._keeping.journal import consistent
from poptune.errors import JournalError


def spec(index, **overrides):
    names = {"id": f"t_{index}", "folder": f"folder_{index}", "name": "n", "tag": f"{index}", "config": {}}
    return TrialSpec(**{"index": index, **names, **overrides})


def created(*trials):
    return Created(
        time_s=0.0,
        name="n",
        trainable="t",
        seed=0,
        metric=None,
        mode=None,
        time_attr="training_iteration",
        trials=trials or (spec(0), spec(1)),
    )


def report(trial="t_0", **overrides):
    return Reported(
        **{"time_s": 0.0, "trial": trial, "incarnation": 0, "iteration": 1, "metrics": {}, **overrides}
    )


CHECKPOINT = CheckpointRef(
    id="t_1/checkpoint_000002",
    trial="t_1",
    path="folder_1/checkpoint_000002",
    number=2,
    iteration=2,
    age=2.0,
    time_total_s=0.0,
    score=None,
    report=2,
)


def planned(trial="t_0", checkpoint=None, donor=None):
    source = {} if checkpoint is None else {"source": Load(checkpoint)}
    decision = Decision(trial=trial, next=Run(), donor=donor, **source)
    return Planned(plan=Plan(decisions=(Decision(trial="t_1", next=Run()), decision)))


def test_what_can_have_happened_passes_as_it_is():
    events = [
        created(),
        planned(),
        report(),
        report("t_1", checkpoint=2),
        planned(checkpoint=CHECKPOINT, donor="t_1"),
        Failed(time_s=0.0, trial="t_1", incarnation=0, error="e"),
        Restarted(trial="t_1", cause="failure"),
        Forgotten(checkpoints=("t_1/checkpoint_000001",)),
        Left(trial="t_0", status=TrialStatus.ERROR, reason="failed"),
        Completed(time_s=0.0),
    ]
    assert list(consistent(events)) == events


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (created(), "created once, at the beginning"),
        (report("t_2"), "there is no trial 't_2'"),
        (report("t_2", checkpoint=1), "there is no trial 't_2'"),
        (report(checkpoint=0), "counted from 1, got 0"),
        (Restarted(trial="t_2", cause="failure"), "there is no trial 't_2'"),
        (Failed(time_s=0.0, trial="t_2", incarnation=0, error=""), "there is no trial 't_2'"),
        (Left(trial="t_2", status=TrialStatus.ERROR, reason=""), "there is no trial 't_2'"),
        (Left(trial="t_0", status=TrialStatus.PAUSED, reason=""), "that left cannot be PAUSED"),
        (Forgotten(checkpoints=("t_2/checkpoint_000001",)), "there is no trial 't_2'"),
        (Forgotten(checkpoints=("x",)), "there is no trial ''"),
        (planned("t_2"), "there is no trial 't_2'"),
        (planned(donor="t_2"), "there is no trial 't_2'"),
        (planned(checkpoint=replace(CHECKPOINT, path="../etc/checkpoint_000002")), "'../etc/checkpoint_"),
        (planned(checkpoint=replace(CHECKPOINT, path="folder_0/checkpoint_000002")), "which is not among"),
        (planned(checkpoint=replace(CHECKPOINT, id="t_1/checkpoint_000003")), "which is not among"),
        (planned(checkpoint=replace(CHECKPOINT, trial="t_2")), "which is not among"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(event, problem):
    saved = report("t_1", checkpoint=2)
    events = consistent([created(), saved, event, report()])
    assert [next(events), next(events)] == [created(), saved]
    with pytest.raises(JournalError, match=rf"Event 3 .*{type(event).__name__}.*{re.escape(problem)}"):
        next(events)


@pytest.mark.parametrize(
    ("trials", "problem"),
    [
        ((spec(1),), "has index 1 at place 0"),
        ((spec(0), spec(1, id="t_0")), "share an id or a folder"),
        ((spec(0), spec(1, folder="folder_0")), "share an id or a folder"),
        ((spec(0, folder="../x"),), "outside the experiment's"),
        ((spec(0, folder=""),), "outside the experiment's"),
        ((spec(0, id="../x"),), "outside the experiment's"),
    ],
)
def test_a_population_that_cannot_be_is_refused(trials, problem):
    with pytest.raises(JournalError, match=f"Event 1 .*{re.escape(problem)}"):
        list(consistent([created(*trials)]))


def test_nothing_comes_before_the_creation():
    with pytest.raises(JournalError, match="Event 1 .* Completed.*created once, at the beginning"):
        list(consistent([Completed(time_s=0.0)]))
    assert list(consistent([])) == []
