"""``freeze_params`` and ``get_nengo_params``: trained models in any simulator."""

import copy
import pickle

import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulatorClosed, ValidationError
from nengo.solvers import NoSolver

import nengo_dl
from tests.trained_networks import (
    RATES,
    SPIKES,
    assert_differ,
    assert_equal,
    everything,
    in_nengo,
    other_values,
    outputs,
    simulator,
    small,
    train,
)

pytestmark = pytest.mark.filterwarnings("ignore:No gradient passes")


def definitions(net):
    """Return all that freezing may change."""
    names = ("function", "transform", "solver", "eval_points")
    found = [(c, n, getattr(c, n)) for c in net.all_connections for n in names]
    names = ("encoders", "gain", "bias", "max_rates", "intercepts")
    names += ("normalize_encoders",)
    found += [(e, n, getattr(e, n)) for e in net.all_ensembles for n in names]
    return found + [(p, "solver", p.solver) for p in net.all_probes]


def is_unchanged(before):
    return all(getattr(obj, name) is value for obj, name, value in before)


@pytest.mark.parametrize("name", ["LIF", "SoftLIFRate"])
def test_training(name):
    net = small({**RATES, **SPIKES}[name])
    with simulator(net, dtype="float32") as sim:
        train(sim)
        trained = outputs(sim)
        sim.freeze_params(net)
    if name != "LIF":
        assert_equal(in_nengo(net), trained, rtol=1e-4)
    with simulator(net) as sim:
        ours = outputs(sim)
    assert_equal(ours, in_nengo(net))


def test_all_digits_of_what_was_not_trained():
    net = small(nengo.LIF())
    with nengo.Simulator(net, optimize=False, progress_bar=False) as sim:
        expected = outputs(sim)
        decoders = sim.data[net.connections[1]].weights
    with simulator(net, dtype="float32") as sim:
        sim.freeze_params(net)
    assert np.array_equal(net.connections[1].solver.values, decoders.T)
    assert_equal(in_nengo(net), expected, rtol=1e-13)


@pytest.mark.parametrize("rule", ["pes", "rls", "bcm", "oja", "voja"])
def test_what_learning_rules_have_changed(rule):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node([0.5])
        a, b = nengo.Ensemble(10, 1), nengo.Ensemble(10, 1)
        nengo.Connection(node, a)
        solver = nengo.solvers.LstsqL2(weights=rule in ("bcm", "oja"))
        connection = nengo.Connection(a, b, solver=solver)
        connection.learning_rule_type = {
            "pes": nengo.PES(1e-2),
            "rls": nengo.RLS(1e-2),
            "bcm": nengo.BCM(1e-6),
            "oja": nengo.Oja(1e-5),
            "voja": nengo.Voja(learning_rate=1e-1, post_synapse=None),
        }[rule]
        if rule in ("pes", "rls"):
            nengo.Connection(b, connection.learning_rule)
        nengo.Probe(b.neurons)
        nengo.Probe(b)
    with simulator(net) as sim:
        before = outputs(sim, 50)
        learned = outputs(sim, 50)  # what was learned stays
        assert_differ(learned, before)
        sim.reset()
        outputs(sim, 50)
        sim.freeze_params(net)
    # and it goes on learning from there
    assert_equal(in_nengo(net, 50), learned)


def test_items_of_a_minibatch_that_have_learned_different_things():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node, error = nengo.Node([0.5], label="input"), nengo.Node([0])
        a = nengo.Ensemble(10, 1)
        nengo.Connection(node, a)
        connection = nengo.Connection(
            a, nengo.Node(size_in=1), learning_rule_type=nengo.PES(1e-2), label="conn"
        )
        nengo.Connection(error, connection.learning_rule)
    with simulator(net, minibatch_size=2) as sim:
        sim.run_steps(5)
        sim.freeze_params(net)  # so far both are the same
        before = definitions(net)
        sim.run_steps(9, data={error: np.arange(18).reshape(2, 9, 1)})
        with pytest.raises(
            ValidationError, match="conn.* different weights in"
        ) as info:
            sim.freeze_params(net)
        assert "minibatch_size" in str(info.value)
        assert "Dense" not in str(info.value)
        assert is_unchanged(before)
        sim.freeze_params(a)  # these are the same


