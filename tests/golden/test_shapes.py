"""No form of what is kept changes unnoticed."""

import copy
import json

import pytest
from shapes import FILE, changed_without_a_version, shapes


def test_what_is_kept_looks_as_was_written_down_for_its_version():
    assert shapes() == json.loads(FILE.read_text()), (
        "a record or a setting has changed: give its kind a new version (_NEWEST in journal/records.py, "
        "upgrades in described.py) with a reader and a sample of the one before, then run "
        "`python tests/helpers/shapes.py`"
    )


@pytest.mark.parametrize("kind", ["record created", "record planned", "settings Float"])
def test_a_field_in_the_middle_does_not_pass_without_a_version(kind):
    written = shapes()
    now = copy.deepcopy(written)
    if kind.startswith("record"):
        now[kind]["Decision" if "planned" in kind else "TrialSpec"]["new"] = "int"
    else:
        now[kind]["arguments"].insert(1, "new")
    assert changed_without_a_version(now, written) == [kind]
    now[kind]["version"] += 1
    assert changed_without_a_version(now, written) == []


def test_a_kind_that_is_gone_is_found():
    written = shapes()
    now = {kind: shape for kind, shape in written.items() if kind != "settings KeepOwn"}
    assert changed_without_a_version(now, written) == ["settings KeepOwn"]
