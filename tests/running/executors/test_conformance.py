"""The conformance of process executors: forked workers and spawned ones."""

from poptune._running.executors import Executor, ProcessExecutor
from poptune.testing.executors import ExecutorConformance


class TestForkedWorkers(ExecutorConformance):
    def make_executor(self, slots: int, max_resident_trials: int | None = None) -> Executor:
        return ProcessExecutor(slots=slots, max_resident_trials=max_resident_trials)


class TestSpawnedWorkers(ExecutorConformance):
    def make_executor(self, slots: int, max_resident_trials: int | None = None) -> Executor:
        return ProcessExecutor(slots=slots, max_resident_trials=max_resident_trials, fork=False)
