"""After an exploit, a schedule goes on as if it had begun with the new learning rate."""

import copy
import math

import pytest

torch = pytest.importorskip("torch")

from torch.optim import lr_scheduler as lrs  # noqa: E402

import poptune as tune  # noqa: E402
from poptune.integrations.torch import bind  # noqa: E402

OWN, DONOR, NEW = 0.02, 0.1, 0.37
STEPS_AFTER = 8


class Doubling:
    """A schedule with a state of its own, as LambdaLR allows."""

    def __init__(self):
        self.period = 5

    def __call__(self, step):
        return 1.5 ** (step // self.period)


class OfItsBase(lrs.LRScheduler):
    """A schedule that nobody knows, with a floor of its own."""

    def get_lr(self):
        return [max(0.001, base / (1 + self.last_epoch)) for base in self.base_lrs]


class OfItsOwn(lrs.LRScheduler):
    """A schedule that keeps its rate where nobody looks."""

    def __init__(self, optimizer, lr):
        self.hidden = lr
        super().__init__(optimizer)

    def get_lr(self):
        return [self.hidden / (1 + self.last_epoch) for _ in self.base_lrs]

    @staticmethod
    def scheduled(optimizer, lr):
        return OfItsOwn(optimizer, lr)


def warm_up_then(make, steps=5):
    def schedule(optimizer, lr):
        warm_up = lrs.LinearLR(optimizer, start_factor=0.1, total_iters=steps)
        return lrs.SequentialLR(optimizer, [warm_up, make(optimizer, lr)], milestones=[steps])

    return schedule


SCHEDULES = {
    "LambdaLR": lambda opt, lr: lrs.LambdaLR(opt, lambda step: 1 / (1 + step)),
    "LambdaLR with an object": lambda opt, lr: lrs.LambdaLR(opt, Doubling()),
    "MultiplicativeLR": lambda opt, lr: lrs.MultiplicativeLR(opt, lambda step: 0.9 + 0.01 * (step % 3)),
    "StepLR": lambda opt, lr: lrs.StepLR(opt, 3, gamma=0.5),
    "MultiStepLR": lambda opt, lr: lrs.MultiStepLR(opt, [4, 9, 12], gamma=0.5),
    "ConstantLR": lambda opt, lr: lrs.ConstantLR(opt, factor=0.25, total_iters=9),
    "LinearLR": lambda opt, lr: lrs.LinearLR(opt, start_factor=0.1, total_iters=11),
    "ExponentialLR": lambda opt, lr: lrs.ExponentialLR(opt, gamma=0.93),
    "PolynomialLR": lambda opt, lr: lrs.PolynomialLR(opt, total_iters=14, power=2.0),
    "CosineAnnealingLR": lambda opt, lr: lrs.CosineAnnealingLR(opt, T_max=20),
    "CosineAnnealingLR with eta_min": lambda opt, lr: lrs.CosineAnnealingLR(opt, T_max=20, eta_min=0.01),
    "CosineAnnealingLR past its end": lambda opt, lr: lrs.CosineAnnealingLR(opt, T_max=7, eta_min=0.01),
    "CosineAnnealingWarmRestarts": lambda opt, lr: lrs.CosineAnnealingWarmRestarts(opt, 4, 2),
    "CosineAnnealingWarmRestarts with eta_min": lambda opt, lr: lrs.CosineAnnealingWarmRestarts(
        opt, 6, eta_min=0.01
    ),
    "CyclicLR": lambda opt, lr: lrs.CyclicLR(
        opt, base_lr=lr / 4, max_lr=lr, step_size_up=3, mode="triangular2"
    ),
    "OneCycleLR": lambda opt, lr: lrs.OneCycleLR(opt, max_lr=lr, total_steps=30, cycle_momentum=False),
    "OneCycleLR in three phases": lambda opt, lr: lrs.OneCycleLR(
        opt, max_lr=10 * lr, total_steps=25, three_phase=True, anneal_strategy="linear"
    ),
    "SequentialLR": warm_up_then(lambda opt, lr: lrs.ExponentialLR(opt, gamma=0.9)),
    "SequentialLR with eta_min": warm_up_then(
        lambda opt, lr: lrs.CosineAnnealingLR(opt, T_max=20, eta_min=0.01)
    ),
    "SequentialLR with restarts": warm_up_then(
        lambda opt, lr: lrs.CosineAnnealingWarmRestarts(opt, 3, 2, 0.01)
    ),
    "ChainedScheduler": lambda opt, lr: lrs.ChainedScheduler(
        [lrs.ConstantLR(opt, factor=0.5, total_iters=6), lrs.CosineAnnealingLR(opt, T_max=20)]
    ),
    "ReduceLROnPlateau": lambda opt, lr: lrs.ReduceLROnPlateau(
        opt, patience=1, factor=0.5, min_lr=[1e-3, 1e-4]
    ),
    "a schedule of one's own": lambda opt, lr: OfItsBase(opt),
    "two at once": lambda opt, lr: [lrs.LinearLR(opt, 0.1, total_iters=4), lrs.ExponentialLR(opt, 0.9)],
}


class Run:
    """An optimizer with two groups, one with a tenth of the rate, and a schedule."""

    def __init__(self, make, lr, *, bound=True, tensor=False):
        slow, fast = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))
        rate = torch.tensor(lr, dtype=torch.float64) if tensor else lr
        groups = [{"params": [fast]}, {"params": [slow], "lr": rate * 0.1}]
        self.optimizer = torch.optim.SGD(groups, lr=rate, momentum=0.5)
        if "CyclicLR" in str(make.__code__.co_names) or "OneCycleLR" in str(make.__code__.co_names):
            for group in self.optimizer.param_groups:
                group["lr"] = rate  # these two schedules give all groups one rate
        self.schedule = make(self.optimizer, lr)
        if bound:
            self.bound = bind(self.optimizer, "lr", scheduler=self.schedule)
            self.bound.begin({"lr": lr})

    def step(self, loss=1.0):
        self.optimizer.step()
        for each in self.schedule if isinstance(self.schedule, list) else [self.schedule]:
            each.step(*([loss] if isinstance(each, lrs.ReduceLROnPlateau) else []))
        return self.rates

    @property
    def rates(self):
        return [float(group["lr"]) for group in self.optimizer.param_groups]


