"""Trained networks in files and in Nengo: every transform, solver and neuron type.

Each network has all transforms and solvers (`everything`).
"""

import keras
import nengo
import pytest

from nengo_dl.plan.noop import noop_planner
from tests.trained_networks import (
    RATES,
    SPIKES,
    assert_differ,
    assert_equal,
    everything,
    in_nengo,
    outputs,
    simulator,
    train,
)

pytestmark = pytest.mark.filterwarnings("ignore:No gradient passes")


#: Spikes with a state of their own, in networks within networks; all others are further
#: cases of this one
FIRST = [("AdaptiveLIF", True)]
CASES = [
    pytest.param(
        name,
        nested,
        marks=[pytest.mark.everything] * ((name, nested) not in FIRST),
        id=f"{name}-{'nested' if nested else 'flat'}",
    )
    for nested in (False, True)
    for name in (*RATES, *SPIKES)
]


@pytest.mark.parametrize(("name", "nested"), CASES)
def test_train_save_load_freeze(name, nested, tmp_path):
    neurons = {**RATES, **SPIKES}[name]
    path = tmp_path / "p"
    with simulator(everything(neurons, nested)) as sim:
        before = outputs(sim)
        train(sim, keras.optimizers.Adam(1e-4))
        trained = outputs(sim)
        assert_differ(trained, before)
        sim.save_params(path)

    net = everything(neurons, nested, planner=noop_planner)
    # items of a minibatch draw other numbers
    items = None if isinstance(neurons, nengo.StochasticSpiking) else 2
    options = {"minibatch_size": items, "unroll_simulation": 3, "seed": 5}
    with simulator(net, **options) as sim:
        sim.load_params(path)
        assert_equal(outputs(sim), trained)
        sim.freeze_params(net)
        # what is simulated has not changed
        assert_equal(outputs(sim, 5), [values[:5] for values in trained])
        sim.reset()
        assert_equal(outputs(sim, 5), [values[:5] for values in before])
    # spike for spike
    assert_equal(in_nengo(net), trained)
