"""Hyperparameters that a copied optimizer brought along and nobody set anew."""

import pickle
import tempfile
import warnings
from pathlib import Path

import pytest
import torch

import poptune as tune
from poptune._training.stale_hyperparameters import StaleWatch, story_of
from poptune.schedulers import PopulationBasedTraining

SPACE = {"lr": tune.loguniform(1e-4, 1e-1), "wd": tune.loguniform(1e-6, 1e-2)}


def fit(train, path, executor="inline", forms=SPACE, *, space=SPACE, seed=1, iterations=4):
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration", perturbation_interval=2, synch=True, hyperparam_mutations=forms
    )
    return tune.Tuner(
        train,
        param_space=space,
        tune_config=tune.TuneConfig(metric="loss", mode="min", num_samples=4, scheduler=scheduler, seed=seed),
        run_config=tune.RunConfig(
            storage_path=path, verbose=0, executor=executor, stop={"training_iteration": iterations}
        ),
    ).fit()


def trained(model, optimizer):
    loss = model(torch.ones(2)).square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def built(config):
    model = torch.nn.Linear(2, 1)
    return model, torch.optim.SGD(model.parameters(), lr=config["lr"], weight_decay=config["wd"])


def loads_and_forgets(config):
    model, optimizer = built(config)
    if checkpoint := tune.get_checkpoint():
        state = checkpoint.to_dict()
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    for _ in range(4):
        loss = trained(model, optimizer)
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        tune.report({"loss": loss, "lr": config["lr"]}, checkpoint=tune.Checkpoint.from_dict(state))


def loads_a_file_and_forgets(config):
    model, optimizer = built(config)
    if checkpoint := tune.get_checkpoint():
        with checkpoint.as_directory() as folder:
            state = pickle.loads(Path(folder, "state").read_bytes())
        optimizer.load_state_dict(state)
    for _ in range(4):
        loss = trained(model, optimizer)
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "state").write_bytes(pickle.dumps(optimizer.state_dict()))
            tune.report({"loss": loss}, checkpoint=tune.Checkpoint.from_directory(folder))


class Forgetful(tune.Trainable):
    def setup(self, config):
        self.model, self.optimizer = built(config)

    def step(self):
        return {"loss": trained(self.model, self.optimizer)}

    def save_checkpoint(self, checkpoint_dir):
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_checkpoint(self, checkpoint):
        self.model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])

    def reset_config(self, new_config):
        return True


@pytest.mark.parametrize("executor", ["inline", "processes"])
@pytest.mark.parametrize("train", [loads_and_forgets, loads_a_file_and_forgets, Forgetful])
def test_a_rate_that_came_with_the_donors_optimizer_is_told_once(train, executor, tmp_path):
    with pytest.warns(tune.PoptuneWarning, match="'lr' is .* in the optimizer and .* in the config") as told:
        fit(train, tmp_path, executor, iterations=8)
    (message,) = {str(each.message) for each in told}
    assert message.startswith("In trial ")
    assert "'wd' is" in message
    assert "bind(optimizer" in message


def loads_and_sets(config):
    model, optimizer = built(config)
    if checkpoint := tune.get_checkpoint():
        optimizer.load_state_dict(checkpoint.to_dict()["optimizer"])
    for group in optimizer.param_groups:
        group["lr"] = config["lr"]
        group["weight_decay"] = config["wd"]
    for _ in range(4):
        loss = trained(model, optimizer)
        tune.report(
            {"loss": loss}, checkpoint=tune.Checkpoint.from_dict({"optimizer": optimizer.state_dict()})
        )


def test_the_advice_followed_to_the_letter_works(tmp_path):
    assert fit(loads_and_sets, tmp_path).num_errors == 0  # warnings are errors here


def forgets_to_bind(config):
    model, optimizer = built(config)
    for _ in tune.steps(config, model=model, optimizer=optimizer):
        loss = trained(model, optimizer)
        row = {"loss": loss, "lr": config["lr"], "wd": config["wd"]}
        tune.report(row)


def test_in_a_loop_over_steps_it_is_an_error_also_where_the_value_was_read(tmp_path):
    errors = fit(forgets_to_bind, tmp_path).errors
    assert errors
    assert "brought the donor's value along" in str(errors[0])


