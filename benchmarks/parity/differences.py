"""Why an observation differs. Each reason is a decision of ours; none is an accident."""

DIFFERENCES = {
    "who_copies_whom: four trials: iterations of both in the log": (
        "Ray logs the trial that comes last to a milestone one iteration (or more) too early; ours are "
        "the true ones."
    ),
    "what_explore_reaches: explore without resampling, one from 1": (
        "An int always moves by at least 1, so that it is never stuck; Ray rounds 1 * 1.2 back to 1 for "
        "ever. Give a list, or `respect_bounds=True`, where 0 makes no sense."
    ),
    "what_explore_reaches: explore without resampling, zero from 0.0": (
        "A zero is drawn afresh, since no factor moves it; in Ray it is stuck."
    ),
    "early_stopping: ASHA, one trial after the other: iterations of each": (
        "Where there are more trials than slots, they take turns at the rungs, so that each is judged "
        "among more; Ray trains the first to its end before it has anything to compare it with."
    ),
    "stops: stop: the function returns by itself": (
        "`done` says whether that report ended the trial; here it was not known yet that the function "
        "would return. Ray repeats the last result with `done` changed."
    ),
    "results: ResultGrid: which attributes there are": (
        "Results are files on this machine; there is no other file system."
    ),
    "results: Result: which attributes there are": (
        "There is no other file system; and `log_dir`, which the tutorial of 2022 reads, is still there."
    ),
    "results: Checkpoint: which attributes there are": ("There is no other file system."),
    "results: result: keys that are filled in": (
        "`checkpoint_dir_name` and `should_checkpoint` are Ray's own notes; the tag is `result.tag`."
    ),
    "results: frame: columns": ("`checkpoint_dir_name` and `should_checkpoint` are Ray's own notes."),
    "results: grid frame: columns": ("`checkpoint_dir_name` and `should_checkpoint` are Ray's own notes."),
    "results: checkpoint: files in it": (
        "A hidden file with checksums, by which a damaged checkpoint is recognised."
    ),
    "results: files of a trial": (
        "No `params.pkl`: opening a pickle runs code. `params.json` says the same."
    ),
    "results: folders of checkpoints": "Checkpoints are numbered by the trial's saves, from 1.",
    "contexts: context: the trial's folder is where its result says": (
        "Context and result name the same folder; Ray has the trial work in a staging folder, and copies."
    ),
    "contexts: context: the trial works in its folder": (
        "The working folder is the one that the context names; Ray's is a folder of its own."
    ),
    "refusals: PBT: nothing to explore": (
        "A wrong argument is a ValueError, as everywhere; in Ray this one is a TuneError."
    ),
    "refusals: PBT: resample_probability=2": "A wrong argument is an error at once.",
    "refusals: PBT: burn_in_period=-1": "A wrong argument is an error at once.",
    "refusals: replay of a file that is not there": (
        "The scheduler reads no files; the Tuner that is made with it raises the ValueError."
    ),
    "refusals: a metric that nobody reported": (
        "A wrong argument is a ValueError that names the metrics there are; in Ray it is a RuntimeError."
    ),
    "defaults: defaults of PopulationBasedTraining": (
        "`exploit`, `explore` and `respect_bounds` are poptune's own, by keyword only; all of Ray's are "
        "equal."
    ),
}
