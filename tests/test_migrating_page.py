"""The tables of ``docs/migrating.rst``: each row is run, as it was and as it is."""

import contextlib
import copy
import io
import pickle
import re
import textwrap
import warnings
from functools import cache
from pathlib import Path

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.benchmarks.__main__ import main as benchmarks
from tests.test_online_learning import network, weights

PAGE = Path(__file__).parents[1] / "docs" / "migrating.rst"

TEXT = PAGE.read_text(encoding="utf-8")
SETUP = re.search(r"^\.\. code-block:: python\n\n((?:(?:    .*)?\n)+)", TEXT, re.M)[1]
ROW = re.compile(
    r"^   \* - (.*?)\n     - (.*?)\n     - (.*?)(?=\n   \* -|\n\n)", re.M | re.S
)
#: sections whose calls belong into the context of a network
WITHIN = ("Settings", "TensorFlow code")


def rows():
    """Yield (section, as it was, as it is, what happens) of all tables."""
    titles = re.compile(r"^(\S.*)\n=+$", re.M)
    parts = titles.split(TEXT)
    for section, text in zip(parts[1::2], parts[2::2], strict=True):
        for cells in ROW.findall(text):
            old, new, outcome = (" ".join(cell.split()) for cell in cells)
            if old != "As it was":
                yield section, old, new, outcome


ROWS = list(rows())


#: how the points of the last section begin, and the tests that show each
SHOWN = {}


def shows(*beginnings):
    """Say which points of "What is different without an error" a test shows."""

    def decorate(test):
        for beginning in beginnings:
            SHOWN.setdefault(beginning, []).append(test.__name__)
        return test

    return decorate


def namespace():
    """Return a network as the page has it; XLA is not what this is about."""
    found = {}
    exec(textwrap.dedent(SETUP), found)
    with found["net"]:
        nengo_dl.configure_settings(jit_compile=False)
    return found


@cache
def shared():
    """Return the same with a simulator, which is used again and again."""
    found = namespace()
    found["sim"] = nengo_dl.Simulator(
        found["net"], minibatch_size=5, progress_bar=False
    )
    return found


@pytest.fixture(scope="module", autouse=True)
def in_a_folder(tmp_path_factory):
    """Files go here; one of them is as version 3 wrote it."""
    with pytest.MonkeyPatch.context() as context:
        context.chdir(tmp_path_factory.mktemp("page"))
        np.savez("of_version_3.npz", np.zeros((10, 1)), np.zeros(10))
        yield
    if shared.cache_info().currsize:
        shared()["sim"].close()
        shared.cache_clear()


def code_of(cell):
    """Return what the cell has as code, and nothing else."""
    assert cell.startswith("``") and cell.endswith("``"), cell
    return cell[2:-2]


def run(code, section):
    """Run code; return the categories of the warnings."""
    names = dict(shared()) if "sim." in code else namespace()
    if "load_params" in code:
        # rows run in any order, and in several processes
        names["sim"].save_params("file")
    code = code.replace("sim.sess", "_ = sim.sess")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if section in WITHIN:
            with names["net"]:
                exec(code, names)
        else:
            exec(code.replace("nengo_dl.Simulator(", "s = nengo_dl.Simulator("), names)
        if "s" in names:
            names["s"].close()
    ours = [w for w in caught if issubclass(w.category, DeprecationWarning)]
    return [w for w in ours if "numpy.core" not in str(w.message)]


def test_every_row_is_found():
    assert len(ROWS) == TEXT.count("   * - ") - TEXT.count("   * - As it was")
    assert len(ROWS) > 50
    assert TEXT.count("code-block:: python") == 1


@pytest.mark.parametrize("row", ROWS, ids=[row[1].strip("`") for row in ROWS])
def test_as_it_was(row):
    section, old, _, outcome = row
    old = code_of(old)
    if outcome.startswith("Works"):
        assert not run(old, section)
    elif outcome.startswith("Accepted"):
        assert run(old, section)
    else:
        name = re.match("``([A-Za-z]+)``", outcome)[1]
        with pytest.raises(Exception) as caught:
            run(old, section)
        assert name in {cls.__name__ for cls in type(caught.value).__mro__}


NEW = {(section, code_of(new)) for section, _, new, _ in ROWS}
OLD = {(section, code_of(old)) for section, old, _, o in ROWS if o.startswith("Works")}


@pytest.mark.parametrize("section, new", sorted(NEW - OLD))
def test_as_it_is(section, new):
    assert not run(new, section)


