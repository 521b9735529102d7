import warnings
from fractions import Fraction

import nengo
import numpy as np
import pytest
from nengo.builder.operator import SimPyFunc
from nengo.builder.signal import Signal
from nengo.exceptions import SimulationError

import nengo_dl
from nengo_dl.lowering.python_function import evaluator
from tests.helpers import assert_matches_nengo, configured, reference, simulate


def test_functions_of_time_input_and_both():
    with nengo.Network(seed=0) as net:
        of_time = nengo.Node(lambda t: [np.sin(100 * t), np.cos(100 * t)])
        of_both = nengo.Node(lambda t, x: t + x[::-1], size_in=2)
        passthrough = nengo.Node(size_in=2)
        scalar = nengo.Node(lambda t, x: x[0] * x[1], size_in=2)
        nengo.Connection(of_time, of_both)
        nengo.Connection(of_both, passthrough, function=lambda x: x**2, synapse=None)
        nengo.Connection(passthrough, scalar, synapse=0.01)
        for node in (of_time, of_both, passthrough, scalar):
            nengo.Probe(node)
    assert_matches_nengo(net)


@pytest.mark.parametrize("jit", [True, False])
def test_environment_and_sensors_see_each_other_as_in_nengo(jit):
    class Environment:
        position = 0.0

        def move(self, t, x):
            self.position += 0.1 * x[0] + 0.01
            return self.position

    def make():
        world = Environment()
        with nengo.Network(seed=0) as net:
            before = nengo.Node(lambda t: world.position)
            actor = nengo.Node(world.move, size_in=1)
            after = nengo.Node(lambda t: [world.position, t])
            nengo.Connection(before, actor, synapse=None)
            nengo.Connection(after[0], actor, transform=-0.5)
            for node in (before, actor, after):
                nengo.Probe(node)
        world.position = 0.0
        return net

    assert_matches_nengo(make, dtypes=("float64",), minibatch=(None,), jit=(jit,))


def calls_of(simulator, make, steps, **options):
    calls = []
    net = make(calls)
    calls.clear()
    with simulator(net, progress_bar=False, **options) as sim:
        sim.run_steps(steps)
    return calls


def test_functions_are_called_in_nengos_order():
    def make(calls):
        def named(name, value=0):
            def function(t, *x):
                calls.append((name, round(t, 6)))
                return value

            return function

        with nengo.Network(seed=0):
            net = nengo.Network(seed=0)
            with net:
                nodes = [nengo.Node(named(i), size_in=i % 2) for i in range(6)]
                # some have to wait for others
                nengo.Connection(nodes[5], nodes[3], synapse=None)
                nengo.Connection(nodes[3], nodes[1], synapse=None)
                ensemble = nengo.Ensemble(5, 1)
                nengo.Connection(nodes[1], ensemble)
                nengo.Connection(ensemble, nodes[5])
        return net

    expected = calls_of(nengo.Simulator, make, 3, optimize=False)
    assert len(expected) == 18
    assert calls_of(nengo_dl.Simulator, make, 3) == expected


def test_functions_without_output_are_called_too():
    seen = []
    with nengo.Network() as net:
        source = nengo.Node(lambda t: t * 1000)
        sink = nengo.Node(lambda t, x: seen.append((t, x.copy())), size_in=1)
        nengo.Connection(source, sink, synapse=None)
        nengo.Node(lambda t: seen.append((t, None)))
    seen.clear()
    simulate(net, 3)
    times = [t for t, x in seen if x is None]
    values = [x for t, x in seen if x is not None]
    assert times == [0.001, 0.002, 0.003]
    np.testing.assert_allclose(np.ravel(values), [1, 2, 3])


def test_each_call_gets_an_input_of_its_own():
    kept = []

    def keep(t, x):
        kept.append(x)
        x[...] = -1  # its own, so nobody else sees this
        return x

    with nengo.Network() as net:
        source = nengo.Node(lambda t: [t * 1000, 1])
        node = nengo.Node(keep, size_in=2)
        nengo.Connection(source, node, synapse=None)
        direct = nengo.Node(size_in=2)
        nengo.Connection(source, direct, synapse=None)
        p = nengo.Probe(direct)
    kept.clear()
    sim = simulate(net, 3)
    assert len({id(x) for x in kept}) == 3
    np.testing.assert_allclose(sim.data[p], [[1, 1], [2, 1], [3, 1]])


