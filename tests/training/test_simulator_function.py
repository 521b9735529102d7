"""`Simulator.function`: the network as a pure, differentiable function."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.builder.signal import Signal
from nengo.exceptions import SimulatorClosed, ValidationError

import nengo_dl
from tests.helpers import rest_with_everything

BATCH, STEPS, ITEMS = 4, 6, 12


def network(noise=False, **settings):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype="float64", **settings)
        net.node = nengo.Node([0], label="stimulus")
        net.ensemble = nengo.Ensemble(15, 1, neuron_type=nengo.LIF())
        net.output = nengo.Node(size_in=1)
        nengo.Connection(net.node, net.ensemble, synapse=0.005)
        nengo.Connection(net.ensemble, net.output, synapse=0.01)
        if noise:
            source = nengo.Node(nengo.processes.WhiteNoise(seed=1))
            nengo.Connection(source, net.ensemble, synapse=None)
        net.probe = nengo.Probe(net.output)
    return net


def data(seed=0):
    rng = np.random.RandomState(seed)
    return rng.uniform(-1, 1, (ITEMS, STEPS, 1)), rng.uniform(-1, 1, (ITEMS, STEPS, 1))


def simulator(net, **kwargs):
    return nengo_dl.Simulator(net, minibatch_size=BATCH, progress_bar=False, **kwargs)


def by_hand(sim, net, x, y, optimizer, n_epochs):
    """Train with a loop that a user would write."""
    f = sim.function(net.probe, training=True)
    pairs = zip(f.params, f.trainable, strict=True)
    params = [tf.Variable(value, trainable=changes) for value, changes in pairs]
    trained = [variable for variable in params if variable.trainable]
    optimizer.build(trained)

    @tf.function(jit_compile=f.jit_compile)
    def update(inputs, targets):
        with tf.GradientTape() as tape:
            outputs, _ = f(params, None, {net.node: inputs})
            loss = tf.reduce_mean((outputs[net.probe] - targets) ** 2)
        optimizer.apply(tape.gradient(loss, trained), trained)
        return loss

    for _ in range(n_epochs):
        for start in range(0, ITEMS, BATCH):
            part = slice(start, start + BATCH)
            update(tf.constant(x[part]), tf.constant(y[part]))
    f.assign(params)


@pytest.mark.parametrize(
    "optimizer",
    rest_with_everything([keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.1)]),
)
def test_a_loop_by_hand_gives_the_weights_of_train(optimizer):
    net = network()
    x, y = data()
    with simulator(net) as sim:
        copy = type(optimizer).from_config(optimizer.get_config())
        sim.train({net.node: x, net.probe: y}, copy, n_epochs=3, shuffle=False)
        expected = [v.numpy() for v in sim._runner.store.variables]
    with simulator(net) as sim:
        before = [v.numpy() for v in sim._runner.store.variables]
        by_hand(sim, net, x, y, optimizer, n_epochs=3)
        found = [v.numpy() for v in sim._runner.store.variables]
    changed = [not np.array_equal(a, b) for a, b in zip(before, found, strict=True)]
    assert sum(changed) >= 2
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_outputs_and_state_are_those_of_the_simulation():
    net = network()
    x, _ = data()
    with simulator(net) as sim:
        f = sim.function()
        state = f.initial_state
        seen = []
        for part in (slice(0, 2), slice(2, STEPS)):
            outputs, state = f(
                f.params, state, {"stimulus": x[:BATCH, part]}, first_step=part.start
            )
            seen.append(outputs[net.probe].numpy())
        sim.run_steps(STEPS, data={net.node: x[:BATCH]})
        np.testing.assert_allclose(
            np.concatenate(seen, axis=1), sim.data[net.probe], atol=1e-12
        )
        for ours, simulated in zip(state, f.state, strict=True):
            np.testing.assert_allclose(ours, simulated, atol=1e-12)


def test_calling_changes_nothing():
    net = network()
    x, _ = data()
    with simulator(net) as sim:
        f = sim.function(training=True)
        before = [v.numpy() for v in (*f.params, *f.state)]
        f(f.params, f.initial_state, {net.node: x[:BATCH]})
        after = [v.numpy() for v in (*f.params, *f.state)]
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
        assert sim.n_steps == 0


def test_gradients_by_inputs_are_slopes():
    net = network()
    with simulator(net) as sim:
        f = sim.function(training=True)
        rng = np.random.RandomState(0)
        x = tf.constant(rng.uniform(0.2, 0.8, (BATCH, STEPS, 1)))

        def total(values):
            outputs, _ = f(f.params, None, {net.node: values})
            return tf.reduce_sum(outputs[net.probe])

        with tf.GradientTape() as tape:
            tape.watch(x)
            value = total(x)
        slope = np.sum(tape.gradient(value, x).numpy())
        step = 1e-6
        difference = (total(x + step) - total(x - step)).numpy() / (2 * step)
        assert abs(slope) > 1e-3
        np.testing.assert_allclose(slope, difference, rtol=1e-4)


def test_random_inputs_are_drawn_anew_in_each_call_and_refused_in_a_graph():
    net = network(noise=True)
    x, _ = data()
    inputs = {net.node: tf.constant(x[:BATCH])}
    with simulator(net) as sim:
        f = sim.function(net.probe)
        first, second = (
            f(f.params, None, inputs)[0][net.probe].numpy() for _ in range(2)
        )
        assert not np.array_equal(first, second)
        graph = tf.function(
            lambda: f(f.params, None, inputs)[0][net.probe], autograph=False
        )
        with pytest.raises(ValidationError, match=r"f.generate\(n_steps\)"):
            graph()
        f.rewind(3)
        fed = f.generate(STEPS)
        given = f(f.params, None, {**inputs, **fed})[0][net.probe]
        f.rewind(3)
        np.testing.assert_array_equal(f(f.params, None, inputs)[0][net.probe], given)


def test_functions_of_time_are_called_for_the_steps_that_run():
    with nengo.Network() as net:
        nengo_dl.configure_settings(dtype="float64")
        probe = nengo.Probe(nengo.Node(lambda t: t), synapse=None)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        f = sim.function()
        outputs, _ = f(f.params, None, {}, n_steps=3, first_step=10)
    np.testing.assert_allclose(outputs[probe].numpy()[0, :, 0], [0.011, 0.012, 0.013])


def test_python_in_the_loop_is_called_directly_and_in_graphs():
    with nengo.Network() as net:
        nengo_dl.configure_settings(dtype="float64")
        node = nengo.Node([0])
        outside = nengo.Node(lambda t, x: x + 1, size_in=1)
        nengo.Connection(node, outside, synapse=None)
        probe = nengo.Probe(outside)
    x = np.arange(4.0).reshape(1, 4, 1)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        f = sim.function(probe)
        assert not f.jit_compile
        directly = f(f.params, None, {node: x})[0][probe]
        graph = tf.function(lambda: f(f.params, None, {node: x})[0][probe])
        np.testing.assert_array_equal(directly, x + 1)
        np.testing.assert_array_equal(graph(), x + 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda f, net: (f.params, None, {}), "number of time steps is not known"),
        (lambda f, net: (f.params, None, None), "Expected a dict {Node: tensor}"),
        (
            lambda f, net: (f.params, None, {net.node: np.zeros((BATCH, 2, 3))}),
            "have shape .* expected",
        ),
        (
            lambda f, net: (f.params, None, {net.node: np.zeros((BATCH + 1, 2, 1))}),
            "have shape .* expected",
        ),
        (lambda f, net: (f.params[1:], None, {}, 2), "Got parameters of shapes"),
        (lambda f, net: (f.params, None, {}, 1.5), "n_steps"),
        (lambda f, net: (f.params, None, {"nobody": np.zeros(1)}), "nobody"),
        (
            lambda f, net: (f.params, None, {**f.generate(3)}, 2),
            r"Generated values .*\(4, 3, 1\); expected \(4, 2, 1\) or \(1, 2, 1\)",
        ),
        (
            lambda f, net: (f.params, None, dict.fromkeys(f.generate(2), "abc"), 2),
            "Generated values",
        ),
        (
            lambda f, net: (f.params, None, {Signal(np.zeros(1), name="own"): 1}, 2),
            "own.* is no input of this function",
        ),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    net = network(noise=True)
    with simulator(net) as sim:
        f = sim.function()
        with pytest.raises(ValidationError, match=message):
            f(*arguments(f, net))


def test_wrong_probes_and_closed_simulators_are_refused():
    net = network()
    with simulator(net) as sim:
        for wrong in (3, [], [net.ensemble], "nobody"):
            with pytest.raises(ValidationError, match="probes"):
                sim.function(wrong)
    with pytest.raises(SimulatorClosed):
        sim.function()


def test_parameters_of_other_shapes_change_nothing():
    net = network()
    with simulator(net) as sim:
        f = sim.function()
        before = [v.numpy() for v in f.params]
        with pytest.raises(ValidationError, match="Got parameters of shapes"):
            f.assign([np.ones(1) for _ in before])
        after = [v.numpy() for v in f.params]
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
        f.assign([2 * v for v in before])
        assert np.array_equal(f.params[0], 2 * before[0])


def test_a_state_beyond_what_steps_lead_to_is_exact():
    """Voltages above the threshold, where a network begins or where they are given."""

    def refractory_times(begin: float, given: float) -> np.ndarray:
        with nengo.Network(seed=0) as net:
            nengo_dl.configure_settings(dtype="float64")
            neuron_type = nengo.LIF(
                initial_state={"voltage": nengo.dists.Choice([begin])}
            )
            ens = nengo.Ensemble(
                2, 1, gain=[1, 1], bias=[2, 4], neuron_type=neuron_type
            )
            probe = nengo.Probe(ens.neurons, "refractory_time")
        with nengo_dl.Simulator(net, progress_bar=False) as sim:
            f = sim.function(probe)
            state = [
                tf.where(value == begin, tf.constant(given, value.dtype), value)
                if value.dtype.is_floating
                else value
                for value in f.state
            ]
            outputs, _ = f(f.params, state, {}, 2)
            return outputs[probe].numpy()

    expected = refractory_times(1.6, 1.6)
    assert np.all(expected[0] < 0)  # they fired long before the step began
    np.testing.assert_allclose(refractory_times(0.3, 1.6), expected, rtol=1e-12)
