"""The page ``docs/from_tensorflow.rst``: its code runs, and does what it says."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import without_xla

PAGE = Path(__file__).parents[1] / "docs" / "from_tensorflow.rst"


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """Run the page in an empty folder; return what is defined after each block.

    Without XLA, which is not what the page is about, and takes time.
    """
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:(?:    .*)?\n)+)", text)
    assert len(blocks) == text.count("code-block:: python") == 9
    found, after = {}, []
    with pytest.MonkeyPatch.context() as context, without_xla():
        context.chdir(tmp_path_factory.mktemp("page"))
        for block in blocks:
            exec(compile(textwrap.dedent(block), str(PAGE), "exec"), found)
            after.append(dict(found))
        after[-1]["files"] = {path.name for path in Path.cwd().iterdir()}
    return after


def test_the_classifier_learns(steps):
    losses = steps[2]["history"].history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def test_spikes_find_the_ring(steps):
    found = steps[3]
    assert found["found"][found["smooth"]].shape == (500, 200, 2)
    # guessing gives as much as the more frequent answer
    frequent = max(np.mean(found["labels"]), 1 - np.mean(found["labels"]))
    assert found["accuracy"] > 0.88 > frequent + 0.2


def test_weights_are_saved(steps):
    assert steps[-1]["files"] == {"ring.npz"}
    assert steps[4]["sim"].closed


def test_nengos_own_words(steps):
    losses = steps[5]["history"].history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    sim, squared = steps[6]["sim"], steps[6]["squared"]
    assert abs(sim.data[squared][-1, 0] - 0.9) < 0.1


def test_the_recurrent_network_trains(steps):
    first, second = steps[7]["history"].history["loss"]
    assert second < first


def test_lengths_may_differ(steps):
    assert steps[8]["lengths"] == [10] * 10 + [20] * 10 + [10] * 10