def test_parts_of_a_network():
    net = small(nengo.LIFRate())
    a, b = net.ensembles
    with simulator(net) as sim:
        other_values(sim)
        before = definitions(net)
        sim.freeze_params([a, net.connections[1]])
        sim.freeze_params(a.neurons)
        changed = {
            obj for obj, name, value in before if getattr(obj, name) is not value
        }
        assert changed == {a, net.connections[1]}
        sim.freeze_params(b)
        assert isinstance(net.probes[0].solver, NoSolver)
        sim.freeze_params(net.connections)
        trained = outputs(sim)
    assert_equal(in_nengo(net), trained)


def test_networks_within_networks():
    net = everything(sub=True)
    (inner,) = net.networks
    with simulator(net) as sim:
        before = definitions(net)
        sim.freeze_params(inner)
    changed = {obj for obj, name, value in before if getattr(obj, name) is not value}
    # probes of its ensembles too, wherever they are
    probes = {p for p in net.all_probes if p.obj in inner.all_ensembles}
    members = {*inner.all_ensembles, *inner.all_connections}
    assert changed == members | {p for p in probes if p.attr == "decoded_output"}


def test_frozen_networks_can_be_copied_and_pickled():
    net = everything()
    with simulator(net) as sim:
        sim.freeze_params(net)
        expected = outputs(sim, 5)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert_equal(in_nengo(other, 5), expected)


# -- what cannot be frozen


def test_objects_that_are_not_in_the_network():
    net = small(nengo.LIF())
    with nengo.Network(label="stranger") as other:
        stranger = nengo.Ensemble(2, 1, label="strange")
        connection = nengo.Connection(stranger, stranger)
    with simulator(net) as sim:
        before = definitions(net)
        for obj in (other, stranger, connection, stranger.neurons):
            with pytest.raises(ValidationError, match="strange.* not part of"):
                sim.freeze_params([net, obj])
            if obj is not other:
                with pytest.raises(ValidationError, match="strange.* not part of"):
                    sim.get_nengo_params(obj)
        for obj in (net.node, net.probes[0], 3, "a", None):
            with pytest.raises(TypeError):
                sim.freeze_params(obj)
            with pytest.raises(TypeError, match="Expected an Ensemble"):
                sim.freeze_params([net, obj])
            with pytest.raises(ValidationError, match="Expected an Ensemble"):
                sim.get_nengo_params(obj)
        assert is_unchanged(before)


def test_direct_mode():
    with nengo.Network() as net:
        direct = nengo.Ensemble(1, 2, neuron_type=nengo.Direct(), label="direct")
        nengo.Connection(direct, direct, transform=2)
        nengo.Connection(direct, direct)
    with simulator(net) as sim:
        for call in (sim.freeze_params, sim.get_nengo_params):
            with pytest.raises(ValidationError, match="direct.*Direct mode"):
                call(direct)
        sim.freeze_params(net)  # there was nothing to train in it
        assert sim.get_nengo_params(net.connections[0]) == {"transform": 2.0}
        assert sim.get_nengo_params(net.connections[1]) == {"transform": None}


def test_neurons_without_gain():
    with nengo.Network() as net:
        ensemble = nengo.Ensemble(3, 1, gain=[1.0, 0.0, 1.0], bias=[1.0, 1, 1])
        nengo.Connection(nengo.Node([0]), ensemble)
    with simulator(net) as sim:
        sim.freeze_params(net)
        assert np.all(np.isfinite(ensemble.encoders))
        signal = sim.model.sig[ensemble]["encoders"]
        sim._runner.store.set_value(signal, np.ones((3, 1)))
        with pytest.raises(ValidationError, match="gain of 0 for neuron 1"):
            sim.freeze_params(net)


