"""Hyperparameters bound to objects of any kind."""

import dataclasses
from typing import NamedTuple

import pytest
import torch

import poptune as tune
from poptune.schedulers import PopulationBasedTraining


class Sampler:
    def __init__(self, batch_size, deep=0):
        self.batch_size = batch_size
        self.deep = deep


class Stubborn:
    @property
    def rate(self):
        return 0.5

    @rate.setter
    def rate(self, value):
        pass


SPACE = {"dropout": tune.uniform(0.1, 0.9), "data": {"batch": tune.randint(1, 1000)}}


def fit(train, path):
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration", perturbation_interval=2, synch=True, hyperparam_mutations=SPACE
    )
    return tune.Tuner(
        train,
        param_space=SPACE,
        tune_config=tune.TuneConfig(metric="acc", mode="max", num_samples=4, scheduler=scheduler, seed=1),
        run_config=tune.RunConfig(
            storage_path=path, verbose=0, executor="inline", stop={"training_iteration": 6}
        ),
    ).fit()


def test_attributes_of_modules_and_plain_objects_follow_the_config_through_exploits(tmp_path):
    def train(config):
        net = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Dropout())
        sampler = Sampler(0)
        states = {
            "net": net,
            "dropout": tune.bind(net[1], p="dropout"),
            "sampler": tune.bind(sampler, batch_size="data.batch"),
        }
        for _ in tune.steps(config, **states):
            tune.report({"acc": net[1].p, "p": net[1].p, "batch": sampler.batch_size})

    results = fit(train, tmp_path)
    assert results.lineage.exploits
    assert results.num_errors == 0
    for result in results:
        assert result.metrics["p"] == result.config["dropout"]
        assert result.metrics["batch"] == result.config["data"]["batch"]


def test_a_stateful_object_is_saved_with_its_attributes(tmp_path):
    def train(config):
        net = torch.nn.Dropout()
        net.register_buffer("seen", torch.zeros(1))
        bound, data = tune.bind(net, p="dropout"), tune.bind(Sampler(0), batch_size="data.batch")
        for _ in tune.steps(config, net=bound, data=data):
            net.seen += 1
            tune.report({"acc": net.p, "seen": net.seen.item()})

    results = fit(train, tmp_path)
    assert [result.metrics["seen"] for result in results] == [6] * 4
    assert results[0].checkpoint.to_dict()["net"]["seen"] == 6
    assert results[0].checkpoint.to_dict()["data"] == {}


def test_an_attribute_that_does_not_take_a_value_is_named(tmp_path):
    def train(config):
        for _ in tune.steps(config, it=tune.bind(Stubborn(), rate="dropout")):
            tune.report({"acc": 1})

    with pytest.raises(tune.AllTrialsFailedError, match="Stubborn must take a new 'rate', but it has 0.5"):
        fit(train, tmp_path)


@dataclasses.dataclass(frozen=True)
class Frozen:
    rate: float = 0.1


class Rates(NamedTuple):
    rate: float


class ReadOnly:
    @property
    def rate(self):
        return 0.5


class Careful(Sampler):
    def __setattr__(self, name, value):
        if isinstance(value, float) and value < 2:
            raise ValueError("too small")
        super().__setattr__(name, value)


@pytest.mark.parametrize(
    ("make", "name", "reason"),
    [
        (Frozen, "rate", "FrozenInstanceError: cannot assign to field 'rate'"),
        (ReadOnly, "rate", "AttributeError: property 'rate'"),
        (lambda: Rates(0.1), "rate", "AttributeError: can't set"),
        (torch.nn.PReLU, "weight", "TypeError: cannot assign .* as parameter 'weight'"),
        (lambda: torch.nn.CrossEntropyLoss(weight=torch.ones(2)), "weight", "TypeError: cannot assign"),
        (lambda: torch.utils.data.DataLoader([1, 2], 2), "batch_size", "ValueError: batch_size attribute"),
        (lambda: Careful(9), "batch_size", "ValueError: too small"),
    ],
)
def test_an_attribute_that_cannot_be_set_is_named_with_its_key_and_the_fix(tmp_path, make, name, reason):
    def train(config):
        for _ in tune.steps(config, it=tune.bind(make(), **{name: "dropout"})):
            tune.report({"acc": 1})

    words = (
        rf"bind\(\) is given .*'{name}' of the \w+ cannot be set to 0.* from config\['dropout'\] \({reason}"
    )
    with pytest.raises(tune.AllTrialsFailedError, match=f"{words}.*make it anew in the loop"):
        fit(train, tmp_path)


