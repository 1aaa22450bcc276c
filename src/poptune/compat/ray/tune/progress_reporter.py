"""``ray.tune.progress_reporter``: accepted, but poptune shows its own table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from poptune._base.arguments import reject_unknown_keywords
from poptune.errors import ConfigurationError

Columns = Sequence[str] | Mapping[str, str]


@reject_unknown_keywords
@dataclass(kw_only=True)
class CLIReporter:
    """Accepted by ``RunConfig``, where a line in the log says that it changes nothing."""

    metric_columns: Columns | None = None
    parameter_columns: Columns | None = None
    total_samples: int | None = None
    max_progress_rows: int = 20
    max_error_rows: int = 20
    max_column_length: int = 20
    max_report_frequency: int = 5
    infer_limit: int = 3
    print_intermediate_tables: bool | None = None
    metric: str | None = None
    mode: str | None = None
    sort_by_metric: bool = False

    def __init_subclass__(cls) -> None:
        if cls.__module__ != __name__:
            raise ConfigurationError(
                f"A reporter of one's own, such as {cls.__name__}, is never called here: show the progress "
                "from a tune.Callback"
            )

    def add_metric_column(self, metric: str, representation: str | None = None) -> None:
        """Take note of a column, without effect."""

    def add_parameter_column(self, parameter: str, representation: str | None = None) -> None:
        """Take note of a column, without effect."""


@reject_unknown_keywords
@dataclass(kw_only=True)
class JupyterNotebookReporter(CLIReporter):
    """Accepted like :class:`CLIReporter`; notebooks are recognised by themselves."""

    overwrite: bool = True