def test_if_one_object_refuses_nothing_changes(monkeypatch):
    net = everything()
    last = net.all_connections[-1]
    with simulator(net) as sim:
        other_values(sim)
        before = definitions(net)
        expected, transform = in_nengo(net), last.transform
        set_attribute = nengo.Connection.__setattr__

        def refuse(self, name, value):
            if self is last and value is not transform:
                raise ValidationError("no", attr="transform")
            set_attribute(self, name, value)

        monkeypatch.setattr(nengo.Connection, "__setattr__", refuse)
        with pytest.raises(ValidationError, match="no"):
            sim.freeze_params(net)
    monkeypatch.undo()
    for obj, name, value in before:
        same = getattr(obj, name)
        assert same is value or np.array_equal(same, value), (obj, name)
    assert_equal(in_nengo(net), expected, 1e-13)


def test_transforms_of_others():
    class Mine(nengo.transforms.Transform):
        size_in = size_out = 1

        def sample(self, rng=None):
            raise NotImplementedError

    @nengo.builder.Builder.register(Mine)
    def build(model, transform, sig_in, decoders=None, encoders=None, rng=None):
        return model.build(nengo.Dense((1, 1)), sig_in, rng=rng)

    try:
        with nengo.Network() as net:
            node = nengo.Node([0])
            ensemble = nengo.Ensemble(2, 1)
            connection = nengo.Connection(node, ensemble, label="odd")
            connection.transform = Mine()
        with simulator(net) as sim:
            with pytest.raises(NotImplementedError, match="odd.* Mine"):
                sim.freeze_params(net)
            assert ensemble.gain is None
    finally:
        del nengo.builder.Builder.builders[Mine]


def test_closed():
    net = small(nengo.LIF())
    with simulator(net) as sim:
        pass
    for call in (sim.freeze_params, sim.get_nengo_params):
        with pytest.raises(SimulatorClosed, match="parameters"):
            call(net)


# -- as arguments


def test_arguments_make_the_same_network():
    net = small(nengo.LIFRate())
    a, b = net.ensembles
    with simulator(net) as sim:
        other_values(sim)
        expected = outputs(sim)[1:]
        of_a, of_b = sim.get_nengo_params([a, b.neurons])
        connections = sim.get_nengo_params(net.connections)
    with nengo.Network() as new:
        new.config[nengo.Ensemble].max_rates = nengo.dists.Choice([3])
        new.config[nengo.Ensemble].neuron_type = nengo.LIFRate()
        c = nengo.Ensemble(8, 1, radius=0.8, **of_a)
        d = nengo.Ensemble(6, 2, **of_b)
        nengo.Connection(nengo.Node([0.4]), c, synapse=None, **connections[0])
        nengo.Connection(c, d, synapse=None, **connections[1])
        nengo.Connection(c.neurons[:6], d.neurons, synapse=0.002, **connections[2])
        nengo.Probe(d.neurons)
    assert_equal(in_nengo(new), expected)


def test_forms_of_arguments():
    net = small(nengo.LIF())
    a, b = net.ensembles
    with simulator(net) as sim:
        single = sim.get_nengo_params(a)
        assert set(single) == {
            "encoders",
            "normalize_encoders",
            "gain",
            "bias",
            "max_rates",
            "intercepts",
        }
        (listed,) = sim.get_nengo_params([a])
        by_label = sim.get_nengo_params((a, b.neurons), as_dict=True)
        assert list(by_label) == ["a", "b"]
        for other in (
            listed,
            by_label["a"],
            sim.get_nengo_params(a, as_dict=True)["a"],
        ):
            assert np.array_equal(other["encoders"], single["encoders"])
        with pytest.raises(ValidationError, match="label None"):
            sim.get_nengo_params(net.connections, as_dict=True)
        with pytest.raises(ValidationError, match="label 'a'"):
            sim.get_nengo_params([a, a.neurons], as_dict=True)
        none, decoded, scalar = sim.get_nengo_params(net.connections)
        assert none == {"transform": None}
        assert decoded["solver"].values.shape == (8, 2)
        assert decoded["function"](np.zeros(1)).tolist() == [0, 0]
        assert scalar == {"transform": pytest.approx(1e-3)}
