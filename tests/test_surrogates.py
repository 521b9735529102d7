"""Surrogate derivatives, against the functions whose derivatives they are."""

import dataclasses
import math

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl import surrogates
from nengo_dl.lowering import fire
from nengo_dl.surrogates import (
    LSO,
    Arctan,
    Boxcar,
    Circ,
    Custom,
    FastSigmoid,
    HeaviErfc,
    Sigmoid,
    SpikeRateEscape,
    StraightThrough,
    Triangular,
    resolve,
)

ALL = [
    FastSigmoid(),
    FastSigmoid(slope=25, scale=0.5),
    Arctan(),
    Arctan(slope=3, scale=2),
    Triangular(),
    Triangular(slope=0.5, scale=1),
    Sigmoid(),
    Sigmoid(slope=25, scale=6.25),
    Boxcar(slope=0.7, scale=2),
    HeaviErfc(slope=2),
    SpikeRateEscape(slope=3, scale=0.5),
    Circ(slope=3),
]
#: those that do not fall to zero on both sides
FLAT = [StraightThrough(scale=0.5), LSO(leak=0.2, scale=3)]

#: integrals of f(u) from 0, by type
PRIMITIVES = {
    FastSigmoid: lambda u: u / (1 + np.abs(u)),
    Arctan: lambda u: np.arctan(np.pi * u) / np.pi,
    Triangular: lambda u: (
        np.sign(u) * np.where(np.abs(u) < 1, np.abs(u) - u**2 / 2, 0.5)
    ),
    Sigmoid: lambda u: 2 * np.tanh(u / 2),
    Boxcar: lambda u: np.clip(u, -0.5, 0.5),
    HeaviErfc: lambda u: np.sqrt(np.pi) / 2 * np.vectorize(math.erf)(u),
    SpikeRateEscape: lambda u: np.sign(u) * (1 - np.exp(-np.abs(u))),
    Circ: lambda u: u / np.sqrt(1 + u**2),
    StraightThrough: lambda u: u,
    LSO: lambda u: np.where(u > 0, u, 0.2 * u),
}


