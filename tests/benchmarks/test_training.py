"""Networks that are trained learn what they have to; times decide nothing."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from nengo_dl.benchmarks.classifiers import ByHand, classifier
from nengo_dl.benchmarks.digits import recurrent_classifier, spiking_classifier
from nengo_dl.benchmarks.training import TASKS, measure_training


@pytest.mark.parametrize(
    "n_steps, recurrent, hidden, rate",
    [
        pytest.param(1, False, (128,), 1e-6, marks=pytest.mark.everything),
        pytest.param(6, False, (128,), 1e-3, marks=pytest.mark.everything),
        pytest.param(6, True, (128,), 1e-6, marks=pytest.mark.everything),
        (3, True, (24,), 1e-6),
        pytest.param(4, False, (20, 12, 8), 1e-9, marks=pytest.mark.everything),
    ],
)
def test_what_is_written_by_hand_is_the_same_network(n_steps, recurrent, hidden, rate):
    rng = np.random.RandomState(0)
    x = rng.uniform(size=(4, n_steps, 784)).astype(np.float32)
    y = rng.uniform(size=(4, n_steps, 10)).astype(np.float32)
    by_hand = ByHand(n_steps, 4, recurrent, keras.optimizers.SGD(rate), hidden)
    net, node, probe = classifier(n_steps, recurrent, hidden=hidden, dtype="float32")
    with nengo_dl.Simulator(net, minibatch_size=4, progress_bar=False) as sim:
        weights = {c: np.array(sim.data[c].weights) for c in net.connections}
        variables = list(by_hand.weights)
        if recurrent:
            variables.insert(1, by_hand.between)
        for connection, variable in zip(net.connections, variables, strict=True):
            variable.assign(weights[connection].T)
        optimizer = keras.optimizers.SGD(rate)
        for step in range(2):
            (ours,) = sim.train(
                {node: x, probe: y}, optimizer, shuffle=False, progress_bar=False
            )
            other = by_hand.epoch(x, y, tf.range(4)).numpy()
            assert ours == pytest.approx(other, rel=1e-3), step
        for connection, variable in zip(net.connections, variables, strict=True):
            before = weights[connection]
            ours = sim.data[connection].weights - before
            expected = variable.numpy().T - before
            limit = 0.01 * abs(expected).max()
            assert limit > 0
            np.testing.assert_allclose(ours, expected, rtol=0, atol=limit)


def test_measuring_training():
    task = replace(TASKS["surrogate_spikes"], n_steps=3, n_minibatches=2)
    result = measure_training(task, repetitions=1, n_epochs=1, dtype="float32")
    assert result.ratio == result.step / result.by_hand > 0
    assert result.first > result.step


def test_digits_as_rates_and_as_spikes():
    found = spiking_classifier()
    assert found.rates >= 0.96
    assert found.spikes >= found.rates - 0.02


def test_digits_row_by_row():
    assert recurrent_classifier() >= 0.93
