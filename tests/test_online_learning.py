"""Learning rules with minibatches: each item of the batch learns a copy of its own."""

from contextlib import contextmanager

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import NengoWarning

import nengo_dl
from tests.helpers import assert_close

RULES = {
    "PES": nengo.PES(1e-3),
    "RLS": nengo.RLS(1e-2),
    "BCM": nengo.BCM(1e-8),
    "Oja": nengo.Oja(1e-5),
    "Voja": nengo.Voja(learning_rate=0.1),
}
STEPS = 40


def network(name, value=0.0, jit_compile=False):
    """Return a network that learns from one input, and where its weights are."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=jit_compile)
        net.config[nengo.Ensemble].neuron_type = nengo.LIFRate()
        net.stimulus = nengo.Node([value])
        pre, post = nengo.Ensemble(12, 1), nengo.Ensemble(10, 1)
        nengo.Connection(net.stimulus, pre)
        between_neurons = name in ("BCM", "Oja")
        connection = nengo.Connection(
            pre.neurons if between_neurons else pre,
            post.neurons if between_neurons else post,
            transform=np.full((10, 12), 0.01) if between_neurons else 1,
            learning_rule_type=RULES[name],
        )
        if name in ("PES", "RLS"):
            nengo.Connection(post, connection.learning_rule)
            nengo.Connection(net.stimulus, connection.learning_rule, transform=-1)
        net.learned = post if name == "Voja" else connection
        attribute = "scaled_encoders" if name == "Voja" else "weights"
        net.probes_of = [nengo.Probe(net.learned, attribute), nengo.Probe(post)]
    return net


def weights(sim, net):
    built = sim.data[net.learned]
    return getattr(built, "scaled_encoders", getattr(built, "weights", None))


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("values", [(0.6,), (-1.0, 0.3, 0.9)], ids=len)
def test_every_item_learns_what_a_simulation_of_its_own_would(name, values):
    batch = len(values)
    net = network(name, jit_compile=batch > 1)
    data = np.tile(np.reshape(values, (batch, 1, 1)), (1, STEPS, 1))
    with nengo_dl.Simulator(
        net, dtype="float64", minibatch_size=batch, progress_bar=False
    ) as sim:
        before = weights(sim, net)
        sim.run_steps(STEPS, data={net.stimulus: data})
        after = weights(sim, net)
        for i, value in enumerate(values):
            other = network(name, value)
            with nengo.Simulator(other, progress_bar=False) as alone:
                alone.run_steps(STEPS)
            for ours, theirs in zip(net.probes_of, other.probes_of, strict=True):
                assert_close(sim.data[ours][i], alone.data[theirs])
        recorded = sim.data[net.probes_of[0]]
    # one copy for each item, from the beginning, and for a batch of one too
    assert before.shape == after.shape == (batch, *recorded.shape[2:])
    assert np.array_equal(after, recorded[:, -1])
    assert not np.allclose(before, after)
    assert all(np.array_equal(item, before[0]) for item in before)
    assert all(not np.allclose(item, after[0]) for item in after[1:])


@pytest.mark.parametrize("name", RULES)
def test_without_a_minibatch_there_is_no_batch_axis(name):
    net = network(name, 0.6)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        sim.run_steps(3)
        recorded = sim.data[net.probes_of[0]]
        assert np.array_equal(weights(sim, net), recorded[-1])


def test_gains_of_learned_encoders_have_a_batch_axis_too():
    net = network("Voja")
    data = np.tile(np.reshape([-1.0, 0.3], (2, 1, 1)), (1, STEPS, 1))
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.run_steps(STEPS, data={net.stimulus: data})
        built = sim.data[net.learned]
    assert built.gain.shape == (2, 10)
    np.testing.assert_allclose(
        built.scaled_encoders, built.encoders * built.gain[..., None], rtol=1e-5
    )


# -- learned weights that are trained too


def learning(rate=1e-3):
    """A network that learns while it runs, and whose weights may be trained."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype="float64", jit_compile=False, trainable=False)
        stimulus = nengo.Node([0], label="in")
        ensemble = nengo.Ensemble(
            6,
            1,
            neuron_type=nengo.RectifiedLinear(),
            gain=np.ones(6),
            bias=np.linspace(0.1, 1, 6),
            encoders=nengo.dists.Choice([[1]]),
        )
        output, error = nengo.Node(size_in=1), nengo.Node(size_in=1)
        nengo.Connection(stimulus, ensemble, synapse=None)
        learned = nengo.Connection(
            ensemble, output, synapse=None, learning_rule_type=nengo.PES(rate)
        )
        nengo.Connection(output, error, synapse=0.005)
        nengo.Connection(stimulus, error, transform=-1, synapse=None)
        nengo.Connection(error, learned.learning_rule, synapse=None)
        nengo.Probe(output, label="out")
        net.config[learned].trainable = True
    return net, learned


