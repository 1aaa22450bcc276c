from dataclasses import replace

import pytest

from poptune._core.experiment import Experiment
from poptune._core.retention import Retention
from poptune._core.retries import Retries
from poptune._core.settings import Settings
from poptune.schedulers import PopulationBasedTraining
from poptune.search_space import uniform
from poptune.testing.simulation import Cluster, ClusterSpec, created

CALM = ClusterSpec(nodes=4, slots_per_node=3, failure_every_s=None)
STORMY = replace(CALM, nodes=8, failure_every_s=120.0)
HOUR_S = 3600.0


def simulate(spec, until_s=HOUR_S):
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        metric="score",
        mode="max",
        perturbation_interval=spec.save_every,
        hyperparam_mutations={"lr": uniform(0.0, 1.0)},
    )
    settings = Settings(slots=spec.slots, retries=Retries(per_trial=-1), retention=Retention(num_to_keep=2))
    cluster = Cluster(
        spec, Experiment(scheduler, settings), lambda _trial, iteration, config: iteration * config["lr"]
    )
    cluster.run(created([{"lr": (number * 0.618) % 1} for number in range(spec.slots)]), until_s)
    return cluster


def test_where_nothing_fails_nothing_is_trained_again():
    accounts = simulate(CALM).accounts
    assert accounts.shares().get("lost", 0.0) == 0
    assert accounts.shares()["training"] > 0.98
    assert accounts.happened["trial failure"] == 0
    assert accounts.happened["exploit"] > 0


@pytest.mark.parametrize("spec", [CALM, STORMY], ids=["calm", "stormy"])
def test_every_second_of_every_trial_is_in_the_books(spec):
    accounts = simulate(spec).accounts
    assert sum(accounts.spent_s.values()) == pytest.approx(spec.slots * HOUR_S, rel=1e-3)
    assert all(spent_s >= 0 for spent_s in accounts.spent_s.values())
    assert sum(accounts.shares().values()) == pytest.approx(1)


def test_the_same_seed_gives_the_same_books():
    first, second, other = (simulate(replace(STORMY, seed=seed)).accounts for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_the_trials_of_a_node_that_fails_go_on_elsewhere():
    cluster = simulate(STORMY)
    accounts = cluster.accounts
    assert accounts.happened["node failure"] > 10
    assert accounts.happened["trial failure"] > 10
    assert accounts.spent_s["lost"] > 0
    assert accounts.transfers["fetch"] > 10
    slowest = min(trial.iteration for trial in cluster.experiment.population.trials)
    assert slowest > HOUR_S / STORMY.iteration_s / 4


def test_a_state_that_had_not_left_its_node_is_lost_and_the_trial_goes_back_further():
    cluster = simulate(replace(STORMY, storage_rate=1.5e8))
    accounts = cluster.accounts
    assert accounts.happened["state lost"] > 0
    assert sum(trial.failures for trial in cluster.experiment.population.trials) > 0
    assert sum(accounts.spent_s.values()) == pytest.approx(STORMY.slots * HOUR_S, rel=1e-3)


def test_a_storage_that_is_too_slow_has_trials_wait_for_their_uploads():
    slow = replace(CALM, storage_rate=0.5 * CALM.slots * 1e9 / 300.0)
    cluster = simulate(slow)
    assert cluster.accounts.shares()["uploading"] > 0.2
    assert cluster.storage_busy_s > 0.9 * HOUR_S


def test_a_controller_that_is_too_slow_has_trials_wait_for_their_answers():
    slow = replace(CALM, event_s=3.0)
    accounts = simulate(slow).accounts
    assert accounts.controller_busy_s > 0.9 * HOUR_S
    assert accounts.shares()["deciding"] > 0.05
    assert max(accounts.answers_s) > 10 * slow.event_s


def test_a_copy_on_the_same_node_does_not_travel():
    accounts = simulate(replace(CALM, nodes=1)).accounts
    assert accounts.happened["exploit"] > 0
    assert accounts.transfers["exploit"] == 0
