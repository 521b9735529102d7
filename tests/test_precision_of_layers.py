"""Layers of Keras compute in the precision of the simulation, whatever Keras' own."""

from itertools import product

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from tests.helpers import rest_with_everything

SETTINGS = ("floatx64", "floatx16", "mixed_bfloat16", "float16", "float64")
KINDS = ("layer", "function", "model")
DTYPES = ("float32", "float64")
#: Each setting, kind and type, and each kind in each type; the rest with `everything`
FIRST = [
    ("floatx64", "layer", "float32"),
    ("floatx16", "function", "float64"),
    ("mixed_bfloat16", "model", "float64"),
    ("float16", "layer", "float64"),
    ("float16", "function", "float32"),
    ("float64", "model", "float32"),
]
CASES = [*FIRST, *(c for c in product(SETTINGS, KINDS, DTYPES) if c not in FIRST)]


@pytest.fixture
def keras_setting(setting):
    """Change one of Keras' settings for all that follows."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    try:
        if setting.startswith("floatx"):
            keras.config.set_floatx("float" + setting[-2:])
            keras.config.set_dtype_policy(keras.config.floatx())
        else:
            keras.config.set_dtype_policy(setting)
        yield setting
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


class Seen(keras.layers.Layer):
    """Shows the types that it is given, and computes in Keras' default one."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []
        self.dense = keras.layers.Dense(3, kernel_initializer="ones")

    def call(self, x):
        y = self.dense(x)
        constant = keras.ops.ones((3,))
        self.seen.append((x.dtype, y.dtype, constant.dtype, self.compute_dtype))
        return y / 3


@pytest.mark.parametrize(
    "setting, kind, dtype", rest_with_everything(CASES, len(FIRST), together=True)
)
def test_layers_compute_in_the_precision_of_the_simulation(keras_setting, dtype, kind):
    seen = Seen()
    if kind == "layer":
        function = seen
    elif kind == "model":
        function = keras.Sequential([keras.Input((3,)), keras.layers.Flatten(), seen])
    else:
        seen.build((None, 3))
        seen.dense.build((None, 3))

        def function(x):
            return seen(x)

    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False, dtype=dtype)
        source = nengo.Node(np.array([0.1, 0.2, 0.7]) + 1e-12)
        node = nengo_dl.Layer(function)(source)
        probe = nengo.Probe(node)
    before = keras.config.floatx(), seen.dtype_policy.name
    seen.seen.clear()
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(1)
        found = sim.data[probe][0]
        data = {source: np.ones((1, 1, 3)), probe: np.ones((1, 1, 3))}
        assert sim.loss(data, progress_bar=False) < 1e-12
        sim.train(data, "sgd", progress_bar=False)
        sim.compile("sgd", loss="mse")
        sim.fit(np.ones((1, 1, 3)), np.ones((1, 1, 3)), verbose=0)
        sim.predict(np.ones((1, 1, 3)), verbose=0)
    expected = tf.as_dtype(dtype)
    for types in seen.seen:
        assert {tf.as_dtype(d) for d in types} == {expected}
    rtol = 1e-15 if dtype == "float64" else 1e-7
    np.testing.assert_allclose(found, np.sum(source.output) / 3, rtol=2 * rtol)
    assert (keras.config.floatx(), seen.dtype_policy.name) == before


def test_random_functions_of_keras_have_the_type_of_the_simulation():
    generator = keras.random.SeedGenerator(0)

    def function(t, x):
        return x + keras.random.normal(x.shape, seed=generator)

    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False, dtype="float64")
        node = nengo_dl.TensorNode(function, shape_in=(2,))
        probe = nengo.Probe(node)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(2)
        assert len(np.unique(sim.data[probe])) == 4
