"""Networks for tests of trained parameters: every transform, solver and neuron type."""

import keras
import nengo
import numpy as np
import scipy.sparse

import nengo_dl
from tests.helpers import assert_close


def simulator(net, **options):
    """A simulator in double precision that shows no progress."""
    options = {"dtype": "float64", "progress_bar": False, **options}
    return nengo_dl.Simulator(net, **options)


RATES = {
    "RectifiedLinear": nengo.RectifiedLinear(),
    "LIFRate": nengo.LIFRate(),
    "Sigmoid": nengo.Sigmoid(),
    "Tanh": nengo.Tanh(),
    "SoftLIFRate": nengo_dl.SoftLIFRate(),
    "LeakyReLU": nengo_dl.LeakyReLU(),
    "AdaptiveLIFRate": nengo.AdaptiveLIFRate(),
}

SPIKES = {
    "LIF": nengo.LIF(),
    "SpikingRectifiedLinear": nengo.SpikingRectifiedLinear(),
    "AdaptiveLIF": nengo.AdaptiveLIF(),
    "RegularSpiking": nengo.RegularSpiking(nengo.LIFRate()),
    "StochasticSpiking": nengo.StochasticSpiking(nengo.RectifiedLinear()),
    "SpikingLeakyReLU": nengo_dl.SpikingLeakyReLU(),
    "Izhikevich": nengo.Izhikevich(),
}

SOLVERS = {
    "LstsqL2": nengo.solvers.LstsqL2(),
    "LstsqL2 of weights": nengo.solvers.LstsqL2(weights=True),
    "Lstsq of weights": nengo.solvers.Lstsq(weights=True),
    "NoSolver": nengo.solvers.NoSolver(np.linspace(-0.01, 0.01, 24).reshape(12, 2)),
    "NoSolver of weights": nengo.solvers.NoSolver(
        np.linspace(-0.01, 0.01, 24).reshape(12, 2), weights=True
    ),
    "LstsqNoise": nengo.solvers.LstsqNoise(),
    "Nnls of weights": nengo.solvers.NnlsL2(weights=True),
}


def square(x):
    return x**2


def both(x):
    return [x, -x]


def three(x):
    return [x[0], x[1], x[0] * x[1]]


def everything(neuron_type=RATES["RectifiedLinear"], sub=None, seed=0, **settings):
    """Return a network with all that parameters can belong to.

    Parameters
    ----------
    neuron_type : nengo.NeuronType
        Of all ensembles but one, which is in Direct mode.
    sub : type, optional
        Of the networks inside; None: there are none, all objects are in one.

    Returns
    -------
    nengo.Network
        With attributes ``node``, ``ensembles``, ``probes_of`` (by what they are about).
    """
    with nengo.Network(seed=seed) as net:
        nengo_dl.configure_settings(jit_compile=False, **settings)
        net.config[nengo.Ensemble].neuron_type = neuron_type
        net.config[nengo.Ensemble].max_rates = nengo.dists.Uniform(220, 300)
        net.config[nengo.Connection].synapse = None
        node = net.node = nengo.Node(np.array([0.3, -0.6]), label="input")
        with nengo.Network(label="inner") if sub else net:
            a = nengo.Ensemble(12, 2, label="a", radius=1.5)
            b = nengo.Ensemble(12, 2)
            with nengo.Network() if sub else net:
                c = nengo.Ensemble(9, 2, label="c/d", noise=None)
                nengo.Connection(b, c, synapse=nengo.Lowpass(0.002))
            nengo.Connection(a, b, function=square, synapse=nengo.Alpha(0.002))
        _inputs(node, a)
        _decoders(a, c)
        out = _transforms(a, b, c)
        direct = nengo.Ensemble(1, 2, neuron_type=nengo.Direct())
        nengo.Connection(c, direct)
        nengo.Connection(direct, out[:2], function=square, transform=0.7)
        for obj in (out, direct, a, b[1], a.neurons, c.neurons):
            nengo.Probe(obj, synapse=0.003 if obj is b else None)
    return net


def _inputs(node, a):
    nengo.Connection(node, a)  # no weights
    nengo.Connection(node, a, transform=0.1)
    nengo.Connection(node, a, transform=[0.1, -0.2])
    nengo.Connection(node[1], a[0], transform=0.2)
    nengo.Connection(node, a, transform=nengo.dists.Uniform(-0.1, 0.1))
    nengo.Connection(node, a[[1, 0]], function=square, transform=-0.1)


def _decoders(a, c):
    for i, solver in enumerate(SOLVERS.values()):
        sized = isinstance(solver, nengo.solvers.NoSolver)
        nengo.Connection(a, c, solver=solver, transform=0.2, label=f"solver {i}")
        if not sized:
            nengo.Connection(a, c, solver=solver, function=square, transform=1)
            nengo.Connection(
                a[[1, 0]], c[0], solver=solver, function=three, transform=[[1, 2, 0.1]]
            )
    points = np.random.RandomState(0).uniform(-1, 1, size=(30, 2))
    nengo.Connection(a, c, eval_points=points, function=points**2)
    nengo.Connection(a, c, synapse=0.002, transform=[[0, 1], [-1, 0.5]])


