"""Learned values of one conversion, in others, in Nengo's simulator, and in Keras."""

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl import Converter
from tests.converter.models import model_of, random_weights, some

L = keras.layers


def separable():
    x = start = keras.Input((5, 5, 2))
    x = L.SeparableConv2D(3, 3, activation="relu")(x)
    return keras.Model(start, L.Dense(3)(L.Flatten()(x)))


def pooled():
    x = start = keras.Input((6, 6, 1))
    x = L.MaxPooling2D(2)(L.Conv2D(3, 3, activation="relu")(x))
    return keras.Model(start, L.Dense(3)(L.Flatten()(x)))


def nested():
    inner = keras.Sequential([keras.Input((8,)), L.Dense(8, "relu"), L.Dense(8)])
    x = keras.Input((8,))
    return keras.Model(x, L.Dense(3)(L.ReLU()(inner(x))))


def shared():
    x, layer = keras.Input((8,)), L.Dense(8, "relu")
    return keras.Model(x, L.Dense(3)(layer(layer(x))))


OTHERS = [
    {"scale_firing_rates": 7.5},
    {
        "scale_firing_rates": 1e4,
        "swap_activations": {"relu": nengo.SpikingRectifiedLinear()},
    },
    {
        "scale_firing_rates": 1e4,
        "swap_activations": {"relu": nengo.RegularSpiking(nengo.RectifiedLinear())},
    },
]
TWICE = {"split_shared_weights": True}


@pytest.mark.parametrize(
    "make, kwargs",
    [
        (nested, {}),
        pytest.param(separable, {}, marks=pytest.mark.everything),
        pytest.param(pooled, {"max_to_avg_pool": True}, marks=pytest.mark.everything),
        (shared, TWICE),
    ],
)
def test_learned_values_go_everywhere(make, kwargs, tmp_path):
    model = random_weights(make())
    shape = model.inputs[0].shape[1:]
    rng = np.random.RandomState(0)
    x, y = rng.uniform(size=(2, 1, np.prod(shape))), rng.uniform(size=(2, 1, 3))
    trained = Converter(model, **kwargs)
    output = trained.outputs[model.outputs]
    with nengo_dl.Simulator(trained.net, minibatch_size=2, progress_bar=False) as sim:
        sim.compile(keras.optimizers.SGD(0.1), loss="mse")
        sim.fit(x, y, epochs=2, verbose=0)
        sim.save_params(tmp_path / "values")
        expected = sim.predict(x)[output][:, 0]
        if kwargs is TWICE:
            with pytest.raises(ValueError, match="learned different weights"):
                trained.to_keras(sim)
        else:
            trained.to_keras(sim)
        sim.freeze_params(trained.net)
    if not kwargs:
        found = model(x.reshape(2, *shape).astype("float32"))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    trained.inputs[model.inputs].output = x[1, 0]
    with nengo.Simulator(trained.net, progress_bar=False) as sim:
        sim.run_steps(1)
    np.testing.assert_allclose(sim.data[output][0], expected[1], atol=1e-6)
    random_weights(model, seed=1)
    for other_kwargs in OTHERS:
        other = Converter(model, **kwargs, **other_kwargs)
        steps = 30 if "swap_activations" in other_kwargs else 1
        with other.net:
            nengo.Probe(next(iter(other.layers.values())))
        with nengo_dl.Simulator(other.net, minibatch_size=2, progress_bar=False) as sim:
            sim.load_params(tmp_path / "values")
            sim.run_steps(steps, data=x.repeat(steps, axis=1))
            found = sim.data[other.outputs[model.outputs]].mean(axis=1)
        np.testing.assert_allclose(found, expected, atol=1e-6 if steps == 1 else 0.02)


def normalized():
    return model_of((3,), L.Dense(4), L.BatchNormalization(), L.Dense(2, "relu"))


def regularized():
    return model_of((3,), L.Dense(4, "relu"), L.Dense(2, kernel_regularizer="l2"))


@pytest.mark.filterwarnings("ignore:.*Falling back to a TensorNode")
@pytest.mark.parametrize("trained_first", [True, False])
@pytest.mark.parametrize("make", some([nested, normalized, regularized], normalized))
def test_values_do_not_load_where_biases_are_on_neurons(make, trained_first, tmp_path):
    model = random_weights(make())
    first, second = (
        Converter(model, inference_only=inference_only).net
        for inference_only in (not trained_first, trained_first)
    )
    with nengo_dl.Simulator(first, progress_bar=False) as sim:
        sim.save_params(tmp_path / "values")
    which = "simulator" if trained_first else "file"
    with (
        nengo_dl.Simulator(second, progress_bar=False) as sim,
        pytest.raises(
            ValueError,
            match=f"nothing has been loaded(.|\n)*that of the {which} like one with "
            "inference_only=True",
        ),
    ):
        sim.load_params(tmp_path / "values")