@pytest.mark.parametrize("surrogate", ALL + FLAT, ids=str)
def test_is_the_derivative_of_its_primitive(surrogate):
    x, h = np.linspace(-4, 4, 1000), 1e-6  # neither 0 nor a corner is among these

    def primitive(x):
        u = surrogate.slope * x
        return surrogate.scale / surrogate.slope * PRIMITIVES[type(surrogate)](u)

    numeric = (primitive(x + h) - primitive(x - h)) / (2 * h)
    np.testing.assert_allclose(surrogate.derivative(x), numeric, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("surrogate", ALL, ids=str)
def test_is_highest_at_the_threshold_and_falls_on_both_sides(surrogate):
    x = np.linspace(0, 5, 101)
    derivative = surrogate.derivative(x)
    assert derivative[0] == surrogate.scale
    assert np.all(np.diff(derivative) <= 0)
    assert derivative[-1] < 0.1 * surrogate.scale
    np.testing.assert_array_equal(surrogate.derivative(-x), derivative)


@pytest.mark.parametrize("surrogate", ALL, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_is_a_number_at_any_distance(surrogate, dtype):
    x = np.array([-np.inf, -1e15, 0, 1e15, np.inf], dtype)
    if isinstance(surrogate, Triangular):
        x = x[1:-1]  # infinity minus infinity
    derivative = surrogate.derivative(x)
    assert derivative.dtype == dtype
    assert np.all(np.isfinite(derivative))
    assert derivative[0] == derivative[-1] == pytest.approx(0)


def test_are_values():
    for surrogate in ALL + FLAT:
        assert eval(repr(surrogate), vars(surrogates)) == surrogate
        assert hash(dataclasses.replace(surrogate)) == hash(surrogate)
        with pytest.raises(dataclasses.FrozenInstanceError):
            surrogate.slope = 3
    assert len(set(ALL)) == len(ALL)


@pytest.mark.parametrize("value", [0, -1, np.inf, np.nan, None, "steep"])
@pytest.mark.parametrize("parameter", ["slope", "scale"])
def test_parameters_are_positive_numbers(parameter, value):
    with pytest.raises(ValidationError, match=f"Arctan.*{parameter}.*{value!r}"):
        Arctan(**{parameter: value})


def test_names():
    assert resolve("fast_sigmoid") == FastSigmoid()
    assert resolve("arctan") == Arctan()
    assert resolve("triangular") == Triangular()
    assert resolve("rate") == "rate"
    assert resolve(None) is None
    mine = Arctan(slope=np.float32(2))
    assert resolve(mine) is mine


def test_names_that_others_have():
    assert resolve("atan") == Arctan()
    assert resolve("superspike") == FastSigmoid()
    assert resolve("tanh") == resolve("sigmoid") == Sigmoid()
    assert resolve("rectangular") == resolve("boxcar") == Boxcar()
    assert resolve("heavi_erfc") == resolve("gaussian") == HeaviErfc()
    assert resolve("straight_through") == StraightThrough()
    assert resolve("spike_rate_escape") == SpikeRateEscape()
    assert resolve("circ") == Circ()
    assert resolve("lso") == LSO()


X = np.linspace(-2, 2, 21)


@pytest.mark.parametrize(
    "surrogate, peer",
    [
        # as the documentation of the other libraries has them, with x = v - 1
        (Sigmoid(25, 6.25), 25 * np.exp(-25 * X) / (np.exp(-25 * X) + 1) ** 2),
        (Boxcar(0.5, 0.5), np.where(np.abs(X) <= 1, 0.5, 0)),
        (HeaviErfc(3, 2 / math.sqrt(math.pi)), 2 / np.sqrt(np.pi) * np.exp(-9 * X**2)),
        (Circ(1 / 0.3), 0.3**3 / (X**2 + 0.3**2) ** 1.5),
        (Arctan(1, 1), 1 / (1 + (np.pi * X) ** 2)),
        (FastSigmoid(25), 1 / (25 * np.abs(X) + 1) ** 2),
        (Triangular(1, 0.3), np.maximum(0, 1 - np.abs(X)) * 0.3),
    ],
    ids=str,
)
def test_are_those_of_other_libraries(surrogate, peer):
    np.testing.assert_allclose(surrogate.derivative(X), peer, rtol=1e-9, atol=1e-12)


def slopes_of(function, dtype="float32"):
    """Return the gradient of spikes, as a compiled graph computes it."""

    @tf.function(autograph=False)
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            spikes = fire(x, resolve(function))
        return tape.gradient(spikes, x)

    return gradient(tf.constant(X[None], dtype)).numpy()


@pytest.mark.parametrize("surrogate", ALL + FLAT, ids=str)
def test_tensors_have_the_same_derivative(surrogate):
    expected = surrogate.derivative(X[None])
    np.testing.assert_allclose(slopes_of(surrogate, "float64"), expected, rtol=1e-12)


class Rectangular(surrogates.Surrogate):
    """The class in the reference."""

    def _shape(self, u):
        return 1.0 * (abs(u) < 0.5)


@pytest.mark.parametrize(
    "own, expected",
    [
        (Rectangular(slope=2), np.abs(X) < 0.25),
        (lambda u: abs(u) < 0.5, np.abs(X) < 0.5),
        (lambda u: np.exp(-(u**2)), np.exp(-(X**2))),
        (lambda u: tf.exp(-tf.abs(u)), np.exp(-np.abs(X))),
        (lambda u: keras.ops.sigmoid(u), 1 / (1 + np.exp(-X))),
        (lambda u: np.where(u > 0, 1, 0.25 * u), np.where(X > 0, 1, 0.25 * X)),
        (lambda u: 0.5, np.full(X.shape, 0.5)),
        (Custom(np.cosh, 2, scale=3), 3 * np.cosh(2 * X)),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_of_the_users_own(own, expected, dtype):
    found = slopes_of(own, dtype)
    assert found.dtype == dtype
    np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "own, problem",
    [
        (lambda u: None, "failed: TypeError"),
        (lambda u: 1 if u > 0 else 0, "failed: OperatorNotAllowedInGraphError"),
        (lambda u: u[:, :2], r"returned the shape \(1, 2\) for .* shape \(1, 21\)"),
        (lambda u: 1j, "returned complex128"),
    ],
)
def test_functions_that_give_no_derivative(own, problem):
    with pytest.raises(ValidationError, match=f"surrogate: The function.*{problem}"):
        slopes_of(own)


def test_a_function_is_called():
    with pytest.raises(ValidationError, match="function.*distance.*'exp'"):
        Custom(function="exp")
    with pytest.raises(ValidationError, match="slope"):
        Custom(slope=0, function=abs)


def test_trains_with_a_function_of_the_users_own():
    """The straight-through derivative, written as a function, is that of the class."""

    def weights(surrogate):
        with nengo.Network(seed=0) as net:
            nengo_dl.configure_settings(surrogate=surrogate, jit_compile=False)
            node = nengo.Node(0.0)
            ensemble = nengo.Ensemble(4, 1, gain=[2.0] * 4, bias=[20.0] * 4)
            nengo.Connection(node, ensemble, synapse=None)
            probe = nengo.Probe(ensemble.neurons)
        x = np.ones((1, 5, 1))
        with nengo_dl.Simulator(net, seed=0, progress_bar=False) as sim:
            before = sim.data[ensemble].bias
            sim.train({node: x, probe: np.zeros((1, 5, 4))}, "sgd", n_epochs=1)
            assert np.all(sim.data[ensemble].bias != before)
            return sim.data[ensemble].bias

    expected = weights(StraightThrough())
    np.testing.assert_array_equal(weights(lambda u: 0 * u + 1), expected)


@pytest.mark.parametrize("value", ["logistic", True, 3, Arctan, []])
def test_other_values_are_told_what_there_is(value):
    with pytest.raises(ValidationError) as error:
        resolve(value)
    for name in ("fast_sigmoid", "arctan", "triangular", "rate", repr(value)):
        assert name in str(error.value)
