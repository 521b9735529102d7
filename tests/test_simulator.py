import gc
import inspect
import warnings

import nengo
import numpy as np
import pytest
from nengo.builder import Model
from nengo.exceptions import (
    BuildError,
    NengoWarning,
    ReadonlyError,
    SimulatorClosed,
    ValidationError,
)

import nengo_dl
from tests.helpers import assert_close, configured, reference, simulate


@pytest.fixture
def net():
    with nengo.Network(seed=0, label="example") as net:
        net.stimulus = nengo.Node(lambda t: np.sin(30 * t))
        net.ensemble = nengo.Ensemble(10, 1)
        nengo.Connection(net.stimulus, net.ensemble)
        net.noise = nengo.Node(nengo.processes.WhiteNoise(), size_out=1)
        net.p_stimulus = nengo.Probe(net.stimulus)
        net.p_ensemble = nengo.Probe(net.ensemble, synapse=0.01)
        net.p_noise = nengo.Probe(net.noise)
    return net


def open_simulator(net, **options):
    return nengo_dl.Simulator(net, dtype="float64", progress_bar=False, **options)


# -- running


def test_run_step_and_run_steps_are_the_same_thing(net):
    expected = reference(net, 25)
    with open_simulator(net) as sim:
        sim.run(0.01)
        assert sim.n_steps == 10
        sim.step()
        sim.step()
        sim.run_steps(13)
        assert sim.n_steps == 25
        assert sim.time == pytest.approx(0.025)
    for probe, values in zip(net.probes, expected.values(), strict=True):
        assert_close(sim.data[probe], values)


@pytest.mark.parametrize(
    "seconds, steps", [(0.0049, 5), (0.0051, 5), (0.001, 1), (0.3, 300), (0.0007, 1)]
)
def test_times_are_rounded_to_steps(net, seconds, steps):
    with open_simulator(net) as sim:
        sim.run(seconds)
        assert sim.n_steps == steps


def test_numbers_of_steps_of_numpys_types(net):
    with open_simulator(net, minibatch_size=np.int64(2)) as sim:
        sim.run_steps(np.int32(3))
        sim.run(np.float32(0.002))
        assert sim.n_steps == 5
        assert type(sim.n_steps) is int
        assert type(sim.time) is float


@pytest.mark.parametrize("seconds", [0, 0.0004])
def test_less_than_half_a_step_is_a_warning(net, seconds):
    with open_simulator(net) as sim:
        with pytest.warns(UserWarning, match="0 timesteps"):
            sim.run(seconds)
        assert sim.n_steps == 0


@pytest.mark.parametrize("seconds", [-0.001, -1])
def test_time_does_not_run_backwards(net, seconds):
    with open_simulator(net) as sim:
        with pytest.raises(ValidationError, match=r"Must be positive.*reset\(\)"):
            sim.run(seconds)
        assert sim.n_steps == 0


@pytest.mark.parametrize("n_steps", [-1, 1.5, "3", None, True])
def test_numbers_of_steps_that_are_none(net, n_steps):
    with open_simulator(net) as sim:
        with pytest.raises(ValidationError, match="n_steps"):
            sim.run_steps(n_steps)
        assert sim.n_steps == 0


def test_steps_without_state_leave_the_simulator_as_it_was(net):
    with open_simulator(net) as sim:
        sim.run_steps(5)
        sim.run_steps(7, stateful=False)
        assert sim.n_steps == 5
        first = sim.data[net.p_ensemble][5:]
        sim.run_steps(7, stateful=False)
        assert sim.time == pytest.approx(0.005)
        assert np.array_equal(sim.data[net.p_ensemble][12:], first)
        sim.clear_probes()
        sim.run_steps(7)
        assert sim.n_steps == 12
        assert np.array_equal(sim.data[net.p_ensemble], first)


def test_simulators_can_be_without_state_altogether(net):
    with configured(net, stateful=False), open_simulator(net) as sim:
        sim.run_steps(5)
        first = np.array(sim.data[net.p_ensemble])
        assert sim.n_steps == 0
        sim.run_steps(5)
        assert np.array_equal(sim.data[net.p_ensemble][-5:], first)


