from __future__ import annotations

import sys
from typing import Any

import pytest

from poptune._watching.progress.notebook import NotebookProgress, is_notebook


def test_the_table_is_updated_in_one_place_and_the_latest_exploits_stand_below_it(
    four: Any, by_index: Any, clock: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    pages: list[str] = []
    with NotebookProgress(four.facts, clock=clock, publish=pages.append) as progress:
        progress.observe(four.first, four.population)
        for _ in range(100):
            progress.observe(four.train(1, by_index), four.population)
            clock.now_s += 1
            progress.tick(four.experiment)
        progress.finish(completed=True)
    assert pages[-1].count("<tr>") == 5
    assert pages[-1].index("</table>") < pages[-1].index("it ")
    assert 1 <= pages[-1].count("it ") <= 8
    assert "← " in pages[-1]
    assert "it  5" not in capsys.readouterr().out


def test_everything_in_the_page_is_escaped(world: Any, clock: Any) -> None:
    evil = "<script>alert(1)</script>"
    two = world([{"<b>": evil}, {"<b>": evil}], parameters=["<b>"], pbt=False)
    two.create()
    pages: list[str] = []
    with NotebookProgress(two.facts, clock=clock, publish=pages.append) as progress:
        progress.tick(two.experiment)
    assert "<script" not in pages[-1]
    assert "&lt;script&gt;alert(1…" in pages[-1]
    assert "&lt;b&gt;" in pages[-1]


def test_what_trials_print_and_failures_go_to_stdout(
    four: Any, clock: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = NotebookProgress(four.facts, clock=clock, publish=lambda page: None)
    progress.observe(four.first, four.population)
    progress.output(four.trial(0).id, "stdout", "loss 0.3")
    progress.observe(four.fail(0, "ValueError: boom"), four.population)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "(trial 0) loss 0.3",
        "trial 0 failed at iteration 0: ValueError: boom",
    ]


def test_a_plain_program_is_no_notebook_even_with_ipython_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_notebook()
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not is_notebook()


@pytest.mark.slow
def test_a_real_kernel_shows_one_table_and_updates_it() -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    code = """
from poptune._core.events import Created
from poptune._core.trial_spec import TrialSpec
from poptune._core.experiment import Experiment
from poptune._core.settings import Settings
from poptune._watching.progress import RunFacts, watch
from poptune.schedulers import FIFOScheduler
experiment = Experiment(FIFOScheduler(), Settings(slots=1))
spec = TrialSpec(id="t", index=0, name="t", tag="0_lr=0.1", folder="t", config={"lr": 0.1})
created = Created(time_s=0.0, name="mine", trainable="f", seed=0, metric=None, mode=None,
                  time_attr="training_iteration", trials=(spec,))
step = experiment.handle(created)
facts = RunFacts(name="mine", path="/mine", metric=None, mode=None, slots=1, parameters=["lr"])
with watch(style="auto", verbose=1, facts=facts) as progress:
    progress.observe(step.events, experiment.population)
    progress.tick(experiment)
    progress.finish(completed=True)
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=None, kernel_name="python3").execute()
    outputs = notebook.cells[0].outputs
    pages = [output.data["text/html"] for output in outputs if output.output_type == "display_data"]
    assert len(pages) == 1
    assert "1 running" in pages[0]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert printed.splitlines()[0] == "mine: 1 trial on 1 slot. Results: /mine"
