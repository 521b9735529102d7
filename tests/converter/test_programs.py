"""Programs that users have written with `Converter`, from training to spikes."""

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

import nengo_dl
from nengo_dl import Converter

L = keras.layers


@pytest.fixture(scope="module")
def digits():
    """Return handwritten digits as images and classes: to learn, and to test."""
    data = load_digits()
    images = data.images[..., None].astype("float32") / 16
    order = np.random.RandomState(0).permutation(len(images))
    images, classes = images[order], data.target[order]
    return (images[:800], classes[:800]), (images[800:840], classes[800:840])


def steps_of(images, n_steps):
    """Return images as presented to a simulator for some steps."""
    return np.tile(images.reshape(len(images), 1, -1), (1, n_steps, 1))


@pytest.fixture(scope="module")
def trained(digits):
    """Return a small convolutional network, trained in Keras."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1), name="image")
    x = L.Conv2D(8, 3, activation=tf.nn.relu, name="first")(image)
    x = L.Conv2D(12, 3, strides=2, activation=tf.nn.relu, name="second")(x)
    model = keras.Model(image, L.Dense(10, name="classes")(L.Flatten()(x)))
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(*digits[0], batch_size=50, epochs=5, verbose=0)
    return model


def presented(converter, images, n_steps, path=None):
    """Return the classes that a network decides for, by its last output."""
    with nengo_dl.Simulator(
        converter.net, minibatch_size=len(images), progress_bar=False, seed=0
    ) as sim:
        if path is not None:
            sim.load_params(path)
        sim.run_steps(
            n_steps, data={converter.inputs["image"]: steps_of(images, n_steps)}
        )
        values = {p: np.array(sim.data[p]) for p in converter.net.all_probes}
    output = values[converter.outputs[converter.model.output]]
    return output[:, -1].argmax(axis=-1), values


def test_from_keras_to_spikes(digits, trained, tmp_path):
    """Rates as Keras'; spikes come near them with filters, and with higher rates."""
    images, classes = digits[1]
    of_keras = trained.predict(images, verbose=0).argmax(axis=-1)
    assert np.mean(of_keras == classes) > 0.9
    rates, path = Converter(trained), tmp_path / "digits"
    with nengo_dl.Simulator(rates.net, progress_bar=False) as sim:
        sim.save_params(path)
    np.testing.assert_array_equal(presented(rates, images, 1)[0], of_keras)
    # what is loaded below does not come from the model any more
    other = keras.models.clone_model(trained)
    spiking = {tf.nn.relu: nengo.SpikingRectifiedLinear()}
    agreement = {}
    for name, scale, synapse, n_steps in [
        ("plain", None, None, 10),
        ("filtered", 100, 0.005, 40),
        ("many spikes", 1e5, None, 3),
    ]:
        converter = Converter(
            other,
            swap_activations=spiking,
            scale_firing_rates=scale,
            synapse=synapse,
        )
        sample = np.linspace(0, converter.layers["first"].size_out - 1, 9).astype(int)
        with converter.net:
            nengo_dl.configure_settings(stateful=False)
            probe = nengo.Probe(converter.layers[other.layers[1]][sample])
        found, values = presented(converter, images, n_steps, path)
        agreement[name] = np.mean(found == of_keras)
        assert values[probe].shape == (len(images), n_steps, 9)
        # heights of spikes: what is undone of the scale
        height = 1 / (0.001 * (scale or 1))
        ratio = values[probe] / height
        np.testing.assert_allclose(ratio, np.round(ratio), atol=0.02)
    assert agreement["plain"] < 0.6
    assert agreement["filtered"] > 0.9
    assert agreement["many spikes"] == 1