def test_trange():
    with nengo.Network() as net:
        p = nengo.Probe(nengo.Node(lambda t: t), sample_every=0.003)
    with open_simulator(net) as sim:
        assert sim.trange().size == 0
        sim.run_steps(10)
        np.testing.assert_allclose(sim.trange(), np.arange(1, 11) * 0.001)
        np.testing.assert_allclose(
            sim.trange(sample_every=0.003), [0.003, 0.006, 0.009]
        )
        np.testing.assert_allclose(sim.trange(p.sample_every), sim.data[p].ravel())


# -- seeds


def test_equal_seeds_give_equal_results(net):
    results = [simulate(net, 8, seed=seed).data[net.p_noise] for seed in (1, 1, 2)]
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_default_seed_follows_that_of_the_network(net):
    with open_simulator(net) as sim:
        assert sim.seed == net.seed + 1
    with open_simulator(net, seed=77) as sim:
        assert sim.seed == 77
    net.seed = None
    with open_simulator(net) as sim:
        assert isinstance(sim.seed, int)


def test_noise_is_that_of_nengo(net):
    for seed in (None, 5):
        sim = simulate(net, 8, seed=seed)
        expected = list(reference(net, 8, seed=seed).values())[-1]
        assert np.array_equal(sim.data[net.p_noise], expected)


@pytest.mark.parametrize("seed", [1.5, "a", [1]])
def test_seeds_are_whole_numbers(net, seed):
    with pytest.raises(ValidationError, match="seed"):
        open_simulator(net, seed=seed)


# -- reset


def test_reset_returns_to_the_beginning(net):
    with open_simulator(net) as sim:
        sim.run_steps(8)
        first = {probe: np.array(sim.data[probe]) for probe in net.probes}
        sim.reset()
        assert (sim.n_steps, sim.time) == (0, 0)
        assert all(len(sim.data[probe]) == 0 for probe in net.probes)
        sim.run_steps(8)
        for probe, values in first.items():
            assert np.array_equal(sim.data[probe], values)


def test_reset_with_a_new_seed(net):
    with open_simulator(net) as sim:
        sim.run_steps(8)
        first = np.array(sim.data[net.p_noise])
        sim.reset(seed=123)
        assert sim.seed == 123
        sim.run_steps(8)
        second = np.array(sim.data[net.p_noise])
        sim.reset()
        assert sim.seed == 123
        sim.run_steps(8)
        assert np.array_equal(sim.data[net.p_noise], second)
    assert not np.array_equal(first, second)
    assert np.array_equal(simulate(net, 8, seed=123).data[net.p_noise], second)


def test_reset_that_keeps_the_samples(net):
    with open_simulator(net) as sim:
        sim.run_steps(8)
        first = np.array(sim.data[net.p_ensemble])
        sim.reset(include_probes=False)
        assert sim.n_steps == 8
        sim.run_steps(4)
        assert sim.n_steps == 12
        # time goes on, the state begins anew
        assert np.array_equal(sim.data[net.p_ensemble][:8], first)
        times = np.arange(9, 13) * 0.001
        assert_close(sim.data[net.p_stimulus][8:, 0], np.sin(30 * times))
        assert np.all(np.abs(sim.data[net.p_ensemble][8]) <= np.abs(first[1]) + 1)


def test_reset_that_keeps_the_processes(net):
    with open_simulator(net) as sim:
        sim.run_steps(16)
        whole = np.array(sim.data[net.p_noise])
        sim.reset()
        sim.run_steps(8)
        sim.reset(include_processes=False)
        sim.run_steps(8)
        assert np.array_equal(sim.data[net.p_noise], whole[8:])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_soft_reset_returns_the_state_only(net):
    with open_simulator(net) as sim:
        sim.run_steps(8)
        voltage = sim.model.sig[net.ensemble.neurons]["voltage"]
        sim.soft_reset()
        assert np.array_equal(
            sim._runner.store.value(voltage)[0], voltage.initial_value
        )
        assert len(sim.data[net.p_noise]) == 8
        assert sim.n_steps == 8
        sim.soft_reset(include_probes=True)
        assert len(sim.data[net.p_noise]) == 0
        assert sim.n_steps == 0


def test_samples_can_be_forgotten(net):
    with open_simulator(net) as sim:
        sim.run_steps(8)
        sim.clear_probes()
        assert len(sim.data[net.p_noise]) == 0
        assert sim.n_steps == 8
        sim.run_steps(2)
        assert len(sim.data[net.p_noise]) == 2


# -- what cannot be simulated


