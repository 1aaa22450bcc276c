from poptune._training.versions import differences, versions


def test_the_same_versions_do_not_differ():
    assert differences(versions(), versions()) == []


def test_each_difference_is_told_with_both_versions():
    here, there = {"Python": "3.11", "poptune": "1.0"}, {"Python": "3.12", "poptune": "1.0"}
    assert differences(here, there) == ["Python is 3.11 in the program and 3.12 in the worker"]
    assert differences(here, {"Python": "3.11"}) == [
        "poptune is 1.0 in the program and missing in the worker"
    ]
