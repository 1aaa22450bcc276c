"""Results as data frames: the one place that imports pandas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from poptune._base.nested import flatten
from poptune._core.events import Reported

if TYPE_CHECKING:
    import pandas as pd


def data_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return a data frame with a row for each mapping.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            'Data frames need pandas, which is not installed: pip install "poptune[pandas]"'
        ) from error
    return pd.DataFrame(list(rows))


def metrics_frame(results: Iterable[Reported]) -> pd.DataFrame:
    """Return a data frame with a row for each result; nested metrics are flattened."""
    return data_frame(flatten(result.metrics) for result in results)
