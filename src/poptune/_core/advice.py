"""What the machine tells the user, once each."""

DAMAGED = (
    "Checkpoint {checkpoint} is damaged: its files are not there, or not those that were written. "
    "The trials that would go back to it go back further: to the newest checkpoint of their own, or "
    "to the beginning if they have none. Keep several with CheckpointConfig(num_to_keep=...)"
)
CROWDED = (
    "More than {limit} trials are held in memory, because those that wait have "
    "no checkpoint to go back to. Save one with each `report(..., checkpoint=...)`."
)
STALE_RESTART = (
    "A trial's hyperparameters have changed, but its training code can only take them by being entered anew, "
    "and goes back for that to an older checkpoint, or to its beginning if it has saved none. Save one at "
    "every milestone, use the steps form (a loop over `tune.steps`), or define `reset_config` in a Trainable."
)
