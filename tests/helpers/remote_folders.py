"""A cache folder of the tests' own, and remote folders in this process's memory."""

import uuid

import pytest

from poptune._keeping.storage import open_remote


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def url():
    return f"memory://{uuid.uuid4().hex}"


@pytest.fixture
def remote(url):
    return open_remote(url)
