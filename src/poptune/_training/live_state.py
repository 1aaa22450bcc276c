"""The objects of a loop over ``steps()``: saved, restored, and brought to another trial's state in place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import getitem
from typing import Any, Protocol, runtime_checkable

from poptune._base.attempts import attempt
from poptune._base.types import Config
from poptune._keeping.checkpoints import Checkpoint
from poptune._training.config_reads import LoopReads, Span, frame_of_user
from poptune._training.configs import become, changed_paths, plain_part
from poptune._training.session import Session
from poptune._training.stale_hyperparameters import story_of
from poptune._training.states import BoundState, StateRef
from poptune.errors import TrainableError, TrainingCodeError

OURS = "poptune"
"""The key of a checkpoint under which stands what is not the user's."""


@runtime_checkable
class Stateful(Protocol):
    """What can be saved and restored: a model, an optimizer, a scaler, a ``StateRef``."""

    def state_dict(self) -> Any:
        """Return the state as it is now; it may be live."""
        ...

    def load_state_dict(self, state_dict: Any, /) -> Any:
        """Take over a state."""
        ...


class LiveState:
    """The objects of one loop, between its session and the states that are saved and loaded.

    Args:
        session: The running trial's.
        config: The very dict that the training function was given.
        state: The objects, by their names.
        reads: What the loop's code reads of the config.
    """

    __slots__ = (  # without a dict of its own, which would count as one who has kept the config
        "_adopted",
        "_bound",
        "_changed_at",
        "_config",
        "_last",
        "_moved",
        "_places",
        "_reads",
        "_session",
        "_state",
        "_unproven",
    )

    def __init__(
        self, session: Session, config: Config, state: Mapping[str, Stateful], reads: LoopReads
    ) -> None:
        self._session = session
        self._config = config
        self._state = state
        self._reads = reads
        self._bound = [value for value in state.values() if isinstance(value, BoundState)]
        self._adopted = session.config
        """What the session's config was when `config` became it; that may hold more of the user's own."""
        self._unproven: list[str] | None = None
        """What has changed of the config and is not bound, until one iteration has passed."""
        self._places: dict[str, tuple[Config, Config, str]] = {}
        self._moved: set[str] = set()
        """The paths that have moved along a course already."""
        self._changed_at = 0
        self._last = 0
        """The session's iteration before the report of this iteration of the loop."""

    def enter(self) -> None:
        """Restore what the trial goes on from, write the config into it, and be asked for the state."""
        for bound in self._bound:
            bound.begin(self._config)
        checkpoint = self._session.checkpoint()
        if checkpoint is not None:
            self._load(checkpoint.to_dict())
            self._write_bound()
        self._session.hold(self)
        self._session.before_report = self.check_report

    def leave(self) -> None:
        """Be asked no more. A loop that was left by a break may be collected when another runs already."""
        if self._session.held is self:
            self._session.hold(None)
            self._session.before_report = None

    def begin_iteration(self) -> None:
        self._last = self._session.iteration

    def check_report(self, checkpoint: Checkpoint | None) -> None:
        """Refuse a report that the loop cannot vouch for."""
        if self._session.unwinding is not None:
            return
        if checkpoint is not None:
            raise TrainingCodeError(
                "In a loop over steps() the state is saved without your doing, but report() was given a "
                "checkpoint: leave it out, and give what it holds to steps()"
            )
        if self._session.iteration != self._last:
            raise TrainingCodeError(
                f"Each iteration of steps() must report once, but iteration {self._last + 1} reports again: "
                "put all its metrics into one report()"
            )
        if self._unproven is not None:
            self._check_effect(self._unproven, self._reads.span_of_call(frame_of_user()))
            self._unproven = None

    def end_iteration(self) -> None:
        if self._session.iteration == self._last:
            raise TrainableError(
                f"Each iteration of steps() must report once, but iteration {self._last + 1} has ended "
                "without: call tune.report({...}) at the end of the loop's body"
            )

    @contextmanager
    def saved(self) -> Iterator[Checkpoint]:
        """See `InPlace.saved`."""
        state = {name: value.state_dict() for name, value in self._state.items()}
        ours = {
            "format": 1,
            "iteration": self._session.iteration + 1,
            "config": plain_part(self._adopted),
        }
        yield Checkpoint.from_dict({**state, OURS: ours})

    def take_over(self) -> bool:
        """See `InPlace.take_over`. Where the donor's config builds other objects, they must be built anew."""
        checkpoint = self._session.checkpoint()
        if checkpoint is None:
            return False
        new = self._session.config
        changed = self._unbound(changed_paths(self._adopted, new))
        mutated = attempt(  # what is no matter of other objects is raised again on entering
            lambda: self._load_unless_built_in(checkpoint, changed), or_else=lambda _: None
        )
        if mutated is None:
            return False
        self._turn_to(new, unproven=[path for path in changed if path in mutated])
        self._last = self._session.iteration - 1
        return True

    def take_config(self, config: dict[str, Any]) -> bool:
        """See `InPlace.take_config`."""
        self._turn_to(config, unproven=self._unbound(changed_paths(self._adopted, config)))
        return True

    def move(self, values: Mapping[str, float]) -> bool:
        """See `InPlace.move`."""
        for path, value in values.items():
            mine, adopted, key = self._places.get(path) or self._place(path)
            mine[key] = adopted[key] = value
        if not self._moved.issuperset(values):
            self._unproven = [path for path in self._unbound(values) if path not in self._moved]
            self._changed_at = self._session.iteration
            self._moved |= values.keys()
        if self._bound:
            self._write_bound()
        return True

    def _place(self, path: str) -> tuple[Config, Config, str]:
        """Where a value stands in the function's config and in the session's."""
        *above, key = path.split(".")
        mine, adopted = (reduce(getitem, above, config) for config in (self._config, self._adopted))
        place = self._places[path] = (mine, adopted, key)
        return place

    def _load_unless_built_in(self, checkpoint: Checkpoint, changed: Sequence[str]) -> set[str] | None:
        """Load a donor's state, and say which of its values were mutated; None if others need new objects."""
        loaded = checkpoint.to_dict()
        mutated = set(changed_paths(loaded[OURS]["config"], plain_part(self._session.config)))
        if any(self._is_built_in(path) for path in changed if path not in mutated):
            return None
        self._load(loaded)
        return mutated

    def _unbound(self, paths: Iterable[str]) -> list[str]:
        """Return those of these paths whose values the loop's code has to read."""
        written = {path for bound in self._bound for path in bound.config_paths}
        return [path for path in paths if path not in written]

    def _turn_to(self, new: dict[str, Any], *, unproven: Iterable[str]) -> None:
        """Bring the function's config, and what is bound to it, to new values."""
        old, self._adopted = self._adopted, new
        become(self._config, old, new)
        self._places = {}
        self._write_bound()
        self._unproven = [path for path in unproven if self._session.terms.is_hyperparameter(path)]
        self._changed_at = self._session.iteration

    def _is_built_in(self, path: str) -> bool:
        """Whether a value had its effect on building the objects: with another, they would be others."""
        return self._reads.before(path) and not self._reads.within(path)

    def _load(self, loaded: dict[str, Any]) -> None:
        if loaded.pop(OURS, None) is None:
            raise TrainableError(
                "steps() restores what it has saved, but this checkpoint was saved otherwise, with the keys "
                f"{sorted(map(str, loaded))}: go on with the code that saved it, or start a new experiment"
            )
        if loaded.keys() != self._state.keys():
            missing, unknown = self._state.keys() - loaded.keys(), loaded.keys() - self._state.keys()
            raise TrainableError(
                "steps() must be given the states that the checkpoint holds, but it "
                + " and ".join(
                    [
                        *([f"lacks {sorted(missing)}"] if missing else []),
                        *([f"also holds {sorted(unknown)}"] if unknown else []),
                    ]
                )
                + ": name the same states as the code that saved it, or start a new experiment"
            )
        shared = list(_held_by_others(self._state))
        for name, value in self._state.items():
            try:
                value.load_state_dict(loaded[name])
            except Exception as error:
                error.add_note(f"This happened while steps() restored the state {name!r}.")
                raise
        for reference, holder, attribute in shared:
            reference.value = getattr(_content(holder), attribute)
        self._session.has_loaded([_content(value) for value in self._state.values()])

    def _write_bound(self) -> None:
        for bound in self._bound:
            bound.write(self._config)

    def _check_effect(self, changed: list[str], report: Span | None) -> None:
        """Raise if something that has changed of the config was used by nobody.

        Args:
            changed: The dotted paths.
            report: Where the call of report() stands: what is read for it alone has no effect.
        """
        ignored = [path for path in changed if not self._reads.anywhere(path, report=report)]
        if ignored:
            raise TrainingCodeError(self._not_used(ignored))
        for bound in self._bound:
            bound.check(self._config, lambda path: self._reads.anywhere(path, report=report))
        if stale := self._session.stale_hyperparameters():
            raise TrainingCodeError(story_of(stale))

    def _not_used(self, ignored: list[str]) -> str:
        names = ", ".join(map(repr, ignored))
        words = ", ".join(
            f'{path.rpartition(".")[2]}="{path}"' if "." in path else f'"{path}"' for path in ignored
        )
        return (
            f"Every hyperparameter that changes must have an effect, but {names} changed at "
            f"iteration {self._changed_at} and nothing in the loop uses it (reading it for the report does "
            "not count): read it within the loop, where it is used, or bind it to what has it: "
            f"tune.bind(optimizer, {words}), which works with any object that has such an attribute"
        )


def _held_by_others(state: Mapping[str, Stateful]) -> Iterator[tuple[StateRef[Any], Stateful, str]]:
    """Yield the references to objects that another state holds as an attribute of its own.

    After a restore they must refer to what that one holds then, as they did when they were made: what was
    pickled by an object's own rules is a copy of its own otherwise, which nobody uses.
    """
    for reference in state.values():
        if not isinstance(reference, StateRef) or not hasattr(reference.value, "__dict__"):
            continue
        for holder in state.values():
            attributes = getattr(_content(holder), "__dict__", {})
            for name, value in attributes.items() if holder is not reference else ():
                if value is reference.value:
                    yield reference, holder, name


def _content(state: Stateful) -> Any:
    return state.value if isinstance(state, StateRef) else state
