"""Names that Ray's modules have, of 2.60 or before, and their mirrors lack: made once, from its source."""

NAMES: dict[str, str] = {
    "": (
        "AUTO_INIT_APIS ActorClassID ActorID ClientBuilder ClusterID DynamicObjectRefGenerator "
        "FunctionID JobID Language LoggingConfig NON_AUTO_INIT_APIS NodeID ObjectID "
        "ObjectRefGenerator PlacementGroupID RESTORE_WORKER_MODE SCRIPT_MODE SPILL_WORKER_MODE TaskID "
        "UniqueID WORKER_MODE WorkerID autoscaler cancel client cpp_function data get_actor "
        "get_gpu_ids get_runtime_context internal java_actor_class java_function kill log method "
        "nodes ray_constants remote serialization state timeline util wait worker workflow "
        "wrap_auto_init_for_all_apis"
    ),
    "_context": ("PlacementGroupFactory StorageContext TrainV1Context V2_MIGRATION_GUIDE_MESSAGE session"),
    "air": ("AcquiredResources DataBatchType ResourceRequest ScalingConfig"),
    "air.config": (
        "AirVerbosity Domain MAX MIN PlacementGroupFactory RESOURCE_CONSTRAINT_PREFIX SampleRange "
        "ScalingConfig Stopper Template Verbosity make_table_html_repr tabulate"
    ),
    "air.session": ("get_dataset_shard"),
    "cloudpickle": ("dump_debug dumps_debug"),
    "train": (
        "BackendConfig CheckpointConsistencyMode CheckpointStrategy CheckpointUploadMode "
        "ControllerError DataConfig LoggingConfig NCCLHangError PreemptionError PreemptionInfo "
        "ReportedCheckpoint ReportedCheckpointStatus ScalingConfig TRAIN_DATASET_KEY Trainer "
        "TrainingCallback TrainingFailedError TrainingIterator UserCallback ValidationConfig "
        "ValidationFn ValidationTaskConfig WorkerGroupError get_all_reported_checkpoints "
        "get_dataset_shard get_preemption_info is_v2_enabled load_checkpoint local_rank "
        "save_checkpoint world_rank world_size"
    ),
    "tune": (
        "Analysis DurableTrainable Experiment ProgressReporter ResumeConfig create_searcher durable "
        "function register_env run_experiments suggest track"
    ),
    "tune.analysis": (
        "CONFIG_PREFIX DEFAULT_METRIC EXPR_PROGRESS_FILE EXPR_RESULT_FILE TRAINING_ITERATION Trial "
        "TuneController flatten_dict get_fs_and_path is_nan is_nan_or_inf unflattened_lookup"
    ),
    "tune.callback": ("CallbackList Stopper Trial"),
    "tune.execution.placement_groups": ("ResourceRequest placement_group resource_dict_to_pg_factory"),
    "tune.experiment": (
        "CheckpointConfig DEBUG_METRICS DEBUG_PRINT_INTERVAL DONE EXPR_ERROR_FILE "
        "EXPR_ERROR_PICKLE_FILE Experiment ExportFormat NODE_IP PID PlacementGroupFactory "
        "RAY_TRAIN_COUNT_PREEMPTION_AS_FAILURE RayActorError RayTaskError STDERR_FILE STDOUT_FILE "
        "StorageContext TRAINING_ITERATION TRIAL_ID TRIAL_INFO TRIAL_STATE_FILENAME TuneError "
        "TuneFunctionEncoder binary_to_hex date_str flatten_dict get_trainable_cls hex_to_binary "
        "resource_dict_to_pg_factory validate_trainable"
    ),
    "tune.logger": (
        "CSVLogger EXPR_PARAM_FILE EXPR_PARAM_PICKLE_FILE EXPR_PROGRESS_FILE EXPR_RESULT_FILE "
        "ExperimentLogger JsonLogger LegacyLoggerCallback Logger MLFLowLogger NoopLogger "
        "SafeFallbackEncoder TBXLogger TIMESTEPS_TOTAL TIME_TOTAL_S TRAINING_ITERATION Trial "
        "UnifiedLogger VALID_SUMMARY_TYPES flatten_dict pretty_print"
    ),
    "tune.progress_reporter": (
        "AUTO_RESULT_KEYS Callback DEBUG_PRINT_INTERVAL DEFAULT_METRIC DONE EPISODE_REWARD_MEAN "
        "EXPERIMENT_TAG EXPR_ERROR_FILE Empty IS_NOTEBOOK MEAN_ACCURACY MEAN_LOSS NODE_IP PID "
        "ProgressReporter Queue RemoteReporterMixin SKIP_RESULTS_IN_REPORT TIMESTEPS_TOTAL "
        "TIME_TOTAL_S TRAINING_ITERATION TRIAL_ID Template Trainable Trial TrialProgressCallback "
        "TuneReporterBase Verbosity flatten_dict has_verbosity pretty_print safe_print set_verbosity "
        "tabulate unflattened_lookup"
    ),
    "tune.registry": (
        "ENV_CREATOR KNOWN_CATEGORIES RLLIB_ACTION_DIST RLLIB_CONNECTOR RLLIB_INPUT RLLIB_MODEL "
        "RLLIB_PREPROCESSOR TEST TRAINABLE_CLASS TuneError is_function_trainable register_env "
        "register_input registry_contains_input registry_get_input validate_trainable"
    ),
    "tune.result": (
        "DEFAULT_EXPERIMENT_NAME EXPR_ERROR_FILE EXPR_ERROR_PICKLE_FILE EXPR_META_FILE "
        "EXPR_PARAM_PICKLE_FILE JOB_META_FILE RESULT_DUPLICATE STDERR_FILE STDOUT_FILE TRIAL_INFO"
    ),
    "tune.result_grid": (
        "EXPR_ERROR_PICKLE_FILE EXPR_PROGRESS_FILE EXPR_RESULT_FILE ExperimentAnalysis RayTaskError "
        "TuneError unflattened_lookup"
    ),
    "tune.schedulers": (
        "HyperBandForBOHB HyperBandScheduler PB2 ResourceChangingScheduler SCHEDULER_IMPORT "
        "TrialScheduler get_function_args"
    ),
    "tune.schedulers.async_hyperband": (
        "DEFAULT_METRIC FIFOScheduler Trial TrialScheduler TuneController bracket sched"
    ),
    "tune.schedulers.median_stopping_rule": (
        "DEFAULT_METRIC FIFOScheduler Trial TrialScheduler TuneController"
    ),
    "tune.schedulers.pbt": (
        "Checkpoint DEFAULT_METRIC Domain FIFOScheduler Function SafeFallbackEncoder SearchGenerator "
        "TRAINING_ITERATION TrainCheckpoint Trial TrialScheduler TuneController TuneError format_vars"
    ),
    "tune.schedulers.trial_scheduler": ("DEFAULT_METRIC Trial TrialScheduler TuneController tag_scheduler"),
    "tune.search": (
        "ConcurrencyLimiter Repeater SEARCH_ALG_IMPORT SearchAlgorithm SearchGenerator Searcher "
        "UNDEFINED_METRIC_MODE UNDEFINED_SEARCH_SPACE UNRESOLVED_SEARCH_SPACE create_searcher "
        "get_function_args"
    ),
    "tune.search.basic_variant": (
        "Experiment SERIALIZATION_THRESHOLD SearchAlgorithm TuneError format_vars generate_variants "
        "tag_searcher"
    ),
    "tune.search.sample": (
        "BaseSampler Function Grid LogUniform Normal Quantized RandomState Sampler Uniform function"
    ),
    "tune.search.variant_generator": (
        "Categorical Domain Function RandomState RecursiveDependencyError assign_value format_vars "
        "generate_variants parse_spec_vars"
    ),
    "tune.syncer": ("TrainSyncConfig"),
    "tune.trainable": (
        "DEBUG_METRICS DEFAULT_STORAGE_PATH DONE DurableTrainable EPISODES_THIS_ITER EPISODES_TOTAL "
        "FunctionTrainable HOSTNAME NODE_IP PID PlacementGroupFactory RAY_CHDIR_TO_TRIAL_DIR "
        "RESULT_DUPLICATE SETUP_TIME_THRESHOLD SHOULD_CHECKPOINT STDERR_FILE STDOUT_FILE "
        "StorageContext TIMESTAMP TIMESTEPS_THIS_ITER TIMESTEPS_TOTAL TIME_THIS_ITER_S TIME_TOTAL_S "
        "TRAINING_ITERATION TRIAL_ID TRIAL_INFO Tee TrainableUtil UtilMonitor disable_ipython "
        "exception_cause resource_dict_to_pg_factory skip_exceptions try_to_create_directory "
        "wrap_function"
    ),
    "tune.tune": (
        "AirEntrypoint AirProgressReporter AirVerbosity ConcurrencyLimiter Experiment FIFOScheduler "
        "IS_NOTEBOOK PlacementGroupFactory PopulationBasedTraining PopulationBasedTrainingReplay "
        "ProgressReporter Queue RAY_CHDIR_TO_TRIAL_DIR ResumeConfig SearchAlgorithm SearchGenerator "
        "Searcher Stopper TBXLoggerCallback TrialScheduler TuneController Verbosity air_usage "
        "create_resolvers_map create_searcher get_air_verbosity get_trainable_cls has_verbosity "
        "inject_placeholders run_experiments scheduler_set_search_props searcher_set_search_props "
        "set_verbosity"
    ),
    "tune.tune_config": ("ResumeConfig SearchAlgorithm Searcher TrialScheduler"),
    "tune.tuner": (
        "AirEntrypoint BaseTrainer ClientActorHandle ResumeConfig TunerInternal get_air_verbosity "
        "get_fs_and_path"
    ),
    "tune.utils": (
        "START_OF_TIME SafeFallbackEncoder Tee UtilMonitor diagnose_serialization is_nan "
        "is_nan_or_inf retry_fn unflatten_list_dict unflattened_lookup validate_warmstart "
        "wait_for_gpu warn_if_slow"
    ),
}
