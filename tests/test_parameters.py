"""``save_params`` and ``load_params``: simulators in files, by name."""

import pickle

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nengo.exceptions import (
    NengoException,
    NengoWarning,
    SimulatorClosed,
    ValidationError,
)

import nengo_dl
from nengo_dl.parameters import file_format
from nengo_dl.plan.noop import noop_planner
from tests.helpers import rest_with_everything
from tests.trained_networks import (
    assert_differ,
    assert_equal,
    other_values,
    outputs,
    simulator,
    small,
    train,
)

pytestmark = pytest.mark.filterwarnings("ignore:No gradient passes")


def values(sim):
    """Return a copy of all that a simulator keeps, by Signal."""
    return sim._runner.store.snapshot()


def are_equal(ours, others):
    return ours.keys() == others.keys() and all(
        np.array_equal(value, others[signal]) for signal, value in ours.items()
    )


def refused(sim, path, *texts, kind=ValidationError, **options):
    """Check that loading fails with a message, and that nothing has changed then."""
    before = values(sim)
    with pytest.raises(kind) as error:
        sim.load_params(path, **options)
    for text in texts:
        assert text in str(error.value), str(error.value)
    assert are_equal(values(sim), before)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "params.npz"


# -- other simulators (trained networks of all kinds: test_round_trip.py)


def test_from_rates_to_spikes(path):
    net = small(nengo.LIFRate())
    with simulator(net) as sim:
        train(sim)
        sim.save_params(path)
        trained = [sim.data[obj] for obj in (*net.ensembles, *net.connections[1:])]
    net = small(nengo.LIF())
    with simulator(net) as sim:
        sim.load_params(path)
        objects = (*net.ensembles, *net.connections[1:])
        for obj, expected in zip(objects, trained, strict=True):
            ours = sim.data[obj]
            names = set(ours._fields) & {"scaled_encoders", "bias", "weights"}
            for name in names:
                assert np.array_equal(getattr(ours, name), getattr(expected, name))
        refused(sim, path, "holds no state", include_state=True)


@pytest.mark.parametrize("to", ["float16", "float32", "float64"])
def test_other_precision(to, tmp_path):
    for dtype in ("float32", "float64"):
        with simulator(small(nengo.LIF()), dtype=dtype) as sim:
            other_values(sim)
            sim.save_params(tmp_path / dtype)
            expected = sim.data[sim.model.toplevel.ensembles[0]].bias
        net = small(nengo.LIF())
        with simulator(net, dtype=to) as sim:
            sim.load_params(tmp_path / dtype)
            bias = sim.data[net.ensembles[0]].bias
            assert bias.dtype == to
            assert np.array_equal(bias, expected.astype(to))


def test_numbers_that_are_too_large_for_the_precision(path):
    net = small(nengo.LIF())
    with simulator(net) as sim:
        sim._runner.store.set_value(
            sim.model.sig[net.ensembles[0].neurons]["bias"], np.full(8, 1e300)
        )
        sim.save_params(path)
    with simulator(net, dtype="float32") as sim:
        refused(sim, path, "params/a.bias", "beyond the range of float32")


def test_parameters_that_the_simulation_does_not_use(path):
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(4, 1)  # nobody tells it anything
        nengo.Probe(ensemble)
    with simulator(net) as sim:
        signal = sim.model.sig[ensemble]["encoders"]
        assert signal not in sim._program.layout.places
        initial = sim.data[ensemble].scaled_encoders
        sim.save_params(path)
        sim._runner.store.restore({signal: np.arange(1.0, 5)})
        sim.save_params(path)
        sim.reset()
        assert np.array_equal(sim.data[ensemble].scaled_encoders, initial)
        sim.load_params(path)
        with pickle.loads(pickle.dumps(sim)) as other:
            found = other.data[other.model.toplevel.ensembles[0]].scaled_encoders
            assert found.ravel().tolist() == [1, 2, 3, 4]