def decays_by_hand(config):
    model, optimizer = built(config)
    for step in tune.steps(config, model=model, optimizer=tune.bind(optimizer, weight_decay="wd")):
        for group in optimizer.param_groups:
            group["lr"] = config["lr"] * 0.5 ** (step // 2)
        tune.report({"loss": trained(model, optimizer)})


@pytest.mark.parametrize("seed", range(4))
def test_a_schedule_by_hand_may_pass_through_the_donors_value(tmp_path, seed):
    rates = [0.2, 0.1, 0.05, 0.025, 0.0125]
    space = {"lr": tune.choice(rates), "wd": 0.0}
    results = fit(decays_by_hand, tmp_path, forms={"lr": rates}, space=space, seed=seed, iterations=8)
    assert not results.num_errors, results.errors


def test_a_setting_that_has_moved_or_whose_number_another_hyperparameter_has_is_not_stale():
    watch = StaleWatch({"lr": 0.1}, {"lr": 0.2})
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([parameter], lr=0.05)
    for rate in (0.05, 0.1, 0.05):
        optimizer.param_groups[0]["lr"] = rate
        parameter.grad = torch.ones(1)
        optimizer.step()
    assert watch.end() == {}
    assert step_with({"g_lr": 0.1, "d_lr": 0.1}, {"g_lr": 0.2, "d_lr": 0.1}, lr=0.1) == {}
    assert step_with({"lr_g": 0.1, "lr_d": 0.3}, {"lr_g": 0.2, "lr_d": 0.3}, lr=0.1).keys() == {"lr_g"}


def step_with(watch_donor, config, **settings):
    watch = StaleWatch(watch_donor, config)
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([parameter], **settings)
    parameter.grad = torch.ones(1)
    optimizer.step()
    return watch.end()


@pytest.mark.parametrize(
    ("donor", "config", "settings", "stale"),
    [
        ({"lr": 0.1}, {"lr": 0.2}, {"lr": 0.1}, {"lr"}),
        ({"lr": 0.1}, {"lr": 0.2}, {"lr": 0.2}, set()),
        ({"lr": 0.1}, {"lr": 0.2}, {"lr": 0.05}, set()),
        ({"learning_rate": 0.1}, {"learning_rate": 0.2}, {"lr": 0.1}, {"learning_rate"}),
        ({"d": {"d_lr": 0.1}}, {"d": {"d_lr": 0.2}}, {"lr": 0.1}, {"d.d_lr"}),
        ({"dropout": 0.9}, {"dropout": 0.7}, {"lr": 1.0, "momentum": 0.9}, set()),
        ({"p": 0.123456789}, {"p": 0.2}, {"lr": 1.0, "momentum": 0.123456789}, {"p"}),
        ({"lr": 0.1}, {"lr": 0.1}, {"lr": 0.1}, set()),
        ({"lr": "high"}, {"lr": "low"}, {"lr": 0.1}, set()),
        ({}, {"lr": 0.2}, {"lr": 0.1}, set()),
    ],
)
def test_what_is_stale_is_told_by_name_or_by_a_number_like_no_other(donor, config, settings, stale):
    assert step_with(donor, config, **settings).keys() == stale


def test_a_schedule_is_judged_by_the_rate_that_it_goes_out_from():
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.param_groups[0]["lr"] = 0.025
    watch = StaleWatch({"lr": 0.1}, {"lr": 0.2})
    parameter.grad = torch.ones(1)
    optimizer.step()
    assert "'lr' is 0.1 in the optimizer and 0.2 in the config" in story_of(watch.end())


def test_an_optimizer_with_betas_of_its_own_kind_is_not_disturbed():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    watch = StaleWatch({"beta3": 0.99}, {"beta3": 0.9})
    optimizer.param_groups[0]["betas"] = (0.8, None, 0.99)
    optimizer.step()
    optimizer.param_groups[0]["betas"] = None
    optimizer.step()
    assert watch.end() == {"beta3": (0.99, 0.9)}


def test_a_watch_that_has_ended_sees_nothing():
    watch = StaleWatch({"lr": 0.1}, {"lr": 0.2})
    assert watch.end() == {}
    with warnings.catch_warnings():
        step_with({}, {}, lr=0.1)
    assert watch.end() == {}
    assert story_of({}) == ""
