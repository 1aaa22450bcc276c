from __future__ import annotations

from poptune._base.types import TrialId
from poptune.loggers.output import OutputLogger, log_files

A, B = TrialId("e_00000"), TrialId("e_00001")


def test_what_a_trial_prints_is_added_to_its_files(shown) -> None:
    shown.show(shown.created({}, {}))
    logger = OutputLogger(shown.layout, shown.population, log_files(True))
    for trial, stream, line in [(A, "stdout", "one"), (B, "stdout", "other"), (A, "stdout", "twö")]:
        logger.output(trial, stream, line)
    logger.output(A, "stderr", "ouch")
    OutputLogger(shown.layout, shown.population, log_files(True)).output(A, "stdout", "after a resume")
    assert shown.layout.output("trial_0", "stdout").read_text("utf-8") == "one\ntwö\nafter a resume\n"
    assert shown.layout.output("trial_0", "stderr").read_text("utf-8") == "ouch\n"
    assert shown.layout.output("trial_1", "stdout").read_text("utf-8") == "other\n"