def test_the_keras_model_has_what_was_loaded(path):
    with simulator(small(nengo.LIFRate())) as sim:
        before = sim.keras_model.get_weights()
        sim.save_params(path)
        other_values(sim)
        changed = sim.keras_model.get_weights()
        assert not all(map(np.array_equal, before, changed))
        sim.load_params(path)
        assert all(map(np.array_equal, before, sim.keras_model.get_weights()))


# -- names


def names_of(net, tmp_path):
    with simulator(net) as sim:
        sim.save_params(tmp_path / "names", include_state=True)
    return list(file_format.read(tmp_path / "names").arrays)


def test_names(tmp_path):
    with nengo.Network(label="does not matter") as net:
        node = nengo.Node([0], label="stimulus")
        nengo.Ensemble(2, 1)
        twins = [nengo.Ensemble(2, 1, label="twin") for _ in range(2)]
        with nengo.Network(label="part/ü"):
            inner = nengo.Ensemble(3, 1, label="a.b>c", neuron_type=nengo.LIFRate())
            nengo.Ensemble(2, 1)
            with nengo.Network():
                nengo.Connection(inner, twins[1], learning_rule_type=nengo.PES())
        for _ in range(2):
            nengo.Connection(node, twins[0], transform=0.5)
        nengo.Connection(twins[0].neurons, inner.neurons[0], transform=[[1, 1]])
        learned = net.all_connections[-1]
        nengo.Connection(node, learned.learning_rule, transform=2, label="teacher")
        nengo.Connection(node, learned.learning_rule, transform=2)
    inner = "part%2F%C3%BC/"
    expected = {
        f"params/{name}.{parameter}"
        for name in (
            "Ensemble[0]",
            "twin",
            "twin#1",
            f"{inner}a.b%3Ec",
            f"{inner}Ensemble[0]",
        )
        for parameter in ("encoders", "bias")
    } | {
        f"params/{name}.weights"
        for name in (
            f"{inner}Network[0]/a.b%3Ec->twin#1",
            "stimulus->twin",
            "stimulus->twin#1",
            "twin.neurons->a.b%3Ec.neurons",
            "teacher",
            "stimulus->(a.b%3Ec->twin#1).learning_rule",
        )
    }
    found = names_of(net, tmp_path)
    assert {name for name in found if name.startswith("params/")} == expected
    states = [name for name in found if name.startswith("state/")]
    assert "state/twin#1.voltage" in states
    assert len(set(found)) == len(found)
    # addresses in memory have no part in it
    assert names_of(pickle.loads(pickle.dumps(net)), tmp_path) == found


def test_models_without_a_network(path):
    model = nengo.builder.Model()
    with nengo.Network() as net:
        nengo.Ensemble(2, 1)
    model.build(net)
    model.toplevel = None
    with (
        pytest.warns(NengoWarning, match="No top-level network"),
        simulator(None, model=model) as sim,
        pytest.raises(ValidationError, match="nothing to save"),
    ):
        sim.save_params(path)


# -- what does not fit


def test_everything_that_does_not_fit_is_listed(path):
    with nengo.Network(seed=0) as net:
        a, b = nengo.Ensemble(5, 1, label="a"), nengo.Ensemble(4, 1, label="b")
        nengo.Connection(a, b)
        nengo.Probe(b)
    with simulator(net) as sim:
        sim.save_params(path)
    with nengo.Network(seed=0) as net:
        a, c = nengo.Ensemble(6, 1, label="a"), nengo.Ensemble(4, 1, label="c")
        nengo.Connection(a, c)
        nengo.Probe(c)
    with simulator(net) as sim:
        refused(
            sim,
            path,
            "3 missing",
            "params/c.encoders: (4, 1)",
            "params/c.bias: (4,)",
            "params/a->c.weights: (1, 6)",
            "3 in the file, but not",
            "params/b.encoders: (4, 1)",
            "params/a->b.weights: (1, 5)",
            "2 do not fit",
            "params/a.encoders: shape (5, 1) in the file, (6, 1) in the simulator",
            "nothing has been loaded",
        )


def test_long_lists_are_cut():
    places = {
        f"x{i}": nengo_dl.parameters.fit.Place((1,), np.dtype(float)) for i in range(50)
    }
    with pytest.raises(ValidationError, match="and 30 more"):
        nengo_dl.parameters.fit.fit_all({}, {}, places)


