"""The program that does all of it."""

import pytest
from torture.__main__ import Part, main
from torture.tried import Tried


def parts(*tried):
    return [Part("crashes", "crash points", lambda options: iter(tried))]


def test_it_counts_what_it_tried(tmp_path, capsys):
    arguments = ["--scratch", str(tmp_path / "new"), "--seed", "7"]
    assert main(arguments, parts(Tried("here", [], 2), Tried("there", [], 2))) == 0
    printed = capsys.readouterr().out
    assert "The seed of the kills is 7" in printed
    assert ["2", "crash", "points", "none"] in [line.split() for line in printed.splitlines()]


def test_it_fails_and_says_why_where_something_was_lost(tmp_path, capsys):
    tried = Tried("before append (3)", ["trial 1: has [1, 2, 2]"], 1)
    assert main(["--scratch", str(tmp_path)], parts(tried)) == 1
    assert "before append (3)" in (printed := capsys.readouterr().out)
    assert "has [1, 2, 2]" in printed


def test_a_part_can_be_chosen(tmp_path):
    assert main(["--only", "kills", "--scratch", str(tmp_path)], parts(Tried("here", ["wrong"]))) == 0
    with pytest.raises(SystemExit):
        main(["--only", "everything"])
