"""The steps form: a loop that restores and saves its state by itself, and is exploited in place."""

from __future__ import annotations

from collections.abc import Generator, Mapping

from poptune._base.types import Config
from poptune._training import current
from poptune._training.config_reads import LoopReads, frame_of_user, is_entered_by_us
from poptune._training.live_state import OURS, LiveState, Stateful
from poptune._training.session import Session
from poptune.errors import TrainingCodeError


def steps(config: Config, /, **state: Stateful) -> Generator[int]:
    """Loop over the iterations of a trial whose state is saved, restored and exploited without further code.

    On entering the loop, the state is restored if the trial goes on from a saved one. At milestones, at
    the end and as often as ``CheckpointConfig(checkpoint_frequency=...)`` says it is saved. When the
    trial copies another one, this happens within ``report()`` and in place: the donor's state is loaded
    into the very objects that were given, then ``config`` is changed (nested dicts too), then bound
    hyperparameters are written; the next iteration trains on with that. The function is not entered
    again, so data loaders stay open and compiled models compiled. Worker processes of a data loader keep
    the copies that they have of what was given to them; where they depend on the config, build the loader
    in the loop, whenever that value is another than the loader's (``if loader.batch_size !=
    config["batch_size"]``). Only if the donor's config builds other objects is the function entered anew:
    its state does not fit these, or the configs differ in a value that is no mutation (see
    ``hyperparam_mutations``) and was read before the loop, but never within.

    The loop does not end by itself: a stop condition leaves it from within ``report()``. After a ``break``
    the function may end as usual; then the last *saved* state is the one that remains.

    Args:
        config: The very dict that the function was called with.
        **state: Everything that training changes, by name: objects with ``state_dict()`` and
            ``load_state_dict()``, such as models, gradient scalers and optimizers (with their
            hyperparameters: :func:`poptune.integrations.torch.bind`); a :class:`StateRef` for all else;
            :class:`RandomState` for random numbers. A checkpoint holds the ``state_dict()`` of each under
            its name, ``result.checkpoint.to_dict()["model"]``, and one key of ours, ``poptune``.

    Yields:
        The iteration, counted from 1 along the lineage: ``training_iteration`` of the next result.

    Raises:
        TrainingCodeError: Called outside a trial, or twice at a time; a state cannot be saved; the checkpoint
            has other states; an iteration reports not at all or twice, or reports a checkpoint; a
            hyperparameter that changed at an exploit is neither bound nor read from ``config`` in the
            loop, the report aside; an optimizer of torch steps with the donor's value of one.

    Example:
        >>> import poptune as tune
        >>> def train(config):
        ...     weight = tune.StateRef(10.0)
        ...     for step in tune.steps(config, weight=weight):
        ...         weight.value -= config["lr"] * 2 * weight.value
        ...         tune.report({"loss": weight.value**2})
    """
    session = current.session("steps()")
    _check_state(state)
    given = _given(config, session)
    frame = frame_of_user()
    reads = LoopReads(frame, given, is_alone=is_entered_by_us(frame))
    return _loop(LiveState(session, given, state, reads), session)


def _loop(live: LiveState, session: Session) -> Generator[int]:
    if session.held is not None:
        raise TrainingCodeError(
            "One loop over steps() may run at a time, but another is still active: end it first, or give all "
            "states to one"
        )
    live.enter()
    try:
        while True:
            live.begin_iteration()
            yield session.iteration + 1
            live.end_iteration()
    finally:
        live.leave()


def _given(config: object, session: Session) -> Config:
    if isinstance(config, dict) and config is session.given:
        return config
    raise TrainingCodeError(
        "steps() changes the config in place at an exploit, so it must be given the very dict that the "
        f"function was called with, got another {type(config).__name__}: pass config itself, and keep what "
        "you add to it in variables"
    )


def _check_state(state: Mapping[str, object]) -> None:
    if not state:
        raise TrainingCodeError(
            "steps() saves and copies what it is given, but it was given no state: name all that training "
            "changes, for example steps(config, model=model, optimizer=optimizer)"
        )
    if OURS in state:
        raise TrainingCodeError(f"The name {OURS!r} is taken in checkpoints: call that state otherwise")
    for name, value in state.items():
        if isinstance(value, type) or not isinstance(value, Stateful):
            raise TrainingCodeError(
                f"A state must have state_dict() and load_state_dict(), which {name} of type "
                f"{type(value).__name__} lacks: wrap it, {name} = tune.StateRef({name}), and read and assign "
                f"{name}.value in the loop"
            )
