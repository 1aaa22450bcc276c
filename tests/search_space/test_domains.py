from __future__ import annotations

import doctest
import math
import pickle
from collections import Counter
from decimal import Decimal
from typing import Any

import cloudpickle
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poptune.search_space.constructors
from poptune._base.equality import same
from poptune.errors import ConfigurationError
from poptune.search_space import (
    Choice,
    Domain,
    Float,
    GridSearch,
    Integer,
    Normal,
    Numeric,
    Ordinal,
    SampleFrom,
    choice,
    grid_search,
    lograndint,
    loguniform,
    ordinal,
    qlograndint,
    qloguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    sample_from,
    uniform,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64, min_value=-1e9, max_value=1e9)
POSITIVE = st.floats(min_value=1e-9, max_value=1e9)
STEPS = st.sampled_from([1e-3, 0.01, 0.05, 0.1, 0.25, 1 / 3, 0.5, 1.0, 2.5, 10.0])
WHOLE = st.integers(-(2**60), 2**60)
COUNTS = st.integers(1, 10**6)
SEEDS = st.integers(0, 2**32 - 1)


def wide(lower: float, q: float, steps: int) -> tuple[float, float, float]:
    return lower, lower + (steps + 1.5) * q, q


FLOATS = st.one_of(
    st.builds(uniform, FINITE, FINITE),
    st.builds(loguniform, POSITIVE, POSITIVE),
    st.builds(wide, st.floats(-1e3, 1e3), STEPS, st.integers(0, 50)).map(lambda a: quniform(*a)),
    st.builds(wide, st.floats(1e-3, 1e3), STEPS, st.integers(0, 50)).map(lambda a: qloguniform(*a)),
    st.builds(randn, FINITE, POSITIVE),
    st.builds(qrandn, FINITE, POSITIVE, STEPS),
)
INTEGERS = st.one_of(
    st.builds(lambda low, size: randint(low, low + size), WHOLE, COUNTS),
    st.builds(lambda low, size: lograndint(low, low + size), COUNTS, COUNTS),
    st.builds(lambda low, q, size: qrandint(low, low + q + size, q), WHOLE, COUNTS, COUNTS),
    st.builds(lambda low, q, size: qlograndint(low, low + q + size, q), COUNTS, COUNTS, COUNTS),
)


def draws(domain: Domain, count: int = 4000, seed: int = 0) -> list:
    rng = np.random.default_rng(seed)
    return [domain.sample(rng) for _ in range(count)]


# Every numeric domain


@given(FLOATS, SEEDS)
def test_a_float_domain_gives_plain_floats_of_its_own(domain: Numeric, seed: int) -> None:
    value = domain.sample(np.random.default_rng(seed))
    assert type(value) is float
    assert domain.lower <= value <= domain.upper
    assert domain.contains(value)


@given(INTEGERS, SEEDS)
def test_an_integer_domain_gives_plain_ints_of_its_own(domain: Integer, seed: int) -> None:
    value = domain.sample(np.random.default_rng(seed))
    assert type(value) is int
    assert domain.lower <= value <= domain.upper
    assert value % (domain.q or 1) == 0
    assert domain.contains(value)


@given(FLOATS | INTEGERS, FINITE | WHOLE)
def test_clip_gives_a_member_of_the_domains_own_type(domain: Numeric, value: float) -> None:
    clipped = domain.clip(value)
    assert domain.contains(clipped)
    assert type(clipped) is (int if isinstance(domain, Integer) else float)


@given(FLOATS | INTEGERS, SEEDS)
def test_clip_leaves_a_member_as_it_is(domain: Numeric, seed: int) -> None:
    value = domain.sample(np.random.default_rng(seed))
    assert domain.clip(value) == value


@given(FLOATS | INTEGERS, SEEDS)
def test_equal_generators_draw_equal_values(domain: Numeric, seed: int) -> None:
    assert draws(domain, count=3, seed=seed) == draws(domain, count=3, seed=seed)


