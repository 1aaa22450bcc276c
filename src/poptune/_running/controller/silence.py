"""Which trials have been silent for too long."""

from __future__ import annotations

import time
from collections.abc import Iterable

from poptune._base.types import TrialId
from poptune._core.commands import Command, Proceed, Start


class Silence:
    """Watches the trials that train: each must be heard of within a time from its last word or order.

    Args:
        timeout_s: The time in seconds; ``None`` lets them be silent for ever.
    """

    def __init__(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self._heard_s: dict[TrialId, float] = {}

    def heard(self, trial: TrialId) -> None:
        """Note that a trial has said something."""
        if self._timeout_s is not None:
            self._heard_s[trial] = time.monotonic()

    def ordered(self, commands: Iterable[Command]) -> None:
        """Note what trials were told to do: from then on their time runs."""
        if self._timeout_s is not None:
            for command in commands:
                if isinstance(command, Start | Proceed):
                    self.heard(command.trial)

    def too_long(self, running: Iterable[TrialId]) -> dict[TrialId, str]:
        """Return those of the running trials that have been silent for too long, once each, and why."""
        if self._timeout_s is None:
            return {}
        now_s = time.monotonic()
        silent = [one for one in running if now_s - self._heard_s.get(one, now_s) > self._timeout_s]
        for trial in silent:
            del self._heard_s[trial]
        reason = (
            f"it has not reported for {self._timeout_s:g} s (report_timeout_s), so its process was ended: "
            "give it more time if it is only slow"
        )
        return dict.fromkeys(silent, reason)