def test_an_attribute_that_is_set_anew_from_an_old_value_is_named(tmp_path):
    def train(config):
        sampler, size = Sampler(0), config["data"]["batch"]
        dropout = tune.bind(torch.nn.Dropout(), p="dropout")
        for _ in tune.steps(config, dropout=dropout, it=tune.bind(sampler, batch_size="data.batch")):
            sampler.batch_size = size
            tune.report({"acc": size})

    with pytest.warns(tune.PoptuneWarning, match="Sampler must take a new 'batch_size'"):
        fit(train, tmp_path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: tune.bind(Sampler(1), "batchsize"), "did you mean 'batch_size'"),
        (lambda: tune.bind(Sampler(1), "colour"), r"it has \['batch_size', 'deep'\]"),
        (
            lambda: tune.bind({"p": 0.1}, "p"),
            r"'p' is to be one of a dict, which has keys: read config\['p'\]",
        ),
        (lambda: tune.bind({}, lr="opt.lr"), r"read config\['opt.lr'\] .*types.SimpleNamespace\(lr="),
        (lambda: tune.bind(Stubborn, "rate"), r"got the class Stubborn, .*bind\(object, rate=\"rate\"\)"),
        (lambda: tune.bind(Sampler(1)), "names of what is bound"),
        (lambda: tune.bind(Sampler(1), "deep", scheduler=1), "goes with an optimizer"),
        (
            lambda: tune.bind(torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1), "dropout"),
            r'bind it to the object that has it, tune.bind\(object, "dropout"\)',
        ),
    ],
)
def test_what_cannot_be_bound_is_told_with_what_can(make, words):
    with pytest.raises(tune.ConfigurationError, match=words):
        make()


class Wrapping(torch.optim.Optimizer):
    """As Accelerate wraps an optimizer: a class of torch's by name, all of whose state is the inner one's."""

    def __init__(self, optimizer):
        self.optimizer = optimizer

    @property
    def param_groups(self):
        return self.optimizer.param_groups

    @property
    def defaults(self):
        return self.optimizer.defaults

    def state_dict(self):
        return self.optimizer.state_dict()

    def load_state_dict(self, state):
        self.optimizer.load_state_dict(state)

    def step(self):
        self.optimizer.step()


class WrappedSchedule:
    def __init__(self, scheduler):
        self.scheduler = scheduler

    def step(self):
        self.scheduler.step()


def test_an_optimizer_and_a_schedule_that_others_wrap_are_bound(tmp_path):
    space = {"lr": tune.loguniform(1e-3, 1e-1)}

    def train(config):
        net = torch.nn.Linear(2, 1)
        inner = torch.optim.SGD(net.parameters(), lr=config["lr"])
        schedule = WrappedSchedule(torch.optim.lr_scheduler.ExponentialLR(inner, 0.5))
        optimizer = Wrapping(inner)
        for step in tune.steps(config, net=net, optimizer=tune.bind(optimizer, "lr", scheduler=schedule)):
            net(torch.ones(2)).sum().backward()
            optimizer.step()
            schedule.step()
            tune.report({"acc": config["lr"], "base": inner.param_groups[0]["lr"] / 0.5**step})

    scheduler = PopulationBasedTraining(
        time_attr="training_iteration", perturbation_interval=2, synch=True, hyperparam_mutations=space
    )
    results = tune.Tuner(
        train,
        param_space=space,
        tune_config=tune.TuneConfig(metric="acc", mode="max", num_samples=4, scheduler=scheduler, seed=1),
        run_config=tune.RunConfig(
            storage_path=tmp_path, verbose=0, executor="inline", stop={"training_iteration": 6}
        ),
    ).fit()
    assert results.lineage.exploits
    for result in results:
        assert result.metrics["base"] == pytest.approx(result.config["lr"])