@pytest.mark.parametrize("dtype", ["int64", "complex128", "bool"])
def test_values_of_another_type(dtype, path):
    net = small(nengo.LIF())
    with simulator(net) as sim:
        sim.save_params(path)
        content = file_format.read(path)
        arrays = dict(content.arrays)
        arrays["params/a.bias"] = np.zeros(8, dtype)
        file_format.write(path, file_format.Content(arrays, content.facts))
        refused(sim, path, "params/a.bias", "in the simulator")


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_damaged_files_change_nothing(damaged, data):
    """Whatever happens to a file: what it said is loaded, or there is an error."""
    sim, path, content, saved, before = damaged
    changed = bytearray(content)
    if data.draw(st.booleans(), "cut"):
        del changed[data.draw(st.integers(0, len(changed) - 1)) :]
    else:
        position = data.draw(st.integers(0, len(changed) - 1))
        changed[position] ^= 1 << data.draw(st.integers(0, 7))
    sim._runner.store.restore(before)
    path.write_bytes(changed)
    try:
        sim.load_params(path)
        assert are_equal(values(sim), saved)
    except NengoException as error:
        assert str(path) in str(error)
        assert are_equal(values(sim), before)
    finally:
        path.write_bytes(content)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "p.npz"
    with simulator(small(nengo.LIF())) as sim:
        before = values(sim)
        other_values(sim)
        sim.save_params(path)
        saved = values(sim)
        yield sim, path, path.read_bytes(), saved, before


# -- minibatches


def learning(**options):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False, **options)
        net.node = nengo.Node([0.5], label="input")
        net.error = nengo.Node([0.1], label="error")
        a = nengo.Ensemble(10, 1, label="a")
        out = nengo.Node(size_in=1, label="out")
        nengo.Connection(net.node, a)
        net.learned = nengo.Connection(a, out, learning_rule_type=nengo.PES(1e-2))
        nengo.Connection(net.error, net.learned.learning_rule)
        nengo.Probe(out)
    return net


def test_what_each_item_has_learned(path):
    net = learning()
    errors = np.random.RandomState(0).normal(size=(2, 20, 1))
    with simulator(net, minibatch_size=2) as sim:
        sim.run_steps(20, data={net.error: errors})
        learned = sim.data[net.learned].weights
        assert not np.allclose(*learned)
        sim.save_params(path)
    net = learning()
    with simulator(net, minibatch_size=2) as sim:
        sim.load_params(path)
        assert np.array_equal(sim.data[net.learned].weights, learned)
    for options in ({}, {"minibatch_size": 3}):
        with simulator(net, **options) as sim:
            refused(sim, path, "a->out.weights: 2 items", "different values")


@pytest.mark.parametrize("items", [None, 1, 3])
def test_what_all_items_have_learned(items, path):
    net = learning()
    with simulator(net, minibatch_size=items) as sim:
        sim.run_steps(20)
        learned = np.reshape(sim.data[net.learned].weights, (-1, 10))[0]
        sim.save_params(path)
    for others in (None, 1, 2):
        with simulator(net, minibatch_size=others) as sim:
            sim.load_params(path)
            found = np.reshape(sim.data[net.learned].weights, (-1, 10))
            assert np.array_equal(found, np.tile(learned, (others or 1, 1)))


def test_what_was_learned_is_used_without_learning(path):
    net = learning()
    with simulator(net) as sim:
        sim.run_steps(20)
        learned = sim.data[net.learned].weights
        sim.save_params(path)
    for items in (None, 2):
        net = learning()
        net.learned.learning_rule_type = None
        net.connections.pop()
        with simulator(net, minibatch_size=items) as sim:
            # a parameter like any other, for whoever trains it
            sim.load_params(path)
            assert np.array_equal(sim.data[net.learned].weights, learned)
            sim.save_params(path)


# -- state


def wave(t):
    return np.sin(100 * t)


