import pytest

from poptune._keeping.mirroring import logs as logs_module
from poptune._keeping.mirroring.logs import Logs, is_log, log_files


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pbt_global.txt", True),
        ("pbt_policy_1_00000.txt", True),
        ("trial/result.json", True),
        ("trial/stdout", True),
        ("trial/mine/notes.txt", True),
        ("experiment.db", False),
        ("experiment.db-wal", False),
        ("experiment.lock", False),
        ("objects.pkl", False),
        (".poptune/journal/x.json", False),
        (".poptune_remote.json", False),
        ("trial/checkpoint_000001/state.safetensors", True),
        ("checkpoints/trial/checkpoint_000001/state.safetensors", False),
        ("checkpoints/trial/.tmp-checkpoint_000001-0a/state.safetensors", False),
    ],
)
def test_what_belongs_to_journal_or_checkpoints_is_no_log(tmp_path, name, expected):
    path = tmp_path / name
    (tmp_path / "checkpoints").mkdir()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert is_log(name, with_trials=False) == expected
    assert list(log_files(tmp_path)) == [path][: int(expected)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("trial/result.json", True),
        ("trial/checkpoint_000001/state.safetensors", False),
        ("trial/.tmp-checkpoint_000001-0a/state.safetensors", False),
    ],
)
def test_where_checkpoints_lie_with_their_trials_they_are_no_logs_either(tmp_path, name, expected):
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.touch()
    assert is_log(name, with_trials=True) == expected
    assert list(log_files(tmp_path)) == [path][: int(expected)]


def test_links_are_not_followed(tmp_path):
    (tmp_path / "trial").mkdir()
    (tmp_path / "trial" / "root").symlink_to("/")
    (tmp_path / "trial" / "file").symlink_to("/etc/passwd")
    assert not list(log_files(tmp_path))


@pytest.fixture
def files(tmp_path, remote, monkeypatch):
    monkeypatch.setattr(logs_module, "_LEAST_PAUSE_S", 0.0)
    (tmp_path / "trial").mkdir()
    (tmp_path / "trial" / "stdout").write_text("1")
    return Logs(tmp_path, remote)


def bring(files, **which):
    for name in files.due(**which):
        files.bring(name)


def test_a_file_is_uploaded_when_it_has_changed(files, tmp_path, remote, monkeypatch):
    monkeypatch.setattr(logs_module, "_UPLOADS_A_SECOND", 1e9)
    monkeypatch.setattr(logs_module, "_BYTES_A_SECOND", 1 << 40)
    bring(files)
    assert remote.read("trial/stdout") == b"1"
    remote.delete("trial/stdout")
    bring(files)
    assert not remote.sizes()
    (tmp_path / "trial" / "stdout").write_text("12")
    bring(files)
    assert remote.read("trial/stdout") == b"12"


def test_a_large_file_is_uploaded_more_rarely_but_at_the_end_in_any_case(
    files, tmp_path, remote, monkeypatch
):
    monkeypatch.setattr(logs_module, "_BYTES_A_SECOND", 1e-6)
    bring(files)
    (tmp_path / "trial" / "stdout").write_text("12")
    bring(files)
    assert remote.read("trial/stdout") == b"1"
    bring(files, all_of_them=True)
    assert remote.read("trial/stdout") == b"12"


def test_many_files_are_looked_at_more_rarely(files, monkeypatch):
    monkeypatch.setattr(logs_module, "_UPLOADS_A_SECOND", 1e-6)
    assert files.due()
    assert not files.due()
    assert files.due(all_of_them=True)


def test_a_file_that_is_removed_meanwhile_is_no_error(files, tmp_path):
    names = files.due()
    (tmp_path / "trial" / "stdout").unlink()
    for name in names:
        files.bring(name)
