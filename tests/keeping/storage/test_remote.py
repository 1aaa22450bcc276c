import builtins
import importlib
import subprocess
import sys

import fsspec
import pytest

from poptune._keeping.storage import MissingObjectError, RemoteError, open_remote
from poptune._keeping.storage.remote import check_installed, check_writable
from poptune._keeping.storage.remote_errors import explained
from poptune.errors import ConfigurationError


def test_objects_are_written_listed_read_copied_and_deleted(remote, url, tmp_path):
    remote.write("a/b", b"12")
    (tmp_path / "file").write_bytes(b"345")
    remote.upload(tmp_path / "file", "c")
    assert remote.sizes() == {"a/b": 2, "c": 3}
    assert remote.sizes("a") == {"a/b": 2}
    assert remote.read("c") == b"345"
    remote.download("a/b", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == b"12"
    other = open_remote(f"{url}-copy")
    remote.copy("a/b", other)
    assert other.read("a/b") == b"12"
    remote.delete("a/b")
    remote.delete("a/b")
    assert remote.sizes() == {"c": 3}
    with pytest.raises(MissingObjectError):
        remote.read("a/b")


def test_a_folder_that_is_not_there_is_empty(remote):
    assert remote.sizes() == {}


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", ""])
def test_no_name_leads_out_of_the_folder(remote, name):
    for act in (remote.read, remote.delete, lambda name: remote.write(name, b"")):
        with pytest.raises(RemoteError, match="stays in it"):
            act(name)


def test_names_in_a_listing_that_lead_elsewhere_are_not_seen(remote, url):
    files = fsspec.filesystem("memory")
    root = url.partition("://")[2]
    for name in ("good", "back\\slash", "..\\evil"):
        files.pipe_file(f"/{root}/{name}", b"1")
    assert remote.sizes() == {"good": 1}


def test_a_probe_leaves_nothing(remote):
    check_writable(remote)
    assert remote.sizes() == {}


def test_an_unknown_protocol_is_refused_with_what_is_known():
    with pytest.raises(ConfigurationError, match="kind that fsspec knows.*got 'nosuch://x'"):
        check_installed("nosuch://x")


def test_a_driver_that_is_not_installed_is_named():
    with pytest.raises(ConfigurationError, match="pip install gcsfs"):
        check_installed("gs://bucket/x")


def test_without_fsspec_the_extra_is_named(monkeypatch):
    def import_module(name, package=None):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", import_module)
    with pytest.raises(ConfigurationError, match=r"pip install 'poptune\[remote\]'"):
        check_installed("s3://bucket/x")


class NoCredentialsError(Exception):
    """Named as that of boto."""


@pytest.mark.parametrize(
    ("error", "lasts", "says"),
    [
        (NoCredentialsError("none"), True, "no credentials"),
        (PermissionError("denied"), True, "refuses"),
        (FileNotFoundError("no bucket"), True, "create the bucket"),
        (NotImplementedError(), True, "cannot do that"),
        (TimeoutError(), False, "does not answer"),
        (ConnectionResetError(), False, "fails"),
        (OSError(16, "SlowDown"), False, "fails"),
        (builtins.Exception("some driver's own"), False, "fails"),
    ],
)
def test_each_kind_of_trouble_says_what_to_do_and_whether_it_may_pass(error, lasts, says):
    found = explained(error, url="s3://bucket/x", doing="written")
    assert found.lasts == lasts
    assert says in str(found)
    assert str(found).startswith("s3://bucket/x must be written, but")


def test_importing_poptune_imports_no_fsspec():
    code = "import sys, poptune._running.tuner, poptune._training.worker; sys.exit('fsspec' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
