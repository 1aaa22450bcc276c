"""The controlling process's memory over a long run of many trials.

``Tuner.fit()`` runs as ever, with controller, journal, loggers and PBT, but its executor is one of our own,
whose trials report at once and train nothing: with real workers the same would take minutes.
"""

import time
from collections import deque
from dataclasses import dataclass, field
from zlib import crc32

from measured import can_choose_loggers, parser, run_config, tell, tell_unavailable
from process_memory import is_known, resident_mb

import poptune as tune
from poptune._training.protocol import Assignment, ProceedOrder, Result
from poptune.schedulers import PopulationBasedTraining

SLOTS = 8
INTERVAL = 100
TURN = 64
"""How many results one poll of the controller brings."""


@dataclass(slots=True)
class Resident:
    """A trial as its worker would hold it."""

    order: Assignment
    iteration: int
    next_save: int
    until: float | None


@dataclass(slots=True)
class Probe:
    """Memory at its first and its last look, and at the highest."""

    first_mb: float = 0.0
    last_mb: float = 0.0
    highest_mb: float = 0.0

    def look(self):
        self.last_mb = resident_mb()
        self.first_mb = self.first_mb or self.last_mb
        self.highest_mb = max(self.highest_mb, self.last_mb)


@dataclass(slots=True)
class ScriptedWorkers:
    """Trials that report as fast as they are asked."""

    iterations: int
    probe: Probe
    results: int = 0
    residents: dict = field(default_factory=dict)
    training: deque = field(default_factory=deque)

    def assign(self, assignment):
        resident = Resident(assignment, assignment.iteration, assignment.next_save, assignment.until)
        self.residents[assignment.trial] = resident
        self.training.append(assignment.trial)

    def proceed(self, order: ProceedOrder):
        self.residents[order.trial].until = order.until
        self.training.append(order.trial)

    def release(self, trial):
        self.residents.pop(trial, None)

    def poll(self, timeout_s):
        messages = []
        while self.training and len(messages) < TURN:
            trial = self.training.popleft()
            if trial in self.residents:
                messages.append(self._report(self.residents[trial]))
        self.results += len(messages)
        if self.results % 1024 < TURN:
            self.probe.look()
        return messages

    def _report(self, resident):
        resident.iteration += 1
        order, iteration = resident.order, resident.iteration
        waiting = resident.until is not None and iteration >= resident.until
        stop = "done" if iteration >= self.iterations else ""
        number = None
        if iteration % INTERVAL == 0:
            number, resident.next_save = resident.next_save, resident.next_save + 1
        if stop:
            del self.residents[order.trial]
        elif not waiting:
            self.training.append(order.trial)
        return Result(
            trial=order.trial,
            incarnation=order.incarnation,
            iteration=iteration,
            metrics=_metrics(order, iteration, done=bool(stop)),
            checkpoint=number,
            waiting=waiting and not stop,
            stop=stop,
        )

    def close(self, grace_s):
        self.residents.clear()


def _metrics(order, iteration, *, done):
    return {
        "score": crc32(f"{order.trial} {iteration}".encode()) % 1000 / 1000,
        "loss": 0.5,
        "examples": 512 * iteration,
        "trial_id": order.trial,
        "pid": 1,
        "hostname": "nowhere",
        "node_ip": "127.0.0.1",
        "training_iteration": iteration,
        "time_total_s": float(iteration),
        "time_this_iter_s": 1.0,
        "timestamp": 0,
        "date": "2026-01-01_00-00-00",
        "iterations_since_restore": iteration - order.iteration,
        "time_since_restore": float(iteration - order.iteration),
        "done": done,
    }


@dataclass(frozen=True, slots=True)
class ScriptedExecutor:
    iterations: int
    probe: Probe
    max_resident_trials: int | None = None

    def count_slots(self, resources):
        return SLOTS

    def open(self, work):
        return ScriptedWorkers(self.iterations, self.probe)


def main():
    options = parser()
    options.add_argument("--trials", type=int, default=1_000)
    options.add_argument("--iterations", type=int, default=1_000)
    options.add_argument("--loggers", nargs="*")
    options = options.parse_args()
    if not is_known():
        tell_unavailable("memory is read from /proc/PID/statm, which this system lacks")
        return
    loggers = tuple(options.loggers) if options.loggers is not None and can_choose_loggers() else None
    probe = Probe()
    tuner = tune.Tuner(
        lambda _config: None,
        param_space={"lr": tune.uniform(0.0, 1.0)},
        tune_config=tune.TuneConfig(
            metric="score",
            mode="max",
            num_samples=options.trials,
            seed=0,
            scheduler=PopulationBasedTraining(
                time_attr="training_iteration",
                perturbation_interval=INTERVAL,
                hyperparam_mutations={"lr": tune.uniform(0.0, 1.0)},
            ),
        ),
        run_config=run_config(
            options.storage, loggers=loggers, executor=ScriptedExecutor(options.iterations, probe)
        ),
    )
    probe.look()
    began_s = time.perf_counter()
    results = tuner.fit()
    fit_s = time.perf_counter() - began_s
    assert all(result.metrics["training_iteration"] == options.iterations for result in results)
    tell(
        growth_mb=probe.highest_mb - probe.first_mb,
        before_mb=probe.first_mb,
        with_results_mb=resident_mb(),
        fit_s=fit_s,
    )


if __name__ == "__main__":
    main()
