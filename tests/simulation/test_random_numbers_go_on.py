"""Where time goes on, random numbers do; where it returns, they do, too."""

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.processes import FilteredNoise, WhiteNoise

import nengo_dl


class RandomWalk(nengo.Process):
    """Adds random numbers to its input, and counts its steps outside its state."""

    def __init__(self):
        super().__init__(default_size_in=1, default_size_out=1)

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return {"walk": np.zeros(shape_out)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        walk, counted = state["walk"], []

        def step(t, x):
            counted.append(t)
            walk[...] += rng.standard_normal(shape_out) + x
            return walk + len(counted)

        return step


STEPS = 20


@pytest.fixture(scope="module", params=[None, 2])
def sim(request):
    """Everything that draws random numbers, and some of it apart from the rest."""
    with nengo.Network(seed=1) as network:
        u = nengo.Node([0.1], label="u")
        white = nengo.Node(WhiteNoise(), size_out=1, label="white")
        slow = nengo.Node(FilteredNoise(seed=3), size_out=1)
        walk = nengo.Node(RandomWalk(), size_in=1)
        nengo.Connection(u, walk)
        neurons = nengo.Ensemble(
            10,
            1,
            neuron_type=nengo.PoissonSpiking(nengo.RectifiedLinear()),
            noise=WhiteNoise(),
        )
        nengo.Connection(white, neurons)
        drawn = nengo_dl.TensorNode(
            lambda t: tf.random.normal((1, 1)), pass_time=True, shape_out=(1,)
        )
        for target in (white, slow, walk, neurons, drawn, neurons.neurons):
            nengo.Probe(target)
    with nengo_dl.Simulator(
        network, seed=5, minibatch_size=request.param, progress_bar=False
    ) as sim:
        yield sim


def rows(sim, samples):
    """Return samples of all Probes side by side, shape (batch, n_steps, size)."""
    batch = sim.minibatch_size or 1
    return np.concatenate(
        [np.reshape(a, (batch, STEPS, -1)) for a in samples.values()], axis=-1
    )


def run(sim, stateful=True):
    """Return what a run records."""
    sim.clear_probes()
    sim.run_steps(STEPS, stateful=stateful)
    return rows(sim, {probe: sim.data[probe] for probe in sim.model.probes})


def predict(sim, stateful=True):
    """Return what a prediction gives."""
    return rows(sim, sim.predict(n_steps=STEPS, stateful=stateful, verbose=0))


@pytest.fixture
def expected(sim):
    """Three stretches of one run."""
    sim.reset()
    return [run(sim) for _ in range(3)]


def test_predictions_go_on(sim, expected):
    """Predictions that keep the state are pieces of one run."""
    sim.reset()
    for i, call in enumerate((predict, run, predict)):
        np.testing.assert_array_equal(call(sim), expected[i])
    sim.reset()
    for i, call in enumerate((run, predict, predict)):
        np.testing.assert_array_equal(call(sim), expected[i])


def test_measuring_goes_on(sim, expected):
    """What `evaluate` passes over is over, also where no loss depends on it."""
    white = sim.model.probes[0]
    u = next(node for node in sim.model.toplevel.all_nodes if node.label == "u")
    batch = sim.minibatch_size or 1
    x = {u: np.full((batch, STEPS, 1), 0.1)}
    sim.reset()
    sim.compile(loss="mse")
    for i in range(2):
        target = {white: expected[i][:, :, :1]}
        loss = sim.evaluate(x, target, stateful=True, verbose=0)["loss"]
        assert loss < 1e-10 and sim.n_steps == (i + 1) * STEPS
    # `evaluate` rounds as it likes
    np.testing.assert_allclose(run(sim), expected[2], rtol=1e-5, atol=1e-5)


def test_looking_ahead_uses_nothing_up(sim, expected):
    """Runs that leave the state where it is give the random numbers back."""
    sim.reset()
    for _ in range(2):
        np.testing.assert_array_equal(run(sim, stateful=False), expected[0])
    np.testing.assert_array_equal(run(sim), expected[0])
    # what a Process with an input keeps outside its state is not known to anybody
    others = np.arange(expected[1].shape[-1]) != 2
    for _ in range(2):
        ahead = run(sim, stateful=False)
        np.testing.assert_array_equal(ahead[..., others], expected[1][..., others])
    np.testing.assert_array_equal(run(sim)[..., others], expected[1][..., others])


def test_predictions_that_fail(sim, expected):
    """The simulation draws what it would have drawn without them."""

    class Fails(tf.keras.callbacks.Callback):
        def on_predict_batch_end(self, batch, logs=None):
            raise RuntimeError("enough")

    sim.reset()
    np.testing.assert_array_equal(run(sim), expected[0])
    with pytest.raises(RuntimeError, match="enough"):
        sim.predict(n_steps=STEPS, stateful=True, callbacks=[Fails()], verbose=0)
    assert sim.n_steps == STEPS
    others = np.arange(expected[1].shape[-1]) != 2
    np.testing.assert_array_equal(run(sim)[..., others], expected[1][..., others])


def test_predictions_beside_the_simulation(sim, expected):
    """Without the state, random numbers are those of the seed from their beginning."""
    sim.reset()
    np.testing.assert_array_equal(run(sim), expected[0])
    first = predict(sim, stateful=False)
    np.testing.assert_array_equal(first, predict(sim, stateful=False))
    np.testing.assert_array_equal(first[..., 0], expected[0][..., 0])
    np.testing.assert_array_equal(run(sim), expected[1])


def test_training_that_goes_on():
    """What no loss depends on goes on, too."""
    with nengo.Network(seed=0) as network:
        u = nengo.Node([1.0])
        trained = nengo.Node(size_in=1)
        nengo.Connection(u, trained, synapse=None)
        probe = nengo.Probe(trained)
        beside = nengo.Probe(u, synapse=0.1)
    with nengo_dl.Simulator(network, progress_bar=False) as sim:
        sim.run_steps(2 * STEPS)
        expected = sim.data[beside][STEPS:]
        sim.reset()
        sim.compile("sgd", loss={probe: "mse"})
        x, y = np.ones((1, STEPS, 1)), np.zeros((1, STEPS, 1))
        with pytest.warns(UserWarning, match="trainable"):
            sim.fit({u: x}, {probe: y}, stateful=True, verbose=0)
        sim.run_steps(STEPS)
        np.testing.assert_allclose(sim.data[beside], expected, rtol=1e-6)
