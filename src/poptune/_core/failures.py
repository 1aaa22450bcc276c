"""What becomes of a trial that has failed, and of all the others for its sake."""

from __future__ import annotations

from dataclasses import dataclass

from poptune._base.types import TrialId
from poptune._core.events import Ending, Failed
from poptune._core.mistakes import Mistakes, last_line
from poptune._core.population import Trial
from poptune._core.retries import Backoff, Retries


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a failure is answered.

    Args:
        restarts: Whether the trial goes on from its checkpoint.
        is_reborn: Whether it may begin a new life as a copy of another.
        ends_all: Why all trials end with it, if it does not go on; empty if they do not.
        ending: How those have ended then.
    """

    restarts: bool = False
    is_reborn: bool = False
    ends_all: str = ""
    ending: Ending = "ended for another"


class Failures:
    """Counts failures, knows who waits after one, and answers the next."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._number = 0
        self._mistakes = Mistakes()
        self._backoff = Backoff()

    def note(self, failed: Failed) -> None:
        """Take note of a failure that is in the journal."""
        self._number += 1
        self._mistakes.note(failed)

    def forget_mistakes(self) -> None:
        """Begin to count mistakes anew, since the code may have been mended."""
        self._mistakes.forget()

    def answer(self, trial: Trial, failed: Failed, population: int) -> Answer:
        """Return how a trial's failure, which was noted, is answered.

        Args:
            trial: The trial.
            failed: Its failure.
            population: How many trials there are.
        """
        if failed.is_certain and self._mistakes.is_proven(failed.error, population):
            reason = f"the training code has a mistake that every trial would meet: {last_line(failed.error)}"
            return Answer(ends_all=reason, ending="ended by a mistake")
        if not failed.is_certain and self._retries.allow(trial, self._number):
            return Answer(restarts=True)
        is_reborn = self._retries.rebirth and not failed.is_certain
        reason = f"trial {trial.index} failed, and fail_fast is set" if self._retries.fail_fast else ""
        return Answer(is_reborn=is_reborn, ends_all=reason)

    def waits(self, trial: Trial, now_s: float) -> bool:
        """Have a trial that is to restart wait first, if it is to; say whether it does."""
        pause_s = self._retries.pause_of(trial)
        if pause_s:
            self._backoff.add(trial, now_s + pause_s)
        return bool(pause_s)

    @property
    def next_s(self) -> float | None:
        """When the first of those that wait may go on; ``None`` if nobody waits."""
        return self._backoff.next_s

    def pop_due(self, now_s: float) -> list[TrialId]:
        """Return those that have waited long enough, in the order of their turn."""
        return self._backoff.pop_due(now_s)
