"""Losses in Hz, spikes and seconds, against NumPy and within simulators."""

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.losses import (
    FirstSpikeCrossentropy,
    FirstSpikeTime,
    MaximumRate,
    Sparsity,
    SpikeCount,
    SpikeCountCrossentropy,
    TargetRate,
)
from tests.helpers import rest_with_everything
from tests.test_losses import numeric_gradient, with_gradient

DT, AMPLITUDE = 0.002, 0.5
in_both = pytest.mark.parametrize(
    "dtype, jit_compile", [("float32", True), ("float64", False)]
)
UNITS = {"dt": DT, "amplitude": AMPLITUDE}


def momentary_rates():
    """Return outputs of neurons with up to 400 Hz, shape (3, 7, 5)."""
    rng = np.random.RandomState(0)
    return AMPLITUDE * rng.uniform(0, 400, size=(3, 7, 1)) * rng.uniform(size=(1, 1, 5))


def spikes():
    """Return spikes in time, shape (2, 9, 3); one neuron is silent in both items."""
    found = np.zeros((2, 9, 3))
    found[0, [3, 6], 0] = found[1, [0, 8], 0] = found[1, 5:, 1] = 1
    return found


def penalty(rates, low, high, order):
    error = np.maximum(0, low - rates) + np.maximum(0, rates - high)
    return np.mean(error**order, axis=-1)


@pytest.mark.parametrize(
    "loss, expected",
    [
        (TargetRate(80, **UNITS), lambda r: penalty(r, 80, 80, 2)),
        (TargetRate((50, 90), order=1, **UNITS), lambda r: penalty(r, 50, 90, 1)),
        (TargetRate((50, None), **UNITS), lambda r: penalty(r, 50, np.inf, 2)),
        (TargetRate([None, 70], order=3, **UNITS), lambda r: penalty(r, 0, 70, 3)),
        (MaximumRate(90, weight=0.1, **UNITS), lambda r: 0.1 * penalty(r, 0, 90, 2)),
        (
            MaximumRate(20, percentile=90, **UNITS),
            lambda r: penalty(np.percentile(r, 90, axis=-1)[:, None], 0, 20, 2),
        ),
        (Sparsity(weight=2, **UNITS), lambda r: 2 * np.mean(r, axis=-1)),
        (Sparsity(order=2, **UNITS), lambda r: np.mean(r**2, axis=-1)),
    ],
)
@in_both
def test_rates_and_their_gradients(loss, expected, dtype, jit_compile):
    def numpy(outputs):
        return expected(outputs.mean(axis=1) / AMPLITUDE)

    outputs = momentary_rates()
    values, gradient = with_gradient(
        lambda y: loss.call(None, y), outputs, dtype, jit_compile
    )
    np.testing.assert_allclose(values, numpy(outputs), rtol=1e-5)
    numeric = numeric_gradient(lambda y: numpy(y).mean(), outputs, h=1e-4)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-5)


@in_both
def test_times_of_first_spikes(dtype, jit_compile):
    expected = np.array([[4, 10, 10], [1, 6, 10]]) * DT
    targets = np.array([[0.001, 0.002, np.nan], [0.003, 0.004, 0.005]])
    loss = FirstSpikeTime(weight=1e4, **UNITS)
    values, _ = with_gradient(
        lambda y: loss.call(targets[:, None], y),
        spikes() * AMPLITUDE / DT,
        dtype,
        jit_compile,
    )
    error = np.nan_to_num(expected - targets)
    np.testing.assert_allclose(values, 1e4 * np.mean(error**2, axis=-1), rtol=1e-5)


@pytest.mark.parametrize("n_steps", rest_with_everything([1, 7, 2, 8], 2))
@in_both
def test_gradients_of_times_of_first_spikes(n_steps, dtype, jit_compile):
    """Probabilities of spikes, for which the expected time has a derivative."""
    n = np.random.RandomState(1).uniform(0.1, 0.9, size=(2, n_steps, 3))

    def expected(outputs):
        silent = np.cumprod(1 - outputs * DT / AMPLITUDE, axis=1).sum(axis=1)
        return np.mean((DT * (1 + silent) - 0.004) ** 2, axis=-1)

    outputs, targets = n * AMPLITUDE / DT, np.full((2, 1, 3), 0.004)
    loss = FirstSpikeTime(**UNITS)
    values, gradient = with_gradient(
        lambda y: loss.call(targets, y), outputs, dtype, jit_compile
    )
    np.testing.assert_allclose(values, expected(outputs), rtol=1e-3, atol=1e-9)
    numeric = numeric_gradient(lambda y: expected(y).mean(), outputs, h=1e-3)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-10)


