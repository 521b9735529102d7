"""What NengoExtras adds to Nengo: neuron types, learning rules, layers, networks."""

import nengo
import numpy as np
import pytest
from nengo_extras import convnet, deepnetworks, dists, learning_rules, networks, vision
from nengo_extras.neurons import FastLIF, SoftLIFRate

import nengo_dl

RNG = np.random.RandomState(0)


def same(net, *probes, steps=30):
    """Run a network in both simulators, compare, and return what Nengo recorded."""
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(steps)
        expected = [sim.data[probe] for probe in probes]
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        sim.run_steps(steps)
        for probe, values in zip(probes, expected, strict=True):
            np.testing.assert_allclose(sim.data[probe], values, atol=1e-9)
    assert all(np.any(values) for values in expected)
    return expected


@pytest.mark.parametrize("neuron_type", [SoftLIFRate(sigma=0.1), FastLIF()], ids=str)
def test_neuron_types(neuron_type):
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: np.sin(30 * t))
        ensemble = nengo.Ensemble(20, 1, neuron_type=neuron_type)
        nengo.Connection(source, ensemble, synapse=None)
        neurons, decoded = nengo.Probe(ensemble.neurons), nengo.Probe(ensemble)
    same(net, neurons, decoded, steps=60)


@pytest.mark.parametrize(
    "options",
    [{}, {"post_fn": np.sign, "post_tau": 0.01, "post_target": "out"}],
    ids=["plain", "with a function of the output"],
)
def test_delta_rule(options):
    rule = learning_rules.DeltaRule(learning_rate=1e-3, **options)
    with nengo.Network(seed=0) as net:
        pre = nengo.Ensemble(20, 1)
        post = nengo.Ensemble(10, 1, neuron_type=nengo.RectifiedLinear())
        nengo.Connection(nengo.Node([0.5]), pre)
        learned = nengo.Connection(
            pre.neurons,
            post.neurons,
            transform=np.zeros((10, 20)),
            learning_rule_type=rule,
        )
        error = nengo.Node(np.linspace(-1, 1, 10))
        nengo.Connection(error, learned.learning_rule, synapse=None)
        weights = nengo.Probe(learned, "weights")
        activity = nengo.Probe(post.neurons)
    same(net, weights, activity)


def test_association_matrix_learning_needs_one_line():
    rule = learning_rules.AML(2, learning_rate=5.0)
    with nengo.Network(seed=0) as net:
        pre, post = nengo.Ensemble(40, 2), nengo.Node(size_in=2)
        nengo.Connection(nengo.Node([1, 0]), pre)
        learned = nengo.Connection(
            pre, post, function=lambda x: np.zeros(2), learning_rule_type=rule
        )
        cue = nengo.Node([1, 0.999, 0.3, -0.4])
        nengo.Connection(cue, learned.learning_rule, synapse=None)
        probe = nengo.Probe(post)
    with pytest.raises(nengo.exceptions.BuildError, match=r"register\(SimAML\)"):
        nengo_dl.Simulator(net, progress_bar=False)
    nengo_dl.lowering.register(learning_rules.SimAML)(nengo_dl.lowering.NumPyOperator)
    same(net, probe)


def test_deep_network_of_convolution_neurons_pooling_and_softmax():
    net = deepnetworks.SequentialNetwork(seed=0)
    net.add_data_layer(2 * 36)
    filters, biases = RNG.uniform(-1, 1, (3, 2, 3, 3)), RNG.uniform(-1, 1, 3)
    size = net.add_conv_layer((2, 6, 6), filters, biases, padding=1).size_out
    options = {"neuron_type": nengo.LIFRate(), "synapse": None}
    net.add_neuron_layer(size, amplitude=0.01, gain=2.0, bias=1.0, **options)
    size = net.add_pool_layer((3, 6, 6), 2).size_out
    net.add_full_layer(RNG.uniform(-1, 1, (4, size)), RNG.uniform(-1, 1, 4))
    net.add_dropout_layer(4, keep=0.8)
    net.add_softmax_layer(4)
    with net:
        source = nengo.Node(RNG.uniform(-1, 1, net.input.size_in))
        nengo.Connection(source, net.input, synapse=None)
        probe = nengo.Probe(net.output)
    same(net, probe, steps=3)


def test_processes_for_pictures():
    with nengo.Network(seed=0) as net:
        pictures = RNG.uniform(0.1, 1, (3, 1, 6, 6))
        shown = nengo.Node(convnet.PresentJitteredImages(pictures, 0.005, (5, 5)))
        pool = nengo.Node(convnet.Pool2d((1, 5, 5), 2, kind="max"))
        local = RNG.uniform(-1, 1, (2, 3, 3, 1, 3, 3))
        convolved = nengo.Node(convnet.Conv2d((1, 3, 3), local, padding=1))
        nengo.Connection(shown, pool, synapse=None)
        nengo.Connection(pool, convolved, synapse=None)
        probes = [nengo.Probe(node) for node in (shown, pool, convolved)]
    same(net, *probes, steps=12)


def test_distributions_and_encoders():
    gabors = vision.Gabor().generate(20, (3, 3), rng=RNG)
    encoders = vision.Mask((1, 4, 4)).populate(gabors, rng=RNG, flatten=True)
    with nengo.Network(seed=0) as net:
        points = dists.MultivariateGaussian(np.zeros(16), np.ones(16))
        ensemble = nengo.Ensemble(
            20,
            16,
            encoders=encoders,
            eval_points=points,
            intercepts=dists.Mixture(
                [nengo.dists.Uniform(-1, 0), nengo.dists.Uniform(0.5, 0.9)]
            ),
        )
        tiled = nengo.Ensemble(9, 2, encoders=dists.Tile([[1.0, 0], [0, 1], [-1, 0]]))
        nengo.Connection(nengo.Node(np.linspace(-1, 1, 16)), ensemble)
        nengo.Connection(ensemble[:2], tiled)
        probes = [nengo.Probe(ensemble), nengo.Probe(tiled)]
    same(net, *probes)


def test_matrix_product():
    with nengo.Network(seed=0) as net:
        product = networks.MatrixMult(20, (2, 2), (2, 1))
        nengo.Connection(nengo.Node([0.5, 0.1, -0.3, 0.4]), product.input_left)
        nengo.Connection(nengo.Node([0.5, 0.2]), product.input_right)
        probe = nengo.Probe(product.output, synapse=0.01)
    same(net, probe)
