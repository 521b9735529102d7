"""Python code that no Probe depends on: called wherever a run calls it."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl

N_STEPS = 12


class World:
    """State outside the network, which one Node reads and another one changes."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.x, self.n_calls = 1.0, 0

    def sense(self, t):
        return self.x

    def act(self, t, x):
        self.n_calls += 1
        self.x = 0.9 * self.x + 0.1 * float(x[0])


class Acts(nengo.Process):
    """A Process of the user's that changes the world."""

    def __init__(self, world):
        super().__init__(default_size_in=1, default_size_out=0)
        self.world = world

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return {}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        def step(t, x):
            self.world.act(t, x)
            return np.zeros(shape_out)

        return step


@pytest.fixture(scope="module", params=["function", "Process"])
def closed_loop(request):
    world = World()
    act = world.act if request.param == "function" else Acts(world)
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype="float64", jit_compile=False)
        sensor = nengo.Node(world.sense)
        actor = nengo.Node(act, size_in=1, size_out=0)
        nengo.Connection(sensor, actor, synapse=0.005, transform=-1)
        neurons = nengo.Ensemble(5, 1, neuron_type=nengo.LIFRate())
        nengo.Connection(sensor, neurons, synapse=None)
        seen = nengo.Probe(sensor, label="seen")
        nengo.Probe(neurons, label="trained")
    with nengo.Simulator(net, progress_bar=False) as sim:
        world.reset()
        sim.run_steps(N_STEPS)
        expected = sim.data[seen]
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        yield world, seen, sim, expected[None]


def recorded(sim, probe):
    """Run, and return what is recorded."""
    sim.run_steps(N_STEPS, stateful=False)
    return sim.data[probe][None]


TARGETS = np.zeros((1, N_STEPS, 1))
ZEROS = {"seen": TARGETS, "trained": TARGETS}

OUTPUTS = {
    "predict": lambda sim, p: sim.predict(n_steps=N_STEPS, verbose=0)[p],
    "predict_on_batch": lambda sim, p: sim.predict_on_batch(None, n_steps=N_STEPS)[p],
    "run_batch": lambda sim, p: sim.run_batch(N_STEPS, {p: None})[p][0],
    "run": lambda sim, p: (sim.run_steps(N_STEPS, stateful=False), sim.data[p][None])[
        1
    ],
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs(closed_loop, name):
    world, seen, sim, expected = closed_loop
    world.reset()
    np.testing.assert_allclose(OUTPUTS[name](sim, seen), expected, atol=1e-12)
    assert world.n_calls == N_STEPS


def fit(sim, seen, **options):
    sim.compile(keras.optimizers.SGD(0.0), loss="mse", **options)
    history = sim.fit(y=ZEROS, n_steps=N_STEPS, verbose=0).history
    return history["seen_loss"][0]


def evaluate(sim, seen):
    sim.compile(loss={seen: "mse"})
    return sim.evaluate(y={seen: TARGETS}, n_steps=N_STEPS, verbose=0)["loss"]


LOSSES = {
    "loss": lambda sim, p: sim.loss({p: TARGETS}),
    "train": lambda sim, p: sim.train(
        ZEROS, "sgd", objective={p: "mse", "trained": lambda o: 0 * tf.reduce_sum(o)}
    )[0],
    "fit": fit,
    "eagerly": lambda sim, p: fit(sim, p, run_eagerly=True),
    "evaluate": evaluate,
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(closed_loop, name):
    world, seen, sim, expected = closed_loop
    world.reset()
    found = LOSSES[name](sim, seen)
    assert found == pytest.approx(np.mean(expected**2), rel=1e-12)
    assert world.n_calls == N_STEPS


@pytest.mark.parametrize("method", ["loss", "train", "fit", "evaluate", "predict"])
def test_functions_without_an_output_are_called_in_each_step(method):
    times = []
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node([0.5], label="in")
        ensemble = nengo.Ensemble(3, 1, neuron_type=nengo.RectifiedLinear())
        nengo.Connection(node, ensemble, synapse=None)
        nengo.Probe(ensemble, label="out")
        watch = nengo.Node(lambda t, x: times.append(round(t, 3)), size_in=1)
        nengo.Connection(ensemble, watch, synapse=None)
    x = np.full((2, 4, 1), 0.5)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.compile("sgd", loss="mse")
        times.clear()
        {
            "loss": lambda: sim.loss({"in": x, "out": x}),
            "train": lambda: sim.train({"in": x, "out": x}, "sgd", shuffle=False),
            "fit": lambda: sim.fit(x, x, verbose=0, shuffle=False),
            "evaluate": lambda: sim.evaluate(x, x, verbose=0),
            "predict": lambda: sim.predict(x, verbose=0),
        }[method]()
    assert times == [0.001, 0.002, 0.003, 0.004] * 2
