"""Hyperparameters in the optimizer, through real exploits."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.optim import lr_scheduler as lrs  # noqa: E402

import poptune as tune  # noqa: E402
from poptune.integrations.torch import bind  # noqa: E402
from poptune.schedulers import PopulationBasedTraining  # noqa: E402

INTERVAL = 3
OPTIMIZERS = {
    "SGD": (
        lambda p, c: torch.optim.SGD(p, lr=c["lr"], momentum=c["momentum"]),
        {"lr": 0.1, "momentum": 0.4},
    ),
    "Adam": (
        lambda p, c: torch.optim.Adam(p, lr=c["lr"], betas=(c["beta1"], 0.9)),
        {"lr": 0.1, "beta1": 0.4},
    ),
    "AdamW": (
        lambda p, c: torch.optim.AdamW(p, lr=c["lr"], weight_decay=c["weight_decay"]),
        {"lr": 0.1, "weight_decay": 0.01},
    ),
}


def rank():
    """Trial 1 is always better than trial 0."""
    return int(tune.get_context().trial_id[-1])


def exploit_once(train, config, path, *, mutated=None, **run):
    """Trial 0 copies trial 1 after three iterations, with every value doubled, and trains on for five."""
    mutations = {key: tune.uniform(0, 1000) for key in mutated or config}
    results = tune.Tuner(
        train,
        param_space=config,
        tune_config=tune.TuneConfig(
            metric="rank",
            mode="max",
            num_samples=2,
            seed=0,
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=INTERVAL,
                burn_in_period=INTERVAL,
                quantile_fraction=0.5,
                resample_probability=0.0,
                perturbation_factors=(2.0,),
                hyperparam_mutations=mutations,
                synch=True,
            ),
        ),
        run_config=tune.RunConfig(
            storage_path=path, name="run", verbose=0, executor="inline", stop={"training_iteration": 5}, **run
        ),
    ).fit()
    assert results.num_errors == 0, results.errors
    return results


def a_model():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def train_one(model, optimizer, step):
    torch.manual_seed(step)
    x = torch.randn(16, 4)
    optimizer.zero_grad()
    (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_exploit_loads_the_donors_optimizer_and_changes_its_hyperparameters(name, tmp_path):
    build, config = OPTIMIZERS[name]
    weights = {}

    def train(config):
        model = a_model()
        if rank() == 0:
            model[0].weight.data.zero_()
        optimizer = build(model.parameters(), config)
        for step in tune.steps(config, model=model, optimizer=bind(optimizer, *config)):
            train_one(model, optimizer, step)
            weights[rank(), step] = model[2].weight.detach().clone()
            tune.report({"rank": rank()})

    exploit_once(train, config, tmp_path)
    model = a_model()
    optimizer = build(model.parameters(), config)
    for step in range(1, 6):
        if step == INTERVAL + 1:
            assert torch.equal(weights[1, INTERVAL], model[2].weight)
            for group in optimizer.param_groups:
                group["lr"] *= 2
                if "beta1" in config:
                    group["betas"] = (2 * group["betas"][0], group["betas"][1])
                else:
                    group.update({key: 2 * config[key] for key in config if key != "lr"})
        train_one(model, optimizer, step)
    assert torch.equal(weights[0, 5], model[2].weight)
    assert not torch.equal(weights[1, 5], model[2].weight)


def test_with_a_scheduler_the_rates_after_an_exploit_are_those_of_the_new_run(tmp_path):
    rates = {}

    def schedule(optimizer):
        warm_up = lrs.LinearLR(optimizer, start_factor=0.1, total_iters=2)
        return lrs.SequentialLR(optimizer, [warm_up, lrs.CosineAnnealingLR(optimizer, 10, eta_min=0.01)], [2])

    def train(config):
        model = a_model()
        optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
        scheduler = schedule(optimizer)
        for step in tune.steps(config, model=model, optimizer=bind(optimizer, "lr", scheduler=scheduler)):
            train_one(model, optimizer, step)
            scheduler.step()
            rates[rank(), step] = optimizer.param_groups[0]["lr"]
            tune.report({"rank": rank()})

    exploit_once(train, {"lr": 0.1}, tmp_path)
    model = a_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.2)
    scheduler = schedule(optimizer)
    for step in range(1, 6):
        optimizer.step()
        scheduler.step()
        if step > INTERVAL:
            assert rates[0, step] == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)


def test_a_gradient_scaler_is_a_state_like_any_other(tmp_path):
    scales = {}

    def train(config):
        model = a_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0 if rank() else 2.0, growth_interval=2)
        for step in tune.steps(config, model=model, optimizer=bind(optimizer, "lr"), scaler=scaler):
            optimizer.zero_grad()
            scaler.scale(model(torch.ones(1, 4)).square().mean()).backward()
            scaler.step(optimizer)
            scaler.update()
            scales[rank(), step] = scaler.get_scale()
            tune.report({"rank": rank()})

    exploit_once(train, {"lr": 0.001}, tmp_path)
    assert [scales[1, step] for step in range(1, 6)] == [8, 16, 16, 32, 32]
    assert [scales[0, step] for step in range(1, 6)] == [2, 4, 4, 32, 32]


def test_the_live_objects_stay_and_a_compiled_step_sees_the_new_tensor_rate(tmp_path):
    seen = {}

    def train(config):
        model = a_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=torch.tensor(config["lr"]))
        rate, weight = optimizer.param_groups[0]["lr"], model[0].weight
        for step in tune.steps(config, model=model, optimizer=bind(optimizer, "lr")):
            train_one(model, optimizer, step)
            assert model[0].weight is weight
            assert optimizer.param_groups[0]["lr"] is rate
            seen[rank(), step] = rate.item()
            tune.report({"rank": rank()})

    exploit_once(train, {"lr": 0.125}, tmp_path)
    assert [seen[0, step] for step in range(1, 6)] == [0.125, 0.125, 0.125, 0.25, 0.25]


def begun(optimizer, config, *names, **paths):
    bound = bind(optimizer, *names, **paths)
    bound.begin(config)
    return bound


def sgd(*groups, **settings):
    groups = groups or ({},)
    return torch.optim.SGD(
        [{"params": [nn.Parameter(torch.ones(1))], **group} for group in groups], **settings
    )


def settings(optimizer, key):
    return [group[key] for group in optimizer.param_groups]


def test_values_are_written_at_the_start_and_into_all_groups():
    optimizer = sgd({}, {}, lr=0.5)
    bound = begun(
        optimizer, {"lr": 0.1, "m": 0.9, "opt": {"wd": 0.01}}, "lr", momentum="m", weight_decay="opt.wd"
    )
    assert (settings(optimizer, "lr"), settings(optimizer, "momentum")) == ([0.1, 0.1], [0.9, 0.9])
    assert settings(optimizer, "weight_decay") == [0.01, 0.01]
    assert bound.config_paths == ["lr", "m", "opt.wd"]


def test_groups_keep_their_ratio_or_their_own_value():
    optimizer = sgd(
        {"lr": 0.01, "momentum": 0.8}, {"weight_decay": 0.0}, {}, lr=0.1, momentum=0.9, weight_decay=0.2
    )
    config = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.2}
    bound = begun(optimizer, config, *config)
    bound.write({"lr": 0.3, "momentum": 0.5, "weight_decay": 0.4})
    assert settings(optimizer, "lr") == pytest.approx([0.03, 0.3, 0.3])
    assert settings(optimizer, "momentum") == [0.8, 0.5, 0.5]
    assert settings(optimizer, "weight_decay") == [0.4, 0.0, 0.4]


def test_a_rate_that_is_lowered_by_hand_moves_in_proportion():
    optimizer = sgd(lr=0.1)
    bound = begun(optimizer, {"lr": 0.1}, "lr")
    optimizer.param_groups[0]["lr"] *= 0.5
    bound.write({"lr": 0.4})
    assert settings(optimizer, "lr") == [0.2]


@pytest.mark.parametrize("value", [(0.8, 0.9), [0.8, 0.9]])
def test_betas_may_be_bound_as_a_pair(value):
    optimizer = torch.optim.Adam([nn.Parameter(torch.ones(1))])
    begun(optimizer, {"betas": value}, "betas")
    assert settings(optimizer, "betas") == [(0.8, 0.9)]


def test_betas_may_be_bound_one_by_one_also_in_tensors():
    first = torch.tensor(0.9)
    optimizer = torch.optim.Adam(
        [nn.Parameter(torch.ones(1))],
        lr=torch.tensor(0.1),
        betas=(first, torch.tensor(0.99)),
        capturable=False,
    )
    begun(optimizer, {"b1": 0.5, "beta2": 0.75}, "beta2", beta1="b1")
    [(taken, second)] = settings(optimizer, "betas")
    assert taken is first
    assert (taken.item(), second.item()) == (0.5, 0.75)


def test_a_saved_state_is_one_that_the_optimizer_itself_can_load():
    optimizer = sgd(lr=0.1)
    state = begun(optimizer, {"lr": 0.1}, "lr", scheduler=lrs.StepLR(optimizer, 2)).state_dict()
    assert set(state) == {"state", "param_groups", "bound", "schedulers"}
    sgd(lr=0.2).load_state_dict(state)


class Deaf(torch.optim.SGD):
    """Hands out copies of its groups."""

    @property
    def param_groups(self):
        return [dict(group) for group in self._groups]

    @param_groups.setter
    def param_groups(self, groups):
        self._groups = groups

    def add_param_group(self, group):
        self._groups.append({**self.defaults, **group})


@pytest.mark.parametrize("name", ["lr", "momentum"])
def test_a_value_that_does_not_take_is_named(name):
    with pytest.raises(tune.TrainableError, match=f"must take a new {name!r}.*its param_groups"):
        begun(Deaf([nn.Parameter(torch.ones(1))], lr=0.1), {name: 0.5}, name)


def test_a_value_that_is_undone_within_an_iteration_is_named():
    optimizer = sgd(lr=0.1)
    bound = begun(optimizer, {"momentum": 0.5}, "momentum")
    optimizer.param_groups[0]["momentum"] = 0.9
    with pytest.raises(tune.TrainableError, match="'momentum'.*has 0.9 after 0.5 was written"):
        bound.check({"momentum": 0.5}, lambda _: False)
    optimizer = sgd(lr=0.1)
    bound = begun(optimizer, {"lr": 0.1}, "lr", scheduler=lrs.StepLR(optimizer, 2))
    optimizer.param_groups[0]["initial_lr"] = 0.2
    with pytest.raises(tune.TrainableError, match=r"'lr'.*for \[0.2\] after \[0.1\]"):
        bound.check({"lr": 0.1}, lambda _: False)


@pytest.mark.parametrize(
    ("names", "paths", "words"),
    [
        (["momentun"], {}, "got 'momentun': did you mean 'momentum'"),
        (["beta1"], {}, "got 'beta1'"),
        ([], {"max_lr": "peak"}, r'bound as .lr., got .max_lr.: bind\(optimizer, lr="peak", scheduler'),
    ],
)
def test_a_setting_that_the_optimizer_lacks_is_told_at_once(names, paths, words):
    with pytest.raises(tune.ConfigurationError, match=words):
        bind(sgd(lr=0.1), *names, **paths)


class SelfPaced(torch.optim.SGD):
    """With groups as those of Adafactor: `beta1` stands by itself, and None is for rates of its own."""

    def __init__(self, params, lr=None, beta1=None):
        super().__init__(params, lr=0.1)
        for group in self.param_groups:
            group.update(lr=lr, beta1=beta1)


def test_an_optimizer_that_finds_its_rates_by_itself_is_told_what_it_must_be_built_with():
    optimizer = SelfPaced([nn.Parameter(torch.ones(1))])
    with pytest.raises(
        tune.ConfigurationError, match=r'SelfPaced has lr=None.*lr=config\["rate"\].*relative_step'
    ):
        bind(optimizer, lr="rate")
    advised = SelfPaced([nn.Parameter(torch.ones(1))], lr=0.2)
    begun(advised, {"rate": 0.3}, lr="rate")
    assert settings(advised, "lr") == [0.3]


def test_a_beta_that_is_no_part_of_a_pair_may_be_bound():
    optimizer = SelfPaced([nn.Parameter(torch.ones(1))], beta1=0.9)
    begun(optimizer, {"beta1": 0.5}, "beta1")
    assert settings(optimizer, "beta1") == [0.5]


def test_a_scheduler_must_be_known_and_be_the_optimizers():
    optimizer, other = sgd(lr=0.1), sgd(lr=0.1)
    scheduler = lrs.StepLR(optimizer, 2)
    with pytest.raises(tune.ConfigurationError, match=r'bind\(optimizer, "lr", scheduler=scheduler\)'):
        bind(optimizer, "lr")
    with pytest.raises(tune.ConfigurationError, match="one of the same optimizer"):
        bind(other, "lr", scheduler=scheduler)
    assert bind(optimizer, "momentum").config_paths == ["momentum"]


def test_a_momentum_that_the_scheduler_cycles_cannot_be_bound():
    optimizer = sgd(lr=0.1, momentum=0.9)
    scheduler = lrs.OneCycleLR(optimizer, max_lr=0.1, total_steps=9)
    with pytest.raises(tune.ConfigurationError, match="cycles 'momentum'.*cycle_momentum=False"):
        bind(optimizer, "lr", "momentum", scheduler=scheduler)


@pytest.mark.parametrize(
    ("optimizer", "config", "name", "words"),
    [
        (sgd(lr=0.1), {"rate": 1}, "lr", r"must be in the config, but 'lr'.*it has \['rate'\].*lr=\"key\""),
        (sgd(lr=0.1), {"lr": "big"}, "lr", "must be a number, got lr = 'big'"),
        (
            sgd({"lr": 0.3}, {"lr": 0.2}, lr=0.1),
            {"lr": 0.5},
            "lr",
            r"have \[0.1, 0.2, 0.3\] and the config lr = 0.5",
        ),
        (
            sgd({"momentum": 0.3}, {"momentum": 0.2}, lr=0.1),
            {"momentum": 0.5},
            "momentum",
            "one must have the config's",
        ),
        (
            torch.optim.Adam([nn.Parameter(torch.ones(1))]),
            {"betas": 0.5},
            "betas",
            "must be 2 numbers.*'beta1'",
        ),
    ],
)
def test_a_config_that_does_not_fit_the_optimizer_is_told(optimizer, config, name, words):
    with pytest.raises(tune.TrainableError, match=words):
        begun(optimizer, config, name)


@pytest.mark.slow
def test_a_compiled_model_stays_compiled(tmp_path):
    compiled, after = [], {}

    def count(graph, inputs):
        compiled.append(graph)
        return graph.forward

    def train(config):
        model = torch.compile(a_model(), backend=count)
        optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
        for step in tune.steps(config, model=model, optimizer=bind(optimizer, "lr")):
            train_one(model, optimizer, step)
            after[rank(), step] = len(compiled)
            tune.report({"rank": rank()})

    exploit_once(train, {"lr": 0.1}, tmp_path)
    assert after[0, INTERVAL] == after[0, 5] > 0


def test_a_rate_that_the_loop_sets_from_a_value_of_before_it_is_named(tmp_path):
    def train(config):
        model = a_model()
        base = config["lr"]
        optimizer = torch.optim.SGD(model.parameters(), lr=base)
        for step in tune.steps(config, model=model, optimizer=bind(optimizer, "lr")):
            for group in optimizer.param_groups:
                group["lr"] = base * 0.99**step
            train_one(model, optimizer, step)
            tune.report({"rank": rank()})

    with pytest.raises(AssertionError, match="leave the rate to a learning-rate scheduler"):
        exploit_once(train, {"lr": 0.1}, tmp_path)


def test_a_rate_that_the_loop_sets_from_the_config_is_its_own_affair(tmp_path):
    def train(config):
        model = a_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
        for step in tune.steps(config, model=model, optimizer=bind(optimizer, "lr")):
            for group in optimizer.param_groups:
                group["lr"] = config["lr"] * 0.99**step
            train_one(model, optimizer, step)
            tune.report({"rank": rank()})

    exploit_once(train, {"lr": 0.1}, tmp_path)
