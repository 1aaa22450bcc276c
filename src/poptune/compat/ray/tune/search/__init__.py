"""``ray.tune.search``: configs are drawn from the search space; schedulers adapt them afterwards."""

from poptune.compat.ray._missing import refuse_names
from poptune.compat.ray.tune.search.basic_variant import BasicVariantGenerator
from poptune.compat.ray.tune.search.sample import grid_search

__all__ = ["BasicVariantGenerator", "grid_search"]

_NO_SEARCH = "configs are drawn from the param_space, and the scheduler adapts them; leave the search_alg out"
__getattr__ = refuse_names(
    __name__,
    {
        "ConcurrencyLimiter": "set max_concurrent_trials in the TuneConfig",
        "Repeater": "set num_samples in the TuneConfig",
        **dict.fromkeys(("SearchAlgorithm", "Searcher", "SearchGenerator", "create_searcher"), _NO_SEARCH),
    },
)
