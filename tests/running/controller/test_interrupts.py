import os
import signal
import threading

import pytest

from poptune._running.controller.interrupts import Interrupts


def interrupt(number=signal.SIGINT):
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def as_in_a_program(monkeypatch):
    """Whatever started the tests may have them ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_only_noted(number):
    before = signal.getsignal(number)
    with Interrupts() as interrupts:
        assert not interrupts.requested
        interrupt(number)
        assert interrupts.requested
    assert signal.getsignal(number) == before


def test_the_second_does_not_wait():
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        interrupt(signal.SIGTERM)
        interrupt()
    assert interrupts.requested
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_another_thread_signals_are_left_to_the_program():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def run():
        with Interrupts() as interrupts:
            seen.append((interrupts.requested, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