def saved(state, path):
    checkpoint = tune.Checkpoint.from_dict({"optimizer": state})
    checkpoint.write(path)
    return tune.Checkpoint.from_store(path, trusted=True).to_dict()["optimizer"]


@pytest.mark.parametrize("donor_steps", [0, 1, 3, 5, 6, 7, 12])
@pytest.mark.parametrize("name", SCHEDULES)
def test_after_an_exploit_the_rates_are_those_of_a_run_that_began_with_the_new_one(
    name, donor_steps, tmp_path
):
    recipient, donor = Run(SCHEDULES[name], OWN), Run(SCHEDULES[name], DONOR)
    reference = Run(SCHEDULES[name], NEW, bound=False)
    for _ in range(4):
        recipient.step()
    for _ in range(donor_steps):
        donor.step()
        reference.step()
    recipient.bound.load_state_dict(saved(donor.bound.state_dict(), tmp_path))
    assert recipient.rates == donor.rates
    recipient.bound.write({"lr": NEW})
    if name != "a schedule of one's own":  # whose floor nobody knows before its next step
        assert recipient.rates == pytest.approx(reference.rates, rel=1e-9, abs=1e-15)
    for _ in range(STEPS_AFTER):
        assert recipient.step() == pytest.approx(reference.step(), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("name", SCHEDULES)
def test_two_exploits_in_a_row_end_where_the_last_one_says(name, tmp_path):
    run, reference = Run(SCHEDULES[name], DONOR), Run(SCHEDULES[name], NEW, bound=False)
    for step in range(6):
        run.step()
        reference.step()
        run.bound.write({"lr": OWN if step % 2 else 2.0})
    if name == "ReduceLROnPlateau":
        return  # at its floor it forgets how often it was reduced
    run.bound.write({"lr": NEW})
    for _ in range(STEPS_AFTER):
        assert run.step() == pytest.approx(reference.step(), rel=1e-9, abs=1e-15)


def test_a_rate_that_was_reduced_on_a_plateau_keeps_to_its_least():
    run, reference = (
        Run(SCHEDULES["ReduceLROnPlateau"], DONOR),
        Run(SCHEDULES["ReduceLROnPlateau"], OWN, bound=False),
    )
    for _ in range(12):
        run.step()
        reference.step()
    run.bound.write({"lr": OWN})
    assert run.rates == reference.rates == [1e-3, 1e-4]


def test_a_state_of_ones_own_goes_on_exactly(tmp_path):
    whole, first = Run(SCHEDULES["SequentialLR"], DONOR), Run(SCHEDULES["SequentialLR"], DONOR)
    for _ in range(7):
        whole.step()
        first.step()
    second = Run(SCHEDULES["SequentialLR"], DONOR)
    second.bound.load_state_dict(saved(first.bound.state_dict(), tmp_path))
    second.bound.write({"lr": DONOR})
    for _ in range(STEPS_AFTER):
        assert second.step() == whole.step()


@pytest.mark.parametrize("name", ["LambdaLR", "CosineAnnealingLR with eta_min", "StepLR", "SequentialLR"])
def test_rates_in_tensors_are_moved_in_place(name, tmp_path):
    recipient, donor = Run(SCHEDULES[name], OWN, tensor=True), Run(SCHEDULES[name], DONOR, tensor=True)
    reference = Run(SCHEDULES[name], NEW, bound=False, tensor=True)
    live = [group["lr"] for group in recipient.optimizer.param_groups]
    for _ in range(6):
        donor.step()
        reference.step()
    recipient.bound.load_state_dict(saved(donor.bound.state_dict(), tmp_path))
    recipient.bound.write({"lr": NEW})
    for _ in range(STEPS_AFTER):
        assert recipient.step() == pytest.approx(reference.step(), rel=1e-9)
    assert [id(group["lr"]) for group in recipient.optimizer.param_groups] == [id(each) for each in live]


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_saved_schedule_can_be_read_without_trust(name, tmp_path):
    run = Run(SCHEDULES[name], DONOR)
    run.step()
    tune.Checkpoint.from_dict({"optimizer": run.bound.state_dict()}).write(tmp_path)
    state = tune.Checkpoint.from_store(tmp_path).to_dict()["optimizer"]
    assert state["bound"] == {"lr": [float(base) for base in run.bound._bases]}


def test_the_state_of_the_donor_is_left_as_it_was():
    donor, recipient = Run(SCHEDULES["SequentialLR"], DONOR), Run(SCHEDULES["SequentialLR"], OWN)
    state = copy.deepcopy(donor.bound.state_dict())
    recipient.bound.load_state_dict(state)
    recipient.bound.write({"lr": NEW})
    assert state["schedulers"][0]["_schedulers"][0]["base_lrs"] == [DONOR, DONOR * 0.1]


def test_a_schedule_that_does_not_follow_the_rate_is_named():
    run = Run(OfItsOwn.scheduled, DONOR)
    with pytest.raises(
        tune.TrainableError, match="a new 'lr' takes effect.*with OfItsOwn the next.*use one of these"
    ):
        run.bound.write({"lr": NEW})


@pytest.mark.parametrize(
    "make",
    [
        lambda opt, lr: lrs.ChainedScheduler(
            [lrs.ConstantLR(opt), lrs.CosineAnnealingLR(opt, T_max=20, eta_min=0.01)]
        ),
        lambda opt, lr: [lrs.StepLR(opt, 2), lrs.CosineAnnealingLR(opt, T_max=20, eta_min=0.01)],
    ],
)
def test_a_chain_with_an_absolute_rate_in_it_is_refused_before_training(make):
    with pytest.raises(tune.ConfigurationError, match="eta_min.*set eta_min=0, or use a SequentialLR"):
        Run(make, DONOR)


def test_a_rate_of_zero_cannot_be_scheduled():
    with pytest.raises(tune.TrainableError, match="must be above 0, got lr = 0"):
        Run(SCHEDULES["StepLR"], 0.0)


def test_a_schedule_that_was_not_built_with_the_configs_rate_is_refused():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    bound = bind(optimizer, "lr", scheduler=lrs.StepLR(optimizer, 2))
    with pytest.raises(tune.TrainableError, match=r'have \[0.5\] and the config lr = 0.1.*lr=config\["lr"\]'):
        bound.begin({"lr": 0.1})


def test_trying_the_next_step_changes_nothing():
    run = Run(SCHEDULES["OneCycleLR in three phases"], DONOR)
    before = copy.deepcopy((run.schedule.state_dict(), run.optimizer.state_dict()))
    run.bound._rates().check_followed([DONOR, DONOR], [NEW, NEW])
    assert (run.schedule.state_dict(), run.optimizer.state_dict()) == before
    assert math.isclose(run.rates[0], 0.04)