@given(FLOATS | INTEGERS)
def test_a_numeric_domain_reads_like_the_call_that_makes_it(domain: Numeric) -> None:
    assert eval(repr(domain)) == domain


@given(st.floats(-1e3, 1e3), st.sampled_from(["0.1", "0.01", "0.05", "0.25", "3"]), SEEDS)
def test_quantised_floats_are_clean_decimals(lower: float, step: str, seed: int) -> None:
    domain = quniform(lower, lower + 100, float(step))
    written = Decimal(repr(domain.sample(np.random.default_rng(seed))))
    assert written % Decimal(step) == 0


@pytest.mark.parametrize("domain", [uniform(0, 1), randint(0, 9), randn()])
@pytest.mark.parametrize("value", [math.nan, math.inf, "1", None, True])
def test_clip_refuses_what_is_no_finite_number(domain: Numeric, value: object) -> None:
    with pytest.raises(ConfigurationError, match="needs finite numbers, got"):
        domain.clip(value)  # type: ignore[arg-type]


# Bounds


@pytest.mark.parametrize("make", [uniform, loguniform, randint, lograndint, qrandint])
def test_reversed_bounds_mean_the_same_interval(make) -> None:
    assert make(7, 3) == make(3, 7)


def test_reversed_bounds_of_a_quantised_float_mean_the_same_interval() -> None:
    assert quniform(1, 0, 0.5) == quniform(0, 1, 0.5)
    assert qloguniform(1e-2, 1e-5, 1e-5) == qloguniform(1e-5, 1e-2, 1e-5)
    assert qlograndint(64, 8, 8) == qlograndint(8, 64, 8)


@pytest.mark.parametrize("make", [uniform, loguniform])
def test_equal_float_bounds_make_a_constant(make) -> None:
    assert set(draws(make(0.3, 0.3), count=20)) == {0.3}


def test_randint_excludes_its_upper_bound_and_qrandint_includes_it() -> None:
    for domain, values in [
        (randint(0, 3), {0, 1, 2}),
        (lograndint(1, 4), {1, 2, 3}),
        (qrandint(0, 3), {0, 1, 2, 3}),
        (qrandint(3, 10, 4), {4, 8}),
        (qlograndint(1, 4, 1), {1, 2, 3, 4}),
    ]:
        assert set(draws(domain, count=200)) == values


def test_whole_floats_may_be_bounds_of_integers() -> None:
    assert randint(1, 1e3) == randint(1, 1000)
    assert repr(randint(np.int32(1), np.float64(5))) == "randint(1, 5)"


def test_numpy_bounds_become_plain_numbers() -> None:
    domain = uniform(np.float64(0.5), np.int64(2))
    assert (type(domain.lower), type(domain.upper)) == (float, float)


def test_the_type_of_a_value_matters_to_contains() -> None:
    assert uniform(0, 2).contains(1)
    assert uniform(0, 2).contains(np.float32(1.5)) is True
    assert not uniform(0, 2).contains(True)
    assert not uniform(0, 2).contains("1")
    assert not uniform(0, 2).contains(math.nan)
    assert not randn().contains(math.inf)
    assert not randn().contains(None)
    assert not randn().contains(10**400)
    assert not uniform(0, 1).contains(10**400)
    assert randint(0, 2).contains(np.int64(1))
    assert not randint(0, 2).contains(1.0)
    assert not randint(0, 2).contains(True)


def test_contains_knows_the_grid() -> None:
    assert quniform(0, 1, 0.1).contains(3 * 0.1)
    assert not quniform(0, 1, 0.1).contains(0.35)
    assert qrandn(0, 1, 0.5).contains(-1.5)
    assert not qrandn(0, 1, 0.5).contains(0.2)
    assert not qrandint(0, 10, 5).contains(4)


