"""Networks that nobody designed: combinations that no other test thinks of."""

import nengo
import numpy as np
import pytest

from tests.helpers import assert_matches_nengo

pytestmark = pytest.mark.filterwarnings("ignore")

NEURON_TYPES = [
    nengo.LIF(),
    nengo.LIF(tau_rc=0.05, amplitude=0.5),
    nengo.LIFRate(),
    nengo.RectifiedLinear(),
    nengo.SpikingRectifiedLinear(),
    nengo.Sigmoid(),
    nengo.Tanh(),
    nengo.Direct(),
    nengo.AdaptiveLIF(),
]
SYNAPSES = [
    0.005,
    0.01,
    nengo.Alpha(0.01),
    0,
    nengo.LinearFilter([1], [1e-4, 0.02, 1]),
    nengo.LinearFilter([0.02, 0], [0.02, 1]),
    nengo.synapses.Triangle(0.004),
]


def has_neurons(obj):
    """Whether it has neurons that can be connected."""
    if not isinstance(obj, nengo.Ensemble):
        return False
    return not isinstance(obj.neuron_type, nengo.Direct)


class RandomNetwork:
    """Makes a network out of a stream of random numbers."""

    def __init__(self, seed, python):
        self.rng = np.random.RandomState(seed)
        self.python = python
        with nengo.Network(seed=seed) as self.net:
            self.sources = [self.node() for _ in range(self.rng.randint(1, 4))]
            self.targets = [self.target() for _ in range(self.rng.randint(2, 6))]
            for source in self.sources:
                self.connect(source, self.pick(self.targets), early=True)
            for _ in range(self.rng.randint(2, 9)):
                self.connect(self.pick(self.targets), self.pick(self.targets))
            for obj in [*self.sources, *self.targets]:
                if self.flip(0.7):
                    self.probe(obj)
            self.probe(self.targets[0])

    def flip(self, probability):
        return self.rng.rand() < probability

    def pick(self, options):
        return options[self.rng.randint(len(options))]

    def node(self):
        size = self.rng.randint(1, 4)
        offset = np.arange(size)
        return nengo.Node(
            self.pick(
                [
                    lambda t: np.sin(40 * t + offset),
                    self.rng.uniform(-1, 1, size),
                    nengo.processes.WhiteSignal(
                        0.1, high=60, seed=self.rng.randint(99)
                    ),
                    nengo.processes.Piecewise(
                        {0.01: offset + 0.5, 0.02: -0.3 * offset}
                    ),
                ]
            ),
            size_out=size,
        )

    def target(self):
        size = self.rng.randint(1, 4)
        if self.flip(0.25):
            if self.python and self.flip(0.5):
                return nengo.Node(lambda t, x: np.tanh(x) + t, size_in=size)
            return nengo.Node(size_in=size)
        noise = nengo.processes.WhiteNoise(seed=1) if self.flip(0.15) else None
        types = NEURON_TYPES if self.python else NEURON_TYPES[:-1]
        return nengo.Ensemble(
            self.rng.randint(5, 25),
            size,
            neuron_type=self.pick(types),
            radius=self.pick([1, 1.5]),
            noise=noise,
        )

    def some(self, obj):
        """The object, or a part of it."""
        kind = self.rng.randint(5)
        n = obj.size_out
        if kind == 0:
            return obj[::-1]
        if kind == 1:
            return obj[
                list(map(int, self.rng.permutation(n)[: self.rng.randint(1, 4)]))
            ]
        if kind == 2:
            return obj[: self.rng.randint(1, n + 1)]
        return obj

    def connect(self, pre, post, early=False):
        from_neurons = has_neurons(pre) and self.flip(0.2)
        decoded = isinstance(pre, nengo.Ensemble) and not from_neurons
        source = self.some(pre.neurons if from_neurons else pre)
        to_neurons = has_neurons(post) and self.flip(0.2)
        target = self.some(post.neurons if to_neurons else post)
        options = {"synapse": self.pick(SYNAPSES if self.python else SYNAPSES[:-1])}
        if early and self.flip(0.4):
            options["synapse"] = None
        size_in, size_out = source.size_out, target.size_in
        if decoded and self.flip(0.4):
            if self.flip(0.5):
                options["function"] = np.square
            else:
                options["function"] = lambda x: [x[0] * x[-1], x[0]]
                size_in = 2
        scale = 0.003 if from_neurons else 0.3
        options["transform"] = scale * self.transform(size_out, size_in)
        if not decoded and self.flip(0.3):
            places = self.rng.randint([size_out, size_in], size=(3, 2))
            options["transform"] = nengo.Sparse(
                (size_out, size_in), indices=places, init=scale * self.rng.rand(3)
            )
        learns = decoded and has_neurons(pre) and not to_neurons and self.flip(0.3)
        if learns:
            options["learning_rule_type"] = nengo.PES(1e-4)
        connection = nengo.Connection(source, target, **options)
        if learns:
            rule, error = connection.learning_rule, self.pick(self.sources)
            ones = np.ones((rule.size_in, error.size_out))
            nengo.Connection(error, rule, transform=ones)
            nengo.Probe(connection, "weights", sample_every=0.004)

    def transform(self, rows, columns):
        kind = self.rng.randint(3)
        if kind == 0 or rows != columns:
            return self.rng.uniform(-1, 1, (rows, columns))
        return np.float64(1.0) if kind == 1 else self.rng.uniform(-1, 1, rows)

    def probe(self, obj):
        synapse = self.pick([None, 0.01, nengo.Alpha(0.02)])
        every = self.pick([None, None, 0.002, 0.0035])
        nengo.Probe(self.some(obj), synapse=synapse, sample_every=every)
        if has_neurons(obj) and self.flip(0.5):
            nengo.Probe(obj.neurons, self.pick(["input", "output"]))


class _Anything:
    def __contains__(self, name):
        return True


#: populations may happen to be silent
ANYTHING = _Anything()


@pytest.mark.parametrize("python", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_random_networks(seed, python):
    net = RandomNetwork(seed, python).net
    assert_matches_nengo(
        net,
        steps=40,
        dtypes=("float64",),
        minibatch=(None, 2),
        unroll=(1, 3),
        jit=(True, False),
        rtol=1e-8,
        silent=ANYTHING,
    )