def test_gradients_at_spikes_are_finite():
    targets = np.zeros((2, 1, 3))
    _, gradient = with_gradient(
        lambda y: FirstSpikeTime(**UNITS).call(targets, y),
        spikes() * AMPLITUDE / DT,
        "float64",
        False,
    )
    assert np.all(np.isfinite(gradient))
    # earlier spikes would bring the first one forward; later ones make no difference
    assert np.all(gradient[0, :4, 0] < 0) and np.all(gradient[0, 4:, 0] == 0)
    # a silent neuron learns to spike, the earlier the better
    assert np.all(np.diff(gradient[0, :, 2]) > 0)


@in_both
def test_numbers_of_spikes(dtype, jit_compile):
    outputs, counts = spikes() * AMPLITUDE / DT, spikes().sum(axis=1)
    targets = np.array([[2.0, 1.0, np.nan], [0.0, 4.0, 1.0]])
    values, _ = with_gradient(
        lambda y: SpikeCount(**UNITS).call(targets[:, None], y),
        outputs,
        dtype,
        jit_compile,
    )
    error = np.nan_to_num(counts - targets)
    np.testing.assert_allclose(values, np.mean(error**2, axis=-1), rtol=1e-5)


@pytest.mark.parametrize("one_hot", [True, False])
@in_both
def test_crossentropies(one_hot, dtype, jit_compile):
    n = np.random.RandomState(1).uniform(0.1, 0.9, size=(2, 4, 3))
    classes = np.array([2, 0])
    targets = np.eye(3)[classes] if one_hot else classes[:, None]

    def crossentropy(logits):
        chosen = np.take_along_axis(logits, classes[:, None], axis=-1)[:, 0]
        return np.log(np.exp(logits).sum(axis=-1)) - chosen

    def of_counts(outputs):
        return crossentropy((outputs * DT / AMPLITUDE).sum(axis=1))

    def of_times(outputs):
        silent = np.cumprod(1 - outputs * DT / AMPLITUDE, axis=1).sum(axis=1)
        return crossentropy(-DT * (1 + silent) / 0.003)

    outputs = n * AMPLITUDE / DT
    for loss, expected in (
        (SpikeCountCrossentropy(**UNITS), of_counts),
        (FirstSpikeCrossentropy(tau=0.003, **UNITS), of_times),
    ):
        values, gradient = with_gradient(
            lambda y, loss=loss: loss.call(np.tile(targets[:, None], (1, 4, 1)), y),
            outputs,
            dtype,
            jit_compile,
        )
        np.testing.assert_allclose(values, expected(outputs), rtol=1e-4)
        numeric = numeric_gradient(lambda y, f=expected: f(y).mean(), outputs, h=1e-3)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("number", [-1, 3, 0.5, np.nan])
def test_classes_that_are_not_there(number):
    targets = np.full((1, 1, 1), number)
    for loss in (SpikeCountCrossentropy(), FirstSpikeCrossentropy()):
        assert np.isnan(loss(targets, np.ones((1, 4, 3))))


ALL = [
    TargetRate((1, None), order=1.5, percentile=99, weight=0.1, name="mine"),
    TargetRate(5),
    MaximumRate(200, percentile=100, reduction="sum"),
    Sparsity(0.5, amplitude=2.0, dt=0.01),
    SpikeCount(3),
    FirstSpikeTime(),
    SpikeCountCrossentropy(dt=0.1),
    FirstSpikeCrossentropy(tau=0.1, weight=2),
]


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.name)
def test_keras_can_write_them_down(loss):
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(copy) is type(loss)
    assert copy.get_config() == loss.get_config()


def network(**probe):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node([0.5], label="node")
        ensemble = nengo.Ensemble(
            6,
            1,
            neuron_type=nengo.LIF(amplitude=0.1),
            encoders=np.ones((6, 1)),
            gain=np.ones(6),
            bias=np.linspace(0.6, 2.5, 6),  # from 22 Hz to 100 Hz
            label="ensemble",
        )
        nengo.Connection(node, ensemble, synapse=None)
        p = nengo.Probe(ensemble.neurons, **probe)
        nengo.Probe(ensemble, label="decoded")
    return net, node, p


