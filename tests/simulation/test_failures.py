"""Python code that fails: what is raised, what is kept, and how it goes on."""

import gc

import nengo
import numpy as np
import pytest
from nengo.exceptions import SimulationError

import nengo_dl
from tests.helpers import assert_close, reference, rest_with_everything

#: where a function of time is called: before the loop, in the compiled loop through a
#: callback, or between compiled stages
PLACES = ["ahead", "callback", "driven"]

rare = pytest.mark.everything


class Faulty:
    """A function of time that fails once, at the fifth step."""

    def __init__(self, fail):
        self.fail = fail
        self.armed = True

    def __call__(self, t, x=None):
        if self.armed and round(t * 1000) == 5:
            return self.fail()
        return np.sin(100 * t)


def network(function, place):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=place != "driven")
        node = nengo.Node(function, size_out=1, label="the culprit")
        other = nengo.Node(lambda t: t)
        ensemble = nengo.Ensemble(20, 1)
        noise = nengo.Node(nengo.processes.WhiteNoise(), size_out=1)
        nengo.Connection(node, ensemble)
        nengo.Connection(noise, ensemble, transform=0.1)
        if place != "ahead":
            nengo.Connection(ensemble, nengo.Node(lambda t, x: None, size_in=1))
        for obj in (node, other, ensemble, ensemble.neurons, noise):
            nengo.Probe(obj)
    return net


def give(value):
    return lambda: value


def throw(error):
    def function():
        raise error

    return function


class Unusual(Exception):
    """An exception whose constructor wants more than a message."""

    def __init__(self, first, second):
        super().__init__(first, second)


def each_place_once(values):
    """Every value ahead of the loop, where it is fast, and the first in each place."""
    return [
        pytest.param(value, place, marks=() if i == 0 or k == 0 else rare)
        for i, value in enumerate(values)
        for k, place in enumerate(PLACES)
    ]


@pytest.mark.parametrize(
    "value, place",
    each_place_once(
        [np.nan, None, [np.inf], "text", [1, 2], np.array([np.nan]), object()]
    ),
    ids=lambda v: v if isinstance(v, str) else type(v).__name__ + str(v)[:6],
)
def test_values_that_are_no_output(value, place):
    net = network(Faulty(give(value)), place)
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        with pytest.raises(SimulationError) as error:
            sim.run_steps(20)
        message = str(error.value)
        assert "the culprit" in message
        assert "t=0.005 s" in message
        assert "expected 1 finite number" in message
        assert sim.n_steps == 4


@pytest.mark.parametrize(
    "error, place",
    each_place_once([Unusual("no way", 2), ValueError("no way"), KeyError("no way")]),
    ids=repr,
)
def test_exceptions_keep_their_class_and_are_simulation_errors(error, place):
    net = network(Faulty(throw(error)), place)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with pytest.raises(SimulationError, match="no way") as caught:
            sim.run_steps(20)
        assert isinstance(caught.value, type(error))
        assert "the culprit" in str(caught.value)
        assert "t=0.005 s" in str(caught.value)
        assert caught.value.__cause__ is error
        sim.reset()
        with pytest.raises(type(error)):
            sim.run_steps(20)


@pytest.mark.parametrize("place", PLACES)
def test_steps_before_are_kept_and_the_run_goes_on_as_if_nothing_had_happened(place):
    function = Faulty(throw(ValueError("once")))
    net = network(function, place)
    function.armed = False
    expected = reference(net, 30)
    function.armed = True
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        with pytest.raises(ValueError, match="once"):
            sim.run_steps(20)
        assert sim.n_steps == 4
        assert sim.time == pytest.approx(0.004)
        for probe, values in zip(net.probes, expected.values(), strict=True):
            assert_close(sim.data[probe], values[:4])
        # the fifth step again
        with pytest.raises(ValueError, match="once"):
            sim.step()
        function.armed = False
        sim.run_steps(26)
        assert sim.n_steps == 30
        for probe, values in zip(net.probes, expected.values(), strict=True):
            assert_close(sim.data[probe], values, what=str(probe))