def test_training_with_rates_in_hertz(digits):
    """An objective for hidden rates leads to neurons that fire as was asked for."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1), name="image")
    conv = L.Conv2D(4, 3, strides=2, activation="relu")
    dense = L.Dense(10)
    model = keras.Model(image, dense(L.Flatten()(conv(image))))
    converter = Converter(model, scale_firing_rates={conv: np.float32(10)})
    with converter.net:
        hidden = nengo.Probe(converter.layers[conv])
    output = converter.outputs[dense]
    images, classes = digits[0]
    with nengo_dl.Simulator(
        converter.net, minibatch_size=50, progress_bar=False
    ) as sim:
        sim.compile(
            optimizer=keras.optimizers.Adam(0.03),
            loss={
                output: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                hidden: "mse",
            },
            loss_weights={output: 1, hidden: 0.1},
        )
        data = {converter.inputs[image]: steps_of(images[:400], 1)}
        targets = {
            output: classes[:400].reshape(-1, 1, 1),
            hidden: np.full((400, 1, hidden.size_in), 2.0),
        }
        sim.fit(data, targets, epochs=16, verbose=0)
        found = sim.predict(data)
    # outputs; the neurons fire ten times as fast
    assert np.mean(found[hidden]) == pytest.approx(2, rel=0.2)
    accuracy = np.mean(found[output][:, 0].argmax(axis=-1) == classes[:400])
    assert accuracy > 0.8
    amplitude = converter.layers[conv].ensemble.neuron_type.amplitude
    assert amplitude == pytest.approx(0.1)


def test_a_keras_model_in_two_ways(digits, trained):
    """As a TensorNode, and converted: the same accuracy in ``evaluate``."""
    images, classes = digits[1]
    trained.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    _, of_keras = trained.evaluate(images, classes, verbose=0)
    with nengo.Network() as whole:
        start = nengo.Node(np.zeros(64))
        layer = nengo_dl.Layer(trained)(start, shape_in=(8, 8, 1))
        nengo.Probe(layer)
    converter = Converter(trained)
    # called as the layer
    assert converter.net.probes[0].label == trained.layers[-1].name
    for net in (whole, converter.net):
        with net:
            nengo_dl.configure_settings(stateful=False, use_loop=False)
        with nengo_dl.Simulator(net, minibatch_size=20, progress_bar=False) as sim:
            sim.compile(
                loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                metrics=["accuracy"],
            )
            found = sim.evaluate(
                steps_of(images, 1), classes.reshape(-1, 1, 1), verbose=0
            )
        name = net.probes[0].label or "probe"
        assert found[f"{name}_accuracy"] == pytest.approx(of_keras)


def test_converted_parts_among_others(digits, trained):
    """Layers by hand, a TensorNode, neurons and a converted model in one network."""
    images, _ = digits[1]
    features = keras.Model(trained.input, trained.get_layer("second").output)
    with nengo.Network(seed=0) as net:
        image = nengo.Node(np.zeros(64), label="image")
        brighter = nengo_dl.TensorNode(
            lambda x: tf.clip_by_value(1.2 * x, 0, 1), shape_in=(64,), pass_time=False
        )
        nengo.Connection(image, brighter, synapse=None)
        converter = Converter(features)
        # its input is what the TensorNode returns
        converter.inputs["image"].output = None
        converter.inputs["image"].size_in = 64
        nengo.Connection(brighter, converter.inputs["image"], synapse=None)
        top = nengo_dl.Layer(L.Dense(5))(converter.layers[features.output])
        neurons = nengo_dl.Layer(nengo.LIFRate())(top)
        probes = [nengo.Probe(node) for node in (top, neurons)]
    assert converter.net in net.networks
    data = {image: steps_of(images, 1)}
    with nengo_dl.Simulator(net, minibatch_size=20, progress_bar=False) as sim:
        found = sim.predict(data)
        expected = features(np.clip(1.2 * images, 0, 1)).numpy()
        inner = found[converter.outputs[features.output]]
        np.testing.assert_allclose(
            inner[:, 0], expected.reshape(len(images), -1), rtol=1e-4, atol=1e-5
        )
        assert found[probes[1]].shape == (40, 1, 5)
        before = np.array(found[probes[0]])
        sim.compile(optimizer=keras.optimizers.SGD(0.01), loss={probes[0]: "mse"})
        history = sim.fit(
            data, {probes[0]: np.zeros((40, 1, 5))}, epochs=3, verbose=0
        ).history
        after = sim.predict(data)[probes[0]]
        # what is learned in the converted part comes back
        kernel = features.layers[1].kernel.numpy()
        converter.to_keras(sim)
    assert history["loss"][-1] < history["loss"][0]
    assert np.mean(after**2) < np.mean(before**2)
    assert not np.allclose(features.layers[1].kernel.numpy(), kernel)


def test_neurons_of_a_chip(digits, trained):
    """Scales from measured rates, biases on neurons, and one scale left out."""
    images, _ = digits[1]
    model = keras.Model(trained.input, trained.output)
    layers = [layer for layer in model.layers if isinstance(layer, L.Conv2D)]
    means = keras.Model(model.input, [layer.output for layer in layers])(images)
    scales = {
        layer: np.float32(200) / np.float32(np.mean(mean))
        for layer, mean in zip(layers, means, strict=True)
    }
    converter = Converter(
        model,
        inference_only=True,
        swap_activations={"relu": nengo.SpikingRectifiedLinear()},
        scale_firing_rates=scales,
        synapse=0.005,
    )
    inputs = [node for node in converter.net.all_nodes if node.size_in == 0]
    # the last layer is linear, and its biases are no neurons'
    assert [node.label for node in inputs] == ["image", "classes.0.bias"]
    nengo_sparse = [
        connection
        for connection in converter.net.all_connections
        if isinstance(connection.transform, nengo.Sparse)
    ]
    assert not nengo_sparse
    with converter.net:
        hidden = nengo.Probe(converter.layers[layers[0]])
    _, values = presented(converter, images[:5], 50)
    amplitude = converter.layers[layers[0]].ensemble.neuron_type.amplitude
    rates = values[hidden] / amplitude
    assert np.mean(rates) == pytest.approx(200, rel=0.25)
    report = converter.report(images[:5], n_steps=50)
    assert all(
        row.scale == pytest.approx(float(scales[layer]))
        for layer in layers
        for row in report.layers
        if row.layer == layer.name
    )
