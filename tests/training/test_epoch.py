"""Epochs as compiled functions: what is compiled anew, and what is not."""

import gc
import weakref
from dataclasses import dataclass

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from nengo_dl.program import traces
from tests.helpers import rest_with_everything

BATCH = 5


@pytest.fixture(autouse=True)
def nothing_shared():
    traces.shared.forget()
    yield
    traces.shared.forget()


def network(seed=0, noise=False):
    with nengo.Network(seed=seed) as net:
        # what is compiled, and what not, is no matter of XLA
        nengo_dl.configure_settings(jit_compile=False)
        net.a, net.b = nengo.Node([0], label="a"), nengo.Node([0], label="b")
        ensemble = nengo.Ensemble(10, 1, neuron_type=nengo.RectifiedLinear())
        for node in (net.a, net.b):
            nengo.Connection(node, ensemble, synapse=None)
        if noise:
            source = nengo.Node(nengo.processes.WhiteNoise(seed=2))
            nengo.Connection(source, ensemble, synapse=None)
        net.out = nengo.Node(size_in=1)
        nengo.Connection(ensemble, net.out, synapse=None)
        net.p = nengo.Probe(net.out, label="p")
        net.q = nengo.Probe(net.out, label="q")
    return net


def simulator(net, **kwargs):
    return nengo_dl.Simulator(net, minibatch_size=BATCH, progress_bar=False, **kwargs)


X = np.linspace(-1, 1, 20).reshape(20, 1, 1)


def compiled(sim):
    return len(traces.shared) + len(sim._trainer.traces)


def test_fresh_functions_and_optimizers_compile_nothing_new():
    net = network()
    with simulator(net) as sim:
        counts = set()
        for k in range(12):
            objective = {net.p: lambda outputs, targets: tf.reduce_mean(outputs**2)}
            optimizer = keras.optimizers.Adam(0.001 * (k + 1))
            sim.train({net.a: X, net.p: X}, optimizer, objective=objective)
            counts.add(compiled(sim))
        assert counts == {1}


class Scaled:
    def __init__(self, factor):
        self.factor = [factor]

    def __call__(self, outputs, targets):
        return self.factor[0] * tf.reduce_mean((outputs - targets) ** 2)


@dataclass(frozen=True)
class FrozenScaled:
    factor: float

    def __call__(self, outputs, targets):
        return self.factor * tf.reduce_mean((outputs - targets) ** 2)


class KerasScaled(keras.losses.Loss):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * tf.reduce_mean((y_pred - y_true) ** 2, axis=-1)


class Counting(Scaled):
    """Changes itself while it is traced."""

    calls = 0

    def __call__(self, outputs, targets):
        self.calls += 1
        return super().__call__(outputs, targets)


@pytest.mark.parametrize("kind", [Scaled, FrozenScaled, KerasScaled])
def test_equal_objectives_of_other_simulators_compile_nothing_new(kind):
    net = network()
    losses = []
    for factor, n_traces in ((1.0, 1), (1.0, 1), (5.0, 2)):
        with simulator(net) as sim:
            losses.append(sim.loss({net.a: X, net.p: X}, objective=kind(factor)))
            assert (len(traces.shared), len(sim._trainer.traces)) == (n_traces, 0)
    np.testing.assert_allclose(losses, [losses[0], losses[0], 5 * losses[0]], rtol=1e-5)


def test_equal_losses_and_metrics_of_fit_compile_nothing_new():
    net = network()
    for _ in range(2):
        with simulator(net) as sim:
            metric = [lambda y_true, y_pred: tf.reduce_mean((y_pred - y_true) ** 2)]
            sim.compile(
                keras.optimizers.SGD(0.1), loss=KerasScaled(2.0), metrics=metric
            )
            sim.fit({net.a: X}, {net.p: X}, verbose=0)
            assert (len(traces.shared), len(sim._trainer.traces)) == (1, 0)


def test_objectives_that_change_while_they_are_traced_are_traced_for_each_object():
    net = network()
    for _ in range(2):
        objective = Counting(1.0)
        with simulator(net) as sim:
            for _ in range(2):
                sim.loss({net.a: X, net.p: X}, objective=objective)
                assert (len(traces.shared), len(sim._trainer.traces)) == (0, 1)
        assert objective.calls >= 1


