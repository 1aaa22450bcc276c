"""What ``make flame`` makes of the stacks that it samples."""

import pytest
from flame import ELSE, ROOMS, SAMPLES_PER_S, TRAINING, WAITING, Profile, counted, page, room_of

BODY, LOOP = "<module> (<string>:1)", "run_trial (poptune/_training/running.py:40)"
TRAIN, REPORT = "train (convnet.py:39)", "report (poptune/_training/current.py:72)"


@pytest.mark.parametrize(
    ("frames", "room"),
    [
        ([TRAIN, "backward (torch/autograd/__init__.py:1)"], TRAINING),
        ([REPORT], "reports and orders"),
        ([REPORT, "encode (poptune/_keeping/checkpoints/codec.py:1)"], "saving and loading states"),
        ([TRAIN, "_find_and_load (<frozen importlib._bootstrap>:1)"], "imports"),
        ([TRAIN, "<module> (torch/_dynamo/__init__.py:1)", "namedtuple (collections:1)"], "imports"),
    ],
)
def test_a_sample_counts_as_what_its_innermost_known_frame_is_for(frames, room):
    assert room_of([BODY, LOOP, *frames]) == room


def test_the_body_of_the_program_is_no_import():
    assert room_of(["<module> (convnet_steps.py:9)", "wait (selectors.py:1)"]) == ELSE
    assert room_of([BODY]) == ELSE


def test_samples_become_seconds_and_the_names_of_processes_are_no_frames():
    stacks = 'process 7:"python p.py";train (convnet.py:1) 30\nprocess 8:"x (convnet.py:1)" 10\n'
    assert counted(stacks) == {TRAINING: 30 / SAMPLES_PER_S, ELSE: 10 / SAMPLES_PER_S}


def test_what_no_process_was_on_a_core_for_is_waiting():
    assert Profile(whole_s=2.0, on_core_s={TRAINING: 1.0, ELSE: 0.5}).spent_s(WAITING) == 2.5


def test_the_page_shows_medians_and_leaves_out_what_nobody_spent_time_on(monkeypatch):
    monkeypatch.setattr("flame.versions", lambda: {"torch": "2.0"})
    plain = [Profile(whole_s=seconds, on_core_s={TRAINING: seconds}) for seconds in (1.0, 2.0, 9.0)]
    ours = [Profile(whole_s=3.0, on_core_s={TRAINING: 2.5, "imports": 0.25})]
    text = page(plain, ours)
    assert f"| {TRAINING} | 2.00 | 2.50 |" in text
    assert "| imports | 0.00 | 0.25 |" in text
    assert "by the clock** | **2.00** | **3.00** |" in text
    left_out = set(ROOMS) - {TRAINING, "imports"}
    assert not any(f"| {room} |" in text for room in left_out)