def test_gradients_as_targets():
    """What the two rows about ``objective=None`` say of each other."""
    found = shared()
    sim, a, p, x, y = (found[name] for name in ("sim", "a", "p", "x", "y"))

    def weights_after(*args, **kwargs):
        sim.reset()
        sim.train(*args, shuffle=False, **kwargs)
        return sim.data[found["b"]].bias.copy()

    with pytest.warns(DeprecationWarning):
        older = weights_after({a: x}, {p: y}, "sgd", objective=None)
    gradients = weights_after({a: x, p: y}, "sgd", objective={p: None})
    mse = weights_after({a: x, p: y}, "sgd", objective=None)
    np.testing.assert_array_equal(older, gradients)
    assert not np.allclose(mse, gradients, rtol=0, atol=1e-6)


def test_options_are_named_as_what_is_no_optimizer():
    """What the row about them says, rather than that a Node was expected."""
    found = shared()
    data = {found["a"]: found["x"], found["p"]: found["y"]}
    with pytest.raises(ValidationError, match="Got a dict as the optimizer, with lr"):
        found["sim"].train(data, {"lr": 0.1})


def test_attributes_of_simulators_that_are_gone():
    for name in ("tensor_graph", "summary", "rng", "training_step"):
        assert f"``{name}``" in TEXT
        assert not hasattr(shared()["sim"], name)


@pytest.mark.parametrize("rule", ["PES", "BCM", "Voja"])
def test_what_fit_does_with_what_learning_rules_learn(rule):
    """What the row about ``fit`` and ``predict`` says of them."""
    (row,) = [o for *_, o in ROWS if "by online learning rules" in o]
    assert (
        "``fit`` and ``train`` begin" in row and "``fit(stateful=True)`` keeps" in row
    )
    net = network(rule)
    x, p = np.full((4, 10, 1), 0.6), net.probes_of[1]
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        start = np.array(weights(sim, net))
        for minibatch in (x[:2], x[2:]):
            sim.run_steps(10, {net.stimulus: minibatch})
        learned = np.array(weights(sim, net))
        scale = np.abs(learned - start).max()
        assert scale > 0
        sim.reset()
        sim.compile(tf.keras.optimizers.SGD(0.0), loss={p: "mse"})
        sim.fit(x, {p: x}, verbose=0)
        sim.train({net.stimulus: x, p: x}, tf.keras.optimizers.SGD(0.0))
        np.testing.assert_array_equal(weights(sim, net), start)
        sim.fit(x, {p: x}, verbose=0, stateful=True, shuffle=False)
        np.testing.assert_allclose(weights(sim, net), learned, atol=1e-3 * scale)
        sim.predict(x, verbose=0)
        assert np.abs(weights(sim, net) - learned).max() > 1e-2 * scale


@shows("Exactly as many steps")
def test_exactly_the_steps_that_were_asked_for():
    net = namespace()["net"]
    with nengo_dl.Simulator(net, unroll_simulation=5, progress_bar=False) as sim:
        sim.run_steps(3)
        assert sim.n_steps == 3


@shows("Decoders are solved")
def test_decoders_are_nengos():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        ensemble, out = nengo.Ensemble(10, 1), nengo.Node(size_in=1)
        decoded = nengo.Connection(ensemble, out)
    with nengo.Simulator(net, progress_bar=False) as reference:
        expected = reference.data[decoded].weights
    with nengo_dl.Simulator(net, dtype="float32", progress_bar=False) as sim:
        found = sim.data[decoded].weights
    np.testing.assert_array_equal(found, expected)


@shows("Neuron types, processes", "Simulators can be pickled", "``sim.data[obj]``")
@pytest.mark.parametrize("items", [None, 2])
def test_what_runs_in_tensorflow_and_what_has_a_batch_axis(items):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        ensemble = nengo.Ensemble(5, 1, neuron_type=nengo.AdaptiveLIF())
        out = nengo.Node(size_in=1)
        learned = nengo.Connection(ensemble, out, learning_rule_type=nengo.RLS())
    with nengo_dl.Simulator(net, minibatch_size=items, progress_bar=False) as sim:
        assert not any("Python" in group.where for group in sim.report().groups)
        shape = (1, 5) if items is None else (items, 1, 5)
        assert sim.data[learned].weights.shape == shape
        copies = copy.deepcopy(sim), pickle.loads(pickle.dumps(sim))
    for copied in copies:
        with copied:
            copied.run_steps(2)
            assert copied.n_steps == 2


def test_normal_weights_have_the_standard_deviation_that_was_asked_for():
    rng = np.random.RandomState(0)
    he = nengo_dl.dists.He(distribution="normal").sample(2000, 8, rng=rng)
    assert np.std(he) == pytest.approx(np.sqrt(1 / 8), rel=0.02)


def test_nothing_to_train_is_no_error_in_fit():
    found = namespace()
    with found["net"]:
        nengo_dl.configure_settings(trainable=False)
    with nengo_dl.Simulator(found["net"], progress_bar=False) as sim:
        sim.compile("sgd", loss="mse")
        with pytest.warns(UserWarning, match="nothing to train"):
            sim.fit(found["x"], found["y"], verbose=0)


