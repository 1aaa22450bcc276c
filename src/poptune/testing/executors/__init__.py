"""What every executor must do: subclass :class:`ExecutorConformance` in a test module, and it is checked.

`orders` has the tests that speak to the workers themselves, through a `conversation`; `runs` those that train
whole populations. The trainables are made inside the tests, so that they travel by value and workers need not
import this.
"""

from __future__ import annotations

from poptune.testing.executors.conversation import Conversation
from poptune.testing.executors.orders import A, B, OrderConformance
from poptune.testing.executors.runs import RunConformance


class ExecutorConformance(OrderConformance, RunConformance):
    """Subclass it as ``Test...`` and say how an executor is made."""


__all__ = ["A", "B", "Conversation", "ExecutorConformance"]
