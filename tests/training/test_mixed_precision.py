"""Training with products of fewer digits, and with losses that are scaled."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.config import resolve
from tests.helpers import rest_with_everything

BATCH, STEPS = 3, 2


def network(**settings):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False, **settings)
        net.config[nengo.Connection].synapse = None
        net.node = nengo.Node(np.zeros(16))
        hidden = nengo.Ensemble(
            12,
            1,
            neuron_type=nengo.RectifiedLinear(),
            gain=np.ones(12),
            bias=np.ones(12),
        ).neurons
        image = nengo.Convolution(2, (4, 4, 1), kernel_size=(2, 2))
        convolved = nengo.Node(size_in=image.output_shape.size)
        nengo.Connection(net.node, convolved, transform=image)
        dense = nengo_dl.dists.Glorot()
        nengo.Connection(convolved, hidden, transform=dense)
        out = nengo.Node(size_in=6)
        nengo.Connection(hidden, out, transform=dense)
        net.probe = nengo.Probe(out)
    return net


def trained(net, optimizer, fit=False):
    rng = np.random.RandomState(0)
    x = rng.randn(2 * BATCH, STEPS, 16).astype(np.float32)
    y = rng.randn(2 * BATCH, STEPS, 6).astype(np.float32)
    with nengo_dl.Simulator(
        net, minibatch_size=BATCH, seed=0, progress_bar=False
    ) as sim:
        if fit:
            sim.compile(optimizer, loss="mse")
            sim.fit({net.node: x}, {net.probe: y}, verbose=0, shuffle=False)
        else:
            sim.train({net.node: x, net.probe: y}, optimizer, n_epochs=1, shuffle=False)
        params = [v.numpy() for v in sim._runner.store.params]
        return np.concatenate(params), sim.predict({net.node: x[:BATCH]})[net.probe]


@pytest.mark.parametrize(
    "precision", ["bfloat16", *rest_with_everything(["float16"], 0)]
)
def test_products_have_fewer_digits_in_training_only(precision):
    exact, _ = trained(network(), keras.optimizers.SGD(0.01))
    net = network(mixed_precision=precision)
    mixed, _ = trained(net, keras.optimizers.SGD(0.01))
    assert mixed.dtype == np.float32
    difference = np.abs(mixed - exact).max()
    assert 1e-7 < difference < 1e-2
    x = np.ones((BATCH, STEPS, 16), np.float32)
    seen = []
    for own in (network(), net):
        with nengo_dl.Simulator(own, minibatch_size=BATCH, progress_bar=False) as sim:
            sim.run_steps(STEPS, data={own.node: x})
            seen.append(sim.data[own.probe])
    np.testing.assert_array_equal(*seen)


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01)),
        lambda: keras.optimizers.SGD(0.01, loss_scale_factor=256.0),
    ],
    ids=["dynamic", "fixed"],
)
@pytest.mark.parametrize("fit", [False, *rest_with_everything([True], 0)])
def test_scaled_losses_give_the_same_weights(make, fit):
    expected, _ = trained(network(), keras.optimizers.SGD(0.01), fit)
    found, _ = trained(network(), make(), fit)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_gradients_are_checked_without_rounding():
    net = network(mixed_precision="bfloat16")
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.check_gradients([net.probe])


def test_which_types_there_are():
    with nengo.Network() as net:
        nengo_dl.configure_settings(mixed_precision=tf.bfloat16)
        assert resolve(net).mixed_precision == "bfloat16"
        nengo_dl.configure_settings(mixed_precision=None)
        assert resolve(net).mixed_precision is None
        for wrong in ("float32", "mixed_bfloat16", True, 16, float("nan"), [1]):
            with pytest.raises(ValidationError, match="'bfloat16', 'float16' or None"):
                nengo_dl.configure_settings(mixed_precision=wrong)
