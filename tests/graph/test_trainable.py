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


def test_off_by_default_then_on_for_ensembles():
    """Encoders and biases are trained then, in networks within networks too."""
    with nengo.Network(seed=0) as net:
        node = nengo.Node([0])
        a = nengo.Ensemble(5, 1)
        connection = nengo.Connection(node, a, transform=2)
        array = nengo.networks.EnsembleArray(3, 2)
        nengo.Connection(a, array.input[0])
        nengo_dl.configure_settings(trainable=False)
        net.config[nengo.Ensemble].trainable = True
    get = resolved(net)
    assert get(a, "encoders") is get(a.neurons, "bias") is True
    for ensemble in array.all_ensembles:
        assert get(ensemble, "encoders") is get(ensemble.neurons, "bias") is True
    assert get(connection, "weights") is False
    inside = [c for c in array.connections if c.pre_obj in array.all_ensembles]
    assert [get(c, "weights") for c in inside] == [False, False]


def test_neurons_have_a_class_too(net):
    with net:
        nengo_dl.configure_settings(trainable=False)
    net.config[nengo.ensemble.Neurons].trainable = True
    get = resolved(net)
    for ensemble in net.ensembles:
        assert get(ensemble.neurons, "bias") is True
        assert get(ensemble, "encoders") is False


def test_settings_apply_to_what_comes_before_and_after():
    with nengo.Network() as net:
        before = nengo.Ensemble(3, 1)
        nengo_dl.configure_settings(trainable=False)
        after = nengo.Ensemble(3, 1)
    get = resolved(net)
    assert get(before, "encoders") is get(after, "encoders") is False


def test_looking_at_a_setting_changes_nothing(net):
    a, b = net.ensembles
    with net:
        nengo_dl.configure_settings(trainable=False)
    assert net.config[a].trainable is False
    net.config[nengo.Ensemble].trainable = True
    configured = len(net.config.params)
    get = resolved(net)
    assert get(a, "encoders") is get(b, "encoders") is True
    assert len(net.config.params) == configured


def test_configured_objects_in_networks_without_the_setting():
    with nengo.Network() as net:
        a = nengo.Ensemble(3, 1)
    net.config[nengo.Ensemble].set_param("colour", nengo.params.Parameter("colour"))
    net.config[a].colour = "red"
    assert resolved(net)(a, "encoders") is True


def test_objects_in_inner_networks_are_configured_from_outside():
    with nengo.Network() as net:
        with nengo.Network():
            a, b = nengo.Ensemble(3, 1), nengo.Ensemble(3, 1)
            connection = nengo.Connection(a, b)
            nengo_dl.configure_settings(trainable=True)
        nengo_dl.configure_settings(trainable=None)
    # what is said of one object counts, wherever it is said
    net.config[a].trainable = False
    net.config[connection].trainable = False
    get = resolved(net)
    assert get(a, "encoders") is get(a.neurons, "bias") is False
    assert get(b, "encoders") is get(b.neurons, "bias") is True
    assert get(connection, "weights") is False


def test_classes_of_inner_networks_come_before_those_of_outer_ones():
    with nengo.Network() as net:
        nengo_dl.configure_settings(trainable=None)
        with nengo.Network() as inner:
            nengo_dl.configure_settings(trainable=None)
            ensemble = nengo.Ensemble(3, 1)
            connection = nengo.Connection(ensemble, ensemble)
    net.config[nengo.Ensemble].trainable = False
    net.config[nengo.Connection].trainable = False
    inner.config[nengo.Ensemble].trainable = True
    get = resolved(net)
    assert get(ensemble, "encoders") is get(ensemble.neurons, "bias") is True
    assert get(connection, "weights") is False


def test_a_network_is_configured_from_within_or_from_outside():
    with nengo.Network() as net:
        nengo_dl.configure_settings(trainable=True)
        with nengo.Network() as within:
            nengo_dl.configure_settings(trainable=False)
            a = nengo.Ensemble(3, 1)
        with nengo.Network() as outside, nengo.Network():
            b = nengo.Ensemble(3, 1)
        c = nengo.Ensemble(3, 1)
    net.config[within].trainable = True  # the inner one wins
    net.config[outside].trainable = False
    get = resolved(net)
    assert get(a, "encoders") is get(a.neurons, "bias") is False
    assert get(b, "encoders") is get(b.neurons, "bias") is False
    assert get(c, "encoders") is True


def test_networks_of_a_class_of_their_own():
    class Layers(nengo.Network):
        pass

    with nengo.Network() as net:
        nengo_dl.configure_settings(trainable=None)
        net.config[nengo.Network].trainable = False
        with Layers():
            ensemble = nengo.Ensemble(3, 1)
    assert resolved(net)(ensemble, "encoders") is False


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


def test_training_all_warns_of_what_rules_learn(net):
    a, b = net.ensembles
    with net:
        bcm = nengo.Connection(
            a.neurons,
            b.neurons,
            transform=np.zeros((5, 5)),
            learning_rule_type=nengo.BCM(),
        )
        nengo_dl.configure_settings(trainable=False)
    assert resolved(net)(bcm, "weights") is False
    with net:
        nengo_dl.configure_settings(trainable=True)
    with pytest.warns(match="<Connection .*strange training behaviour"):
        assert resolved(net)(bcm, "weights") is True


def test_probes_and_constants_are_no_parameters(net):
    with net:
        probe = nengo.Probe(net.ensembles[0])
        node = nengo.Node([1.0])
    model = Model()
    model.build(net)
    table = resolve(model)
    assert model.sig[node]["out"] not in table
    assert len(table) == 6
    assert not any(signal.name.startswith(str(probe)) for signal in table)


def test_direct_ensembles_have_no_parameters():
    with nengo.Network() as net:
        ensemble = nengo.Ensemble(1, 2, neuron_type=nengo.Direct())
    model = Model()
    model.build(net)
    assert resolve(model) == {}
    assert net.all_ensembles == [ensemble]
    assert model.sig[ensemble]["encoders"] is not None


def test_models_without_a_network_have_nothing_to_train():
    with pytest.warns(match="No top-level network in model"):
        assert resolve(Model()) == {}