def test_clip_puts_a_number_back_into_the_domain() -> None:
    assert uniform(0.1, 0.99).clip(1.2) == 0.99
    assert quniform(0, 0.95, 0.1).clip(7) == 0.9
    assert quniform(0.05, 1, 0.1).clip(0) == 0.1
    assert randint(1, 10).clip(11.9) == 9
    assert qrandint(16, 128, 16).clip(30.1) == 32
    assert randn(0, 1).clip(1e9) == 1e9
    assert qrandn(0, 1, 0.1).clip(0.33) == 0.3


def test_large_integers_are_exact() -> None:
    assert randint(0, 2**62).clip(2**60 + 1) == 2**60 + 1


# Distributions


def test_uniform_is_even() -> None:
    values = np.array(draws(uniform(-1, 3)))
    assert np.histogram(values, bins=4, range=(-1, 3))[0] == pytest.approx([1000] * 4, rel=0.1)


def test_loguniform_is_even_over_the_orders_of_magnitude() -> None:
    exponents = np.log10(draws(loguniform(1e-4, 1)))
    assert np.histogram(exponents, bins=4, range=(-4, 0))[0] == pytest.approx([1000] * 4, rel=0.1)


def test_randn_has_its_mean_and_deviation() -> None:
    values = np.array(draws(randn(10, 2)))
    assert values.mean() == pytest.approx(10, abs=0.1)
    assert values.std() == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("domain", [quniform(0, 3, 1), quniform(-0.5, 3.7, 1), qrandint(0, 3)])
def test_the_edges_of_a_grid_are_as_likely_as_its_middle(domain: Numeric) -> None:
    counts = Counter(draws(domain, count=2000))
    assert [counts[value] for value in (0, 1, 2, 3)] == pytest.approx([500] * 4, rel=0.15)


@pytest.mark.parametrize("domain", [lograndint(1, 5), qlograndint(1, 4, 1), qloguniform(1, 4, 1)])
def test_a_logarithmic_grid_gives_each_value_the_interval_that_rounds_to_it(domain) -> None:
    counts = Counter(draws(domain, count=2000))
    expected = [2000 * math.log((k + 0.5) / (k - 0.5)) / math.log(9) for k in (1, 2, 3, 4)]
    assert [counts[value] for value in (1, 2, 3, 4)] == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("domain", [choice(["a", "b", "c", "d"]), ordinal(["a", "b", "c", "d"])])
def test_categories_are_equally_likely(domain: Domain) -> None:
    counts = Counter(draws(domain))
    assert [counts[value] for value in "abcd"] == pytest.approx([1000] * 4, rel=0.1)


# Categories


def test_numpy_categories_become_plain_values() -> None:
    assert choice(np.array([1, 2])).categories == (1, 2)
    assert type(choice([np.float32(0.5)]).categories[0]) is float
    assert ordinal(range(3)).values == (0, 1, 2)


def test_a_bool_is_not_the_number_it_equals() -> None:
    assert not choice([0, 1]).contains(True)
    assert choice([False, True]).contains(True)
    assert not choice([False, True]).contains(1)


def test_a_choice_of_arrays_can_be_asked_what_it_contains() -> None:
    domain = choice([np.array([1, 2]), None])
    assert domain.contains(np.array([1, 2]))
    assert not domain.contains(np.array([1, 3]))
    assert domain.contains(None)


def test_a_choice_contains_what_its_branches_can_give() -> None:
    domain = choice([{"name": "adam"}, {"name": "sgd", "momentum": uniform(0, 1)}, randint(0, 3)])
    assert domain.contains({"name": "adam"})
    assert domain.contains({"name": "sgd", "momentum": 0.5})
    assert domain.contains(2)
    assert not domain.contains({"name": "sgd", "momentum": 1.5})
    assert not domain.contains({"name": "sgd"})
    assert choice([[1, sample_from(lambda: 3)]]).contains([1, 7])
    assert not choice([[1, 2]]).contains([1])


