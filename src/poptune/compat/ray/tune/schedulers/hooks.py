"""Ray's own hooks of schedulers, which nobody calls here."""

from __future__ import annotations

from poptune.errors import ConfigurationError

_SEEN = "see results and trials from a tune.Callback"
_DECIDED = "an algorithm of one's own is a poptune.extending.Scheduler"
_COPIED = "pass selector=..., an object that says who copies whom (see poptune.schedulers.Selector)"
_CHANGED = "pass custom_explore_fn=..., a function of the new config"
_MACHINE = "poptune starts, saves and restores trials itself"

HOOKS = {
    **dict.fromkeys(("on_trial_add", "on_trial_complete", "on_trial_error", "on_trial_remove"), _SEEN),
    "on_trial_result": f"{_SEEN}; {_DECIDED}",
    **dict.fromkeys(("choose_trial_to_run", "set_search_properties", "supports_buffered_results"), _DECIDED),
    **dict.fromkeys(("_save_trial_state", "save", "restore", "reset_stats", "_load_policy"), _MACHINE),
    **dict.fromkeys(
        ("_exploit", "_quantiles", "_checkpoint_or_exploit", "_is_empty", "last_scores"), _COPIED
    ),
    **dict.fromkeys(("_get_new_config", "_explore", "_perturb_config"), _CHANGED),
    **dict.fromkeys(
        ("_log_config_on_step", "_summarize_hyperparam_changes", "_summarize_hyperparams"),
        "the changes are in pbt_global.txt, and in results.lineage",
    ),
    "debug_string": "override describe(state, population)",
    **dict.fromkeys(
        ("_on_insufficient_samples", "_trials_beyond_time", "_running_mean", "_best_result"), _DECIDED
    ),
}
"""What a subclass may have overridden in Ray, and what to write here instead."""


class WithoutRaysHooks:
    """A scheduler whose subclasses may have an ``__init__`` of their own, but none of Ray's hooks.

    Raises:
        ConfigurationError: A subclass overrides what Ray calls but nobody calls here.
    """

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # a subclass may keep what it likes beside the frozen fields

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, remedy in HOOKS.items():
            if name in vars(cls):
                raise ConfigurationError(f"{cls.__name__}.{name} is never called here: {remedy}")
