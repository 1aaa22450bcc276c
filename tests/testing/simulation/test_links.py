import pytest

from poptune.testing.simulation.links import Link, transfer


def test_a_transfer_is_as_fast_as_the_slowest_link():
    assert transfer(5.0, 50.0, Link(100.0), Link(10.0)) == pytest.approx(10.0)


def test_a_link_serves_one_transfer_after_another():
    link = Link(10.0)
    assert transfer(0.0, 50.0, link) == pytest.approx(5.0)
    assert transfer(1.0, 50.0, link) == pytest.approx(10.0)
    assert transfer(20.0, 50.0, link) == pytest.approx(25.0)


def test_a_fast_link_serves_others_while_a_slow_one_is_at_work():
    storage, slow, other = Link(100.0), Link(10.0), Link(10.0)
    assert transfer(0.0, 100.0, storage, slow) == pytest.approx(10.0)
    assert transfer(0.0, 100.0, storage, other) == pytest.approx(10.0)
    assert storage.free_s == pytest.approx(2.0)


def test_a_link_has_worked_for_what_it_has_served_and_not_for_what_still_waits():
    link = Link(10.0)
    link.serve(0.0, 20.0)
    link.serve(10.0, 50.0)
    assert link.busy_s(5.0 + 20.0) == pytest.approx(7.0)
    assert link.busy_s(12.0) == pytest.approx(4.0)