def test_an_ordinal_steps_to_its_neighbours_and_stays_at_the_edges() -> None:
    sizes = ordinal([16, 32, 64])
    assert [sizes.step(size, 1) for size in (16, 32, 64)] == [32, 64, 64]
    assert [sizes.step(size, -1) for size in (16, 32, 64)] == [16, 16, 32]


def test_an_ordinal_does_not_step_from_a_foreign_value() -> None:
    with pytest.raises(ConfigurationError, match=r"one of the values of ordinal\(\[1, 2\]\), got 5"):
        ordinal([1, 2]).step(5, 1)


@pytest.mark.parametrize("direction", [0, 2])
def test_an_ordinal_steps_one_place_only(direction: int) -> None:
    with pytest.raises(ConfigurationError, match="direction must be -1 or 1, got"):
        ordinal([1, 2]).step(1, direction)  # type: ignore[arg-type]


# Entries that are no domains


@pytest.mark.parametrize("entry", [sample_from(lambda: 1), grid_search([1])])
def test_entries_that_cannot_be_sampled_alone_are_no_domains(entry: object) -> None:
    assert not isinstance(entry, Domain)


def test_sample_from_passes_the_spec_only_to_a_function_that_requires_it() -> None:
    assert sample_from(lambda spec: spec + 1).compute(1) == 2
    assert sample_from(lambda spec, offset=5: spec + offset).compute(1) == 6
    assert sample_from(lambda: 7).compute(1) == 7
    assert sample_from(lambda loc=3: loc).compute(1) == 3
    assert sample_from(lambda *args: args).compute(1) == ()
    assert sample_from(np.random.default_rng(0).random).compute(1) < 1


# Reading


@pytest.mark.parametrize(
    "written",
    [
        "uniform(0, 1)",
        "quniform(0, 1, 0.1)",
        "loguniform(0.0001, 1)",
        "qloguniform(1e-05, 1, 1e-05)",
        "randn(0, 1)",
        "qrandn(0, 1, 0.5)",
        "randint(0, 10)",
        "qrandint(0, 10, 2)",
        "lograndint(1, 10)",
        "qlograndint(1, 10, 3)",
        "choice(['a', 2])",
        "ordinal([1, 2])",
        "grid_search([1, 2])",
    ],
)
def test_an_entry_reads_as_it_was_written(written: str) -> None:
    assert repr(eval(written)) == written


def test_sample_from_reads_as_the_name_of_its_function() -> None:
    assert repr(sample_from(math.floor)) == "sample_from(floor)"


@pytest.mark.parametrize("entry", [uniform(0, 1), randint(0, 3), choice(["a"]), qrandn(0, 1, 0.1)])
def test_an_entry_survives_pickling(entry: object) -> None:
    assert pickle.loads(pickle.dumps(entry)) == entry


def test_the_classes_check_what_the_functions_check() -> None:
    assert Float(1, 0) == uniform(0, 1)
    assert Integer(0, 2) == randint(0, 3)
    assert Normal(0, 1) == randn()
    for empty in (Choice, Ordinal, GridSearch):
        with pytest.raises(ConfigurationError):
            empty(())


def test_the_examples_in_the_docstrings_run() -> None:
    outcome = doctest.testmod(poptune.search_space.constructors)
    assert outcome.attempted > 14
    assert outcome.failed == 0


