"""Time constants, gains and delays that are trained, and are Nengo's afterwards."""

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.graph import nengo_model, trainable
from nengo_dl.lowering.registry import attributes_of

ALL = ["weights", "bias", "gain", "tau_rc", "tau_ref", "tau_n", "inc_n", "tau", "delay"]
FILTER = nengo.LinearFilter([1, 30], [0.0004, 0.03, 1])


def network(names, neuron_type=None, **settings):
    """Return a network in which everything that can train is used."""
    settings = {"dtype": "float64", "jit_compile": False, **settings}
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(trainable=names, **settings)
        net.stimulus = nengo.Node([0.5])
        types = [nengo.LIF(), nengo.LIF(tau_rc=0.03), nengo.AdaptiveLIF()]
        if neuron_type is not None:
            types = [neuron_type] * 3
        net.a, net.b, net.c = (
            nengo.Ensemble(n, 1, neuron_type=kind, label=label)
            for n, kind, label in zip((5, 4, 3), types, "abc", strict=True)
        )
        net.conns = [
            nengo.Connection(net.stimulus, net.a, synapse=0.02),
            nengo.Connection(
                net.stimulus, net.b.neurons[1:], transform=np.ones((3, 1)), synapse=None
            ),
            nengo.Connection(net.a, net.b, synapse=nengo.Alpha(0.01)),
            nengo.Connection(net.a, net.c, synapse=FILTER),
            nengo.Connection(
                net.b, net.c, synapse=nengo_dl.Delay(2, longest=0.006), label="late"
            ),
        ]
        net.p = nengo.Probe(net.c, synapse=0.01)
        net.probes_of_all = [net.p, nengo.Probe(net.c.neurons, "input")]
        net.probes_of_all += [nengo.Probe(ens.neurons) for ens in (net.a, net.b)]
    return net


def same_as_nengo(sim, net, n_steps=25):
    """Compare what a simulator computes from its parameters with Nengo."""
    sim.reset(include_trainable=False)
    sim.run_steps(n_steps)
    with nengo.Simulator(net, progress_bar=False) as reference:
        reference.run_steps(n_steps)
    for probe in net.probes_of_all:
        np.testing.assert_allclose(
            sim.data[probe], reference.data[probe], rtol=1e-9, atol=1e-9
        )


def trained(sim, net, epochs=2, size=1):
    """Train a network a little."""
    x, y = np.random.RandomState(0).rand(2, 12, 1), np.ones((2, 12, size))
    sim.compile(keras.optimizers.Adam(0.05), loss={net.p: "mse"})
    sim.fit({net.stimulus: x}, {net.p: y}, epochs=epochs, verbose=0)


def attributes(sim, net):
    """Return all that trains beside weights, by object and name."""
    adapts = hasattr(net.c.neuron_type, "tau_n")
    names = {
        net.a: ["tau_rc", "tau_ref", "gain"],
        net.c: ["tau_n", "inc_n"] if adapts else [],
        net.conns[0]: ["tau"],
        net.conns[2]: ["tau"],
        net.conns[3]: ["tau"],
        net.conns[4]: ["delay"],
    }
    pairs = [(obj, name) for obj, of_obj in names.items() for name in of_obj]
    return dict(zip(pairs, sim.data.get_params(*pairs), strict=True))


def test_time_constants_and_delays_train_and_are_nengos():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(
            trainable=["gain", "tau_rc", "tau", "delay"],
            dtype="float64",
            jit_compile=False,
        )
        net.stimulus = nengo.Node([0.5])
        a = nengo.Ensemble(4, 1, neuron_type=nengo.LIFRate(), label="a")
        node = nengo.Node(size_in=4)
        late = nengo.Connection(
            net.stimulus, a, synapse=nengo_dl.Delay(2, longest=0.005)
        )
        slow = nengo.Connection(a.neurons, node, synapse=0.01)
        net.p = nengo.Probe(node)
        net.probes_of_all = [net.p]
    keys = [(a, "gain"), (a, "tau_rc"), (slow, "tau"), (late, "delay")]
    with nengo_dl.Simulator(net, progress_bar=False, seed=0) as sim:
        before = [np.array(value) for value in sim.data.get_params(*keys)]
        assert list(map(float, before[1:])) == [0.02, 0.01, 0.002]
        trained(sim, net, 1, size=4)
        after = [np.array(value) for value in sim.data.get_params(*keys)]
        assert all((x != y).any() for x, y in zip(before, after, strict=True))
        sim.freeze_params(net)
        assert a.neuron_type.tau_rc == after[1]
        assert slow.synapse == nengo.Lowpass(float(after[2]))
        assert late.synapse.seconds == after[3]
        same_as_nengo(sim, net)


@pytest.mark.everything
@pytest.mark.parametrize(
    ("neuron_type", "settings"),
    [
        (None, {}),
        (nengo.AdaptiveLIFRate(), {}),
        (nengo_dl.SoftLIFRate(), {"jit_compile": None}),
        (nengo.LIF(), {"surrogate": "rate"}),
    ],
)
def test_what_trains_is_checked_trained_saved_and_frozen(
    tmp_path, neuron_type, settings
):
    net = network(ALL, neuron_type, **settings)
    with nengo_dl.Simulator(net, progress_bar=False, seed=0) as sim:
        same_as_nengo(sim, net)
        if "surrogate" not in settings:  # which are no slopes
            sim.check_gradients(outputs=[net.p], n_steps=6)
        before = attributes(sim, net)
        assert before[net.a, "tau_rc"] == 0.02
        assert before[net.conns[2], "tau"] == 0.01
        assert before[net.conns[4], "delay"] == 0.002
        trained(sim, net)
        after = attributes(sim, net)
        assert not any(np.array_equal(before[key], after[key]) for key in before)
        assert all(np.all(value > 0) for value in after.values())
        names = {name for w in sim.keras_model.weights for name in w.name.split("+")}
        assert {"a.log_tau_rc", "b.log_gain", "late.log_delay"} <= names

        sim.save_params(tmp_path / "trained")
        other = network(ALL, neuron_type, **settings)
        with nengo_dl.Simulator(other, progress_bar=False, seed=0) as loaded:
            loaded.load_params(tmp_path / "trained")
            same = attributes(loaded, other)
        assert all(
            np.array_equal(x, y)
            for x, y in zip(same.values(), after.values(), strict=True)
        )

        sim.freeze_params(net)
        assert net.a.neuron_type.tau_rc == after[net.a, "tau_rc"]
        assert net.conns[0].synapse == nengo.Lowpass(float(after[net.conns[0], "tau"]))
        assert net.conns[2].synapse.tau == after[net.conns[2], "tau"]
        assert net.conns[4].synapse.seconds == after[net.conns[4], "delay"]
        same_as_nengo(sim, net)


