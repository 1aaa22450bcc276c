from pathlib import Path

import pytest

from poptune._keeping.storage import (
    Origin,
    experiment_mirror,
    local_path,
    origin,
    reading_copy,
    remote_url,
    split,
)
from poptune._keeping.storage.locations import ORIGIN_NAME, is_safe, mark, storage_mirror
from poptune.errors import ConfigurationError


@pytest.mark.parametrize(
    "path", ["~/results", "/tmp/results", Path("results"), "file:///tmp/results", "a:b/c"]
)
def test_a_path_of_this_machine_has_no_url(path):
    assert remote_url(path) == ""


@pytest.mark.parametrize("path", ["s3://bucket/a/b", "s3://bucket/a/b/", "S3://bucket//a/b"])
def test_a_url_has_one_form_however_it_was_written(path):
    assert remote_url(path) == "s3://bucket/a/b"


def test_a_file_url_is_a_plain_folder(tmp_path):
    assert local_path(f"file://{tmp_path}") == tmp_path
    with pytest.raises(ConfigurationError, match="third slash"):
        local_path("file://results")


@pytest.mark.parametrize("path", ["s3://", "s3:///", "s3://bucket/../other", "memory://./x"])
def test_a_url_that_names_no_place_is_refused(path):
    with pytest.raises(ConfigurationError, match="must name a place"):
        remote_url(path)


def test_a_url_that_went_through_pathlib_is_refused_and_not_taken_for_a_folder():
    with pytest.raises(ConfigurationError, match="without Path"):
        remote_url(Path("s3://bucket/experiments"))


def test_a_chain_of_urls_is_refused():
    with pytest.raises(ConfigurationError, match="one URL"):
        remote_url("simplecache::s3://bucket/x")


@pytest.mark.parametrize("url", ["s3://bucket", "x", "s3://bucket/a\nb"])
def test_an_experiment_lies_in_a_folder_of_a_storage(url):
    with pytest.raises(ConfigurationError, match="lies in a folder"):
        split(url)
    assert split("s3://bucket/x") == ("s3://bucket", "x")


def test_each_storage_has_a_folder_of_its_own_in_the_users_cache(cache):
    one, other = storage_mirror("s3://bucket/a"), storage_mirror("s3://bucket-a")
    assert one != other
    assert one.is_relative_to(cache)
    assert experiment_mirror("s3://bucket/a/x") == one / "x"
    assert reading_copy("s3://bucket/a/x") != one / "x"


def test_a_folder_knows_which_remote_experiment_it_stands_for(tmp_path):
    made = mark(tmp_path / "x", "s3://bucket/x")
    assert origin(tmp_path / "x") == made == mark(tmp_path / "x", "s3://bucket/x")
    assert mark(tmp_path / "x", "s3://bucket/y").token != made.token
    assert origin(tmp_path) is None


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"url": 3}', '{"url": "s3://", "token": "", "is_copy": 0}']
)
def test_a_note_that_makes_no_sense_is_no_note(tmp_path, content):
    (tmp_path / ORIGIN_NAME).write_text(content)
    assert origin(tmp_path) is None
    assert isinstance(mark(tmp_path, "s3://bucket/x"), Origin)


@pytest.mark.parametrize("name", ["../x", "/x", "a/../b", "a//b", "a\\..\\b", "", ".", "a/", "a\0b"])
def test_a_name_that_leads_elsewhere_is_not_safe(name):
    assert not is_safe(name)
    assert is_safe("trial/checkpoint_000001/.poptune_manifest.json")