@pytest.mark.parametrize("dt", rest_with_everything([0.002, 0.001]))
def test_simulators_know_amplitude_and_time_step(dt):
    net, node, p = network()
    data = {node: np.full((1, 50, 1), 0.5)}
    targets = np.full((1, 50, 6), 3.0)
    with nengo_dl.Simulator(net, dt=dt, progress_bar=False) as sim:
        found = sim.predict(data[node])[p]
        rates = found.mean(axis=1) / 0.1
        counts = found.sum(axis=1) * dt / 0.1
        assert np.allclose(counts, np.round(counts), atol=1e-4) and counts.max() > 2
        for loss, expected, y in (
            (TargetRate(40), np.mean((rates - 40) ** 2), None),
            (SpikeCount(), np.mean((counts - 3) ** 2), targets),
        ):
            given = data if y is None else {**data, p: y}
            by_loss = sim.loss(given, {p: loss}, training=False)
            assert by_loss == pytest.approx(expected, rel=1e-4)
            sim.compile(loss={p: loss})
            by_keras = sim.evaluate(data[node], None if y is None else {p: y})
            assert by_keras["loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("surrogate", [None, "sigmoid"])
def test_neurons_learn_their_rates(surrogate):
    net, node, p = network()
    with net:
        nengo_dl.configure_settings(surrogate=surrogate)
    data = {node: np.full((1, 100, 1), 0.5)}
    objective = {p: TargetRate((60, 80))}
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        optimizer = keras.optimizers.Adam(0.1)
        losses = sim.train(data, optimizer, objective=objective, n_epochs=40)
        rates = sim.predict(data[node])[p].mean(axis=1) / 0.1
    assert losses[-1] < 0.05 * losses[0]
    assert np.all((rates > 50) & (rates < 90))


def test_first_spikes_learn_their_time():
    net, _, p = network()
    with net:
        nengo_dl.configure_settings(surrogate="sigmoid")
    x, times = np.full((1, 40, 1), 0.5), np.full((1, 1, 6), 0.01)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.compile(keras.optimizers.Adam(0.1), loss={p: FirstSpikeTime(weight=1e4)})
        history = sim.fit(x, {p: times}, epochs=40, verbose=0).history["loss"]
        found = sim.predict(x)[p]
    assert history[-1] < 0.1 * history[0]
    first = np.where(found.any(axis=1), found.argmax(axis=1) + 1, 41)
    assert np.all(abs(first - 10) <= 3)


@pytest.mark.parametrize(
    "loss, probe",
    [(SpikeCount(), {"synapse": 0.01}), (FirstSpikeTime(), {"sample_every": 0.005})],
)
def test_single_spikes_are_needed(loss, probe):
    net, node, p = network(**probe)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with pytest.raises(ValidationError, match="needs each single spike.*synapse"):
            sim.compile("sgd", loss={p: loss})
        data = {node: np.zeros((1, 10, 1)), p: np.zeros((1, 10, 6))}
        with pytest.raises(ValidationError, match="needs each single spike"):
            sim.train(data, "sgd", objective={p: loss})


def test_neurons_are_needed():
    net, node, _ = network()
    decoded = net.probes[1]
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        for wrong in (decoded, "decoded"):
            with pytest.raises(ValidationError, match="about spikes of neurons.*decod"):
                sim.compile("sgd", loss={wrong: Sparsity()})
        sim.loss({node: np.zeros((1, 3, 1))}, {decoded: Sparsity(amplitude=1)})


@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: TargetRate(-1), "target"),
        (lambda: TargetRate((3, 1)), "target"),
        (lambda: TargetRate((1, 2, 3)), "target"),
        (lambda: TargetRate(None), "target"),
        (lambda: TargetRate((None, None)), "target"),
        (lambda: TargetRate(np.nan), "target"),
        (lambda: TargetRate("high"), "target"),
        (lambda: TargetRate(True), "target"),
        (lambda: TargetRate(5, order=0.5), "order"),
        (lambda: TargetRate(5, percentile=101), "percentile"),
        (lambda: TargetRate(5, percentile=-1), "percentile"),
        (lambda: TargetRate(5, weight=np.inf), "weight"),
        (lambda: MaximumRate(None), "maximum"),
        (lambda: Sparsity(amplitude=0), "amplitude"),
        (lambda: SpikeCount(dt=-1), "dt"),
        (lambda: FirstSpikeCrossentropy(tau=0), "tau"),
    ],
)
def test_wrong_arguments_are_named(make, name):
    with pytest.raises(ValidationError, match=f"^{name}"):
        make()


def test_wrong_shapes_are_named():
    outputs = np.zeros((2, 4, 3))
    with pytest.raises(ValidationError, match=r"3 neurons.*\(2, 2\) for \(2, 3\)"):
        SpikeCount()(np.zeros((2, 1, 2)), outputs)
    with pytest.raises(ValidationError, match=r"n_steps, n_neurons\).*\(4, 3\)"):
        Sparsity()(None, outputs[0])
    with pytest.raises(ValidationError, match=r"\(batch, 1 or n_steps, size\)"):
        SpikeCountCrossentropy()(np.zeros((2, 1)), outputs)


@pytest.mark.parametrize(
    "values", ["abc", None, np.ones((1, 4, 2), complex), np.zeros((1, 0, 2))]
)
def test_what_is_no_output_is_named(values):
    for loss in ALL:
        targets = None if isinstance(loss, TargetRate) else np.zeros((1, 1, 2))
        with pytest.raises(ValidationError, match="y_pred"):
            loss(targets, values)
