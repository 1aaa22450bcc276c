"""Where things are in an experiment's folder."""

from pathlib import Path

import pytest

from poptune._base.layout import Layout, is_one_name, is_reserved, problem_of_new_folder

LAYOUT = Layout(Path("run"))


def test_every_file_of_an_experiment_is_in_its_folder_and_its_name_is_reserved():
    for path in (
        LAYOUT.journal,
        LAYOUT.lock,
        LAYOUT.objects,
        LAYOUT.perturbations,
        LAYOUT.policy("69158_00000"),
    ):
        assert path.parent == Path("run")
        assert is_reserved(path.name)
    for name in ("experiment.db-wal", "experiment.db.new", "objects.pkl.new"):
        assert is_reserved(name)


@pytest.mark.parametrize("name", ["train_0", "experiment", "pbt_policy", "pbt_global", "objects", "x.lock"])
def test_other_names_are_free(name):
    assert not is_reserved(name)
    assert not problem_of_new_folder(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0"])
def test_what_leads_elsewhere_is_no_name(name):
    assert not is_one_name(name)
    assert problem_of_new_folder(name)


def test_a_name_may_be_as_long_as_file_systems_allow_with_room_for_a_number():
    assert not problem_of_new_folder("x" * 240)
    assert problem_of_new_folder("x" * 241) == "it must have at most 240 bytes"
    assert problem_of_new_folder("é" * 121)