# Errors


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: uniform("a", 1), r"uniform needs finite numbers, got 'a': write a number"),
        (lambda: uniform(math.nan, 1), r"uniform needs finite numbers, got nan"),
        (lambda: uniform(0, math.inf), r"uniform needs finite numbers, got inf"),
        (lambda: uniform(False, 1), r"uniform needs finite numbers, got False"),
        (lambda: uniform(None, 1), r"uniform needs finite numbers, got None"),
        (lambda: uniform(0, 10**400), r"uniform needs finite numbers, got 1000"),
        (lambda: randint(0, True), r"randint needs finite numbers, got True"),
        (lambda: randint(0, 2.5), r"randint needs whole numbers, got 2.5: .* uniform"),
        (
            lambda: qlograndint(1, 9, 0.5),
            r"qlograndint needs whole numbers, got 0.5: .*qloguniform",
        ),
        (lambda: randint(0, 2**70), r"randint needs numbers of at most 62 bits"),
        (lambda: randint(5, 5), r"range that holds an integer, got randint\(5, 5\): raise"),
        (lambda: lograndint(5, 5), r"holds an integer, got lograndint\(5, 5\)"),
        (lambda: loguniform(0, 1), r"bounds above 0, got loguniform\(0, 1\): .*use uniform"),
        (lambda: loguniform(1, -1), r"bounds above 0, got loguniform\(-1, 1\)"),
        (lambda: qloguniform(0, 1, 0.1), r"got qloguniform\(0, 1, 0.1\): .*use quniform"),
        (lambda: lograndint(0, 9), r"bounds above 0, got lograndint\(0, 9\): .*use randint"),
        (lambda: qlograndint(-1, 9, 1), r"bounds above 0, got qlograndint\(-1, 9, 1\)"),
        (lambda: quniform(0, 1, 0), r"quniform needs q above 0, got 0"),
        (lambda: quniform(0, 1, -0.1), r"quniform needs q above 0, got -0.1: raise q"),
        (lambda: qrandint(0, 9, 0), r"qrandint needs q above 0, got 0"),
        (lambda: qrandn(0, 1, 0), r"qrandn needs q above 0"),
        (lambda: quniform(0.1, 0.2, 0.5), r"a multiple of q, got quniform\(0.1, 0.2, 0.5\): widen"),
        (lambda: qrandint(1, 3, 4), r"a multiple of q, got qrandint\(1, 3, 4\)"),
        (lambda: randn(0, 0), r"randn needs sd above 0, got 0"),
        (lambda: randn(math.nan, 1), r"randn needs finite numbers, got nan"),
        (lambda: choice([]), r"choice needs at least one value, got \[\]: add a value"),
        (lambda: ordinal([]), r"ordinal needs at least one value"),
        (lambda: grid_search([]), r"grid_search needs at least one value"),
        (lambda: choice("adam"), r"choice needs a list of values, got 'adam': write choice\(\["),
        (lambda: choice({"a", "b"}), r"choice needs a list of values"),
        (lambda: ordinal(3), r"ordinal needs a list of values, got 3"),
        (lambda: sample_from(3), r"sample_from needs a function, got 3: write sample_from\(lambda"),
        (lambda: sample_from(lambda a, b: 0), r"that requires a, b: give the others defaults"),
        (lambda: SampleFrom(lambda *, key: 0), r"that requires key"),
    ],
)
def test_a_wrong_argument_is_refused_with_the_fix(make, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()


def test_a_refused_argument_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="loguniform"):
        loguniform(0, 1)


def _relu(x: float) -> float:
    return max(x, 0)


def _elu(x: float) -> float:
    return x


@pytest.mark.parametrize(
    "options",
    [
        [_relu, _elu],
        [lambda x: x, lambda x: x + 1],
        [np.zeros(2), np.ones(2)],
        [{"act": _relu}, {"act": _elu}],
        [[_relu, np.zeros(2)], [_elu, np.zeros(2)]],
        [float("nan"), 0.0],
        [True, 1],
    ],
)
def test_a_copy_of_an_option_is_that_option_and_no_other(options: list[Any]) -> None:
    one, other = (cloudpickle.loads(cloudpickle.dumps(option)) for option in options)
    assert choice(options).contains(one)
    assert ordinal(options).contains(other)
    assert not choice(options[1:]).contains(one)
    assert same(ordinal(options).step(one, 1), other)
    assert same(ordinal(options).step(other, -1), one)
