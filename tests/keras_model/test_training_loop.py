"""`fit` and `evaluate` of arrays: compiled epochs that behave as Keras does."""

import warnings

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

import nengo_dl
from nengo_dl.keras_model.training_loop import wants_each_batch
from nengo_dl.program import traces
from tests.helpers import rest_with_everything

BATCH, ITEMS, STEPS = 4, 12, 6

#: Keras runs minibatch by minibatch where it is told how many to run at once
BY_KERAS = {"steps_per_execution": 1}


def network(noise=False, **settings):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False, dtype="float64", **settings)
        net.node = nengo.Node([0])
        ensemble = nengo.Ensemble(12, 1, neuron_type=nengo.LIF())
        net.out = nengo.Node(size_in=1)
        nengo.Connection(net.node, ensemble, synapse=0.005)
        nengo.Connection(ensemble, net.out, synapse=0.01)
        if noise:
            source = nengo.Node(nengo.processes.WhiteNoise())
            nengo.Connection(source, ensemble, synapse=None)
        net.p = nengo.Probe(net.out, label="p")
        net.q = nengo.Probe(net.node, label="q")
    return net


def data(seed=0):
    rng = np.random.RandomState(seed)
    return rng.uniform(-1, 1, (2, ITEMS, STEPS, 1))


def simulator(net, **kwargs):
    return nengo_dl.Simulator(
        net, minibatch_size=BATCH, seed=3, progress_bar=False, **kwargs
    )


def weights_of(sim):
    return [variable.numpy() for variable in sim._runner.store.variables]


def fitted(net, compilation, optimizer="adam", **options):
    """Return history, weights, and what `evaluate` gives after it."""
    x, y = data()
    with simulator(net) as sim:
        sim.compile(
            optimizer,
            loss={net.p: "mse", net.q: lambda y_pred: 0.1 * y_pred**2},
            metrics={net.p: ["mae", keras.metrics.MeanSquaredError(name="again")]},
            **compilation,
        )
        history = sim.fit(
            x, {net.p: y}, epochs=3, verbose=0, shuffle=False, **options
        ).history
        found = sim.evaluate(x, {net.p: y}, verbose=0)
        return history, weights_of(sim), found


def assert_same(ours, keras_own):
    for a, b in zip(ours[::2], keras_own[::2], strict=True):
        assert list(a) == list(b)
        for name in a:
            np.testing.assert_allclose(a[name], b[name], rtol=1e-12, err_msg=name)
    for a, b in zip(ours[1], keras_own[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


OPTIONS = {
    "plain": {},
    "validation_split": {"validation_split": 1 / 3},
    "validation_data": {
        "validation_data": (data(1)[0], {"p": data(1)[1]}),
        "validation_freq": 2,
    },
    "sample_weight": {"sample_weight": np.linspace(0, 2, ITEMS)},
    "initial_epoch": {"initial_epoch": 1},
}
CASES = [
    ("plain", True),
    ("validation_split", False),
    ("validation_data", True),
    ("sample_weight", False),
    ("initial_epoch", False),
]
MORE_CASES = [(name, not noise) for name, noise in CASES]


@pytest.mark.parametrize(
    "name, noise",
    rest_with_everything(CASES + MORE_CASES, 3, together=True),
)
def test_all_that_comes_out_is_what_comes_out_of_keras_loop(name, noise):
    net, options = network(noise), OPTIONS[name]
    ours = fitted(net, {}, **options)
    assert_same(ours, fitted(net, BY_KERAS, **options))
    assert len(ours[0]["loss"]) == 3 - options.get("initial_epoch", 0)


class Diary(keras.callbacks.Callback):
    """Writes down what it is told, and whether losses come with it."""

    def __init__(self):
        super().__init__()
        self.told = []

    def __getattribute__(self, name):
        if not name.startswith("on_"):
            return super().__getattribute__(name)

        def note(*arguments, logs=None):
            # values of the two loops differ by rounding
            given = [tuple(sorted(a)) if isinstance(a, dict) else a for a in arguments]
            self.told.append((name, *given, tuple(sorted(logs or ()))))

        return note


def test_callbacks_are_told_what_keras_tells_them():
    net = network()
    diaries = []
    for compilation in ({}, BY_KERAS):
        diary = Diary()
        fitted(net, compilation, callbacks=[diary], validation_split=1 / 3)
        diaries.append(diary.told)
    assert diaries[0] == diaries[1]
    assert ("on_train_batch_end", 1) in {told[:2] for told in diaries[0]}


def test_a_callback_can_stop_training():
    net = network()
    x, y = data()
    with simulator(net) as sim:
        sim.compile(keras.optimizers.SGD(0.0), loss={net.p: "mse"})
        stop = keras.callbacks.EarlyStopping("loss", patience=1)
        history = sim.fit(x, {net.p: y}, epochs=20, verbose=0, callbacks=[stop])
        assert len(history.history["loss"]) == 2
        seen = []

        def end(batch, logs):
            seen.append(batch)
            sim.keras_model.stop_training = True

        callback = keras.callbacks.LambdaCallback(on_train_batch_end=end)
        sim.fit(x, {net.p: y}, epochs=20, verbose=0, callbacks=[callback])
        assert seen == [0]


def test_learning_rates_that_callbacks_set_count():
    net = network()
    x, y = data()
    with simulator(net) as sim:
        before = weights_of(sim)
        sim.compile(keras.optimizers.SGD(0.5), loss={net.p: "mse"})
        rate = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.0)
        sim.fit(x, {net.p: y}, epochs=2, verbose=0, callbacks=[rate])
        for a, b in zip(before, weights_of(sim), strict=True):
            np.testing.assert_array_equal(a, b)


def test_who_wants_each_batch():
    class Batch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            pass

    class Test(keras.callbacks.Callback):
        def on_test_batch_begin(self, batch, logs=None):
            pass

    class Epoch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            pass

    def nothing(*_):
        pass

    cbs = keras.callbacks
    for callback in (Batch(), Test(), cbs.LambdaCallback(on_train_batch_begin=nothing)):
        assert wants_each_batch(callback)
    assert wants_each_batch(cbs.ModelCheckpoint("x.weights.h5", save_freq=3))
    assert wants_each_batch(cbs.TerminateOnNaN())
    for callback in (
        Epoch(),
        cbs.History(),
        cbs.ProgbarLogger(),
        cbs.EarlyStopping(),
        cbs.LambdaCallback(on_epoch_end=nothing),
        cbs.ModelCheckpoint("x.weights.h5"),
    ):
        assert not wants_each_batch(callback)
    assert wants_each_batch(cbs.CallbackList([Epoch(), Batch()]))


@pytest.mark.parametrize("shuffle", [True, "batch"])
def test_each_item_comes_once_in_an_epoch_in_an_order_of_the_seed(shuffle):
    net = network()
    x, y = data()
    histories = []
    for _ in range(2):
        with simulator(net) as sim:
            sim.compile(keras.optimizers.SGD(0.0), loss={net.p: "mse"})
            seen = []
            callback = keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda _, logs, seen=seen: seen.append(logs["loss"])
            )
            history = sim.fit(
                x,
                {net.p: y},
                epochs=3,
                verbose=0,
                shuffle=shuffle,
                callbacks=[callback],
            )
            # the mean over an epoch does not depend on the order
            np.testing.assert_allclose(history.history["loss"], seen[2], rtol=1e-12)
            histories.append(seen)
    assert histories[0] == histories[1]
    assert histories[0][:3] != histories[0][3:6]


