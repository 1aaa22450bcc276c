from __future__ import annotations

import numpy as np
import pytest

from poptune._core.random import derived_generator, derived_seed


def draws(*arguments, size: int = 20_000) -> np.ndarray:
    return derived_generator(*arguments).random(size)


def test_the_same_name_gives_the_same_draws() -> None:
    assert (draws(0, "donor", 3, 1) == draws(0, "donor", 3, 1)).all()


def test_drawing_from_one_generator_does_not_shift_another() -> None:
    expected = draws(0, "donor", 1, 1)
    busy = derived_generator(0, "donor", 0, 1)
    mine = derived_generator(0, "donor", 1, 1)
    busy.random(1000)
    assert (mine.random(expected.size) == expected).all()


NAMES = [
    (0, "donor", 0, 0),
    (1, "donor", 0, 0),
    (0, "other", 0, 0),
    (0, "explore:lr", 0, 0),
    (0, "explore:optimizer.lr", 0, 0),
    (0, "donor", 1, 0),
    (0, "donor", 0, 1),
    (0, "donor", 1, 1),
    (2**31, "donor", 0, 0),
    (2**40 + 7, "donor", 0, 0),
]


@pytest.mark.parametrize("one", NAMES)
def test_generators_of_different_names_are_uncorrelated(one) -> None:
    for other in NAMES:
        if other != one:
            correlation = np.corrcoef(draws(*one), draws(*other))[0, 1]
            assert abs(correlation) < 5 / np.sqrt(20_000), other


def test_the_first_draws_over_trials_and_decisions_are_uniform() -> None:
    """Each decision draws only once or twice from a generator of its own: those few draws must be even."""
    firsts = [
        derived_generator(0, "donor", index, count).random() for index in range(50) for count in range(40)
    ]
    counts, _ = np.histogram(firsts, bins=20, range=(0, 1))
    assert ((counts - 100) ** 2 / 100).sum() < 43.8  # chi-square, 19 degrees of freedom, p = .001


def test_the_same_name_gives_the_same_seed() -> None:
    assert derived_seed(0, "trial", 3, 1) == derived_seed(0, "trial", 3, 1)


def test_different_names_give_different_seeds_of_32_bits() -> None:
    seeds = [derived_seed(*name) for name in NAMES]
    assert len(set(seeds)) == len(NAMES)
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_numbers_that_read_alike_side_by_side_give_different_seeds() -> None:
    assert derived_seed(0, "trial", 1, 11) != derived_seed(0, "trial", 11, 1)


def test_seeds_over_trials_and_decisions_are_uniform() -> None:
    seeds = [derived_seed(0, "trial", index, count) for index in range(50) for count in range(40)]
    counts, _ = np.histogram(seeds, bins=20, range=(0, 2**32))
    assert ((counts - 100) ** 2 / 100).sum() < 43.8  # chi-square, 19 degrees of freedom, p = .001
