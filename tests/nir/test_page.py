"""The page about NIR, run from top to bottom."""

import nengo
import numpy as np
import pytest

from tests.test_pages import run


@pytest.mark.filterwarnings("ignore:(divide|invalid):RuntimeWarning")
def test_code_of_the_page_runs(tmp_path, capsys):
    found = run("docs/nir.rst", tmp_path)
    assert "'b': 'CubaLIF'" in capsys.readouterr().out
    assert np.any(found["sim"].data[found["probe"]])
    before, after = found["own"], found["again"]
    spikes = []
    for net, probe in ((before, found["spikes"]), (after, after.outputs["spikes"])):
        with nengo.Simulator(net, progress_bar=False) as sim:
            sim.run_steps(50)
        spikes.append(sim.data[probe])
    assert np.any(spikes[0])
    np.testing.assert_array_equal(*spikes)
