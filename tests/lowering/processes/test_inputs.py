"""Processes without input: computed ahead of the loop."""

import nengo
import numpy as np
import pytest
from nengo.processes import (
    BrownNoise,
    FilteredNoise,
    Piecewise,
    PresentInput,
    WhiteNoise,
    WhiteSignal,
)

from nengo_dl import Simulator
from tests.helpers import (
    assert_close,
    assert_matches_nengo,
    reference,
    rest_with_everything,
    simulate,
)

DETERMINISTIC = [
    PresentInput([[1, 2], [-1, 0.5], [0, 3]], 0.004),
    PresentInput(np.arange(6).reshape(3, 1, 2), 0.0031),
    Piecewise({0.005: [1, 2], 0.01: [0, -1]}),
    Piecewise({0: [0, 1], 0.01: [1, 0], 0.02: [0, 0]}, interpolation="linear"),
]


def random_processes(seed=None):
    return [
        WhiteNoise(seed=seed),
        WhiteNoise(nengo.dists.Uniform(-1, 1), scale=False, seed=seed),
        FilteredNoise(nengo.Alpha(0.005), seed=seed),
        BrownNoise(seed=seed),
        WhiteSignal(0.05, high=100, seed=seed),
        WhiteSignal(0.03, high=300, y0=0.5, seed=seed),
    ]


@pytest.mark.parametrize("seed", [None, 5])
def test_processes_of_all_types(seed):
    with nengo.Network(seed=0) as net:
        for process in [*DETERMINISTIC, *random_processes(seed)]:
            node = nengo.Node(process, size_out=2)
            nengo.Probe(node, label=str(process))
            nengo.Probe(node, synapse=0.01)
    # unseeded ones differ from item to item
    assert_matches_nengo(net, steps=70, items_differ=seed is None)


def test_noise_of_ensembles():
    with nengo.Network(seed=0) as net:
        for noise in (
            WhiteNoise(),
            FilteredNoise(),
            WhiteSignal(0.05, high=100, seed=1),
        ):
            ensemble = nengo.Ensemble(10, 1, noise=noise, neuron_type=nengo.LIFRate())
            nengo.Connection(nengo.Node(0.5), ensemble)
            nengo.Probe(ensemble.neurons, "input")
            nengo.Probe(ensemble, synapse=0.01)
    assert_matches_nengo(net, items_differ=True)


def test_streams_go_on_over_chunks_and_runs(monkeypatch):
    with nengo.Network(seed=0) as net:
        for process in [*DETERMINISTIC, *random_processes()]:
            nengo.Probe(nengo.Node(process, size_out=2), label=str(process))
    expected = reference(net, 30)
    monkeypatch.setattr("nengo_dl.program.program.MAX_CAPACITY", 8)
    with Simulator(net, dtype="float64", progress_bar=False) as sim:
        for steps in (1, 10, 19):
            sim.run_steps(steps)
        for probe in net.probes:
            assert_close(sim.data[probe], expected[probe.label], what=probe.label)


class Counter(nengo.Process):
    """Counts, from a random number on."""

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return {"value": np.full(shape_out, 10.0)}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        value, first = state["value"], rng.randint(1000)

        def step(t, x=0):
            value[...] += 1
            return first + value + x

        return step


@pytest.mark.parametrize("size_in", [0, 2])
@pytest.mark.parametrize("seed", rest_with_everything([None, 3]))
def test_processes_of_the_user_with_state(size_in, seed):
    with nengo.Network(seed=0) as net:
        source = nengo.Node(lambda t: [t, 2 * t])
        for _ in range(2):
            process = Counter(default_size_in=size_in, default_size_out=2, seed=seed)
            node = nengo.Node(process)
            if size_in:
                nengo.Connection(source, node, synapse=None)
            nengo.Probe(node)
        nengo.Probe(nengo.Node(WhiteNoise(), size_out=1))  # next in the stream
    assert_matches_nengo(net, items_differ=True)


class Smoothing(nengo.synapses.Synapse):
    """A synapse of the user's: the mean of the last three inputs."""

    def make_state(self, shape_in, shape_out, dt, dtype=None):
        return {"last": np.zeros((3, *shape_in))}

    def make_step(self, shape_in, shape_out, dt, rng, state):
        last = state["last"]

        def step(t, x):
            last[1:] = last[:-1].copy()
            last[0] = x
            return last.mean(axis=0)

        return step


def test_synapse_of_the_user():
    with nengo.Network(seed=0) as net:
        a = nengo.Node(size_in=2)
        nengo.Connection(
            nengo.Node(lambda t: [np.sin(99 * t), t]), a, synapse=Smoothing()
        )
        nengo.Connection(a[0], a[1], synapse=Smoothing())
        nengo.Probe(a)
        nengo.Probe(a, synapse=Smoothing())
    assert_matches_nengo(net)


class SlowLowpass(nengo.Lowpass):
    """Changes the step of a synapse that has an implementation."""

    def make_step(self, *args, **kwargs):
        step = super().make_step(*args, **kwargs)
        return lambda t, x: step(t, 0.5 * x)


def test_subclass_of_a_known_synapse_keeps_its_own_step():
    with nengo.Network(seed=0) as net:
        node = nengo.Node(lambda t: np.sin(99 * t))
        nengo.Probe(node, synapse=SlowLowpass(0.01))
        nengo.Probe(node, synapse=nengo.Lowpass(0.01))
    assert_matches_nengo(net)


def test_noise_of_items_is_that_of_larger_seeds():
    with nengo.Network(seed=0) as net:
        p = nengo.Probe(nengo.Node(WhiteNoise(), size_out=3))
    batch = simulate(net, 10, minibatch_size=3, seed=40).data[p]
    for i in range(3):
        alone = simulate(net, 10, seed=40 + i).data[p]
        assert np.array_equal(batch[i], alone)


def test_draws_of_processes_in_the_loop_and_ahead_share_one_stream():
    with nengo.Network(seed=0) as net:
        node = nengo.Node(lambda t, x: x, size_in=1)  # brings Python into the loop
        first = nengo.Node(WhiteNoise(), size_out=1)
        nengo.Connection(first, node, synapse=nengo.synapses.Triangle(0.003))
        second = nengo.Node(Counter(default_size_in=1, default_size_out=1))
        nengo.Connection(node, second, synapse=0.01)
        third = nengo.Node(FilteredNoise(), size_out=1)
        for each in (node, second, third):
            nengo.Probe(each)
    assert_matches_nengo(net, items_differ=True)
