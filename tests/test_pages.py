"""The code of pages that have no tests of their own, run from top to bottom."""

import re
import textwrap
from pathlib import Path
from urllib.parse import urlsplit

import nengo
import numpy as np
import pytest
from nengo.exceptions import NengoWarning

from nengo_dl.export.calls import FORMATS
from tests.helpers import warnings_are_errors, without_xla

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.rst",
    "docs/from_nengo.rst",
    "docs/index.rst",
    "docs/simulator.rst",
)
TEXTS = {
    str(page.relative_to(ROOT)): page.read_text(encoding="utf-8")
    for page in (
        *ROOT.glob("*.rst"),
        *(ROOT / "docs").glob("*.rst"),
        *(ROOT / "docs").glob("developer/*.rst"),
    )
}
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:(?:    .*)?\n)+)", re.MULTILINE)
BLOCK_AT_PROMPT = re.compile(
    r"^\.\. code-block:: pycon\n\n((?:(?:    .*)?\n)+)", re.MULTILINE
)
LINK = re.compile(r"(?<![\w`])(\w+)://([^\s>`\"'<)]*)")


def run(page, folder, without=()):
    """Return what is defined at the end of a page."""
    text = TEXTS[page]
    blocks = [textwrap.dedent(block) for block in BLOCK.findall(text + "\n")]
    assert len(blocks) == text.count("code-block:: python") > 0
    found = {"__name__": "__main__"}
    with pytest.MonkeyPatch.context() as context, without_xla():
        context.chdir(folder)
        for block in blocks:
            if not any(word in block for word in without):
                exec(compile(block, page, "exec"), found)
    for value in found.values():
        if hasattr(value, "closed") and hasattr(value, "close"):
            value.close()
    return found


def test_page_about_simulators_shows_what_a_prompt_shows(tmp_path):
    shown = BLOCK_AT_PROMPT.findall(TEXTS["docs/simulator.rst"])[0]
    shown = textwrap.dedent(shown).removeprefix(">>> sim\n")
    line, _, record = shown.partition("\n>>> sim.data[ensemble]\n")
    found = {}
    before, _, _ = TEXTS["docs/simulator.rst"].partition("Print simulators")
    for block in BLOCK.findall(before):
        exec(textwrap.dedent(block), found)
    with found["sim"] as sim:
        assert repr(sim) == re.sub(r"\n +", " ", line)  # the page breaks it
        address = r"at 0x\w+"
        assert re.sub(address, "", repr(sim.data[found["ensemble"]])) == re.sub(
            address, "", record.strip()
        )


@pytest.mark.parametrize("page", PAGES)
def test_code_of_pages_runs(page, tmp_path):
    with warnings_are_errors():
        found = run(page, tmp_path)
    sim, probe = found["sim"], found["probe"]
    assert sim.data[probe].size
    assert np.all(np.isfinite(sim.data[probe]))


def test_page_about_activity(tmp_path, capsys):
    found = run("docs/activity.rst", tmp_path)
    printed = capsys.readouterr().out
    assert "hidden" in printed and "Davies et al." in printed and "page 3" in printed
    activity = found["activity"]
    assert activity.n_items == 10 and activity["hidden"].spikes > 10
    assert found["energy"]["loihi"].per_inference > 20 * 100 * 81e-12


def test_page_about_simulators_counts_right(tmp_path):
    text = TEXTS["docs/simulator.rst"]
    assert "351 here" in text
    steps = re.findall(r"sim\.run\(0\.25\)|sim\.run_steps\(100\)|sim\.step\(\)", text)
    assert len(steps) == 3
    assert 250 + 100 + 1 == 351


def test_code_of_the_page_about_training(tmp_path, capsys):
    pytest.importorskip("tensorboard")
    np.random.seed(0)
    found = run("docs/training.rst", tmp_path)
    numbers = dict(re.findall(r"(before|after): ([\d.e-]+)", capsys.readouterr().out))
    assert float(numbers["after"]) < float(numbers["before"])
    assert found["sim"].closed
    assert (tmp_path / "results" / "run_0").is_dir()


def test_page_about_several_devices(tmp_path):
    others = (
        "AutoShardPolicy",
        "BackupAndRestore",
        "LogicalDevice",
        "MultiWorker",
        "load_params",
    )
    found = run("docs/distribution.rst", tmp_path, without=others)
    assert found["sim"].closed


