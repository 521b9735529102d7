"""Products whose inputs are known run ahead of the loop, with the same results."""

from itertools import product

import nengo
import numpy as np
import pytest

import nengo_dl
from nengo_dl.graph.roles import Role
from nengo_dl.program import program
from nengo_dl.program.ahead import Ahead
from nengo_dl.program.form import Form
from tests.helpers import (
    assert_close,
    assert_matches_nengo,
    configured,
    rest_with_everything,
)

SIZE = 20


@pytest.fixture(autouse=True)
def everything_is_worth_it(monkeypatch):
    monkeypatch.setattr("nengo_dl.graph.ahead.WORTH", 2 * SIZE)


def network(recurrent=True, output=None, python=False, sample_every=None):
    """Return weights behind an input, and neurons that also see each other."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        node = nengo.Node(np.linspace(0, 1, SIZE) if output is None else output)
        net.image = node
        layer = nengo.Ensemble(30, 1, seed=1).neurons
        weights = rng.uniform(-1, 1, (30, SIZE))
        nengo.Connection(node, layer, transform=weights, synapse=None)
        if recurrent:
            between = rng.uniform(-0.01, 0.01, (30, 30))
            nengo.Connection(layer, layer, transform=between, synapse=0.01)
        sums = nengo.Node(size_in=5)
        known = rng.uniform(-1, 1, (5, SIZE))
        nengo.Connection(node, sums, transform=known, synapse=None)
        if python:
            nengo.Connection(sums, nengo.Node(lambda t, x: None, size_in=5))
        nengo.Probe(layer, synapse=0.02, sample_every=sample_every)
        nengo.Probe(layer, "input")
        nengo.Probe(sums)
        nengo.Probe(node)
    return net


def changing(t):
    return np.sin(np.arange(SIZE) + 30 * t)


def modes(sim):
    return {form.ahead for form in sim._program._calls}


#: each value of each of them with each of another
FEW = {
    (None, False, True),
    (None, True, False),
    (changing, False, False),
    (changing, True, True),
}


@pytest.mark.parametrize(
    "output, python, recurrent",
    [
        pytest.param(*case, marks=() if case in FEW else pytest.mark.everything)
        for case in product([None, changing], [True, False], [True, False])
    ],
)
def test_as_nengo(recurrent, python, output, monkeypatch):
    monkeypatch.setattr(program, "MAX_AT_ONCE", 16)
    assert_matches_nengo(network(recurrent, output, python), steps=40)


@pytest.mark.parametrize("jit", [True, False])
def test_the_loop_has_no_product_that_is_known(jit):
    net = network()
    with configured(net, jit_compile=jit):
        sim = nengo_dl.Simulator(net, progress_bar=False)
    with sim:
        ahead, loop = sim._program.parts
        names = [type(lowering).__name__ for lowering in loop]
        assert ahead and len(ahead) + len(loop) == len(sim._program.lowerings)
        assert sum("Dot" in name for name in names) == 1  # the recurrent one
        blocks = sim._program.layout.blocks
        assert {blocks[i].role for i in sim._program.handed_over} == {Role.AHEAD}


def test_constant_inputs_are_looked_at_once():
    with nengo_dl.Simulator(network(), progress_bar=False) as sim:
        sim.run_steps(30)
        sim.step()
        assert modes(sim) == {Ahead.ONCE}
        assert sim._program.rows(Form(Ahead.ONCE)) == 1
        assert sim._program.traces == 1


def test_short_runs_go_step_by_step(monkeypatch):
    monkeypatch.setattr(program, "MAX_AT_ONCE", 20)
    net = network(output=changing)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        for _ in range(3):
            sim.step()
        assert modes(sim) == {Ahead.NEVER}
        sim.run_steps(47)
        assert modes(sim) == {Ahead.NEVER, Ahead.EACH}
    with nengo.Simulator(net, progress_bar=False) as ref:
        ref.run_steps(50)
    for probe in net.probes:
        assert_close(sim.data[probe], ref.data[probe])


def test_too_little_room_is_not_worth_it(monkeypatch):
    monkeypatch.setattr(program, "MAX_AT_ONCE", program.MIN_AT_ONCE - 1)
    with nengo_dl.Simulator(network(output=changing), progress_bar=False) as sim:
        sim.run_steps(10)
        assert modes(sim) == {Ahead.NEVER}


@pytest.mark.parametrize("repeat", rest_with_everything([np.broadcast_to, np.tile]))
def test_pictures_are_looked_at_once(repeat):
    """Data that stay the same are found out, whether they are copies or views."""
    net = network()
    constant = net.image.output
    images = np.random.RandomState(0).uniform(size=(3, 1, SIZE))
    held = (
        np.tile(images, (1, 140, 1))
        if repeat is np.tile
        else np.broadcast_to(images, (3, 140, SIZE))
    )
    late = held.copy()
    late[1, 70, 3] += 0.5  # neither the first step nor the last one
    options = {"minibatch_size": 3, "dtype": "float64", "progress_bar": False}
    with nengo_dl.Simulator(net, **options) as sim:
        for data, expected in ((held, Ahead.ONCE), (late, Ahead.EACH)):
            net.image.output = constant
            sim._program._calls.clear()
            sim.reset()
            sim.run_steps(140, data={net.image: data})
            assert modes(sim) == {expected}
            assert_close(sim.data[net.probes[-1]], data)
            for i, item in enumerate(data):
                net.image.output = nengo.processes.PresentInput(item, 0.001)
                with nengo.Simulator(net, progress_bar=False) as ref:
                    ref.run_steps(140)
                for probe in net.probes:
                    assert_close(sim.data[probe][i], ref.data[probe])


def test_samples_in_between():
    net = network(output=changing, sample_every=0.003)
    assert_matches_nengo(net, steps=40, minibatch=(None,), dtypes=("float64",))


def test_weights_that_learn_stay_in_the_loop():
    with nengo.Network(seed=0) as net:
        pre = nengo.Ensemble(SIZE, 1, seed=1)
        post = nengo.Ensemble(SIZE, 1, seed=2)
        drive = nengo.Node(np.ones(SIZE))
        weights = np.random.RandomState(0).uniform(-1, 1, (SIZE, SIZE))
        nengo.Connection(drive, pre.neurons, transform=weights, synapse=None)
        nengo.Connection(
            pre.neurons,
            post.neurons,
            transform=weights / 100,
            learning_rule_type=nengo.BCM(learning_rate=1e-9),
        )
        nengo.Probe(post.neurons, synapse=0.01)
    assert_matches_nengo(net, steps=40, brief=True)


def test_parameters_that_change_between_runs():
    """Nothing that was computed ahead outlives a run."""
    net = network(recurrent=False)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        sim.run_steps(5)
        before = sim.data[net.probes[2]][-1].copy()
        connection = next(c for c in net.connections if c.size_out == 5)
        signal = sim.model.sig[connection]["weights"]
        sim._runner.store.set_value(signal, 2 * sim.data[connection].weights)
        sim.run_steps(5)
        assert_close(sim.data[net.probes[2]][-1], 2 * before)


def test_small_models_are_left_alone(monkeypatch):
    monkeypatch.undo()
    with nengo_dl.Simulator(network(), progress_bar=False) as sim:
        assert sim._program.parts[0] == ()
        assert not sim._program.layout.of_role(Role.AHEAD)


def test_data_that_are_not_finite_are_found_in_every_form():
    net = network()
    for bad in (np.nan, np.inf, -np.inf):
        held = np.zeros((1, 9, SIZE))
        held[:, :, 3] = bad
        single = np.zeros((1, 9, SIZE), np.float32)
        single[0, 5, 7] = bad
        view = np.broadcast_to(held[:, :1], held.shape)
        for data in (held, single, view):
            with nengo_dl.Simulator(net, progress_bar=False) as sim:
                with pytest.raises(nengo.exceptions.ValidationError, match="infinity"):
                    sim.run_steps(9, data={net.image: data})
                assert sim.n_steps == 0