def test_one_call_for_each_item_of_a_minibatch():
    inputs = []
    with nengo.Network() as net:
        source = nengo.Node([0])
        node = nengo.Node(lambda t, x: inputs.append(x[0]) or x * 2, size_in=1)
        nengo.Connection(source, node, synapse=None)
        p = nengo.Probe(node)
    inputs.clear()
    data = np.arange(6.0).reshape(3, 2, 1)
    sim = simulate(net, 2, data={source: data}, minibatch_size=3)
    assert inputs == [0, 2, 4, 1, 3, 5]
    assert np.array_equal(sim.data[p], 2 * data)


@pytest.mark.parametrize(
    "result", [1, 1.5, True, [1.5], np.float32(2), np.array(3), (0.5,), np.array([[4]])]
)
def test_outputs_of_many_types(result):
    def function(t, x):
        return result if t > 0.0015 else [0.5]

    # the first result decides the size, later ones may look different
    with nengo.Network(seed=0) as net:
        nengo.Probe(nengo.Node(lambda t: function(t, None)), label="ahead")
        nengo.Probe(nengo.Node(function, size_in=1), label="in the loop")
    with configured(net, jit_compile=False):
        sim = simulate(net, 4)
    expected = reference(net, 4)
    for probe in net.probes:
        assert np.array_equal(sim.data[probe], expected[probe.label])


def test_functions_that_keep_and_return_one_array():
    buffer = np.zeros(2)

    def count(t, *x):
        buffer[:] += 1
        return buffer

    def make():
        with nengo.Network(seed=0) as net:
            nengo.Probe(nengo.Node(count))
        buffer[:] = 0
        return net

    assert_matches_nengo(make)


def test_function_with_input_that_returns_one_array_again_and_again():
    def make():
        buffer = np.zeros(1)

        def count(t, x):
            buffer[:] += 1
            return buffer

        with nengo.Network(seed=0) as net:
            nengo.Probe(nengo.Node(count, size_in=1))
        buffer[:] = 0
        return net

    assert_matches_nengo(make, minibatch=(None,))


NO_NUMBERS = {
    "text": "3",
    "bytes": b"3",
    "list of text": ["3"],
    "array of text": np.array(["1e3"]),
    "array of bytes": np.array([b"3"]),
    "array of objects": np.array([3], dtype=object),
    "list of objects": [Fraction(1, 2)],
    "masked array": np.ma.masked_array([7.0], [True]),
    "masked": np.ma.masked,
}


@pytest.mark.parametrize("result", NO_NUMBERS.values(), ids=NO_NUMBERS)
@pytest.mark.parametrize("size_in", [0, 1])
def test_what_is_no_number_is_refused_as_by_nengo(result, size_in):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node = nengo.Node(
            lambda t, *x: result if t > 0.0015 else 0.5, size_in=size_in, label="odd"
        )
        probe = nengo.Probe(node)
    with (
        nengo.Simulator(net, progress_bar=False) as sim,
        pytest.raises(SimulationError),
    ):
        sim.run_steps(3)
    expected = r"(?s)odd.* returned .*; expected 1 finite number"
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with pytest.raises(SimulationError, match=expected):
            sim.run_steps(3)
        assert len(sim.data[probe]) == 1
        with pytest.raises(SimulationError, match=expected):
            sim.predict(n_steps=3, verbose=0)
        with pytest.raises(SimulationError, match=expected):
            sim.loss({probe: np.zeros((1, 3, 1))})


@pytest.mark.parametrize("size_in", [0, 1])
def test_masked_arrays_of_which_nothing_is_hidden_are_numbers(size_in):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=True)
        shown = nengo.Node(
            lambda t, *x: np.ma.masked_array([t], [False]), size_in=size_in
        )
        hidden = nengo.Node(
            lambda t, *x: np.ma.masked_array([t], [t > 0.0015]), size_in=size_in
        )
        probe = nengo.Probe(shown)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with pytest.raises(SimulationError, match="masked_array"):
            sim.run_steps(3)
        assert np.allclose(sim.data[probe], [[0.001]])
    assert hidden in net.nodes


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("over", ["ignore", "warn", "raise"])
@pytest.mark.parametrize("bad", [1e300, np.inf, np.nan, None, "a"])
def test_bad_results_are_named_however_numpy_is_set(size, over, bad):
    """NumPy may show what does not fit into single precision, or raise it itself."""
    with nengo.Network():
        node = nengo.Node(lambda t, x: None, size_in=1, size_out=size)
    op = SimPyFunc(Signal(np.zeros(size)), node.output, None, Signal(np.zeros(1)))
    output = np.zeros(size, np.float32)
    for result in (bad, np.array([bad] * size), [bad] * size):
        op.fn = lambda x, result=result: result
        call = evaluator(op, output, lambda step: (np.zeros(1),))
        with np.errstate(over=over), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(SimulationError, match="returned"):
                call(1)