@pytest.mark.parametrize("option", ["kernel_regularizer", "kernel_constraint"])
def test_what_layers_ask_of_training_counts(option):
    """What the row about them says: losses and weights are others."""
    value = {"kernel_regularizer": "l2", "kernel_constraint": "non_neg"}[option]
    found = []
    for options in ({}, {option: value}):
        layer = tf.keras.layers.Dense(
            1, use_bias=False, kernel_initializer="ones", **options
        )
        with nengo.Network(seed=0) as net:
            nengo_dl.configure_settings(jit_compile=False)
            a = nengo.Node([0])
            node = nengo_dl.TensorNode(layer, shape_in=(1,), pass_time=False)
            nengo.Connection(a, node, synapse=None)
            p = nengo.Probe(node)
        data = {a: np.ones((2, 1, 1)), p: -np.ones((2, 1, 1))}
        with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
            losses = sim.train(data, "sgd", n_epochs=200)
            (weight,) = sim.keras_model.get_weights()[0].ravel()
        found.append((losses[0], weight))
    (loss, weight), (own_loss, own_weight) = found
    if option == "kernel_regularizer":
        assert own_loss == pytest.approx(loss + 0.01)
    else:
        assert weight < 0 <= own_weight


@shows("Importing ``nengo_dl``")
def test_tensorflow_is_as_it_was():
    assert tf.executing_eagerly()
    assert tf.compat.v1.control_flow_v2_enabled()
    assert not tf.config.functions_run_eagerly()


@shows("``fit`` takes ``truncation``")
def test_truncation_of_fit_is_that_of_train():
    found = namespace()
    x, y = np.ones((5, 4, 1)), np.zeros((5, 4, 1))
    trained = []
    for truncation in (None, 2):
        with nengo_dl.Simulator(found["net"], 5, progress_bar=False) as sim:
            sim.compile("sgd", loss={found["p"]: "mse"})
            # updates come after each part
            fitted = sim.fit(x, y, truncation=truncation, shuffle=False, verbose=0)
            sim.reset()
            data = {found["a"]: x, found["p"]: y}
            losses = sim.train(data, "sgd", truncation=truncation, shuffle=False)
        trained.append(losses)
        np.testing.assert_allclose(fitted.history["loss"], losses, rtol=1e-5)
    assert trained[0] != trained[1]


@shows("``fit`` shuffles items")
@pytest.mark.parametrize("seed", [3, 4])
def test_the_order_of_items_follows_the_seed(seed):
    found = namespace()
    x = np.linspace(-1, 1, 10).reshape(10, 1, 1)
    trained = []
    for of_tensorflow, of_simulator in ((0, 3), (1, seed)):
        tf.keras.utils.set_random_seed(of_tensorflow)
        options = {"seed": of_simulator, "progress_bar": False}
        with nengo_dl.Simulator(found["net"], 5, **options) as sim:
            sim.compile(tf.keras.optimizers.SGD(100.0), loss={found["p"]: "mse"})
            sim.fit(x, x, verbose=0)
            trained.append(sim.data[found["b"]].bias)
    assert np.array_equal(*trained) == (seed == 3)


@shows("The seed of the simulator decides")
def test_first_weights_follow_the_seed():
    with nengo.Network() as net:
        nengo_dl.configure_settings(jit_compile=False)
        layer = nengo_dl.Layer(tf.keras.layers.Dense(2))(nengo.Node([1.0]))
        probe = nengo.Probe(layer)
    found = []
    for seed in (1, 1, 2):
        with nengo_dl.Simulator(net, seed=seed, progress_bar=False) as sim:
            sim.run_steps(1)
            found.append(sim.data[probe])
    assert np.array_equal(*found[:2]) and not np.array_equal(*found[1:])


@shows("Code that XLA can compile")
@pytest.mark.parametrize("jit_compile", [True, False])
def test_what_is_compiled(jit_compile):
    net = namespace()["net"]
    with net:
        nengo_dl.configure_settings(jit_compile=jit_compile)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        assert ("computation of XLA" in sim.report().how) == jit_compile


@shows("``python -m nengo_dl.benchmarks``")
def test_arguments_of_benchmarks_of_version_3():
    # it says what is wrong with these, so that it knows them
    with pytest.raises(SystemExit), contextlib.redirect_stderr(io.StringIO()) as said:
        benchmarks(["build", "--benchmark", "cconv"])
    assert "nothing to do with the network; add: profile" in said.getvalue()


def test_every_difference_is_shown():
    section = TEXT.partition("What is different without an error\n===")[2]
    points = re.findall(r"^- (.*)$", section, re.M)
    assert len(points) == len(SHOWN)
    for point in points:
        assert sum(map(point.startswith, SHOWN)) == 1, point
