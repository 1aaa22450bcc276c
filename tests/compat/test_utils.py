"""The small functions of ``ray.tune.utils``, and the context's questions about its processes."""

import pytest

import poptune
from poptune.compat.ray import train, tune
from poptune.compat.ray.air import session
from poptune.compat.ray.tune import utils
from poptune.compat.ray.tune.registry import get_trainable_cls


class Counts(tune.Trainable):
    def setup(self, config):
        self.n = 0

    def step(self):
        self.n += 1
        return {"n": self.n}

    def save_checkpoint(self, checkpoint_dir):
        return {"n": self.n}

    def load_checkpoint(self, checkpoint):
        self.n = checkpoint["n"]


class Forgets(Counts):
    def restore(self, checkpoint_path):
        pass


def test_nested_dicts_are_flattened_and_back():
    nested = {"a": {"b": {"c": 1}, "d": 2}, "e": {}}
    flat = {"a/b/c": 1, "a/d": 2, "e": {}}
    assert utils.flatten_dict(nested) == flat
    assert utils.unflatten_dict(flat) == nested
    assert utils.flatten_dict({"a": {"b": 1}}, delimiter=".") == {"a.b": 1}
    with pytest.raises(ValueError, match="must not hold '/'"):
        utils.flatten_dict({"a/b": 1}, prevent_delimiter=True)


def test_dicts_are_merged_at_every_depth_and_left_as_they_were():
    one = {"a": {"b": 1, "c": 2}}
    assert utils.merge_dicts(one, {"a": {"b": 3}, "d": 4}) == {"a": {"b": 3, "c": 2}, "d": 4}
    assert one == {"a": {"b": 1, "c": 2}}
    with pytest.raises(KeyError, match="Unknown config parameter `d`"):
        utils.deep_update(one, {"d": 1})


def test_a_class_that_goes_on_from_its_state_is_valid():
    assert utils.validate_save_restore(Counts)
    with pytest.raises(poptune.errors.TrainableError, match="must go on, got iteration 1"):
        utils.validate_save_restore(Forgets)


def test_a_trial_is_one_process(inline):
    def tell(config):
        context = train.get_context()
        yield {
            "context": [
                context.get_world_rank(),
                context.get_local_rank(),
                context.get_node_rank(),
                context.get_world_size(),
                context.get_local_world_size(),
            ],
            "session": [session.get_world_rank(), session.get_local_rank(), session.get_world_size()],
            "same": context == tune.get_context() and hash(context) == hash(tune.get_context()),
            "kind": isinstance(context, tune.TuneContext),
        }

    (result,) = tune.Tuner(tell, run_config=inline()).fit()
    assert result.metrics["context"] == [0, 0, 0, 1, 1]
    assert result.metrics["session"] == [0, 0, 1]
    assert result.metrics["same"]
    assert result.metrics["kind"]


@pytest.mark.parametrize("wrong", [None, 3, int, Counts({})])
def test_what_cannot_be_trained_cannot_be_registered(wrong):
    with pytest.raises(TypeError, match="'wrong' cannot be registered: "):
        tune.register_trainable("wrong", wrong)


def test_what_was_registered_is_found():
    tune.register_trainable("counts", Counts)
    assert get_trainable_cls("counts") is Counts
    with pytest.raises(poptune.ConfigurationError, match="did you mean 'counts'"):
        get_trainable_cls("count")