def test_learning_rates_count_although_nothing_is_compiled_anew():
    net = network()
    weights = []
    for rate in (0.0, 0.1):
        with simulator(net) as sim:
            before = sim._runner.store.variables[0].numpy()
            sim.train({net.a: X, net.p: X}, keras.optimizers.SGD(rate))
            weights.append(sim._runner.store.variables[0].numpy() - before)
            assert len(traces.shared) == 1
    assert not np.any(weights[0])
    assert np.any(weights[1])


def test_a_sweep_over_seeds_gives_what_simulators_of_their_own_give():
    def losses(forget):
        found = []
        for seed in range(3):
            if forget:
                traces.shared.forget()
            net = network(seed)
            with simulator(net, seed=seed) as sim:
                data = {net.a: X, net.p: X**2}
                optimizer = keras.optimizers.Adam(0.01 * (seed + 1))
                found.append(sim.train(data, optimizer, n_epochs=3))
        return found

    together = losses(forget=False)
    # for each seed the same computation was found again
    assert len(traces.shared) == 1
    np.testing.assert_array_equal(together, losses(forget=True))


@pytest.mark.parametrize("call", rest_with_everything(["fit", "train"]))
def test_a_sweep_over_numbers_of_an_optimizer_compiles_once(call):
    def end(value, forget):
        if forget:
            traces.shared.forget()
        net = network()
        adam = keras.optimizers.Adam(0.1, beta_1=value, clipnorm=1 - value)
        with simulator(net, seed=0) as sim:
            if call == "train":
                sim.train({net.a: X, net.p: X**2}, adam)
            else:
                sim.compile(adam, loss={net.p: "mse"})
                sim.fit({net.a: X}, {net.p: X**2}, verbose=0)
            return np.hstack([v.numpy() for v in sim._runner.store.variables])

    values = (0.9, 0.5)
    together = [end(value, forget=False) for value in values]
    assert len(traces.shared) == 1
    alone = [end(value, forget=True) for value in values]
    np.testing.assert_array_equal(together, alone)
    assert not np.array_equal(*together)


@pytest.mark.parametrize(
    "other",
    [
        lambda net: ({net.b: X, net.p: X}, "sgd", {}),
        lambda net: ({net.a: X, net.b: X, net.p: X}, "sgd", {}),
        lambda net: ({net.a: X, net.q: X}, "sgd", {}),
        lambda net: ({net.a: X, net.p: X}, "adam", {}),
        lambda net: ({net.a: X, net.p: X}, keras.optimizers.SGD(0.1, momentum=0.5), {}),
        lambda net: ({net.a: X[:10], net.p: X[:10]}, "sgd", {}),
        lambda net: ({net.a: X, net.p: X}, "sgd", {"objective": "mae"}),
        lambda net: (
            {net.a: np.tile(X, (1, 2, 1)), net.p: np.tile(X, (1, 2, 1))},
            "sgd",
            {"truncation": 1},
        ),
    ],
)
def test_whatever_matters_compiles_anew_and_changes_what_comes_out(other):
    """Each call gives what it gives first in a simulator of its own."""

    def run(calls):
        net = network()
        with simulator(net) as sim:
            for call in calls:
                data, optimizer, options = call(net)
                losses = sim.train(data, optimizer, shuffle=False, **options)
            return losses, [v.numpy() for v in sim._runner.store.variables]

    def first(net):
        return {net.a: X, net.p: X}, keras.optimizers.SGD(0.0), {}

    # with a learning rate of 0 the first call leaves the parameters as they are
    losses, weights = run([first, other])
    expected_losses, expected = run([other])
    np.testing.assert_array_equal(losses, expected_losses)
    for ours, alone in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(ours, alone)


def test_data_for_other_nodes_than_in_the_call_before():
    """Equal shapes must not be mistaken for equal Nodes."""
    net = network()
    with simulator(net) as sim:
        found = [
            sim.loss({node: scale * X, net.p: X})
            for node, scale in ((net.a, 1), (net.b, 2), (net.a, 1), (net.b, 2))
        ]
        both = sim.loss({net.a: X, net.b: 2 * X, net.p: X})
    assert found[0] == found[2] != found[1] == found[3]
    assert both not in found
    with simulator(net) as sim:
        assert sim.loss({net.b: 2 * X, net.p: X}) == found[1]


