"""Why an observation differs. Each reason is a decision of ours; none is an accident."""

AT_ONCE = "A wrong argument is an error at once."
CONTAINS = "A domain says it by `contains(value)`."
CONFIGURATION = "A wrong argument is a ConfigurationError, which is a ValueError, too."
HOOKS = (
    "Schedulers are pure functions, without Ray's hooks: a class that overrides one is refused when it is "
    "made, with what to write instead."
)
LOG_FILES = "The files lie in the trial's folder; in Ray they are not in the folder of the result."
MISSING = "Not mirrored; the import is refused with what to write instead."
PLAIN = "A journal keeps plain values, which every program can read; of an object it keeps the text."
SEVERAL = "Several values are a list of plain numbers, as one value is a plain number."
STOP_LIST = "A list takes dicts and functions, too; Ray's takes stoppers only."

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
    "results: folders of checkpoints": (
        "Checkpoints lie in `<experiment>/checkpoints/<trial>/`, numbered from 1: a trial's folder is the "
        "user's."
    ),
    "contexts: context: the trial's folder is where its result says": (
        "Context and result name the same folder; Ray has the trial work in a staging folder, and copies."
    ),
    "contexts: context: the trial works in its folder": (
        "The working folder is the one that the context names; Ray's is a folder of its own."
    ),
    "refusals: PBT: nothing to explore": (
        "A wrong argument is a ValueError, as everywhere; in Ray this one is a TuneError."
    ),
    "refusals: PBT: resample_probability=2": AT_ONCE,
    "refusals: PBT: burn_in_period=-1": AT_ONCE,
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
    "defaults: defaults of CheckpointConfig": "`save_in_background` is poptune's own, by keyword only.",
    "defaults: defaults of FailureConfig": (
        "All but `max_failures` and `fail_fast` are poptune's own, by keyword only. The mirror's `Tuner` "
        "returns its results also where all trials failed, whatever `on_all_failed` says."
    ),
    "saving: num_to_keep=1 by a metric, the least": (
        "The newest is kept, too: from it a trial goes on after a failure."
    ),
    "checkpoints: two of one folder are equal, of two are not": (
        "Two of one folder are equal; in Ray each is equal to itself only."
    ),
    "checkpoints: Checkpoint of no folder": (
        "A wrong argument is an error at once; in Ray such a checkpoint can be made."
    ),
    "reused_actors: reuse_actors=False: who made the recipient's config": (
        "A class that has `reset_config` is asked at each exploit; `reuse_actors` says only whether a "
        "process serves several trials."
    ),
    "metrics_that_are_not_there: Tuner with a metric that nobody reports: num_errors": (
        "The trials that lack it fail, and the results come with their errors; `tune.run` raises, as in Ray."
    ),
    "log_files: log_to_file: True: where hello is": LOG_FILES,
    "log_files: log_to_file: a name: where hello is": LOG_FILES,
    "log_files: log_to_file: two names: where hello is": LOG_FILES,
    "log_files: log_to_file: an absolute path: where hello is": (
        "Each trial has files of its own, in its folder; a path in which all would write at once is refused."
    ),
    "spaces: grid_search() itself": "An object; the dict that Ray has is taken wherever it is.",
    "domains: is_valid of uniform": CONTAINS,
    "domains: is_valid of choice": CONTAINS,
    "domains: domain_str": "`repr(domain)` says what it is.",
    "domains: func(None) of uniform": (
        "As it was until 2020, when Ray's tutorials had it; today's Ray has it no more."
    ),
    "more_stops: a list of a dict": STOP_LIST,
    "more_stops: stop of tune.run as a list": STOP_LIST,
    "more_stops: the class of a stopper": (
        "Both refuse it; ours says that an object of the class is needed."
    ),
    "more_stops: a nested dict": "A nested dict names the nested metric; Ray ignores it without a word.",
    "callbacks: a callback sets result['should_checkpoint']": (
        "What a callback writes into a result reaches nobody, which a line in the log tells once with the "
        "way out: the result is journaled before it is shown."
    ),
    "callbacks: a callback that raises": (
        "A hook that raises is told as a warning, and the run goes on; `fail_run = True` ends it, as in Ray."
    ),
    "without_end: num_samples=-1 with time_budget_s": (
        "All trials are planned before the first one starts: say how many there are; a time budget ends "
        "them all the same."
    ),
    "without_end: num_samples=0": AT_ONCE,
    "without_end: time_budget_s=0": AT_ONCE,
    "objects: a metric that is a object: its type in the result": PLAIN,
    "objects: a metric that is a numpy: its type in the result": PLAIN,
    "objects: a metric that is a array: its type in the result": PLAIN,
    "objects: a metric that is a tuple: its type in the result": PLAIN,
    "objects: a metric that is a set: its type in the result": PLAIN,
    "objects: a metric that is a path: its type in the result": PLAIN,
    "domains: uniform(0, 1): sample(size=3)": SEVERAL,
    "domains: loguniform(1e-4, 1e-1): sample(size=3)": SEVERAL,
    "domains: randn(10, 2): sample(size=3)": SEVERAL,
    "domains: randint(1, 9): sample(size=3)": SEVERAL,
    "domains: lograndint(1, 10): sample(size=3)": SEVERAL,
    "imports: import of tune.schedulers.HyperBandScheduler": MISSING,
    "imports: import of tune.schedulers.pb2.PB2": MISSING,
    "imports: import of tune.schedulers.ResourceChangingScheduler": MISSING,
    "imports: import of tune.search.ConcurrencyLimiter": MISSING,
    "imports: import of tune.search.optuna.OptunaSearch": MISSING,
    "imports: import of tune.search.variant_generator.generate_variants": MISSING,
    "imports: import of tune.registry.register_env": MISSING,
    "imports: import of tune.experiment.Experiment": MISSING,
    "imports: import of tune.utils.wait_for_gpu": MISSING,
    "imports: import of air.integrations.wandb.WandbLoggerCallback": MISSING,
    "imports: import of air.integrations.mlflow.MLflowLoggerCallback": MISSING,
    "imports: import of train.ScalingConfig": MISSING,
    "imports: import of tune.ResumeConfig": MISSING,
    "imports: import of tune.run_experiments": MISSING,
    "imports: import of tune.logger.DEFAULT_LOGGERS": (
        "Kept from older releases of Ray; today's has it no more."
    ),
    "mutations: a function that returns tune.uniform(1, 2).func(None): types, and changed": (
        "As it was until 2020, when Ray's tutorials had it; today's Ray has it no more."
    ),
    "mutations: a function that returns the domain tune.uniform(1, 2) itself: types, and changed": (
        "The domain is drawn from; in Ray the domain itself becomes the hyperparameter."
    ),
    "subclasses: PBT with _get_new_config of one's own": HOOKS,
    "subclasses: ASHA with on_trial_result of one's own": HOOKS,
    "callbacks: a callback that is none": (
        "A wrong argument is a ValueError; in Ray it is an error of another kind."
    ),
    "more_stops: a text": CONFIGURATION,
}
