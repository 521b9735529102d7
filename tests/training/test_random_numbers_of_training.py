"""Training draws the same random numbers, whatever was measured or failed before it."""

import keras
import nengo
import numpy as np
import pytest

import nengo_dl

X = np.linspace(-1, 1, 40).reshape(20, 2, 1)


def failing(*_):
    raise ZeroDivisionError


class FailsAtOnce(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        raise ZeroDivisionError


MEASURING = {
    "loss": lambda sim, data: sim.loss(data),
    "loss in training": lambda sim, data: sim.loss(data, training=True),
    "function": lambda sim, data: sim.function(training=True),
    "run_batch": lambda sim, data: sim.run_batch(
        data, {list(data)[1]: None}, shuffle=True
    ),
    "check_gradients": lambda sim, data: sim.check_gradients(),
}


def fit(sim, data, loss="mse", **options):
    (x, y) = data.values()
    sim.compile(keras.optimizers.SGD(0.1), loss=loss)
    sim.fit(x, y, verbose=0, **options)


FAILING = {
    "train": lambda sim, data: sim.train(data, "sgd", objective=failing),
    "loss": lambda sim, data: sim.loss(data, objective=failing),
    "combine": lambda sim, data: sim.loss(data, combine=failing),
    "fit": lambda sim, data: fit(sim, data, failing),
    "callback": lambda sim, data: fit(sim, data, callbacks=[FailsAtOnce()]),
}


def network():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node([0])
        ensemble = nengo.Ensemble(10, 1, neuron_type=nengo.RectifiedLinear())
        noise = nengo.Node(nengo.processes.WhiteNoise())
        nengo.Connection(node, ensemble, synapse=None)
        nengo.Connection(noise, ensemble, synapse=None)
        probe = nengo.Probe(ensemble, synapse=None)
    return net, {node: X, probe: X**2}


def simulator(net):
    return nengo_dl.Simulator(net, minibatch_size=5, seed=7, progress_bar=False)


def trained(before=None):
    """Return weights after training, and after training once more."""
    net, data = network()
    found = []
    with simulator(net) as sim:
        for _ in range(2):
            if before is not None:
                before(sim, data)
            sim.train(data, keras.optimizers.SGD(0.1), n_epochs=2)
            found += [variable.numpy() for variable in sim.keras_model.weights]
    return found


@pytest.mark.parametrize("name", MEASURING)
def test_measuring_leaves_training_as_it_is(name):
    for own, expected in zip(trained(MEASURING[name]), trained(), strict=True):
        np.testing.assert_array_equal(own, expected)


@pytest.mark.parametrize("name", FAILING)
def test_calls_that_fail_before_they_train_draw_nothing(name):
    def fails(sim, data):
        with pytest.raises(ZeroDivisionError):
            FAILING[name](sim, data)

    for own, expected in zip(trained(fails), trained(), strict=True):
        np.testing.assert_array_equal(own, expected)


def test_a_training_that_was_interrupted_goes_on_with_other_numbers():
    class FailsLater(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise ZeroDivisionError

    same = []
    for callback in (FailsLater(), FailsAtOnce()):
        net, data = network()
        with simulator(net) as sim:
            before = sim._training._trainer.progress
            with pytest.raises(ZeroDivisionError):
                fit(sim, data, callbacks=[callback])
            same.append(sim._training._trainer.progress == before)
    assert same == [False, True]


def test_each_measurement_draws_new_numbers():
    with nengo.Network(seed=0) as net:
        noise = nengo.Node(nengo.processes.WhiteNoise())
        probe = nengo.Probe(noise, synapse=None)
    losses = []
    for _ in range(2):
        with nengo_dl.Simulator(net, seed=7, progress_bar=False) as sim:
            losses.append([sim.loss({probe: np.zeros((1, 2, 1))}) for _ in range(3)])
    assert losses[0] == losses[1] and len(set(losses[0])) == 3