@pytest.mark.parametrize("place", PLACES)
def test_simulator_can_be_reset_after_a_failure(place):
    function = Faulty(give(None))
    net = network(function, place)
    function.armed = False
    expected = reference(net, 12)
    function.armed = True
    with nengo_dl.Simulator(net, dtype="float64", progress_bar=False) as sim:
        with pytest.raises(SimulationError):
            sim.run_steps(20)
        function.armed = False
        sim.reset()
        assert sim.n_steps == 0
        sim.run_steps(12)
        for probe, values in zip(net.probes, expected.values(), strict=True):
            assert_close(sim.data[probe], values)


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("minibatch_size", rest_with_everything([3, None]))
def test_functions_with_input_that_fail(jit, minibatch_size):
    def function(t, x):
        return None if t > 0.0035 else x

    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=jit)
        node = nengo.Node(function, size_in=1, size_out=1, label="the culprit")
        nengo.Connection(nengo.Node(lambda t: t), node, synapse=None)
        p = nengo.Probe(node)
    with nengo_dl.Simulator(
        net, dtype="float64", minibatch_size=minibatch_size, progress_bar=False
    ) as sim:
        with pytest.raises(SimulationError, match="the culprit.*t=0.004 s.*None"):
            sim.run_steps(9)
        assert sim.n_steps == 3
        samples = sim.data[p] if minibatch_size else sim.data[p][None]
        for item in samples:
            np.testing.assert_allclose(item.ravel(), [0.001, 0.002, 0.003])


def test_failure_in_the_first_step():
    with nengo.Network() as net:
        p = nengo.Probe(nengo.Node(lambda t: 1 / (t - 0.001), size_out=1))
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with pytest.raises(ZeroDivisionError):
            sim.run_steps(3)
        assert sim.n_steps == 0
        assert len(sim.data[p]) == 0


def test_failure_in_a_later_chunk(monkeypatch):
    monkeypatch.setattr("nengo_dl.program.program.MAX_CAPACITY", 3)
    for place in PLACES:
        net = network(Faulty(give(np.nan)), place)
        with nengo_dl.Simulator(net, progress_bar=False) as sim:
            with pytest.raises(SimulationError, match="t=0.005"):
                sim.run_steps(20)
            assert sim.n_steps == 4
            assert len(sim.data[net.probes[0]]) == 4


def test_the_first_of_two_failures_is_raised():
    with nengo.Network() as net:
        nengo.Node(lambda t: np.nan if t > 0.0055 else 0, label="late", size_out=1)
        nengo.Node(lambda t: np.nan if t > 0.0025 else 0, label="early", size_out=1)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with pytest.raises(SimulationError, match="early"):
            sim.run_steps(9)
        assert sim.n_steps == 2


@pytest.mark.parametrize("place", PLACES[1:])
def test_processes_and_neurons_of_the_user_that_fail(place):
    class Failing(nengo.Process):
        def make_step(self, shape_in, shape_out, dt, rng, state):
            def step(t, x):
                if t > 0.0025:
                    raise OSError("broken")
                return x

            return step

    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=place != "driven")
        node = nengo.Node(Failing(default_size_in=1, default_size_out=1))
        p = nengo.Probe(node)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with pytest.raises(OSError, match="broken"):
            sim.run_steps(9)
        assert sim.n_steps == 2
        assert len(sim.data[p]) == 2


def test_processes_without_input_that_fail():
    class Failing(nengo.Process):
        def make_step(self, shape_in, shape_out, dt, rng, state):
            def step(t):
                if t > 0.0025:
                    raise OSError("broken")
                return [t]

            return step

    with nengo.Network() as net:
        nengo.Probe(nengo.Node(Failing(default_size_out=1)))
    with (
        nengo_dl.Simulator(net, progress_bar=False) as sim,
        pytest.raises(OSError, match="broken"),
    ):
        sim.run_steps(9)


