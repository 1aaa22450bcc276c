"""A Ray cluster for the tests of one pytest process: starting one takes seconds."""

import os
import secrets

import pytest

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would call home
os.environ.setdefault("RAY_worker_niceness", "0")  # its actors would starve beside busy processes
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex())


@pytest.fixture(scope="session")
def ray_here():
    ray = pytest.importorskip("ray")
    ray.init(
        num_cpus=4,
        resources={"desk": 2},
        include_dashboard=False,
        object_store_memory=200_000_000,
        logging_level="ERROR",
        log_to_driver=False,
    )
    yield ray
    ray.shutdown()