def noisy(neurons, **options):
    net = small(neurons, **options)
    with net:
        process = nengo.processes.WhiteNoise(scale=False)
        node = nengo.Node(process, label="noise")
        time = nengo.Node(wave, label="time")
        nengo.Connection(node, net.ensembles[0], transform=0.1)
        nengo.Connection(time, net.ensembles[0], synapse=nengo.Alpha(0.005))
        net.probes[0].sample_every = 0.003
    return net


@pytest.mark.parametrize("items", [None, 2])
def test_a_simulation_goes_on_where_it_was_saved(items, path):
    net = noisy(nengo.StochasticSpiking(nengo.LIFRate()))
    with simulator(net, minibatch_size=items, seed=7) as sim:
        sim.run_steps(20)
        sim.save_params(path, include_state=True)
        sim.run_steps(20)
        every, rare = (sim.data[p] for p in (net.probes[1], net.probes[0]))
        times = sim.trange(), sim.trange(0.003)
    net = noisy(nengo.StochasticSpiking(nengo.LIFRate()), planner=noop_planner)
    with simulator(net, minibatch_size=items, seed=3, unroll_simulation=2) as sim:
        sim.run_steps(3)
        sim.load_params(path, include_state=True)
        assert (sim.n_steps, sim.seed, sim.time) == (20, 7, pytest.approx(0.02))
        assert not len(sim.data[net.probes[1]])
        sim.run_steps(20)
        assert np.allclose(sim.data[net.probes[1]], every[..., 20:, :], 1e-10, 1e-10)
        assert np.allclose(sim.data[net.probes[0]], rare[..., 6:, :], 1e-10, 1e-10)
        assert np.array_equal(sim.trange(), times[0][20:])
        assert np.array_equal(sim.trange(0.003), times[1][6:])
        with pickle.loads(pickle.dumps(sim)) as other:
            assert np.array_equal(other.trange(), times[0][20:])
        assert len(pickle.loads(pickle.dumps(sim)).trange()) == 20
        sim.reset()
        assert len(sim.trange()) == 0
        sim.run_steps(2)
        assert len(sim.trange()) == 2


def test_parameters_or_state_alone(path):
    net = small(nengo.LIF())
    with simulator(net) as sim:
        sim.run_steps(20)
        other_values(sim)
        changed = values(sim)
        sim.save_params(path, include_state=True)
        sim.reset()
        initial = values(sim)
        params = {signal for signal in initial if signal in sim._built.trainable}
        assert 0 < len(params) < len(initial)
        for part, loaded in (
            ({"include_state": False}, params),
            ({"include_params": False, "include_state": True}, {*initial} - params),
            ({"include_state": True}, set(initial)),
        ):
            sim.load_params(path, **part)
            expected = {s: (changed if s in loaded else initial)[s] for s in initial}
            assert are_equal(values(sim), expected)
            sim.reset()
        sim.save_params(path, include_params=False, include_state=True)
        refused(sim, path, "missing", "params/a.bias")
        with pytest.raises(ValidationError, match="nothing to do"):
            sim.save_params(path, include_params=False)


def test_state_of_items_that_differ(path):
    net = small(nengo.LIF())
    with simulator(net, minibatch_size=2) as sim:
        sim.run_steps(5)
        sim.save_params(path, include_state=True)
    with simulator(net, minibatch_size=3) as sim:
        sim.load_params(path, include_state=True)  # so far they are the same
        assert sim.n_steps == 5
    with simulator(net, minibatch_size=2) as sim:
        sim.run_steps(5, data={net.node: np.arange(10).reshape(2, 5, 1)})
        sim.save_params(path, include_state=True)
    with simulator(net, minibatch_size=3) as sim:
        refused(sim, path, "state/b.voltage", "2 items", include_state=True)
        sim.load_params(path)


# -- optimizers

