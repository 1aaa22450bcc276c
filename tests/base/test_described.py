"""Each setting of ours is made again from a record of it, and all else is the user's own part."""

import datetime as dt
import io
import json
import math
from collections import OrderedDict
from dataclasses import dataclass

import pytest

import poptune as tune
from poptune import schedulers
from poptune._base import described, pickling
from poptune._base.described import KINDS, Described, Kind, Part, describe, kind_of, made, made_of
from poptune._base.equality import same
from poptune._core.schedule import Schedule
from poptune._keeping.journal import ObjectTable
from poptune._keeping.journal.values import pack, unpack
from poptune._running.tuner.definition import Definition
from poptune._training.trainable import Prepared
from poptune.compat.ray import tune as ray_tune
from poptune.compat.ray.air import FailureConfig as RayFailureConfig
from poptune.compat.ray.air.stopping import ThresholdStopper
from poptune.compat.ray.tune import schedulers as ray_schedulers
from poptune.errors import JournalError
from poptune.schedulers import KeepOwn, Perturb, Truncation


def train(config, data=()):
    tune.report({"loss": 0.0})


def grow(config):
    return config


def enough(trial_id, result):
    return False


MUTATIONS = {"lr": tune.loguniform(1e-4, 1), "net": {"width": [8, 16]}, "drawn": grow.__call__}
PREPARED = tune.with_resources(tune.with_parameters(train, data=[1, 2]), {"cpu": 2})
SAMPLES = {
    "Prepared": PREPARED,
    "TuneConfig": tune.TuneConfig(
        metric="loss",
        mode="min",
        num_samples=4,
        points_to_evaluate=[{"lr": 0.1}],
        resources_per_trial={"cpu": 0.5},
    ),
    "RunConfig": tune.RunConfig(
        name="run", stop=enough, callbacks=[tune.Callback()], log_to_file=("out", "err"), loggers=("csv",)
    ),
    "CheckpointConfig": tune.CheckpointConfig(num_to_keep=2, checkpoint_score_attribute="loss"),
    "FailureConfig": tune.FailureConfig(max_failures=3, on_exhausted="clone"),
    "ProcessExecutor": tune.ProcessExecutor(slots=2, preload=["json"]),
    "RayExecutor": tune.RayExecutor(slots=2, runtime_env={"pip": ["x"]}),
    "InlineExecutor": tune.InlineExecutor(slots=3),
    "FIFOScheduler": schedulers.FIFOScheduler(metric="loss", mode="min"),
    "PopulationBasedTraining": schedulers.PopulationBasedTraining(
        metric="loss",
        mode="min",
        hyperparam_mutations=MUTATIONS,
        selector=Truncation(quantile_fraction=0.3),
        custom_explore_fn=grow,
        synch=True,
    ),
    "PopulationBasedTrainingReplay": schedulers.PopulationBasedTrainingReplay(Schedule([(0, {"lr": 0.1})])),
    "AsyncHyperBandScheduler": schedulers.AsyncHyperBandScheduler(max_t=50, brackets=2),
    "MedianStoppingRule": schedulers.MedianStoppingRule(grace_period=3.0, min_samples_required=5),
    "Truncation": Truncation(quantile_fraction=0.4),
    "KeepOwn": KeepOwn(),
    "Perturb": Perturb(mutations=MUTATIONS, factors=(2, 0.5), custom=grow),
    "Schedule": Schedule([(0, {"lr": 0.1}), (5, {"lr": 0.2})]),
    "Float": tune.qloguniform(1e-4, 1, 1e-4),
    "Integer": tune.lograndint(1, 100),
    "Normal": tune.qrandn(1.0, 2.0, 0.5),
    "Choice": tune.choice(["a", tune.uniform(0, 1), {"b": tune.choice([1, 2])}, OrderedDict]),
    "Ordinal": tune.ordinal([1, 2, 4]),
    "SampleFrom": tune.sample_from(grow),
    "GridSearch": tune.grid_search([1, math.inf, (2, 3)]),
    "NoopStopper": tune.NoopStopper(),
    "FunctionStopper": tune.FunctionStopper(enough),
    "MaximumIterationStopper": tune.MaximumIterationStopper(7),
    "TimeoutStopper": tune.TimeoutStopper(dt.timedelta(minutes=1)),
    "TrialPlateauStopper": tune.TrialPlateauStopper("loss", num_results=9, metric_threshold=0.5, mode="min"),
    "ExperimentPlateauStopper": tune.ExperimentPlateauStopper("loss", std=0.1, top=3, mode="max", patience=2),
    "CombinedStopper": tune.CombinedStopper(tune.MaximumIterationStopper(3), tune.FunctionStopper(enough)),
    "ray.PopulationBasedTraining": ray_schedulers.PopulationBasedTraining(hyperparam_mutations=MUTATIONS),
    "ray.PopulationBasedTrainingReplay": ray_schedulers.PopulationBasedTrainingReplay("policy.txt"),
    "ray.AsyncHyperBandScheduler": ray_schedulers.AsyncHyperBandScheduler(max_t=7),
    "ray.MedianStoppingRule": ray_schedulers.MedianStoppingRule(grace_period=3.0),
    "ray.FIFOScheduler": ray_schedulers.FIFOScheduler(require_attrs=False),
    "ray.FailureConfig": RayFailureConfig(max_failures=2),
    "ray.ThresholdStopper": ThresholdStopper({"loss": 3}),
}
SAMPLES["Definition"] = Definition.make(
    PREPARED,
    {"lr": SAMPLES["Float"], "net": {"depth": SAMPLES["Choice"]}, "relu": grow},
    SAMPLES["TuneConfig"],
    SAMPLES["RunConfig"],
)


