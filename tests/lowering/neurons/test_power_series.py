"""Series of small arguments against NumPy's functions."""

import nengo
import numpy as np
import pytest
import tensorflow as tf

from nengo_dl.lowering.neurons import power_series
from tests.helpers import assert_matches_nengo, rest_with_everything
from tests.lowering.neurons.populations import (
    SOME_ARE_SILENT,
    add_ensemble,
    drive,
    probe_state,
)

pytestmark = SOME_ARE_SILENT

BOUNDS = [1e-6, 1e-3, 0.02, 0.05, 0.2, 0.4, 0.9, 3.0]


def log1p(x, bound):
    """Return ``0.02 * log(1 + x)``, the way the series gets its arguments."""
    b = tf.constant(2.0 ** (np.arange(x.shape[0]) % 4), x.dtype)  # x * b is exact
    return power_series.log1p(x * b, b, bound, np.asarray(0.02, x.dtype.as_numpy_dtype))


def expm1(x, bound):
    """Return ``exp(x) - 1``, the way the series gets its arguments."""
    tau = np.asarray(4, x.dtype.as_numpy_dtype)  # no rounding
    return power_series.expm1(-x * tau, tau, bound)


FUNCTIONS = {
    "log1p": (log1p, lambda x: 0.02 * np.log1p(x)),
    "expm1": (expm1, np.expm1),
}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_series_are_exact_to_the_last_digits(name, bound, dtype):
    function, reference = FUNCTIONS[name]
    lowest = -bound if name == "expm1" else -min(bound, 0.999)
    x = np.linspace(lowest, 0, 1001).astype(dtype)
    value = function(tf.constant(x), bound).numpy()
    assert value.dtype == dtype
    truth = reference(x.astype("float64"))
    digits = 8 * np.finfo(dtype).eps
    tiny = 8 * np.finfo(dtype).smallest_subnormal
    assert np.all(abs(value - truth) <= digits * abs(truth) + tiny)


def operators(name, bound, dtype):
    """Return the types of TensorFlow's operators that a function consists of."""
    function = tf.function(lambda x: FUNCTIONS[name][0](x, bound), autograph=False)
    graph = function.get_concrete_function(tf.TensorSpec([5], dtype)).graph
    return {op.type for op in graph.get_operations()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_only_large_arguments_need_the_functions(dtype):
    default = 0.001 / nengo.LIF().tau_rc
    for name, function in (("log1p", "Log1p"), ("expm1", "Expm1")):
        assert function not in operators(name, default, dtype)
        assert function in operators(name, 3.0, dtype)
    assert "Log1p" in operators("log1p", np.inf, dtype)
    assert "RealDiv" in operators("expm1", default, dtype)


@pytest.mark.parametrize(
    "case",
    rest_with_everything(
        [
            (nengo.LIF, 0.0002),  # by the functions
            (nengo.AdaptiveLIF, 0.003),  # by a long series
            *((nengo.LIF, tau_rc) for tau_rc in (0.001, 0.003, 0.01, 0.5)),
            *((nengo.AdaptiveLIF, tau_rc) for tau_rc in (0.0002, 0.001, 0.01, 0.5)),
        ],
        2,
    ),
    ids=lambda case: f"{case[0].__name__}-{case[1]}",
)
def test_time_constants(case):
    kind, tau_rc = case
    with nengo.Network(seed=0) as net:
        for i, other in enumerate((tau_rc, 0.02)):
            ensemble = add_ensemble(drive(), kind(tau_rc=other), 20 + i)
            probe_state(ensemble, f"population {i}")
            nengo.Probe(ensemble.neurons)
    assert_matches_nengo(net, steps=60)


def test_voltages_that_start_above_the_threshold():
    above = nengo.LIF(initial_state={"voltage": nengo.dists.Uniform(0.5, 1.5)})
    with nengo.Network(seed=0) as net:
        ensemble = add_ensemble(drive(), above, 50)
        probe_state(ensemble, "the ensemble")
        nengo.Probe(ensemble.neurons)
    assert_matches_nengo(net, steps=50)
