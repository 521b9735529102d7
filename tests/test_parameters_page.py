"""The page ``docs/parameters.rst``, run from the first block to the last."""

import re
import textwrap
from pathlib import Path

import nengo
import numpy as np
import pytest

from tests.helpers import without_xla

PAGE = Path(__file__).parents[1] / "docs" / "parameters.rst"

BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:(?:    .*)?\n)+)", re.MULTILINE)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Run the page in an empty folder; return what it defines."""
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) == PAGE.read_text(encoding="utf-8").count("code-block:: python")
    namespace = {}
    with pytest.MonkeyPatch.context() as context, without_xla():
        context.chdir(tmp_path_factory.mktemp("page"))
        for block in blocks:
            exec(compile(textwrap.dedent(block), str(PAGE), "exec"), namespace)
        namespace["files"] = {path.name for path in Path.cwd().iterdir()}
    return namespace


def test_files_are_there(found):
    assert found["files"] == {
        "trained.npz",
        "everything.npz",
        "keras.weights.h5",
    }


def test_the_network_is_trained_and_frozen(found):
    net = found["net"]
    assert isinstance(net.ab.solver, nengo.solvers.NoSolver)
    sim, reference = found["sim"], found["reference"]
    assert sim.closed
    assert found["weights"].shape == (1, 20)
    assert reference.data[net.probe].shape == (100, 1)


def test_the_simulation_went_on(found):
    assert found["other"].n_steps == 100
    assert len(found["other"].trange()) == 50


def test_parts_run_in_nengo(found):
    with nengo.Simulator(found["new"], progress_bar=False) as sim:
        sim.run_steps(5)
        weights = sim.data[found["new"].connections[1]].weights
    assert np.array_equal(weights, found["of_ab"]["solver"].values.T)
