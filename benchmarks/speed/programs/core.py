"""The core alone: an experiment's machine is fed with events and timed. Nothing trains, nothing is written.

A population that is much larger than its slots takes turns at every milestone, by asynchronous PBT.
"""

import time
from collections import deque

from measured import parser, tell
from spread_of_calls import percentiles

from poptune._core.commands import Proceed, Start
from poptune._core.events import Planned
from poptune._core.experiment import Experiment
from poptune._core.settings import Settings
from poptune.schedulers import PopulationBasedTraining
from poptune.search_space import uniform
from poptune.testing.simulation import SimulatedWorkers, created

SLOTS = 8
INTERVAL = 5


WARM_UP_TRIALS = 50


class Feed:
    """Hands reports to machines, and keeps the time of each call."""

    def __init__(self, iterations):
        self.iterations = iterations
        self.times_ns, self.decisions_ns = [], []

    def run(self, trials):
        """Have a population of this size train to its end."""
        scheduler = PopulationBasedTraining(
            time_attr="training_iteration",
            metric="score",
            mode="max",
            perturbation_interval=INTERVAL,
            hyperparam_mutations={"lr": uniform(0.0, 1.0)},
        )
        self.experiment = Experiment(scheduler, Settings(slots=SLOTS))
        self.workers, self.training = SimulatedWorkers(), deque()
        self._handle(created([{"lr": (number * 0.618) % 1.0} for number in range(trials)]))
        while self.training:
            self._report(self.training.popleft())
        assert self.experiment.finished

    def _handle(self, event):
        began_ns = time.perf_counter_ns()
        step = self.experiment.handle(event)
        took_ns = time.perf_counter_ns() - began_ns
        self.workers.carry_out(step.commands)
        self.training.extend(
            command.trial for command in step.commands if isinstance(command, Start | Proceed)
        )
        return took_ns, step

    def _report(self, trial):
        held = self.workers.trials[trial]
        iteration = held.iteration + 1
        reported = self.workers.report(
            trial,
            held.config["lr"] * iteration,
            save=iteration % INTERVAL == 0,
            stop="done" if iteration >= self.iterations else "",
        )
        took_ns, step = self._handle(reported)
        self.times_ns.append(took_ns)
        if any(isinstance(event, Planned) for event in step.events):
            self.decisions_ns.append(took_ns)
        if not (reported.waiting or reported.stop):
            self.training.append(trial)


def main():
    options = parser()
    options.add_argument("--trials", type=int, default=1_000)
    options.add_argument("--iterations", type=int, default=11)
    options.add_argument("--times", type=int, default=1, help="how many such experiments, one after another")
    options = options.parse_args()
    Feed(options.iterations).run(WARM_UP_TRIALS)  # imports what is imported on first use
    feed = Feed(options.iterations)
    for _ in range(options.times):
        feed.run(options.trials)
    total_s = sum(feed.times_ns) / 1e9
    tell(
        events=len(feed.times_ns),
        per_s=len(feed.times_ns) / total_s,
        event_s=total_s / len(feed.times_ns),
        **percentiles("decision", feed.decisions_ns),
    )


if __name__ == "__main__":
    main()
