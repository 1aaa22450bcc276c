"""A Trainable is driven by hand, as tests and debuggers do, and knows what it needs."""

from pathlib import Path

import pytest

import poptune
from poptune.compat.ray import tune


class InFolder(tune.Trainable):
    def setup(self, config):
        self.n = config["start"]
        self.closed = False

    def step(self):
        self.n += 1
        return {"n": self.n, "at": self.iteration, "timesteps_this_iter": 5}

    def save_checkpoint(self, checkpoint_dir):
        Path(checkpoint_dir, "n").write_text(f"{self.n} {self.iteration}")

    def load_checkpoint(self, checkpoint):
        self.n = int(Path(checkpoint, "n").read_text().split()[0])

    def cleanup(self):
        self.closed = True


class AsDict(InFolder):
    def save_checkpoint(self, checkpoint_dir):
        return {"n": self.n, "what": {1, 2}}

    def load_checkpoint(self, checkpoint):
        self.n = checkpoint["n"]

    def reset_config(self, new_config):
        self.n = new_config["start"]
        return True


class Elsewhere(InFolder):
    def save_checkpoint(self, checkpoint_dir):
        return "/somewhere/else"


def test_train_makes_a_step_and_fills_in_what_a_trial_would():
    model = InFolder({"start": 5})
    first, second = model.train(), model.train()
    assert (first["n"], first["at"], first["training_iteration"]) == (6, 0, 1)
    assert (second["n"], second["at"], second["training_iteration"]) == (7, 1, 2)
    assert model.iteration == model.training_iteration == model._iteration == 2
    assert second["timesteps_total"] == second["timesteps_since_restore"] == 10
    assert second["iterations_since_restore"] == 2
    assert second["time_total_s"] == first["time_this_iter_s"] + second["time_this_iter_s"]
    assert (first["done"], first["config"], first["trial_id"]) == (False, {"start": 5}, "default")
    assert {"pid", "hostname", "node_ip", "date", "timestamp"} <= set(first)


@pytest.mark.parametrize(("last", "number"), [({}, 3), ({"done": True}, 1), ({"should_checkpoint": True}, 1)])
def test_a_buffer_of_results_ends_when_it_is_full_or_a_result_says_so(last, number):
    class Says(InFolder):
        def step(self):
            return {**super().step(), **last}

    assert [row["n"] for row in Says({"start": 5}).train_buffered(1e9, 3)] == [6, 7, 8][:number]
    assert len(InFolder({"start": 5}).train_buffered(0.0)) == 1


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("export_model", "in save_checkpoint"), ("get_state", r"save\(\)"), ("is_actor", "no actors")],
)
def test_a_method_of_rays_that_is_not_there_says_why(name, remedy):
    with pytest.raises(AttributeError, match=f"Trainable.{name} is not mirrored: .*{remedy}"):
        getattr(InFolder({"start": 1}), name)
    assert not hasattr(InFolder, name)
    assert getattr(type("Own", (InFolder,), {name: 1})({"start": 1}), name) == 1


class TakesStorage(InFolder):
    def __init__(self, config=None, storage=None):
        super().__init__(config, storage)
        self.own = 7

    def step(self):
        return {"own": self.own, "start": self.config["start"], "done": True}


class OfRay1(TakesStorage):
    def __init__(self, config=None, logger_creator=None, **named):
        InFolder.__init__(self, config, logger_creator, None, None, **named)
        self.own = 7


class ByName(TakesStorage):
    def __init__(self, config=None, logger_creator=None, remote_checkpoint_dir=None, sync_config=None):
        InFolder.__init__(
            self,
            config=config,
            logger_creator=logger_creator,
            remote_checkpoint_dir=remote_checkpoint_dir,
            sync_config=sync_config,
        )
        self.own = 7