OPTIMIZERS = {
    "Adam": lambda: keras.optimizers.Adam(0.01),
    "averaging": lambda: keras.optimizers.Adam(0.01, use_ema=True),
    "TensorFlow 1's Adam": lambda: tf.compat.v1.train.AdamOptimizer(0.01),
    "Nadam": lambda: keras.optimizers.Nadam(0.01),
    "SGD": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "Ftrl": lambda: keras.optimizers.Ftrl(0.01),
    "TensorFlow 1's RMSProp": lambda: tf.compat.v1.train.RMSPropOptimizer(
        0.01, 0.9, 0.5
    ),
}


@pytest.mark.parametrize("name", rest_with_everything([*OPTIMIZERS], 3))
def test_training_goes_on_as_if_it_had_not_been_interrupted(name, tmp_path):
    path = tmp_path / "p"
    make = OPTIMIZERS[name]
    with simulator(small(nengo.LIFRate()), minibatch_size=2) as sim:
        optimizer = make()
        train(sim, optimizer)
        sim.save_params(path, optimizer=optimizer)
        losses = train(sim, optimizer)
        expected = trained_values(sim)
    net = small(nengo.LIFRate(), planner=noop_planner)
    with simulator(net, minibatch_size=2) as sim:
        optimizer = make()
        sim.load_params(path, optimizer=optimizer)
        assert np.allclose(train(sim, optimizer), losses, 1e-10, 0)
        assert np.allclose(trained_values(sim), expected, 1e-10, 1e-12)
        # an optimizer that has forgotten goes elsewhere
        sim.load_params(path)
        train(sim, make())
        assert not np.allclose(trained_values(sim), expected, 1e-6, 1e-6)


def trained_values(sim):
    """Return all values of parameters in one array, in the order of the network."""
    chosen = [v.ravel() for s, v in sim.signals.items() if s in sim._built.trainable]
    return np.concatenate(chosen)


def test_fit_goes_on_too(path):
    def fit(sim):
        net = sim.model.toplevel
        rng = np.random.RandomState(0)
        x, y = rng.uniform(size=(4, 2, 1)), rng.uniform(size=(4, 2, 6))
        data = {net.node: x}, {net.probes[1]: y}
        return sim.fit(*data, epochs=2, shuffle=False, verbose=0).history["loss"]

    losses = []
    for part in range(2):
        with simulator(small(nengo.LIFRate()), minibatch_size=2) as sim:
            optimizer = keras.optimizers.Adam(0.01)
            sim.compile(optimizer, loss={sim.model.toplevel.probes[1]: "mse"})
            if part:
                sim.load_params(path, optimizer=optimizer)
            else:
                fit(sim)
                sim.save_params(path, optimizer=optimizer)
            losses.append(fit(sim))
    assert np.allclose(*losses, 1e-10, 0)


def test_optimizers_that_are_not_in_the_file(path):
    with simulator(small(nengo.LIFRate())) as sim:
        adam = keras.optimizers.Adam()
        sim.save_params(path)
        refused(sim, path, "holds no optimizer", optimizer=adam)
        sim.save_params(path, optimizer=adam)
        sgd = keras.optimizers.SGD()
        refused(sim, path, "of type Adam", "got SGD", optimizer=sgd)
        v1 = tf.compat.v1.train.AdamOptimizer()
        refused(sim, path, "of type Adam", "TF1Optimizer (Adam)", optimizer=v1)
        sgd = keras.optimizers.SGD(momentum=0.5)
        sim.save_params(path, optimizer=keras.optimizers.SGD())
        refused(sim, path, "missing", "momentum/a.bias", optimizer=sgd)
        for call in (sim.save_params, sim.load_params):
            with pytest.raises(ValidationError, match="A name such as 'adam'"):
                call(path, optimizer="adam")
        sim.load_params(path)


@pytest.mark.parametrize(
    "training",
    [None, 7, [], ["MT19937", [1], 0, 0, 0.0], ["x", [2**40] * 624, 0, 0, 0]],
)
def test_random_numbers_of_training_that_are_none(path, training):
    with simulator(small(nengo.LIFRate())) as sim:
        adam = keras.optimizers.Adam()
        sim.save_params(path, optimizer=adam)
        content = file_format.read(path)
        facts = {**content.facts, "training": training}
        arrays = {name: array + 1 for name, array in content.arrays.items()}
        file_format.write(path, file_format.Content(arrays, facts))
        before, progress = values(sim), sim._trainer.progress
        with pytest.raises(ValidationError, match="random numbers of training"):
            sim.load_params(path, optimizer=adam)
        assert are_equal(values(sim), before)
        assert sim._trainer.progress == progress


