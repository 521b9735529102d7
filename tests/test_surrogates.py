"""Surrogate derivatives, against the functions whose derivatives they are."""

import dataclasses

import numpy as np
import pytest
from nengo.exceptions import ValidationError

from nengo_dl import surrogates
from nengo_dl.surrogates import Arctan, FastSigmoid, Triangular, resolve

ALL = [
    FastSigmoid(),
    FastSigmoid(slope=25, scale=0.5),
    Arctan(),
    Arctan(slope=3, scale=2),
    Triangular(),
    Triangular(slope=0.5, scale=1),
]

#: integrals of f(u) from 0, by type
PRIMITIVES = {
    FastSigmoid: lambda u: u / (1 + np.abs(u)),
    Arctan: lambda u: np.arctan(np.pi * u) / np.pi,
    Triangular: lambda u: (
        np.sign(u) * np.where(np.abs(u) < 1, np.abs(u) - u**2 / 2, 0.5)
    ),
}


@pytest.mark.parametrize("surrogate", ALL, ids=str)
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
    for surrogate in ALL:
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


@pytest.mark.parametrize("value", ["sigmoid", True, 3, Arctan, []])
def test_other_values_are_told_what_there_is(value):
    with pytest.raises(ValidationError) as error:
        resolve(value)
    for name in ("fast_sigmoid", "arctan", "triangular", "rate", repr(value)):
        assert name in str(error.value)