@pytest.mark.parametrize("compilation", [{}, BY_KERAS])
def test_truncation_is_that_of_train(compilation):
    net = network()
    x, y = data()
    with simulator(net) as sim:
        sim.train(
            {net.node: x, net.p: y},
            keras.optimizers.SGD(0.1),
            n_epochs=2,
            shuffle=False,
            truncation=4,
        )
        expected = weights_of(sim)
    with simulator(net) as sim:
        before = weights_of(sim)
        sim.compile(keras.optimizers.SGD(0.1), loss={net.p: "mse"}, **compilation)
        sim.fit(x, {net.p: y}, epochs=2, shuffle=False, verbose=0, truncation=4)
        found = weights_of(sim)
        # and it is over with the call
        sim.fit(x, {net.p: y}, epochs=1, shuffle=False, verbose=0)
    assert not all(np.array_equal(a, b) for a, b in zip(before, found, strict=True))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_a_sweep_compiles_once():
    traces.shared.forget()
    net = network()
    x, y = data()
    losses = []
    for rate in (0.0, 0.1, 0.2):
        with simulator(net) as sim:
            sim.compile(keras.optimizers.Adam(rate), loss={net.p: "mse"})
            losses.append(sim.fit(x, {net.p: y}, epochs=2, verbose=0).history["loss"])
            assert len(sim._trainer.traces) == 0
    assert len(traces.shared) == 1
    assert len({tuple(own) for own in losses}) == 3


def test_parameters_that_users_freeze_are_not_trained():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        probe = nengo.Probe(nengo.Ensemble(3, 1, neuron_type=nengo.RectifiedLinear()))
    changed = []
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        for trainable in (True, False, True):
            sim.keras_model.trainable = trainable
            sim.compile(keras.optimizers.SGD(0.1), loss="mse")
            before = [variable.numpy() for variable in sim.keras_model.weights]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Keras', that nothing is trained
                sim.fit(y={probe: np.ones((2, 1, 1))}, n_steps=1, verbose=0)
            after = [variable.numpy() for variable in sim.keras_model.weights]
            changed.append(any(map(np.any, map(np.subtract, after, before))))
    assert changed == [True, False, True]


class Raising(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise LookupError("mine")

    on_test_batch_end = on_train_batch_end


class Stopping(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = True


@pytest.mark.parametrize("device, around", [("/cpu:0", None), (None, "/cpu:0")])
def test_errors_of_callbacks_and_stops_leave_devices_as_they_were(device, around):
    net = network()
    x, y = data()
    before = context.context().device_name
    with simulator(net, device=device) as sim:
        sim.compile("sgd", loss={net.p: "mse"})
        for call in (sim.fit, sim.evaluate):
            with tf.device(around), pytest.raises(LookupError, match="mine"):
                call({net.node: x}, {net.p: y}, verbose=0, callbacks=[Raising()])
            assert context.context().device_name == before
        with tf.device(around):
            sim.fit({net.node: x}, {net.p: y}, verbose=0, callbacks=[Stopping()])
        assert context.context().device_name == before