def test_page_about_export(tmp_path):
    found = run("docs/export.rst", tmp_path)
    formats = re.findall(r"^   \* - ``\"(\w+)\"``$", TEXTS["docs/export.rst"], re.M)
    assert tuple(formats[: len(FORMATS)]) == FORMATS
    assert (tmp_path / "model" / "metadata.json").exists()
    assert np.any(found["outputs"]["output"])


def test_page_about_rates_and_surrogates(tmp_path):
    found = run("docs/rates_or_surrogates.rst", tmp_path)
    assert found["as_rates"] < 0.1
    assert found["as_spikes"] < 0.2
    assert found["after"] < found["before"]


def test_page_about_sweeps(tmp_path):
    # what other processes run would have to be in a module
    found = run("docs/sweeps.rst", tmp_path, without=("multiprocessing",))
    assert len(found["results"]) == 4
    assert all(losses[-1] < losses[0] for losses in found["results"].values())


def test_page_about_metrics(tmp_path, capsys):
    found = run("docs/metrics.rst", tmp_path)
    assert "['answer_accuracy', 'answer_loss', 'loss']" in capsys.readouterr().out
    assert found["history"].history["val_answer_accuracy"][-1] > 0.8
    assert found["rates"]["answer_accuracy"] > 0.8


def test_page_about_performance(tmp_path, capsys):
    # the variable counts when the package is imported
    run("docs/performance.rst", tmp_path, without=("os.environ",))
    assert "Python runs in each time step" in capsys.readouterr().out


#: pages with code that needs what is shown elsewhere, in pictures for example
PARTS = {
    "docs/developer/architecture.rst",
    "docs/developer/testing.rst",
    "docs/plots.rst",
}


def test_code_of_every_page_is_run_by_a_test():
    tests = "".join(path.read_text() for path in Path(__file__).parent.rglob("*.py"))
    for page in {p for p, text in TEXTS.items() if BLOCK.search(text)} - PARTS:
        path = f'ROOT / "{page}"', f'"{page}"', page.replace("/", '" / "')
        assert any(name in tests for name in path), f"No test runs {page}."


def test_page_about_gpus(tmp_path, capsys):
    run("docs/gpu.rst", tmp_path)
    assert "s for 1,000 steps" in capsys.readouterr().out


def test_page_about_learning_rules(tmp_path):
    page = "docs/learning_rules.rst"
    rules = nengo.learning_rules.LearningRuleType.__subclasses__()
    own = [rule.__name__ for rule in rules if rule.__module__.startswith("nengo.")]
    assert set(re.findall(r"^   \* - `~nengo\.(\w+)`$", TEXTS[page], re.M)) == set(own)
    with pytest.warns(NengoWarning, match="changed by a learning rule"):
        found = run(page, tmp_path)
    assert found["losses"][-1] < 0.8 * found["losses"][0]
    # each item has learned to represent its own input
    decoders = found["decoders"]
    assert len(np.unique(decoders[:, 0, 0])) == 4
    final = found["reference"].data[found["probe"]][-1]
    np.testing.assert_allclose(final, 0.5, atol=0.05)


# -- links; ``tox -e links`` follows them


@pytest.mark.parametrize("page", TEXTS)
def test_links_to_other_sites_are_well_formed(page):
    for scheme, rest in LINK.findall(TEXTS[page]):
        link = urlsplit(f"{scheme}://{rest}")
        assert link.scheme == "https", f"{page}: {scheme}://{rest}"
        assert re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", link.netloc), page
        assert not link.path.endswith((".", ",", ";")), page


def test_all_links_are_seen():
    known = {"www.nengo.ai", "www.tensorflow.org", "forum.nengo.ai"}
    found = {
        urlsplit(f"//{r}").netloc for t in TEXTS.values() for _, r in LINK.findall(t)
    }
    assert known <= found


@pytest.mark.parametrize("page", TEXTS)
def test_titles_are_as_long_as_their_lines(page):
    lines = TEXTS[page].splitlines()
    for title, line in zip(lines, lines[1:], strict=False):
        rule = re.fullmatch(r"([=*\-~^])\1{3,}", line)
        if rule and title.strip() and not re.match(r"[=*\-~ ]+$", title):
            assert len(line) == len(title), f"{page}: {title}"