def _transforms(a, b, c):
    """Connections between neurons, and to a node, which is returned."""
    rng = np.random.RandomState(0)
    scale = 1e-4
    dense = scale * rng.normal(size=(12, 12))
    out = nengo.Node(size_in=9)
    nengo.Connection(a.neurons, b.neurons, transform=dense)
    nengo.Connection(a.neurons, b.neurons, transform=scale)
    nengo.Connection(a.neurons[:4], b.neurons[::3], transform=[scale] * 4)
    nengo.Connection(a.neurons[[0, 3]], b.neurons[[5, 1]], transform=scale)
    nengo.Connection(a.neurons, c, transform=scale * rng.normal(size=(2, 12)))
    nengo.Connection(a, b.neurons, transform=scale * rng.normal(size=(12, 2)))
    nengo.Connection(a.neurons[:9], out)  # no weights
    matrix = scipy.sparse.random(9, 12, 0.4, "csr", random_state=rng)
    nengo.Connection(a.neurons, out, transform=nengo.Sparse((9, 12), init=matrix))
    indices = [[0, 1], [3, 5], [8, 11]]
    sparse = nengo.Sparse((9, 12), indices=indices, init=[1.0, 2.0, -1.0])
    nengo.Connection(a.neurons, out, transform=sparse)
    shape = {"input_shape": (2, 2, 3), "kernel_size": (2, 2)}
    convolution = nengo.Convolution(9, **shape)
    nengo.Connection(a.neurons, out, transform=convolution)
    first = nengo.Convolution(9, (3, 2, 2), kernel_size=(2, 2), channels_last=False)
    nengo.Connection(b.neurons, out, transform=first)
    grouped = nengo.Convolution(3, (3, 4), (2,), (1,), "same", groups=1)
    nengo.Connection(b.neurons, out, transform=grouped)
    transposed = nengo.ConvolutionTranspose(
        1, (2, 2, 3), kernel_size=(2, 2), output_shape=(3, 3, 1)
    )
    nengo.Connection(b.neurons, out, transform=transposed)
    nengo.Connection(c.neurons, out)
    nengo.Connection(c, out[3:6], function=three)
    return out


def small(neuron_type, seed=0, **settings):
    """Return a network with an ensemble, its neurons, and connections to another."""
    with nengo.Network(seed=seed) as net:
        nengo_dl.configure_settings(jit_compile=False, **settings)
        net.config[nengo.Ensemble].neuron_type = neuron_type
        net.config[nengo.Ensemble].max_rates = nengo.dists.Uniform(220, 300)
        net.node = nengo.Node([0.4], label="input")
        a = nengo.Ensemble(8, 1, radius=0.8, label="a")
        b = nengo.Ensemble(6, 2, label="b")
        nengo.Connection(net.node, a, synapse=None)
        nengo.Connection(a, b, function=both, synapse=None)
        nengo.Connection(a.neurons[:6], b.neurons, transform=1e-3, synapse=0.002)
        nengo.Probe(b)
        nengo.Probe(b.neurons)
    return net


def train(sim, optimizer=None, n_epochs=2):
    """Take one step in each epoch, towards targets that are easy to tell apart."""
    net = sim.model.toplevel
    rng = np.random.RandomState(1)
    n_items = sim.minibatch_size or 1
    data = {p: rng.uniform(size=(n_items, 2, p.size_in)) for p in net.all_probes}
    data[net.node] = rng.uniform(-1, 1, size=(n_items, 2, net.node.size_out))
    if optimizer is None:
        optimizer = keras.optimizers.Adam(1e-2)
    return sim.train(data, optimizer, n_epochs, shuffle=False)


def outputs(sim, steps=30):
    """Return what all probes record from the beginning, without a batch axis."""
    ours = isinstance(sim, nengo_dl.Simulator)
    sim.reset(**({"include_trainable": False} if ours else {}))
    sim.run_steps(steps)
    data = [np.array(sim.data[p]) for p in sim.model.toplevel.all_probes]
    if not ours or sim.minibatch_size is None:
        return data
    for values in data:
        # exp and log may round differently in the last of a row of vector registers
        assert_close(values, values[:1].repeat(len(values), 0), 1e-12)
    return [values[0] for values in data]


def assert_equal(ours, others, rtol=1e-10):
    """Compare outputs."""
    assert len(ours) == len(others)
    for values, expected in zip(ours, others, strict=True):
        assert_close(values, expected, rtol)


def assert_differ(ours, others):
    """Fail unless an output differs."""
    same = [np.allclose(a, b, 1e-6, 0) for a, b in zip(ours, others, strict=True)]
    assert not all(same)


def in_nengo(net, steps=30):
    # neurons that Nengo merges draw random numbers from one stream, in an order that
    # varies from one simulator to the next
    with nengo.Simulator(net, optimize=False, progress_bar=False) as sim:
        return outputs(sim, steps)


def other_values(sim, factor=0.1):
    """Change all parameters, as training might, but at once."""
    rng = np.random.RandomState(3)
    store = sim._runner.store
    store.restore(
        {
            signal: values * (1 + factor * rng.uniform(-1, 1, size=values.shape))
            for signal, values in store.snapshot().items()
            if signal in sim._built.trainable
        }
    )