@pytest.mark.parametrize("n_steps", [1, 3])
def test_noise_is_new_in_each_minibatch_however_many_run_in_one_call(
    n_steps, monkeypatch
):
    """The numbers are those of minibatches that run one by one."""
    x = np.tile(X, (1, n_steps, 1))

    def losses(room):
        monkeypatch.setattr("nengo_dl.training.epoch.MAX_GENERATED", room)
        net = network(noise=True)
        with simulator(net, seed=3) as sim:
            first = sim.train({net.a: x, net.p: x}, "sgd", n_epochs=6)
            return np.append(first, sim.loss({net.a: x, net.p: x}))

    one_by_one, together = losses(0), losses(2**20)
    np.testing.assert_array_equal(one_by_one, together)
    assert len(set(one_by_one)) == 7


def test_models_are_freed_although_what_was_compiled_is_kept():
    net = network()
    with simulator(net) as sim:
        sim.train({net.a: X, net.p: X}, "sgd")
        model = weakref.ref(sim.model)
    del sim
    gc.collect()
    assert len(traces.shared) == 1
    assert model() is None


def test_variables_of_the_users_own_are_not_mixed_up():
    net = network()
    with simulator(net) as sim:
        found = []
        for scale in (1.0, 3.0):
            factor = tf.Variable(scale, trainable=False)
            objective = {net.p: lambda y, factor=factor: factor * tf.reduce_mean(y**2)}
            found.append(sim.loss({net.a: X}, objective))
            factor.assign(0.0)
            assert sim.loss({net.a: X}, objective) == 0
        assert found[1] == pytest.approx(3 * found[0])
        assert len(traces.shared) == 0


def test_global_names_that_a_function_uses_count(monkeypatch):
    net = network()
    with simulator(net) as sim:
        found = []
        for scale in (1.0, 2.0):
            monkeypatch.setitem(globals(), "SCALE", scale)
            found.append(sim.loss({net.a: X}, {net.p: _scaled}))
    assert found[1] == pytest.approx(2 * found[0])


SCALE = 1.0


def _scaled(outputs):
    return SCALE * tf.reduce_mean(outputs**2)


def test_large_variables_are_not_kept_for_others(monkeypatch):
    monkeypatch.setattr(traces, "MAX_BYTES", 10)
    net = network()
    with simulator(net) as sim:
        sim.train({net.a: X, net.p: X}, "sgd")
        assert (len(traces.shared), len(sim._trainer.traces)) == (0, 1)


class Scaled:
    """An objective with a memory, and a factor that users change."""

    factor = 1.0

    def __init__(self):
        self.traced = 0

    def __call__(self, outputs, targets):
        self.traced += 1
        return self.factor * tf.reduce_mean((outputs - targets) ** 2)


def test_what_an_objective_sees_may_change_between_calls():
    net, scaled = network(), Scaled()
    with simulator(net) as sim:
        sim.compile("sgd", loss={net.p: lambda y_true, y_pred: scaled(y_pred, y_true)})

        def measured():
            data = {net.a: X, net.p: X}
            outputs = {net.p: lambda y: scaled.factor * tf.reduce_sum(y)}
            return np.array(
                [
                    sim.loss(data, objective={net.p: scaled}),
                    sim.evaluate({net.a: X}, {net.p: X}, verbose=0)["loss"],
                    np.sum(sim.run_batch({net.a: X}, outputs=outputs)[net.p]),
                ]
            )

        first = measured()
        scaled.factor = 2.0
        assert np.allclose(measured(), 2 * first)


def test_what_an_objective_counts_while_it_is_traced_is_no_reason_to_trace_it_again():
    net, scaled = network(), Scaled()
    with simulator(net) as sim:
        for _ in range(3):
            sim.loss({net.a: X, net.p: X}, objective=scaled)
            assert scaled.traced == 1


@pytest.mark.parametrize("kind", ["random", "python"])
def test_what_does_something_else_in_each_call_is_not_shared(kind):
    net, seen = network(), np.zeros(1)

    def random(outputs):
        return tf.reduce_mean(outputs + tf.random.normal(tf.shape(outputs)))

    def python(outputs):
        return tf.reduce_mean(
            tf.numpy_function(lambda x: x + np.float32(seen[0]), [outputs], tf.float32)
        )

    found = []
    for _ in range(2):
        tf.random.set_seed(3)
        with simulator(net) as sim:
            objective = random if kind == "random" else python
            found.append(sim.loss({net.a: X}, objective={net.p: objective}))
        assert not len(traces.shared)
    assert found[0] == found[1]
