from poptune.executors import Executor, InlineExecutor
from poptune.testing.executors import ExecutorConformance


class TestInlineExecutor(ExecutorConformance):
    has_processes = False

    def make_executor(self, slots: int, max_resident_trials: int | None = None) -> Executor:
        return InlineExecutor(slots=slots, max_resident_trials=max_resident_trials)
