"""Where time goes on, random numbers do; where it returns, they do, too."""

import copy
import pickle

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError
from nengo.processes import FilteredNoise, WhiteNoise

import nengo_dl


class RandomWalk(nengo.Process):
    """Adds random numbers to its input."""

    def __init__(self):
        super().__init__(default_size_in=1, default_size_out=1)

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return {"walk": np.zeros(shape_out)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        walk = state["walk"]

        def step(t, x):
            walk[...] += rng.standard_normal(shape_out) + x
            return walk

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
    for _ in range(2):
        np.testing.assert_array_equal(run(sim, stateful=False), expected[1])
    np.testing.assert_array_equal(run(sim), expected[1])


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
    np.testing.assert_array_equal(run(sim), expected[1])


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


def test_isolated_minibatches_use_nothing_up(sim, expected):
    """Each minibatch starts where the simulation is, and it stays there."""
    sim.reset()
    np.testing.assert_array_equal(run(sim), expected[0])
    batch = sim.minibatch_size or 1
    u = next(node for node in sim.model.toplevel.all_nodes if node.label == "u")
    x = {u: np.full((3 * batch, STEPS, 1), 0.1)}
    white = sim.model.probes[0]
    isolated = {"stateful": True, "callbacks": [nengo_dl.callbacks.IsolateState(sim)]}
    found = sim.predict(x, verbose=0, **isolated)
    for part in np.split(found[white], 3):
        np.testing.assert_array_equal(part, expected[1][:, :, :1])
    sim.compile(loss="mse")
    target = {white: np.tile(expected[1][:, :, :1], (3, 1, 1))}
    assert sim.evaluate(x, target, verbose=0, **isolated)["loss"] < 1e-10
    np.testing.assert_array_equal(run(sim), expected[1])


class Times(nengo.Process):
    """Adds up at which times it was stepped."""

    def __init__(self, fails_at=None):
        super().__init__(default_size_in=0, default_size_out=1)
        self.fails_at = fails_at

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return {}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        total = np.zeros(shape_out)

        def step(t):
            if self.fails_at is not None and t > self.fails_at - dt / 2:
                raise RuntimeError("no more")
            total[...] += np.sqrt(t)
            return total

        return step


def successor(sim, call, path):
    """Return the simulator that goes on where one is: itself, a copy, or a new one."""
    if call == "copy":
        return copy.copy(sim)
    if call == "pickle":
        return pickle.loads(pickle.dumps(sim))
    if call == "file":
        sim.save_params(path, include_state=True)
        other = nengo_dl.Simulator(
            sim.model.toplevel,
            dtype="float64" if sim.data[sim.model.probes[0]].dtype == float else None,
            minibatch_size=sim.minibatch_size,
            progress_bar=False,
        )
        other.load_params(path, include_state=True)
        return other
    return sim


@pytest.mark.parametrize("call", ["copy", "pickle", "file", "ahead", "fails"])
def test_processes_are_stepped_at_their_own_times(call, tmp_path):
    """Also where others have run some of the steps, or time began again."""
    with nengo.Network(seed=0) as network:
        node = nengo.Node(Times())
        probe = nengo.Probe(node)

    def begun():
        sim = nengo_dl.Simulator(network, progress_bar=False, dtype="float64")
        sim.run_steps(3)
        sim.run_steps(4, data={node: np.ones((1, 4, 1))})
        sim.run_steps(2)
        sim.reset(include_processes=False)
        sim.run_steps(2)
        return sim

    with begun() as sim:
        sim.run_steps(3)
        expected = sim.data[probe][-3:]
    with begun() as sim:
        other = successor(sim, call, tmp_path / "p.npz")
        if call == "ahead":
            sim.run_steps(5, stateful=False)
        elif call == "fails":
            fails = keras.callbacks.LambdaCallback(on_predict_batch_end=no_more)
            with pytest.raises(RuntimeError, match="no more"):
                sim.predict(n_steps=5, stateful=True, callbacks=[fails], verbose=0)
        with other:
            other.run_steps(3)
            (probe,) = other.model.probes
            np.testing.assert_array_equal(other.data[probe][-3:], expected)


def no_more(batch, logs=None):
    """Fail."""
    raise RuntimeError("no more")


@pytest.mark.parametrize("call", ["copy", "pickle", "file", "ahead"])
def test_what_neurons_draw_in_python_goes_on(call, tmp_path):
    """Nengo's own draws for `PoissonSpiking`, and a Process that has an input."""
    with nengo.Network(seed=0) as network:
        nengo_dl.configure_settings(nengo_random_draws=True)
        ensemble = nengo.Ensemble(
            20, 1, neuron_type=nengo.PoissonSpiking(nengo.LIFRate())
        )
        walk = nengo.Node(RandomWalk(), size_in=1)
        probes = nengo.Probe(ensemble.neurons), nengo.Probe(walk)

    with nengo_dl.Simulator(network, progress_bar=False, minibatch_size=2) as sim:
        sim.run_steps(2 * STEPS)
        expected = [sim.data[probe][:, -STEPS:] for probe in probes]
        sim.reset()
        sim.run_steps(STEPS)
        other = successor(sim, call, tmp_path / "p.npz")
        if call == "ahead":
            sim.run_steps(STEPS, stateful=False)
        other.run_steps(STEPS)
        for probe, values in zip(other.model.probes, expected, strict=True):
            np.testing.assert_array_equal(other.data[probe][:, -STEPS:], values)


@pytest.mark.parametrize("saved", [True, False])
def test_files_of_others_who_draw(saved, tmp_path):
    """Nothing is changed if random numbers are drawn in another way here."""

    def made(in_python):
        with nengo.Network(seed=0) as network:
            nengo_dl.configure_settings(nengo_random_draws=in_python)
            neurons = nengo.PoissonSpiking(nengo.LIFRate())
            nengo.Probe(nengo.Ensemble(20, 1, neuron_type=neurons))
        return nengo_dl.Simulator(network, progress_bar=False)

    with made(saved) as sim, made(not saved) as other:
        sim.run_steps(3)
        sim.save_params(tmp_path / "p.npz", include_state=True)
        with pytest.raises(ValidationError, match="nengo_random_draws"):
            other.load_params(tmp_path / "p.npz", include_state=True)
        assert other.n_steps == 0
        other.run_steps(2)


@pytest.mark.parametrize("stateful", [True, False])
def test_steps_before_a_process_fails(stateful):
    """They are kept, as in Nengo, and what others have drawn ahead is given back."""
    with nengo.Network(seed=0) as network:
        noise = nengo.Node(WhiteNoise(), size_out=1)
        fails = nengo.Node(Times(fails_at=0.006))
        after = nengo.Node(WhiteNoise(), size_out=1)
        probes = [nengo.Probe(node) for node in (noise, fails, after)]
    with nengo.Simulator(network, progress_bar=False) as reference:
        with pytest.raises(RuntimeError, match="no more"):
            reference.run_steps(10)
        expected = [reference.data[probe] for probe in probes]
    with nengo_dl.Simulator(network, progress_bar=False, dtype="float64") as sim:
        if not stateful:
            with pytest.raises(RuntimeError, match="no more"):
                sim.run_steps(10, stateful=False)
            assert sim.n_steps == 0
            sim.clear_probes()
        with pytest.raises(RuntimeError, match="no more"):
            sim.run_steps(10)
        assert sim.n_steps == 5
        for probe, values in zip(probes, expected, strict=True):
            np.testing.assert_allclose(sim.data[probe], values)