def written_and_read(value):
    """A value, after its record went through the journal's text."""
    description, parts = describe(value)
    assert isinstance(description, Described)
    text = json.dumps(pack(description, ObjectTable()))
    return made(unpack(json.loads(text), ObjectTable()), parts)


def test_every_kind_has_a_sample():
    assert {kind_of(type(sample)): kind_of(type(sample)) for sample in SAMPLES.values()} == {
        name: name for name in KINDS
    }


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_setting_is_made_again_from_its_record(kind):
    sample = SAMPLES[kind]
    again = written_and_read(sample)
    assert again is not sample
    assert type(again) is type(sample)
    assert same(described.arguments_of(again), described.arguments_of(sample))


@pytest.mark.parametrize("kind", SAMPLES)
def test_within_an_object_of_the_users_it_is_pickled_by_what_it_was_made_with(kind):
    content = pickling.dumps(OrderedDict(mine=SAMPLES[kind]))
    module = KINDS[kind].at.partition(":")[0]
    assert module.encode() not in content, "a class of ours is not named by where it lies today"
    again = pickling.Loader().load(io.BytesIO(content))["mine"]
    assert same(described.arguments_of(again), described.arguments_of(SAMPLES[kind]))


def test_a_domain_that_was_pickled_with_other_arguments_is_upgraded(monkeypatch):
    content = pickling.dumps([tune.uniform(1, 2)])
    written, _ = describe(tune.uniform(1, 2))

    def with_new_names(arguments):
        return {**arguments, "upper": arguments["upper"] * 10}

    monkeypatch.setitem(KINDS, "Float", Kind(at=KINDS["Float"].at, upgrades=(with_new_names,)))
    (opened,) = pickling.Loader().load(io.BytesIO(content))
    assert opened == made(written, ()) == tune.uniform(1, 20)
    assert describe(tune.uniform(1, 20))[0].version == 2
    assert made(describe(tune.uniform(1, 20))[0], ()) == tune.uniform(1, 20)


@dataclass(frozen=True)
class Gentle(schedulers.PopulationBasedTraining):
    kindness: float = 1.0


class MyStopper(tune.MaximumIterationStopper):
    pass


@pytest.mark.parametrize(
    "mine", [Gentle(hyperparam_mutations=MUTATIONS), MyStopper(3), OrderedDict(a=1), enough, {("a", 1): 2}]
)
def test_what_is_derived_from_ours_or_no_plain_value_is_the_users_own(mine):
    description, parts = describe([mine, mine])
    assert description == [Part(place=0, text=repr(mine)[:200])] * 2
    assert parts == (mine,)
    assert made(description, parts)[0] is mine


def test_one_object_in_two_places_is_one_again():
    both = MyStopper(3)
    definition, parts = describe(tune.RunConfig(stop=both, callbacks=[tune.Callback()]))
    again = made(definition, parts)
    assert again.stop is both
    assert len(parts) == 2


def test_what_with_parameters_gives_is_not_looked_into():
    description, parts = describe(PREPARED)
    assert description.arguments["parameters"] == Part(place=1, text="{'data': [1, 2]}")
    assert parts == (train, {"data": [1, 2]})


def test_a_value_whose_repr_raises_is_a_part_all_the_same():
    class Silent:
        def __repr__(self):
            raise RuntimeError("no")

    (description,), _ = describe([Silent()])
    assert description.text == "<Silent whose repr raises RuntimeError>"


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (Described(kind="Flout", version=1, arguments={}), "'Flout' of version 1.* knows none of that kind"),
        (Described(kind="Float", version=2, arguments={}), "'Float' of version 2.* knows versions up to 1"),
        (Described(kind="Float", version=0, arguments={}), "'Float' of version 0.* knows versions up to 1"),
        (Described(kind="Float", version=1, arguments={"lo": 1}), "'Float' that cannot be made again"),
        (Part(place=3, text="<train>"), "name a part <train>, which objects.pkl lacks"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_it(description, message):
    with pytest.raises(JournalError, match=message):
        made(description, ())


def test_a_constructor_that_refuses_is_told_by_the_kind():
    with pytest.raises(JournalError, match="'Truncation' that cannot be made again .quantile_fraction must"):
        made_of("Truncation", 1, {"quantile_fraction": 2})


@pytest.mark.parametrize(
    "thing",
    [
        tune.report,
        tune.Trainable,
        tune.Callback,
        schedulers.PopulationBasedTraining,
        tune.bind,
        ray_tune.report,
    ],
    ids=lambda thing: thing.__name__,
)
def test_functions_and_classes_of_ours_are_pickled_by_where_users_find_them(thing):
    content = pickling.dumps([thing])
    assert pickling.Loader().load(io.BytesIO(content))[0] is thing
    if "compat" not in thing.__module__:
        assert thing.__module__.encode() not in content


def test_a_trainable_that_is_no_object_of_ours_stays_one():
    assert written_and_read(Prepared(trainable=train)).trainable is train