def test_cycles_are_named():
    with nengo.Network() as net:
        a = nengo.Node(lambda t, x: x, size_in=1, label="first")
        b = nengo.Node(lambda t, x: x, size_in=1, label="second")
        nengo.Connection(a, b, synapse=None)
        nengo.Connection(b, a, synapse=None)
    with pytest.raises(BuildError, match="cycle.*synapse") as error:
        nengo_dl.Simulator(net, progress_bar=False)
    assert "first" in str(error.value)
    assert "second" in str(error.value)


@pytest.mark.parametrize(
    "option, value, expected",
    [
        ("device", "fast", "No device 'fast'"),
        ("dtype", "float8", "'float32', 'float64'"),
        ("dtype", 32, "'float32', 'float64'"),
        ("unroll_simulation", 0, "unroll_simulation.*at least 1"),
        ("unroll_simulation", 2.5, "unroll_simulation.*at least 1"),
        ("minibatch_size", 0, "minibatch_size.*at least 1"),
        ("minibatch_size", -3, "minibatch_size.*at least 1"),
        ("minibatch_size", 1.0, "minibatch_size.*at least 1"),
        ("dt", 0, "dt.*positive"),
        ("dt", -0.001, "dt.*positive"),
    ],
)
def test_options_that_cannot_be(net, option, value, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        with pytest.raises(ValidationError, match=expected):
            nengo_dl.Simulator(net, **{"progress_bar": False, option: value})
        # objects that are new: among all that other tests have left, it takes 2 s
        gc.collect(1)


def test_neither_network_nor_model():
    with pytest.raises(ValidationError, match="got neither"):
        nengo_dl.Simulator(None)


def test_something_else_than_a_network(net):
    with pytest.raises(ValidationError, match="Expected a nengo.Network"):
        nengo_dl.Simulator(net.ensemble)


@pytest.mark.parametrize("attribute", ["dt", "n_steps", "time"])
def test_attributes_that_are_read_only(net, attribute):
    with open_simulator(net) as sim:
        with pytest.raises((ReadonlyError, AttributeError)):
            setattr(sim, attribute, 3)
        assert sim.dt == 0.001
        with pytest.raises(ReadonlyError):
            sim.dt = 0.002


# -- models


def test_prebuilt_models(net):
    expected = reference(net, 10)
    model = Model(dt=0.001)
    model.build(net)
    with nengo_dl.Simulator(
        None, model=model, seed=net.seed + 1, dtype="float64", progress_bar=False
    ) as sim:
        sim.run_steps(10)
        assert sim.model is model
    for probe, values in zip(net.probes, expected.values(), strict=True):
        assert_close(sim.data[probe], values)


def test_networks_are_built_into_a_model_that_is_given(net):
    model = Model(dt=0.001, label="mine")
    with nengo_dl.Simulator(net, model=model, progress_bar=False) as sim:
        assert sim.model is model
        assert net.ensemble in model.params
        sim.run_steps(3)


def test_time_step_of_the_model_wins_with_a_warning():
    model = Model(dt=0.01)
    with nengo.Network() as net:
        p = nengo.Probe(nengo.Node(lambda t: t))
    with pytest.warns(nengo.exceptions.NengoWarning, match=r"dt=0\.01"):
        sim = nengo_dl.Simulator(net, model=model, progress_bar=False)
    with sim:
        sim.run_steps(2)
        assert sim.dt == 0.01
    np.testing.assert_allclose(sim.data[p].ravel(), [0.01, 0.02])


def test_one_network_in_many_simulators(net):
    with open_simulator(net) as first, open_simulator(net) as second:
        for _ in range(3):
            first.run_steps(4)
            second.run_steps(2)
            second.run_steps(2)
        for probe in net.probes:
            assert np.array_equal(first.data[probe], second.data[probe])


# -- closing


def test_closed_simulators_refuse_to_work_but_show_their_data(net):
    sim = open_simulator(net)
    sim.run_steps(3)
    before = np.array(sim.data[net.p_ensemble])
    assert not sim.closed
    sim.close()
    sim.close()
    assert sim.closed
    for call in (
        lambda: sim.run(0.1),
        lambda: sim.run_steps(1),
        sim.step,
        sim.reset,
        sim.clear_probes,
        sim.__enter__,
    ):
        with pytest.raises(SimulatorClosed, match="simulator is closed"):
            call()
    assert np.array_equal(sim.data[net.p_ensemble], before)
    assert sim.data[net.ensemble].gain.shape == (10,)
    assert sim.trange().size == 3
    assert (sim.n_steps, sim.dt) == (3, 0.001)
    assert "closed" in repr(sim)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_closed_simulators_cannot_be_reset_in_older_words(net):
    sim = open_simulator(net)
    sim.close()
    with pytest.raises(SimulatorClosed):
        sim.soft_reset()


def test_context_managers_close(net):
    with open_simulator(net) as sim:
        assert not sim.closed
    assert sim.closed
    with pytest.raises(KeyError), open_simulator(net) as sim:
        raise KeyError
    assert sim.closed


def test_contexts_nest_and_the_inner_one_closes(net):
    with open_simulator(net) as sim:
        with sim as same:
            assert same is sim
            sim.step()
        assert sim.closed
        with pytest.raises(SimulatorClosed), sim:
            pass
    assert sim.closed


def test_open_simulators_that_are_lost_are_a_warning(net):
    sim = open_simulator(net)
    with pytest.warns(ResourceWarning, match="Simulator.*deallocated while open"):
        del sim
        gc.collect()


def test_simulators_that_outlive_modules_are_lost_in_silence(net, monkeypatch):
    # at the end of the interpreter, if a simulator is part of a reference cycle
    failed = []
    monkeypatch.setattr("sys.unraisablehook", failed.append)
    sim = open_simulator(net)
    with monkeypatch.context() as ending:
        ending.setattr("nengo_dl.simulator.warnings", None)
        del sim
        gc.collect()
    assert not failed


def test_closed_simulators_are_lost_in_silence(net):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sim = open_simulator(net)
        sim.close()
        del sim
        gc.collect()


# -- what it looks like


def test_repr(net):
    with open_simulator(net, minibatch_size=4) as sim:
        sim.run_steps(3)
        text = repr(sim)
    assert "example" in text
    assert "t=0.003 s" in text
    assert "minibatch of 4" in text


def test_documented_attributes(net):
    with open_simulator(net, minibatch_size=4, unroll_simulation=2) as sim:
        assert (sim.minibatch_size, sim.unroll) == (4, 2)
        assert isinstance(sim.model, Model)
        assert sim.closed is False


def test_backend_is_registered_with_nengo():
    from importlib.metadata import entry_points

    found = [e for e in entry_points(group="nengo.backends") if e.name == "dl"]
    if found:  # the package is installed
        assert found[0].load() is nengo_dl.Simulator


def test_version():
    assert nengo_dl.__version__.startswith("4.")


@pytest.mark.parametrize("time", [-0.1, np.nan, np.inf, None, "long"])
def test_times_that_cannot_be_run(net, time):
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with pytest.raises(ValidationError, match="time_in_seconds: Must be positive"):
            sim.run(time)
        assert sim.n_steps == 0


@pytest.mark.parametrize("dt", [0, -0.001, np.nan, np.inf, "short"])
def test_time_steps_that_cannot_be(net, dt):
    with pytest.raises(ValidationError, match="dt: Must be positive"):
        nengo_dl.Simulator(net, dt=dt, progress_bar=False)


@pytest.mark.parametrize("device", ["/gpu:7", "/device:XLA_GPU:0"])
def test_device_that_is_not_there(net, device):
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    with pytest.warns(NengoWarning, match=f"No device '{device}'.*on the CPU"):
        sim = nengo_dl.Simulator(net, device=device, progress_bar=False)
    with sim:
        sim.run_steps(2)
        assert sim.data[net.p_ensemble].shape == (2, 1)
        sim.train({net.p_ensemble: np.zeros((1, 1, 1))}, "sgd", progress_bar=False)
        assert "CPU" in sim.keras_model.weights[0].value.device


@pytest.mark.parametrize(
    "name, said",
    [
        ("progressbar", "; did you mean `progress_bar`? It has "),
        ("learning", "; it has "),
    ],
)
def test_an_unknown_argument_lists_all_that_there_are(name, said):
    known = list(inspect.signature(nengo_dl.Simulator).parameters)
    names = [name for name in known if name not in ("legacy", "older")]
    with pytest.raises(TypeError, match=f"no argument '{name}'") as info:
        nengo_dl.Simulator(nengo.Network(), **{name: False})
    _, _, listed = str(info.value).partition(said)
    assert listed == ", ".join(names)
