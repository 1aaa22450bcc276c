"""The controller dies at each moment of a small run. `make torture` does it with larger ones, too."""

from unittest import mock

import pytest
from torture.climbing import Climb
from torture.crashing import crash_everywhere, crash_twice_everywhere
from torture.simulated import Simulation, die_everywhere, die_twice_everywhere

from poptune._core.population import Population

pytestmark = pytest.mark.slow


def crashes(tried):
    """Return how many crashes were tried; each must have left nothing wrong behind."""
    count = 0
    for one in tried:
        assert one.problems == [], f"after a crash before {one.where}"
        count += 1
    return count


def test_a_synchronous_run_that_dies_at_any_moment_and_is_restored_equals_one_that_did_not(tmp_path):
    assert crashes(crash_everywhere(Climb(synch=True), tmp_path, every=7)) > 22


def test_an_asynchronous_run_that_dies_at_any_moment_loses_and_doubles_nothing(tmp_path):
    assert crashes(crash_everywhere(Climb(synch=False), tmp_path, every=11)) > 12


@pytest.mark.filterwarnings("ignore::poptune.errors.PoptuneWarning")
def test_dying_between_checkpoints_loses_no_more_than_was_not_saved(tmp_path):
    climb = Climb(synch=True, save_every=3, slots=2, iterations=6)
    assert crashes(crash_everywhere(climb, tmp_path, every=13)) > 5


def test_a_run_that_dies_again_while_it_is_resumed_equals_one_that_did_not(tmp_path):
    climb = Climb(synch=True, trials=2, iterations=4)
    assert crashes(crash_twice_everywhere(climb, tmp_path, every=230)) > 8


@pytest.mark.parametrize("save_every", [1, 3])
@pytest.mark.parametrize("synch", [True, False])
def test_a_population_in_the_simulator_may_lose_its_controller_at_any_moment(synch, save_every):
    simulation = Simulation(synch=synch, save_every=save_every, residents=3)
    assert crashes(die_everywhere(simulation)) > 100


@pytest.mark.parametrize("synch", [True, False])
def test_a_population_in_the_simulator_may_lose_its_controller_at_any_two_moments(synch):
    simulation = Simulation(synch=synch, trials=2, iterations=4, interval=2)
    assert crashes(die_twice_everywhere(simulation, every=2)) > 400


def test_a_machine_that_took_lost_reports_for_good_ones_would_be_found_out():
    whole = Population._restart

    def forgetful(population, trial):
        whole(population, trial)
        trial.superseded.clear()

    with mock.patch.object(Population, "_restart", forgetful):
        tried = list(die_everywhere(Simulation(synch=True, save_every=3)))
    assert any(one.problems for one in tried)
