import functools

import pytest

import poptune as tune
from poptune._training.trainable import Prepared, prepare, with_parameters, with_resources
from poptune.errors import ConfigurationError


def train(config, data=None):
    return config["lr"], data


class Model(tune.Trainable):
    def setup(self, config, data=None):
        self.data = data

    def step(self):
        return {"x": self.config["lr"]}


def test_a_function_is_called_with_config_and_parameters():
    assert prepare(train).call({"lr": 1}) == (1, None)
    prepared = with_parameters(train, data=[3])
    assert prepared.call({"lr": 1}) == (1, [3])
    assert not prepared.is_class


def test_an_object_is_set_up_with_config_and_parameters():
    config = {"lr": 1}
    model = with_parameters(Model, data=[3]).build(config)
    assert (model.data, model.config) == ([3], config)
    assert model.config is not config
    assert prepare(Model).build(config).data is None
    assert prepare(Model).is_class


def test_parameters_and_resources_add_up():
    prepared = with_resources(with_parameters(with_parameters(train, a=1), a=2, b=3), {"cpu": 2})
    assert (dict(prepared.parameters), prepared.resources) == ({"a": 2, "b": 3}, {"cpu": 2})
    assert with_parameters(prepared, c=4).resources == {"cpu": 2}


@pytest.mark.parametrize(
    ("trainable", "name"),
    [
        (train, "train"),
        (Model, "Model"),
        (functools.partial(functools.partial(train, data=1)), "train"),
        (with_parameters(train, data=1), "train"),
    ],
)
def test_a_trainable_has_a_name(trainable, name):
    assert prepare(trainable).name == name


def test_an_object_that_can_be_called_is_named_after_its_type():
    class Callable:
        def __call__(self, config):
            return None

    assert prepare(Callable()).name == "Callable"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (3, "got 3: pass the function or the class itself"),
        (Model({"lr": 1}), "without calling it"),
        (dict, "got dict: derive it from tune.Trainable"),
    ],
)
def test_what_cannot_be_trained_is_refused(wrong, words):
    with pytest.raises(ConfigurationError, match=words):
        prepare(wrong)


@pytest.mark.parametrize(
    ("prepared", "words"),
    [
        (prepare(lambda: None), "must take the config, but .*define it as <lambda>[(]config[)]"),
        (with_parameters(train, dta=1), r"and its parameters.*dta.*train\(config, dta\)"),
        (with_parameters(Model, dta=1), r"Model\(config, dta\)"),
    ],
)
def test_a_signature_that_does_not_fit_is_told(prepared, words):
    with pytest.raises(ConfigurationError, match=words):
        prepared.check_signature()


def yields(config):
    yield {"loss": config["lr"]}


async def waits(config):
    return config["lr"]


async def waits_and_yields(config):
    yield config["lr"]


class Yielding:
    def __call__(self, config):
        yield config["lr"]


@pytest.mark.parametrize(
    ("trainable", "words"),
    [
        (yields, r"yields yields, .*write tune.report\(\{...\}\) in the place of each yield"),
        (functools.partial(yields), "yields yields"),
        (Yielding(), "Yielding yields"),
        (waits_and_yields, "waits_and_yields yields"),
        (waits, r"waits is async, .*def train\(config\): asyncio.run\(waits\(config\)\)"),
        (with_parameters(waits), "waits is async"),
    ],
)
def test_a_function_of_which_a_call_runs_nothing_is_refused(trainable, words):
    with pytest.raises(ConfigurationError, match=words):
        tune.Tuner(trainable)


@pytest.mark.parametrize("trainable", [train, Model, print, functools.partial(train, data=1)])
def test_a_signature_that_fits_is_accepted(trainable):
    Prepared(trainable=trainable).check_signature()
    Prepared(trainable=trainable).check_runs_when_called()


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"GPU": 1}, "got 'GPU'"),
        ([], r"list of such bundles, got \[\]"),
        ([{"cpu": 1}, 2], "list of such bundles"),
        ({"cpu": -1}, "cpu must be a number of at least 0, got -1"),
        ({"gpu": True}, "got True"),
        ({"gpu": "1"}, "got '1'"),
        (2, "must be a dict such as .*got 2"),
    ],
)
def test_wrong_resources_are_refused(resources, words):
    with pytest.raises(ConfigurationError, match=words):
        with_resources(train, resources)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda bare: bare.step(), "must define step()"),
        (lambda bare: bare.save_checkpoint("folder"), "must define save_checkpoint"),
        (lambda bare: bare.load_checkpoint({}), "must define load_checkpoint"),
    ],
)
def test_a_method_that_is_missing_is_named(call, words):
    class Bare(tune.Trainable):
        pass

    with pytest.raises(NotImplementedError, match=f"Bare {words}".replace("(", "[(]").replace(")", "[)]")):
        call(Bare())


def test_an_object_does_not_take_a_new_config_unless_it_says_so():
    assert Model({"lr": 1}).reset_config({"lr": 2}) is False


@pytest.mark.parametrize("ask", [lambda: tune.report({"x": 1}), tune.get_checkpoint, tune.get_context])
def test_outside_a_trial_there_is_nobody_to_speak_to(ask):
    with pytest.raises(tune.TrainableError, match="works inside a trial only.*Tuner"):
        ask()
