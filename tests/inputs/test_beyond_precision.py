"""Numbers that single precision cannot hold are refused, wherever they come from."""

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import BuildError, NengoException, SimulationError

import nengo_dl
from nengo_dl.graph.number_range import beyond, cast_into, is_beyond

CALLS = {
    "run_steps": lambda sim, n, p: sim.run_steps(3),
    "step": lambda sim, n, p: sim.step(),
    "predict": lambda sim, n, p: sim.predict(n_steps=3, verbose=0),
    "loss": lambda sim, n, p: sim.loss({p: np.zeros((2, 3, 1))}),
    "train": lambda sim, n, p: sim.train({p: np.zeros((2, 3, 1))}, "sgd"),
    "fit": lambda sim, n, p: sim.fit(y=np.zeros((2, 3, 1)), n_steps=3, verbose=0),
    "evaluate": lambda sim, n, p: sim.evaluate(
        y=np.zeros((2, 3, 1)), n_steps=3, verbose=0
    ),
    "run_batch": lambda sim, n, p: sim.run_batch(3, {p: None}),
}


class Huge(nengo.Process):
    """Gives what is too large from the third step on."""

    def make_step(self, shape_in, shape_out, dt, rng, state):
        return lambda t, *x: np.full(shape_out, 1e39 if t > 0.0025 else 1.0)


def network(output, size_in=0):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node(output, size_in=size_in, label="too loud")
        other = nengo.Node(size_in=1)
        nengo.Connection(node, other, transform=0.1, synapse=None)
        probe = nengo.Probe(other)
        if size_in:
            nengo.Connection(nengo.Node([0.5] * size_in), node, synapse=None)
    return net, node, probe


def simulator(net):
    return nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False)


#: functions of time and of an input, for every call; and further ones
OUTPUTS = [
    (lambda t: 1e39 if t > 0.0005 else 0.0, 0),
    (lambda t, x: float(x[0]) * 1e39, 1),
    (lambda t: 10**400, 0),
    (lambda t, x: 10**400, 1),
    (nengo.processes.PresentInput([[-1e39]], 1), 0),
]
BY_DEFAULT = {(i, call) for i in range(2) for call in CALLS} | {
    (i, "run_steps") for i in range(5)
}


@pytest.mark.parametrize(
    "output, size_in, call",
    [
        pytest.param(
            *OUTPUTS[i],
            call,
            marks=() if (i, call) in BY_DEFAULT else pytest.mark.everything,
        )
        for i in range(len(OUTPUTS))
        for call in CALLS
    ],
)
def test_every_call_names_the_node(output, size_in, call):
    net, node, probe = network(output, size_in)
    with simulator(net) as sim:
        sim.compile(keras.optimizers.SGD(0.1), loss="mse")
        with pytest.raises(NengoException, match="beyond.* float32.*'float64'") as info:
            CALLS[call](sim, node, probe)
    assert "too loud" in str(info.value)


def test_a_constant_is_refused_when_the_network_is_built():
    net, _, _ = network([1e39])
    with pytest.raises(BuildError, match="too loud.* beyond"):
        simulator(net)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        sim.run_steps(1)


@pytest.mark.parametrize(
    "connection",
    [
        {"transform": 1e39},
        {"transform": nengo.transforms.Sparse((1, 1), [[0, 0]], 1e39)},
    ],
)
def test_weights_are_refused_when_the_network_is_built(connection):
    with nengo.Network() as net:
        nodes = nengo.Node([1.0], label="heavy"), nengo.Node(size_in=1)
        nengo.Connection(*nodes, **connection)
        nengo.Probe(nodes[1])
    with pytest.raises(BuildError, match="heavy.* beyond"):
        simulator(net)


@pytest.mark.parametrize("size_in", [0, 1])
def test_the_steps_before_a_process_fails(size_in):
    process = Huge(default_size_in=size_in, default_size_out=1)
    net, _, probe = network(process, size_in)
    with simulator(net) as sim:
        sim.run_steps(2)
        with pytest.raises(SimulationError, match="too loud.* t=0.003 s.*beyond"):
            sim.run_steps(2)
    assert np.all(sim.data[probe][:, :2] == np.float32(0.1))


def test_half_precision_and_infinity():
    assert is_beyond(7e4, "float16") and not is_beyond(7e4, "float32")
    assert not is_beyond([np.inf, np.nan], "float16") and not is_beyond("x", "float32")
    out = np.zeros(2, np.float16)
    assert cast_into(out, np.array([np.inf, np.nan]))
    assert not cast_into(out, np.array([1.0, 7e4]))
    assert "float64'" in beyond("float16") and "float64'" not in beyond("float64")
