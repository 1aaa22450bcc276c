"""What every scheduler must do, as tests to run: in a real machine, with workers that only exist on paper.

`plans` has the tests through whatever may happen to an experiment, as a `story` tells it; `draws` those on
chance and on the order of trials; `needs_and_pickling` those on a scheduler by itself. A selector or an
explorer is tested as part of a ``PopulationBasedTraining``.

Example:
    ```python
    class TestMyScheduler(SchedulerConformance):
        def make_scheduler(self):
            return MyScheduler(interval=2)


    class TestMySelector(SchedulerConformance):
        def make_scheduler(self):
            return PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=2,
                hyperparam_mutations={"lr": tune.uniform(0, 1)},
                selector=MySelector(),
            )
    ```
"""

from __future__ import annotations

from poptune.testing.schedulers.draws import DrawConformance
from poptune.testing.schedulers.needs_and_pickling import NeedsAndPicklingConformance
from poptune.testing.schedulers.plans import PlanConformance
from poptune.testing.schedulers.story import Happening, Story


class SchedulerConformance(PlanConformance, DrawConformance, NeedsAndPicklingConformance):
    """Subclass it as ``Test...`` and say how a scheduler is made."""


__all__ = ["Happening", "SchedulerConformance", "Story"]