def table(net, surrogate=None):
    """Return the names of what trains in a network, without a simulator."""
    model = nengo_model.build(net)

    def of(op, dt):
        return attributes_of(op, dt, surrogate)

    resolved = trainable.resolve(model, attributes_of=of)
    return {signal.name for signal, is_on in resolved.items() if is_on}


def test_names_say_what_trains_and_nothing_else_does():
    net = network(["tau_rc"])
    assert table(net) == {
        f"<Neurons of <Ensemble '{name}'>>.log_tau_rc" for name in "abc"
    }
    net.config[net.a].trainable = ["encoders"]
    net.config[net.b].trainable = False
    net.config[net.c].trainable = []
    assert table(net) == {"<Ensemble 'a'>.scaled_encoders"}
    net.config[net.b].trainable = True
    net.config[net.b.neurons].trainable = ["tau_ref"]
    assert table(net) == {
        "<Ensemble 'a'>.scaled_encoders",
        "<Ensemble 'b'>.scaled_encoders",
        "<Neurons of <Ensemble 'b'>>.log_tau_ref",
    }


def test_inner_networks_override_outer_ones():
    with nengo.Network() as net:
        nengo_dl.configure_settings(trainable=["weights"])
        with nengo.Network():
            nengo_dl.configure_settings(trainable=["gain"])
            nengo.Ensemble(2, 1, label="inner")
        nengo.Ensemble(2, 1, label="outer")
    assert table(net) == {
        "<Ensemble 'inner'>.log_gain",
        "<Ensemble 'outer'>.scaled_encoders",
    }


class OwnLIF(nengo.LIF):
    """Neurons that nobody has registered a lowering for."""


@pytest.mark.parametrize(
    ("obj", "names", "words"),
    [
        ("a", ["tau_n"], "no 'tau_n'.*'tau_rc'"),
        ("a", ["tau"], "no 'tau'"),
        ("connection", ["tau_rc"], "no 'tau_rc'"),
        ("connection", ["delay"], "no 'delay'.*Lowpass"),
        ("passthrough", ["tau"], "no 'tau'"),
        ("passthrough", ["weights"], "no 'weights'"),
        ("zero", ["tau"], "'tau' of.*no time constant"),
        ("integrator", ["tau"], "integrates"),
        ("bilinear", ["tau"], "method='zoh'"),
        ("digital", ["tau"], "no 'tau'"),
        ("triangle", ["tau"], "no 'tau'"),
        ("short", ["delay"], "longest"),
        ("no_ref", ["tau_ref"], "it is 0"),
        ("own", ["tau_rc"], "OwnLIF.*cannot be trained"),
        ("noisy", ["gain"], "noise"),
        ("direct", ["gain"], "no 'gain'"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(obj, names, words):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(trainable=None)
        stimulus, node = nengo.Node([0.5]), nengo.Node(size_in=1)
        types = {
            "a": nengo.LIF(),
            "no_ref": nengo.LIF(tau_ref=0),
            "own": OwnLIF(),
            "direct": nengo.Direct(),
        }
        objects = {
            name: nengo.Ensemble(3, 1, neuron_type=kind, label=name)
            for name, kind in types.items()
        }
        noise = nengo.processes.WhiteNoise()
        objects["noisy"] = nengo.Ensemble(3, 1, noise=noise)
        synapses = {
            "connection": 0.01,
            "passthrough": None,
            "zero": 0,
            "integrator": nengo.LinearFilter([1], [1, 0]),
            "bilinear": nengo.LinearFilter([1], [0.1, 1], method="bilinear"),
            "digital": nengo.LinearFilter([1], [1, 0], analog=False),
            "triangle": nengo.synapses.Triangle(0.01),
            "short": nengo_dl.Delay(2),
        }
        for name, synapse in synapses.items():
            transform = {"transform": None} if synapse is None else {}
            objects[name] = nengo.Connection(
                stimulus, node, synapse=synapse, **transform
            )
    net.config[objects[obj]].trainable = names
    with pytest.raises(ValidationError, match=words):
        table(net)


def test_no_gradient_reaches_refractory_times_through_surrogates():
    net = network(["tau_ref"])
    with pytest.raises(ValidationError, match="refractory"):
        table(net, surrogate=nengo_dl.surrogates.FastSigmoid())
    assert table(net, surrogate="rate")


@pytest.mark.parametrize(
    "value", ["tau_rc", ["tau_rec"], ["max_rates"], [1], {"tau": 1}, 3, np.ones(2)]
)
def test_names_that_nothing_has_are_refused_where_they_are_given(value):
    with nengo.Network(), pytest.raises(ValidationError, match="'tau_rc'"):
        nengo_dl.configure_settings(trainable=value)
