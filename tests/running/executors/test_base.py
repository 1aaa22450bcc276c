import pytest

from poptune._running.executors import InlineExecutor, ProcessExecutor
from poptune.errors import ConfigurationError


@pytest.mark.parametrize(
    "executor", [InlineExecutor(), ProcessExecutor(slots=2)], ids=["inline", "processes"]
)
def test_one_machine_has_cores_and_gpus_and_one_bundle_of_them(executor):
    assert executor.count_slots([{"cpu": 1}]) >= 1
    with pytest.raises(ConfigurationError, match="got 'gpus': other resources are for clusters"):
        executor.count_slots([{"gpus": 1}])
    with pytest.raises(ConfigurationError, match="one bundle of resources"):
        executor.count_slots([{"cpu": 1}, {"cpu": 1}])
