"""Warnings about rates of hundreds of Hz in front of weights for inputs about 1."""

import re
import warnings

import keras
import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl.dists import Glorot


def network(neurons, way, **options):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.config[nengo.Connection].synapse = None
        net.node = nengo.Node([0])
        net.out = nengo.Node(size_in=1)
        ensemble = nengo.Ensemble(
            20, 1, neuron_type=neurons, label="hidden", seed=1, **options
        )
        nengo.Connection(net.node, ensemble)
        before = ensemble.neurons
        if way == "dense":
            layer = nengo_dl.Layer(keras.layers.Dense(1))(before, label="readout")
            nengo.Connection(layer, net.out)
        elif way == "scaled":
            layer = nengo_dl.Layer(keras.layers.Dense(1))(before, transform=0.005)
            nengo.Connection(layer, net.out)
        elif way == "normalised":
            layer = nengo_dl.Layer(keras.layers.LayerNormalization())(before)
            nengo.Connection(layer, net.out, transform=np.ones((1, 20)) / 20)
        elif way == "weights":
            nengo.Connection(before[::2], net.out, transform=Glorot())
        elif way == "sparse":
            transform = nengo.Sparse((1, 20), indices=[[0, 3], [0, 7]], init=[1, -1])
            nengo.Connection(before, net.out, transform=transform)
        elif way == "convolution":
            transform = nengo.Convolution(
                1, (10, 2), kernel_size=(3,), strides=(1,), init=Glorot()
            )
            layer = nengo.Node(size_in=8)
            nengo.Connection(before, layer, transform=transform)
            nengo.Connection(layer, net.out, transform=np.ones((1, 8)))
        else:
            nengo.Connection(ensemble, net.out)
        net.p = nengo.Probe(net.out)
    return net


def simulator(net):
    return nengo_dl.Simulator(net, minibatch_size=2, seed=0, progress_bar=False)


def found(call):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        call()
    return [str(w.message) for w in said if "likely to fail" in str(w.message)]


def looked_at(net):
    """Return what is said when a network is to be trained, without training it."""
    with simulator(net) as sim:
        trainer = sim._trainer
        function = trainer.functions.of(net.all_probes, training=True)
        return found(lambda: trainer.high_rates.warn(function))


def poisson(**options):
    return nengo.PoissonSpiking(nengo.LIFRate(), **options)


@pytest.mark.parametrize("way", ["dense", "weights", "sparse", "convolution"])
@pytest.mark.parametrize("make", [nengo.LIF, nengo.RectifiedLinear, poisson])
def test_layers_behind_hundreds_of_hz_are_named_with_the_remedy(make, way):
    (message,) = looked_at(network(make(), way))
    assert "hidden" in message
    assert way != "dense" or "readout" in message
    found = re.search(r"set `(\w+)\(.*amplitude=([\d.e-]+)\)`", message)
    assert found[1] == type(make()).__name__
    assert 0.002 < float(found[2]) < 0.1
    assert not looked_at(network(make(amplitude=float(found[2])), way))


def test_the_amplitude_that_there_is_counts():
    options = {"amplitude": 0.8, "tau_ref": 0.001}
    (message,) = looked_at(network(nengo.LIF(**options), "dense"))
    assert "LIF(..., amplitude=0.00" in message


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({}, "transform=0.00"),
        ({"gain": np.ones(20), "bias": np.zeros(20)}, "Tanh(tau_ref="),
    ],
)
def test_types_without_an_amplitude_have_another_remedy(options, remedy):
    (message,) = looked_at(network(nengo.Tanh(), "dense", **options))
    assert remedy in message


@pytest.mark.parametrize(
    ("neurons", "way"),
    [
        (nengo.LIF(amplitude=0.01), "dense"),
        (nengo.LIF(), "scaled"),
        (nengo.LIF(), "normalised"),
        (nengo.LIF(), "decoders"),
        (nengo.Direct(), "decoders"),
        (nengo.Tanh(tau_ref=0.0025), "scaled"),
    ],
)
def test_nothing_is_said_where_weights_are_small_or_rates_are(neurons, way):
    assert not looked_at(network(neurons, way))


def test_neurons_that_do_not_tell_their_rates_are_left_alone():
    class Silent(nengo.neurons.RectifiedLinear):
        def rates(self, x, gain, bias):
            raise ValueError("no rates")

    # the built ensemble has decoders only where something is decoded
    assert not looked_at(network(Silent(), "dense"))


def test_what_was_trained_before_is_not_complained_about():
    net = network(nengo.LIF(), "weights")
    connection = net.all_connections[-1]
    with simulator(net) as sim:
        signal = sim.model.sig[connection]["weights"]
        sim._runner.store.set_value(signal, 1e-3 * np.ones(signal.shape))
        trainer = sim._trainer
        function = trainer.functions.of(net.all_probes, training=True)
        assert not found(lambda: trainer.high_rates.warn(function))


@pytest.mark.parametrize("how", ["train", "fit"])
def test_it_is_said_once_at_the_first_training_step(how):
    net = network(nengo.LIF(), "weights")
    data = {net.node: np.zeros((2, 1, 1)), net.p: np.zeros((2, 1, 1))}
    with simulator(net) as sim:
        sim.compile("sgd", loss="mse")

        def call():
            if how == "train":
                sim.train(data, "sgd")
            else:
                sim.fit(data[net.node], data[net.p], verbose=0)

        assert len(found(call)) == 1
        assert not found(call)