@pytest.mark.parametrize("kind", [TakesStorage, OfRay1, ByName])
def test_an_init_may_hand_on_all_that_ray_gives_it(kind, inline):
    (result,) = tune.Tuner(kind, param_space={"start": 3}, run_config=inline()).fit()
    assert (result.error, result.metrics["own"], result.metrics["start"]) == (None, 7, 3)
    assert kind({"start": 3}).train()["own"] == 7


def test_what_a_step_says_itself_counts():
    class Own(tune.Trainable):
        def step(self):
            return {"done": True, "time_this_iter_s": 3.0, "timesteps_total": 7}

    result = Own().train()
    assert (result["done"], result["time_total_s"], result["timesteps_total"]) == (True, 3.0, 7)


@pytest.mark.parametrize("kind", [InFolder, AsDict])
def test_what_was_saved_is_restored_in_another_object(kind, tmp_path):
    model = kind({"start": 5})
    model.train()
    state = model.save()
    assert state.metrics["n"] == 6
    other = kind({"start": 0})
    other.restore(state)
    assert (other.n, other.iteration) == (6, 1)
    result = other.train()
    assert (result["training_iteration"], result["iterations_since_restore"]) == (2, 1)
    assert (result["timesteps_total"], result["timesteps_since_restore"]) == (10, 5)
    for form in (state.checkpoint, state.checkpoint.path, Path(state)):
        other.restore(form)
        assert (other.n, other.iteration) == (6, 0)
    other.save(tmp_path / "new" / "folder")
    kind({"start": 0}).restore(str(tmp_path / "new" / "folder"))


def test_a_state_in_another_folder_is_refused(tmp_path):
    with pytest.raises(poptune.errors.TrainableError, match="must write into the folder"):
        Elsewhere({"start": 1}).save(tmp_path)


def test_a_reset_begins_anew_where_the_class_can():
    model = AsDict({"start": 5})
    model.train()
    assert model.reset({"start": 9})
    assert (model.n, model.iteration, model.get_config()) == (9, 0, {"start": 9})
    assert not InFolder({"start": 1}).reset({"start": 2})


def test_stop_releases_what_the_object_holds():
    model = InFolder({"start": 1})
    model.stop()
    assert model.closed


def test_outside_a_trial_it_has_default_names_and_a_folder():
    model = InFolder({"start": 1})
    assert (model.trial_id, model.trial_name, model.trial_resources) == ("default", "default", None)
    assert Path(model.logdir).is_dir()
    assert model.logdir == model.logdir
    assert model.iteration == 0


def test_a_step_that_returns_no_dict_is_an_error():
    class Bad(tune.Trainable):
        def step(self):
            return 3

    with pytest.raises(poptune.errors.TrainableError, match="must return a dict of metrics, got 3"):
        Bad().train()


def test_a_class_may_count_by_a_name_of_rays_itself():
    class Own(tune.Trainable):
        def setup(self, config):
            self._iteration = 40

        def step(self):
            self._iteration += 1
            return {"own": self._iteration}

    assert Own().train()["own"] == 41


class Asks(tune.Trainable):
    @classmethod
    def default_resource_request(cls, config):
        return tune.PlacementGroupFactory([{"CPU": config["cores"]}])

    def step(self):
        return {"done": True, "cpu": self.trial_resources["cpu"]}


def test_a_class_is_given_what_it_asks_for(inline):
    (result,) = tune.Tuner(Asks, param_space={"cores": 0.5}, run_config=inline()).fit()
    assert result.metrics["cpu"] == 0.5
    (result,) = tune.Tuner(
        tune.with_resources(Asks, {"cpu": 1}), param_space={"cores": 0.5}, run_config=inline()
    ).fit()
    assert result.metrics["cpu"] == 1


@pytest.mark.parametrize("space", [{}, {"cores": tune.choice([1, 2])}])
def test_a_request_that_cannot_be_told_beforehand_is_refused(space, inline):
    with pytest.raises(poptune.ConfigurationError, match="with_resources|must be a number"):
        tune.Tuner(Asks, param_space=space, run_config=inline())
