import nengo
import numpy as np
import pytest
from nengo.builder import Model
from nengo.exceptions import ValidationError

from nengo_dl.graph.nengo_model import build


@pytest.fixture
def net():
    with nengo.Network(seed=0) as net:
        nengo.Ensemble(5, 1)
    return net


def test_models_are_those_that_nengo_builds(net):
    ours, theirs = build(net, 0.002), Model(dt=0.002)
    theirs.build(net)
    assert ours.dt == 0.002
    ensemble = net.ensembles[0]
    assert ours.params[ensemble].gain.dtype == np.float64
    assert np.array_equal(ours.params[ensemble].gain, theirs.params[ensemble].gain)
    assert [type(op) for op in ours.operators] == [type(op) for op in theirs.operators]


def test_networks_are_built_into_a_given_model(net):
    model = Model(dt=0.001)
    assert build(net, 0.001, model) is model
    assert net.ensembles[0] in model.params


def test_time_step_of_a_given_model_wins_with_a_warning():
    model = Model(dt=0.01)
    with pytest.warns(match=r"dt=0\.01 s, so dt=0\.001 s is ignored"):
        assert build(None, 0.001, model).dt == 0.01


@pytest.mark.parametrize(
    "network, dt, message",
    [
        (None, 0.001, "got neither"),
        ("net", 0.001, "Expected a nengo.Network or None, got 'net'"),
        (nengo.Network(add_to_container=False), 0, "Must be positive"),
        (nengo.Network(add_to_container=False), -0.1, "Must be positive"),
    ],
)
def test_what_cannot_be_built(network, dt, message):
    with pytest.raises(ValidationError, match=message):
        build(network, dt)
