"""The commands. What a command needs is imported when it runs."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any, TextIO

import click

import poptune as tune
from poptune._keeping import storage
from poptune.errors import EndedWarning

_INTERRUPTED = 130
"""What a shell says of a program that Ctrl-C has ended."""
_JOURNAL = "experiment.db"
_CODE = "The experiment's own code is opened and run: use this only for folders that you trust."
_experiment = click.argument("path")


class _Commands(click.Group):
    """Errors of poptune become one sentence, warnings a line, and Ctrl-C its exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with warnings.catch_warnings():
            warnings.simplefilter("always", tune.PoptuneWarning)
            warnings.showwarning = _show_warning
            try:
                return super().invoke(ctx)
            except tune.PoptuneError as error:
                raise click.ClickException(_printable(str(error))) from error
            except KeyboardInterrupt:
                ctx.exit(_INTERRUPTED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(tune.__version__, prog_name="poptune")
def main() -> None:
    """Continue, check and show experiments of poptune.

    PATH is always an experiment's folder: the one with experiment.db in it, that was printed when it ran.
    It may be the URL of a remote one, such as s3://bucket/experiments/pbt_mnist.
    """


class _Threshold(click.ParamType[tuple[str, float]]):
    name = "KEY=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        key, _, number = str(value).partition("=")
        try:
            return key, float(number)
        except ValueError:
            self.fail(
                f"must be a metric and a number, such as training_iteration=100, got {value!r}", param, ctx
            )


@main.command(epilog=_CODE)
@_experiment
@click.option(
    "--stop",
    type=_Threshold(),
    multiple=True,
    help="When trials end from now on, in the place of all that ended them before; several times for several "
    "metrics. Those that had ended before go on: --stop training_iteration=100",
)
@click.option(
    "--resume-errored", is_flag=True, help="Trials that failed go on from their newest checkpoints."
)
@click.option("--restart-errored", is_flag=True, help="Trials that failed begin from nothing.")
@click.pass_context
def resume(
    ctx: click.Context,
    path: str,
    stop: tuple[tuple[str, float], ...],
    resume_errored: bool,
    restart_errored: bool,
) -> None:
    """Continue an interrupted experiment, or train a finished or failed one further.

    It goes on from its journal and its checkpoints, with the settings that it was begun with, but for what
    the options say. Modules that the training code imports are looked for in the working directory, too: call
    this where you called your script.

    The exit code is 0 when the experiment has ended, 130 when Ctrl-C interrupted it (resume it again), and 1
    after an error.
    """
    _trust(path)
    tuner = tune.Tuner.restore(
        path, stop=dict(stop) or None, resume_errored=resume_errored, restart_errored=restart_errored
    )
    results = tuner.fit()
    if not _has_ended(results):
        ctx.exit(_INTERRUPTED)
    click.echo(_printable(repr(results)))


@main.command(epilog=_CODE)
@_experiment
@click.pass_context
def verify(ctx: click.Context, path: str) -> None:
    """Check that an experiment is what its journal says.

    From what the journal was told, all that was decided is decided again and compared with what it records,
    except where the user's own code took part. The files of all checkpoints are compared with their
    checksums.

    The exit code is 0 if all is well, and else 1.
    """
    _trust(path)
    verification = tune.verify(path)
    click.echo(_printable(str(verification)))
    ctx.exit(0 if verification.ok else 1)


@main.command()
@_experiment
def show(path: str) -> None:
    """Show how the trials of an experiment stand.

    It may still be going on. No code from the folder is run.
    """
    click.echo(_printable(repr(tune.ResultGrid.from_path(path))))


def _trust(path: str) -> None:
    """Let the experiment's code be found as when its script ran; say that it will be run."""
    if _may_be_experiment(path):
        click.echo(f"Opening the code that is stored in {_printable(path)}", err=True)
    sys.path.insert(0, str(Path.cwd()))


def _may_be_experiment(path: str) -> bool:
    """Whether there is an experiment; of a remote place, which is not asked for it yet, there may be."""
    if storage.remote_url(path):
        return True
    folder = storage.local_path(path)
    return folder.joinpath(_JOURNAL).is_file() or storage.origin(folder) is not None


def _has_ended(results: tune.ResultGrid) -> bool:
    return results.num_terminated + results.num_errors == len(results)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del line  # whoever runs a command did not write it
    where = "" if issubclass(category, tune.PoptuneWarning) else f"{filename}:{lineno}: {category.__name__}: "
    text = _how_further(message) if isinstance(message, EndedWarning) else str(message)
    click.echo(f"Warning: {where}{_printable(text)}", file=file, err=True)


def _how_further(ended: EndedWarning) -> str:
    """What the warning says, in the words of the command."""
    failed = f" (or --resume-errored for the {ended.num_errors} that failed)" * bool(ended.num_errors)
    return (
        f"The experiment in {ended.path} has ended, so there is nothing to train: its old results follow. To "
        f"train it further, give other stops, --stop KEY=VALUE{failed}"
    )


def _printable(text: str) -> str:
    """Return the text without what would steer a terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)