# -- older forms, closed simulators


def test_older_arguments(path):
    net = small(nengo.LIF())
    with simulator(net) as sim:
        sim.run_steps(5)
        other_values(sim)
        for call in (
            lambda f, *a, **k: f(path, True, True),
            lambda f, *a, **k: f(path, include_local=True),
            lambda f, *a, **k: f(path, include_non_trainable=True),
            lambda f, *a, **k: f(path, include_global=True, include_local=True),
        ):
            with pytest.warns(DeprecationWarning, match=r"include_state=\.\.\."):
                call(sim.save_params)
            saved = values(sim)
            sim.reset()
            with pytest.warns(DeprecationWarning, match=r"load_params\(path, include"):
                call(sim.load_params)
            assert are_equal(values(sim), saved)
        sim.save_params(path, True)  # of 3.x, and of today
        params = [n for n in names_in(path) if n.startswith("params/")]
        assert 0 < len(params) < len(names_in(path))
        with pytest.warns(DeprecationWarning):
            sim.save_params(path, include_global=False, include_local=True)
        assert not any(name.startswith("params/") for name in names_in(path))
        with pytest.warns(DeprecationWarning):
            sim.save_params(path, True, False)
        assert names_in(path) == params
        for arguments, named in (
            ((path, True, True, True), {}),
            ((), {"include_state": True}),
            ((path,), {"path": path}),
            ((path,), {"include_everything": True}),
            ((path, True), {"include_state": True}),
            ((path,), {"include_state": True, "include_local": True}),
        ):
            for call in (sim.save_params, sim.load_params):
                with pytest.raises(TypeError, match=call.__name__):
                    call(*arguments, **named)


def names_in(path):
    return list(file_format.read(path).arrays)


def test_closed_simulators(path):
    with simulator(small(nengo.LIF())) as sim:
        sim.save_params(path)
    for call in (sim.save_params, sim.load_params):
        with pytest.raises(SimulatorClosed, match="parameters"):
            call(path)


def test_nothing_to_train(path):
    with simulator(small(nengo.LIF(), inference_only=True)) as sim:
        sim.save_params(path)
        sim.load_params(path)
        with pytest.raises(
            ValidationError, match="Nothing in the network is trainable"
        ):
            sim.save_params(path, optimizer=keras.optimizers.Adam())


# -- TensorFlow code


def with_a_layer():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        net.node = nengo.Node([0.5, -0.5], label="input")
        layer = keras.Sequential(
            [keras.layers.Dense(3), keras.layers.BatchNormalization()]
        )
        code = nengo_dl.TensorNode(layer, shape_in=(2,), pass_time=False, label="code")
        ensemble = nengo.Ensemble(6, 3, neuron_type=nengo.LIFRate())
        nengo.Connection(net.node, code, synapse=None)
        nengo.Connection(code, ensemble, synapse=None)
        nengo.Probe(ensemble.neurons)
    return net


def test_variables_of_layers(path):
    with simulator(with_a_layer()) as sim:
        before = outputs(sim, 3)
        optimizer = keras.optimizers.Adam(0.1)
        train(sim, optimizer)
        trained = outputs(sim, 3)
        assert_differ(trained, before)
        sim.save_params(path, optimizer=optimizer)
        losses = train(sim, optimizer)
        with pytest.raises(ValidationError, match="code.* variables of TensorFlow"):
            sim.freeze_params(sim.model.toplevel)
        sim.freeze_params(sim.model.toplevel.ensembles)
    with simulator(with_a_layer()) as sim:
        optimizer = keras.optimizers.Adam(0.1)
        sim.load_params(path, optimizer=optimizer)
        assert_equal(outputs(sim, 3), trained)
        assert np.allclose(train(sim, optimizer), losses, 1e-10, 0)