@contextmanager
def simulator(net, **options):
    with (
        pytest.warns(NengoWarning, match="strange training behaviour"),
        nengo_dl.Simulator(
            net, minibatch_size=2, seed=0, progress_bar=False, **options
        ) as sim,
    ):
        yield sim


X = np.random.RandomState(0).uniform(-1, 1, (4, 3, 1))
Y = np.random.RandomState(1).uniform(-1, 1, (4, 3, 1))
DATA = {"in": X, "out": Y}


def test_weights_that_learn_are_trained_if_asked():
    net, learned = learning()
    rate, step = 1e-4, 1e-6
    data = {name: values[:2] for name, values in DATA.items()}
    with simulator(net) as sim:
        before = np.array(sim.data[learned].weights)
        signal = sim.model.sig[learned]["weights"]
        slopes = np.zeros(before.shape[1:])
        for place in np.ndindex(slopes.shape):
            losses = []
            for sign in (1, -1):
                moved = before.copy()
                moved[(slice(None), *place)] += sign * step
                sim._runner.store.set_value(signal, moved)
                losses.append(sim.loss(data, training=True))
            slopes[place] = (losses[0] - losses[1]) / (2 * step)
        sim._runner.store.set_value(signal, before)
        assert abs(slopes).max() > 0.1
        sim.train(data, keras.optimizers.SGD(rate))
        after = sim.data[learned].weights
        assert_close(after[0], before[0] - rate * slopes, rtol=1e-7)
        np.testing.assert_array_equal(after[1], after[0])
        # the learning rule goes on from there, for each item
        sim.run_steps(3, data={"in": X[:2]})
        assert not np.array_equal(*sim.data[learned].weights)
        sim.reset()
        np.testing.assert_array_equal(sim.data[learned].weights, before)


def test_both_interfaces_train_weights_that_learn(tmp_path):
    net, learned = learning()
    found = {}
    with simulator(net) as sim:
        sim.train(DATA, keras.optimizers.Adam(0.01), n_epochs=2, shuffle=False)
        found["train"] = sim.data[learned].weights
    with simulator(net) as sim:
        sim.compile(keras.optimizers.Adam(0.01), loss="mse")
        sim.fit(X, Y, epochs=2, shuffle=False, verbose=0)
        found["fit"] = sim.data[learned].weights
    path, optimizer = tmp_path / "half.npz", keras.optimizers.Adam(0.01)
    with simulator(net) as sim:
        sim.train(DATA, optimizer, shuffle=False)
        sim.save_params(path, optimizer=optimizer)
    with simulator(net) as sim:
        again = keras.optimizers.Adam(0.01)
        sim.load_params(path, optimizer=again)
        sim.train(DATA, again, shuffle=False)
        found["resumed"] = sim.data[learned].weights
    for weights in found.values():
        assert_close(weights, found["train"], rtol=1e-10)
        assert weights.shape == (2, 1, 6)


def test_training_goes_on_from_what_a_rule_has_learned():
    net, learned = learning(100)
    x = np.concatenate([X[:1]] * 2)  # both items learn the same
    data = {"in": x, "out": np.concatenate([Y[:1]] * 2)}
    for train in (
        lambda sim: sim.train(data, keras.optimizers.SGD(1e-9)),
        lambda sim: sim.fit(x, data["out"], verbose=0),
    ):
        with simulator(net) as sim:
            sim.compile(keras.optimizers.SGD(1e-9), loss="mse")
            before = np.array(sim.data[learned].weights)
            sim.run_steps(3, data={"in": x})
            found = np.array(sim.data[learned].weights)
            assert np.abs(found - before).max() > 1e-5
            train(sim)
            assert_close(np.array(sim.data[learned].weights), found, rtol=1e-6)


def test_what_learning_rules_see_can_have_targets():
    """For Nengo these Probes have no size."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        pre = nengo.Ensemble(4, 1, neuron_type=nengo.LIFRate())
        post = nengo.Node(size_in=1)
        learned = nengo.Connection(pre, post, learning_rule_type=nengo.PES())
        nengo.Connection(nengo.Node([0.5]), learned.learning_rule, synapse=None)
        probes = [
            nengo.Probe(learned.learning_rule, attr) for attr in ("error", "activities")
        ]
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        outputs = sim.predict(n_steps=3, verbose=0)
        targets = {probe: outputs[probe] + 1 for probe in probes}
        assert np.isclose(sim.loss(targets), 2)
        sim.compile("sgd", loss="mse")
        assert np.isclose(sim.evaluate(None, targets, n_steps=3, verbose=0)["loss"], 2)