@pytest.mark.parametrize("place", PLACES)
def test_interruptions_by_the_user_pass(place):
    net = network(Faulty(throw(KeyboardInterrupt())), place)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with pytest.raises(KeyboardInterrupt):
            sim.run_steps(20)
        sim.reset()
        sim.run_steps(3)
        assert sim.n_steps == 3


class Interruption(BaseException):
    """What ``except Exception`` shall not catch."""


#: every way to run a network, with a Node function in the loop
CALLS = {
    "run": lambda sim, net, x: sim.run_steps(3),
    "predict": lambda sim, net, x: sim.predict({net.a: x}, verbose=0),
    "evaluate": lambda sim, net, x: sim.evaluate({net.a: x}, {net.p: x}, verbose=0),
    "fit": lambda sim, net, x: sim.fit({net.a: x}, {net.p: x}, verbose=0),
    "train": lambda sim, net, x: sim.train({net.a: x, net.p: x}, "sgd"),
    "loss": lambda sim, net, x: sim.loss({net.a: x, net.p: x}),
    "run_batch": lambda sim, net, x: sim.run_batch({net.a: x}, {net.p: None}),
    "check_gradients": lambda sim, net, x: sim.check_gradients(inputs={net.a: x}),
    "function": lambda sim, net, x: called(sim.function(net.p), net, x),
    "keras_model": lambda sim, net, x: sim.keras_model([x, np.full((1, 1), 3)]),
}


def called(function, net, x):
    return function(function.params, function.state, {net.a: x})


@pytest.fixture(scope="module")
def interrupted():
    """A simulator whose Node function fails as its first item says, after 2 steps."""
    fail = [None]
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.a = nengo.Node([0.5])
        ensemble = nengo.Ensemble(4, 1, neuron_type=nengo.RectifiedLinear())
        nengo.Connection(net.a, ensemble, synapse=None)
        net.p = nengo.Probe(ensemble)
        late = nengo.Node(
            lambda t, x: fail[0]() if t > 0.0025 else x, size_in=1, label="the culprit"
        )
        nengo.Connection(ensemble, late)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.compile("sgd", loss={net.p: "mse"})
        yield sim, net, fail


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "error",
    rest_with_everything([KeyboardInterrupt, SystemExit, GeneratorExit, Interruption]),
)
def test_interruptions_are_what_every_call_raises(interrupted, call, error):
    sim, net, fail = interrupted
    fail[0] = throw(error("mine"))
    with pytest.raises(error):
        CALLS[call](sim, net, np.ones((1, 3, 1), np.float32))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("what", ["error", "text", "own simulator"])
def test_every_call_names_the_node_that_failed(interrupted, call, what, caplog):
    sim, net, fail = interrupted
    fail[0] = {
        "error": throw(KeyError("mine")),
        "text": give("text"),
        "own simulator": lambda: sim.run_steps(1),
    }[what]
    with pytest.raises(SimulationError, match="Node 'the culprit'.*t=0.003 s") as e:
        CALLS[call](sim, net, np.ones((1, 3, 1), np.float32))
    assert isinstance(e.value, KeyError) == (what == "error")
    del e
    gc.collect()
    # TensorFlow's remarks about arrays that the failure left behind
    assert "never used" not in caplog.text


def test_functions_that_change_their_mind_about_their_size():
    with nengo.Network() as net:
        nengo.Node(lambda t: [1] * (1 + (t > 0.0025)), label="the culprit")
    with (
        nengo_dl.Simulator(net, progress_bar=False) as sim,
        pytest.raises(
            SimulationError, match="the culprit.*t=0.003.*invalid type or shape"
        ),
    ):
        sim.run_steps(9)
