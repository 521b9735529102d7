import nengo
import numpy as np
import pytest
from nengo.builder import Model

import nengo_dl
from nengo_dl.graph.trainable import resolve


def resolved(net, **options):
    model = Model()
    model.build(net)
    table = resolve(model, **options)
    return lambda obj, key: table.get(model.sig[obj][key])


@pytest.fixture
def net():
    with nengo.Network(seed=0) as net:
        a = nengo.Ensemble(5, 1, label="a")
        b = nengo.Ensemble(5, 1, label="b")
        nengo.Connection(a, b)
        nengo.Connection(a.neurons, b.neurons, transform=np.zeros((5, 5)))
    return net


def test_weights_encoders_and_biases_are_trainable_by_default(net):
    get = resolved(net)
    for connection in net.connections:
        assert get(connection, "weights") is True
    for ensemble in net.ensembles:
        assert get(ensemble, "encoders") is True
        assert get(ensemble.neurons, "bias") is True


def test_nothing_is_trainable_for_inference(net):
    model = Model()
    model.build(net)
    table = resolve(model, inference_only=True)
    assert table and not any(table.values())


def test_setting_of_the_network_applies_to_all(net):
    with net:
        nengo_dl.configure_settings(trainable=False)
    get = resolved(net)
    assert get(net.connections[0], "weights") is False
    assert get(net.ensembles[0], "encoders") is False
    assert get(net.ensembles[0].neurons, "bias") is False


def test_object_beats_class_beats_network(net):
    a, b = net.ensembles
    with net:
        nengo_dl.configure_settings(trainable=False)
    net.config[nengo.Ensemble].trainable = True
    net.config[b].trainable = False
    get = resolved(net)
    assert get(a, "encoders") is True
    assert get(b, "encoders") is False
    assert get(net.connections[0], "weights") is False


def test_neurons_follow_their_ensemble_unless_they_have_a_setting(net):
    a, b = net.ensembles
    with net:
        nengo_dl.configure_settings(trainable=None)
    net.config[a].trainable = False
    net.config[b.neurons].trainable = False
    get = resolved(net)
    assert get(a.neurons, "bias") is False
    assert get(b.neurons, "bias") is False
    assert get(b, "encoders") is True


def test_inner_networks_override_outer_ones():
    with nengo.Network() as net:
        nengo_dl.configure_settings(trainable=False)
        outer = nengo.Ensemble(3, 1)
        with nengo.Network() as first:
            nengo_dl.configure_settings(trainable=True)
            inside = nengo.Ensemble(3, 1)
        with nengo.Network() as second:
            inherits = nengo.Ensemble(3, 1)
        with nengo.Network() as third:
            from_outside = nengo.Ensemble(3, 1)
    net.config[third].trainable = True
    assert first in net.networks and second in net.networks
    get = resolved(net)
    assert get(outer, "encoders") is False
    assert get(inside, "encoders") is True
    assert get(inherits, "encoders") is False
    assert get(from_outside, "encoders") is True


def test_what_rules_learn_is_not_trained_unless_asked_for(net):
    a, b = net.ensembles
    with net:
        pes = nengo.Connection(a, b, learning_rule_type=nengo.PES())
        nengo.Connection(a, b, learning_rule_type={"v": nengo.Voja()})
    get = resolved(net)
    assert get(pes, "weights") is False
    assert get(b, "encoders") is False
    assert get(a, "encoders") is True
    with net:
        nengo_dl.configure_settings(trainable=None)
    net.config[pes].trainable = True
    with pytest.warns(match="strange training behaviour"):
        get = resolved(net)
    assert get(pes, "weights") is True


def test_direct_ensembles_have_no_parameters():
    with nengo.Network() as net:
        ensemble = nengo.Ensemble(1, 2, neuron_type=nengo.Direct())
    model = Model()
    model.build(net)
    assert resolve(model) == {}
    assert model.sig[ensemble]["encoders"] is not None


def test_models_without_a_network_have_nothing_to_train():
    with pytest.warns(match="No top-level network in model"):
        assert resolve(Model()) == {}
