"""``sim.train`` and ``sim.loss``, as users call them."""

import warnings
from pathlib import Path

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning, SimulatorClosed, ValidationError

import nengo_dl
from tests.helpers import assert_close, profile_files, rest_with_everything


def relu_chain(n=30, length=3, seed=0, jit_compile=False):
    """A network without memory; XLA only where it matters."""
    with nengo.Network(seed=seed) as net:
        nengo_dl.configure_settings(jit_compile=jit_compile)
        net.config[nengo.Ensemble].neuron_type = nengo.RectifiedLinear()
        net.config[nengo.Ensemble].gain = nengo.dists.Choice([1])
        net.config[nengo.Ensemble].bias = nengo.dists.Uniform(-1, 1)
        net.config[nengo.Connection].synapse = None
        net.a = nengo.Node([0.5])
        last = net.a
        for _ in range(length):
            following = nengo.Ensemble(n, 1)
            nengo.Connection(last, following)
            last = following
        net.p = nengo.Probe(last)
    return net


def memory(neuron_type=None, seed=0, jit_compile=False):
    """A recurrent network with filters; XLA only where it matters."""
    with nengo.Network(seed=seed) as net:
        nengo_dl.configure_settings(jit_compile=jit_compile)
        net.config[nengo.Ensemble].neuron_type = neuron_type or nengo.LIF()
        net.a = nengo.Node([0.5])
        net.ensemble = nengo.Ensemble(20, 1)
        nengo.Connection(net.a, net.ensemble)
        net.recurrent = nengo.Connection(net.ensemble, net.ensemble, synapse=0.01)
        net.p = nengo.Probe(net.ensemble, synapse=0.01)
        net.unfiltered = nengo.Probe(net.ensemble)
    return net


def simulator(net, **options):
    options = {"seed": 1, "progress_bar": False, **options}
    return nengo_dl.Simulator(net, **options)


def data_of(net, items=20, steps=4, seed=0):
    x = np.random.RandomState(seed).uniform(-1, 1, (items, steps, 1))
    return {net.a: x, net.p: 2 * x}


def weights(sim):
    return [v.numpy() for v in sim._runner.store.params if v.trainable]


# -- what the documentation promises


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_complete_example_of_the_first_release():
    rng = np.random.RandomState(0)
    net, steps, size = relu_chain(jit_compile=True), 5, 10
    with simulator(net, step_blocks=steps, minibatch_size=size) as sim:
        x = rng.uniform(-1, 1, size=(10000, steps, 1))
        optimizer = tf.compat.v1.train.MomentumOptimizer(1e-2, 0.9)
        sim.train({net.a: x}, {net.p: x * 2}, optimizer, n_epochs=10)
        sim.run_steps(steps)
        assert np.allclose(sim.data[net.p], 1, atol=1e-2)
        sim.soft_reset(include_probes=True)
        test = rng.uniform(-1, 1, size=(size, steps, 1))
        sim.run_steps(steps, input_feeds={net.a: test})
        assert np.allclose(test * 2, sim.data[net.p], atol=1e-2)


def test_tutorial_for_users_of_nengo():
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(trainable=False)
        net.config[nengo.Ensemble].trainable = True
        net.config[nengo.Connection].synapse = None
        stimulus = nengo.Node(nengo.processes.WhiteSignal(1, 5, rms=0.3))
        square, sine = nengo.Ensemble(20, 1), nengo.Ensemble(20, 1)
        out = nengo.Node(size_in=1)
        nengo.Connection(stimulus, square)
        nengo.Connection(square, sine, function=np.square)
        connection = nengo.Connection(sine, out, function=np.sin)
        shown = nengo.Probe(out, synapse=0.04)
        raw = nengo.Probe(out)
    x = rng.uniform(-1, 1, size=(4096, 1, 1))
    test = np.tile(rng.uniform(-1, 1, size=(1024, 1, 1)), (1, 100, 1))
    test_data = {stimulus: test, shown: np.sin(test**2)}

    def test_mse(outputs, targets):
        return tf.reduce_mean(tf.square(outputs[:, -10:] - targets[:, -10:]))

    with simulator(net, minibatch_size=32, seed=0) as sim:
        decoders = sim.data[connection].weights
        before = sim.loss(test_data, objective={shown: test_mse})
        sim.train(
            {stimulus: x, raw: np.sin(x**2)},
            tf.compat.v1.train.RMSPropOptimizer(0.01),
            objective={raw: nengo_dl.obj.mse},
            n_epochs=25,
        )
        after = sim.loss(test_data, objective={shown: test_mse})
        assert np.array_equal(sim.data[connection].weights, decoders)
    print(before, after)
    # how far it comes depends on the processor: 0.0029 on one, 0.0031 on another
    assert after < 0.0033 < before


# -- what one update does


@pytest.mark.filterwarnings("ignore:n_steps=5 is no multiple")
@pytest.mark.parametrize("truncation", rest_with_everything([None, 2, 3]))
def test_an_update_follows_the_slope_of_the_loss(truncation):
    net = memory(jit_compile=True)
    data = data_of(net, items=2, steps=5)
    # just above its threshold, the rate of a LIF neuron is steep
    rate, step = 0.1, 1e-7
    with simulator(net, dtype="float64", minibatch_size=2) as sim:
        before = weights(sim)
        sim.train(
            data,
            tf.keras.optimizers.SGD(rate),
            objective={net.p: nengo_dl.obj.mse},
            shuffle=False,
            truncation=truncation,
        )
        moved = [(b - a) / rate for b, a in zip(before, weights(sim), strict=True)]
        if truncation is None:
            variables = [v for v in sim._runner.store.params if v.trainable]
            rng = np.random.RandomState(0)
            for variable, value, slope in zip(variables, before, moved, strict=True):
                direction = rng.randn(*value.shape)
                sides = []
                for sign in (1, -1):
                    for v, b in zip(variables, before, strict=True):
                        v.assign(b)
                    variable.assign(value + sign * step * direction)
                    sides.append(sim.loss(data, training=True))
                numeric = (sides[0] - sides[1]) / (2 * step)
                assert np.sum(slope * direction) == pytest.approx(
                    numeric, rel=1e-3, abs=1e-7
                )
        else:
            # the first update is that of the first part alone
            assert any(np.any(m) for m in moved)


def test_truncation_is_one_update_after_another():
    net = relu_chain()
    data = data_of(net, items=4, steps=6)
    apart = {k: v.reshape(2, 2, 3, 2, 1).swapaxes(1, 2) for k, v in data.items()}
    # without memory, parts of an item are items of their own
    apart = {k: v.reshape(12, 2, 1) for k, v in apart.items()}
    results = []
    for given, options in ((data, {"truncation": 2}), (apart, {})):
        with simulator(net, dtype="float64", minibatch_size=2) as sim:
            sim.train(given, tf.keras.optimizers.SGD(0.01), shuffle=False, **options)
            results.append(weights(sim))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_truncated_parts_go_on_from_the_state_of_the_part_before():
    net = memory()
    data = data_of(net, items=2, steps=7)
    still = tf.keras.optimizers.SGD(0.0)
    with simulator(net, dtype="float64", minibatch_size=2) as sim:
        by_hand = [
            sim.loss(
                data,
                lambda y, t, first=first: tf.reduce_mean(
                    (y - t)[:, first : first + 3] ** 2
                ),
                training=True,
            )
            for first in (0, 3, 6)
        ]
        with pytest.warns(NengoWarning, match="no multiple of truncation"):
            parts = sim.train(data, still, shuffle=False, truncation=3)
    # the last part has one step only, and counts as much as the others
    assert parts == pytest.approx([np.mean(by_hand)])


@pytest.mark.parametrize("epochs", [1, 3])
def test_every_item_is_seen_once_in_each_epoch(epochs):
    net = relu_chain(length=1)
    x = np.arange(12.0).reshape(12, 1, 1)
    seen = []

    def look(outputs, targets):
        tf.py_function(lambda t: seen.extend(t.numpy().ravel()), [targets], [])
        return tf.reduce_mean(outputs)

    for shuffle in (False, True):
        seen.clear()
        with simulator(net, minibatch_size=3) as sim:
            sim.train(
                {net.a: x, net.p: x},
                "sgd",
                n_epochs=epochs,
                objective=look,
                shuffle=shuffle,
            )
        epochs_seen = np.reshape(seen, (epochs, 12))
        assert np.array_equal(np.sort(epochs_seen), np.tile(np.arange(12), (epochs, 1)))
        in_order = np.array_equal(epochs_seen[0], np.arange(12))
        assert in_order is not shuffle


# -- what training leaves alone


def test_the_simulation_goes_on_as_if_nothing_had_happened():
    net = memory()
    still = tf.keras.optimizers.SGD(0.0)
    with (
        simulator(net, dtype="float64") as sim,
        simulator(net, dtype="float64") as other,
    ):
        for one in (sim, other):
            one.run_steps(7)
        sim.train(data_of(net), still)
        sim.loss(data_of(net))
        assert sim.n_steps == 7
        for one in (sim, other):
            one.run_steps(7)
        assert_close(sim.data[net.p], other.data[net.p])
        assert sim.data[net.p].shape == (14, 1)


def test_equal_seeds_give_equal_weights():
    net = memory()
    found = []
    for seed in (1, 1, 2):
        with simulator(net, minibatch_size=5, seed=seed) as sim:
            sim.train(data_of(net), "adam", n_epochs=2)
            found.append(weights(sim))
    for one, two, three in zip(*found, strict=True):
        assert np.array_equal(one, two)
        assert not np.array_equal(one, three)


def test_the_optimizer_remembers():
    net = relu_chain()
    data = data_of(net)

    def train(*epochs):
        optimizer = tf.keras.optimizers.Adam(0.01)
        with simulator(net, dtype="float64", minibatch_size=5) as sim:
            for n in epochs:
                sim.train(data, optimizer, n_epochs=n, shuffle=False)
            return weights(sim)

    for one, other in zip(train(4), train(1, 3), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_reset_and_train_repeats_itself():
    net, optimizer = memory(jit_compile=True), tf.keras.optimizers.Adam(1e-3)
    found = []
    with simulator(net, minibatch_size=5) as sim:
        for _ in range(2):
            sim.train(data_of(net), optimizer, n_epochs=2)
            found.append(weights(sim))
            sim.reset()
            assert not np.array_equal(weights(sim)[0], found[-1][0])
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)


# -- losses


def test_loss_is_that_of_the_simulation():
    net = memory(jit_compile=True)
    data = data_of(net, items=6, steps=8)
    with simulator(net, dtype="float64", minibatch_size=3) as sim:
        measured = sim.loss(data)
        each = sim.loss(data, combine=np.array)
        expected = []
        for first in (0, 3):
            sim.reset()
            sim.run_steps(8, data={net.a: data[net.a][first : first + 3]})
            error = sim.data[net.p] - data[net.p][first : first + 3]
            expected.append(np.mean(error**2))
    assert measured == pytest.approx(np.mean(expected), rel=1e-9)
    assert each == pytest.approx(expected, rel=1e-9)


def test_losses_of_several_probes_are_summed():
    net = memory()
    data = data_of(net)
    both = {**data, net.unfiltered: data[net.p] + 1}
    with simulator(net, dtype="float64", minibatch_size=5) as sim:
        first = sim.loss(data, {net.p: "mse"})
        second = sim.loss(
            {net.a: data[net.a], net.unfiltered: both[net.unfiltered]}, "mse"
        )
        assert sim.loss(both) == pytest.approx(first + second)


def test_rates_stand_in_for_spikes_in_training():
    net = memory()
    rate = memory(nengo.LIFRate())
    data = data_of(net)
    with simulator(net, dtype="float64") as sim:
        spiking, trained = sim.loss(data), sim.loss(data, training=True)
    with simulator(rate, dtype="float64") as sim:
        expected = sim.loss({rate.a: data[net.a], rate.p: data[net.p]})
    assert trained == pytest.approx(expected)
    assert spiking != pytest.approx(expected)


def test_targets_that_are_not_numbers_do_not_count_as_errors():
    net = relu_chain()
    data = data_of(net)
    partly = {**data, net.p: data[net.p].copy()}
    partly[net.p][:, 1] = np.nan
    with simulator(net, minibatch_size=5) as sim:
        assert np.isfinite(sim.loss(partly))
        sim.train(partly, "adam")
        assert all(np.all(np.isfinite(w)) for w in weights(sim))


def test_targets_as_gradients():
    net = relu_chain()
    data = data_of(net, items=5)
    found = []
    for direct in (True, False):
        with simulator(net, dtype="float64", minibatch_size=5) as sim:
            if direct:
                sim.run_steps(4, data={net.a: data[net.a]})
                error = 2 * (sim.data[net.p] - data[net.p]) / error_size(data[net.p])
                given, objective = {**data, net.p: error}, {net.p: None}
            else:
                given, objective = data, {net.p: "mse"}
            sim.train(given, tf.keras.optimizers.SGD(0.1), objective=objective)
            found.append(weights(sim))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def error_size(targets):
    return targets.size


# -- networks that are special


def test_noise_is_new_for_every_minibatch():
    with nengo.Network(seed=0) as net:
        noise = nengo.Node(nengo.processes.WhiteNoise(), size_out=1)
        out = nengo.Node(size_in=1)
        nengo.Connection(noise, out, synapse=None)
        p = nengo.Probe(out)
    seen = []

    def look(outputs, targets):
        tf.py_function(lambda x: seen.append(x.numpy()), [outputs], [])
        return tf.reduce_mean(outputs)

    with net:
        nengo_dl.configure_settings(jit_compile=False)
    targets = {p: np.zeros((6, 3, 1))}
    with simulator(net, minibatch_size=2) as sim:
        sim.loss(targets, look)
    values = np.concatenate(seen).ravel()
    assert values.size == 18
    assert len(np.unique(values)) == 18


def test_python_code_lets_no_gradient_pass_and_the_rest_is_trained():
    with nengo.Network(seed=0) as net:
        net.config[nengo.Connection].synapse = None
        a = nengo.Node([0.5])
        first = nengo.Ensemble(10, 1, neuron_type=nengo.LIFRate(), label="first")
        function = nengo.Node(lambda t, x: x**2, size_in=1, label="square")
        second = nengo.Ensemble(10, 1, neuron_type=nengo.LIFRate(), label="second")
        nengo.Connection(a, first)
        nengo.Connection(first, function)
        nengo.Connection(function, second)
        p = nengo.Probe(second)
    x = np.random.RandomState(0).uniform(-1, 1, (4, 3, 1))
    with simulator(net, minibatch_size=2) as sim:
        before = sim.data[first].bias.copy(), sim.data[second].bias.copy()
        with pytest.warns(NengoWarning, match="No gradient passes.*square"):
            sim.train({a: x, p: x}, tf.keras.optimizers.SGD(0.1))
        assert np.array_equal(sim.data[first].bias, before[0])
        assert not np.array_equal(sim.data[second].bias, before[1])


def test_nothing_to_train():
    with nengo.Network() as net:
        net.a = nengo.Node([0.5])
        net.p = nengo.Probe(net.a)
    with (
        simulator(net, minibatch_size=5) as sim,
        pytest.raises(ValidationError, match="nothing to train"),
    ):
        sim.train(data_of(net), "sgd")


def test_inference_only():
    net = relu_chain()
    with net:
        nengo_dl.configure_settings(inference_only=True)
    with simulator(net, minibatch_size=5) as sim:
        assert np.isfinite(sim.loss(data_of(net)))
        with pytest.raises(ValidationError, match="inference_only"):
            sim.train(data_of(net), "sgd")


def test_only_the_last_step_of_probes_without_history():
    net = relu_chain()
    with net:
        nengo_dl.configure_settings(keep_history=False)
    data = data_of(net)
    with simulator(net, minibatch_size=5) as sim:
        with pytest.raises(ValidationError, match="keep_history=False, only its last"):
            sim.train(data, "adam")
        data[net.p] = data[net.p][:, -1:]
        losses = sim.train(data, "adam", n_epochs=5)
        assert losses[-1] < losses[0]


def test_closed_simulators():
    net = relu_chain()
    with simulator(net) as sim:
        pass
    for call in (
        lambda: sim.train(data_of(net), "sgd"),
        lambda: sim.loss(data_of(net)),
    ):
        with pytest.raises(SimulatorClosed):
            call()


@pytest.mark.parametrize("surrogate", rest_with_everything(["fast_sigmoid", "rate"]))
def test_spikes_can_be_trained(surrogate):
    net = memory()
    with net:
        nengo_dl.configure_settings(surrogate=surrogate)
    x = np.ones((20, 30, 1)) * np.linspace(-1, 1, 20)[:, None, None]
    data = {net.a: x, net.p: 0.3 * np.ones_like(x)}
    with simulator(net, minibatch_size=10) as sim:
        before = sim.loss(data)
        sim.train(data, tf.keras.optimizers.Adam(1e-4), n_epochs=20)
        assert sim.loss(data) < 0.5 * before


# -- TensorBoard and profiles


def test_summaries(tmp_path):
    net = memory(jit_compile=True)
    with simulator(net, minibatch_size=5, tensorboard=str(tmp_path)) as sim:
        objects = ["loss", net.recurrent, net.ensemble, net.ensemble.neurons]
        for _ in range(2):
            losses = sim.train(data_of(net), "sgd", n_epochs=2, summaries=objects)
        with pytest.raises(ValidationError, match="nothing to write about"):
            sim.train(data_of(net), "sgd", summaries=[net.a])
    (run,) = tmp_path.iterdir()
    assert run.name == "run_0"
    recorded, graphs = {}, []
    for file in sorted(run.iterdir()):
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                recorded.setdefault(value.tag, []).append(tf.make_ndarray(value.tensor))
            if event.graph_def:
                graphs.append(tf.compat.v1.GraphDef.FromString(event.graph_def))
    names = {"Connection_weights", "Ensemble_encoders", "Ensemble_bias", "loss"}
    assert recorded.keys() == names | {f"{name}_1" for name in names}
    assert all(len(values) == 8 for values in recorded.values())
    assert np.mean(recorded["loss_1"][4:]) == pytest.approx(losses[1], rel=1e-5)
    (graph,) = graphs
    scopes = {node.name.split("/")[0] for node in graph.node}
    assert {"parameters", "inputs", "state_before", "state_after", "probes"} <= scopes
    assert {"DotInc", "FirstOrder"} <= {s.split("_")[0] for s in scopes}


def test_each_simulator_has_a_folder_of_its_own(tmp_path):
    (tmp_path / "results" / "run_7").mkdir(parents=True)
    net = relu_chain()
    for number in (8, 9):
        with simulator(net, tensorboard=tmp_path / "results"):
            assert list((tmp_path / "results" / f"run_{number}").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(ValidationError, match=r"tensorboard.*directory.*file"):
        simulator(net, tensorboard=str(tmp_path / "file"))


def test_graphs_of_networks_with_python_code(tmp_path):
    with nengo.Network(seed=0) as net:
        node = nengo.Node(lambda t, x: x + 1, size_in=1)
        nengo.Connection(nengo.Ensemble(5, 1), node)
        nengo.Probe(node, label="what comes out")
    with simulator(net, minibatch_size=3, tensorboard=tmp_path):
        graph = step_graph_of(tmp_path / "run_0")
    names = [n.name for n in graph.node]
    assert "probes/what_comes_out" in names
    assert any(name.startswith("Python/") for name in names)


def step_graph_of(folder):
    (file,) = folder.iterdir()
    events = [
        tf.compat.v1.Event.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(file))
    ]
    return tf.compat.v1.GraphDef.FromString(
        next(event.graph_def for event in events if event.graph_def)
    )


def test_summaries_without_a_directory_are_ignored():
    net = relu_chain()
    with (
        simulator(net, minibatch_size=5) as sim,
        pytest.warns(NengoWarning, match="`summaries` are ignored"),
    ):
        sim.train(data_of(net), "sgd", summaries=["loss"])


def test_profile(tmp_path):
    net = relu_chain()
    with simulator(net, minibatch_size=5) as sim:
        sim.train(data_of(net), "sgd", profile=str(tmp_path / "p"))
    assert list((tmp_path / "p").rglob("*.xplane.pb"))
    assert {path.name for path in tmp_path.iterdir()} == profile_files("p")


# -- what objectives return, and what targets look like


def test_an_objective_that_returns_an_array():
    """Training follows the sum; what is shown is the mean."""
    net = relu_chain(8, 1)
    data = data_of(net, 8, 2)

    def squares(outputs, targets):
        return (outputs - targets) ** 2

    def reduced(how):
        return lambda outputs, targets: how((outputs - targets) ** 2)

    results = {}
    with simulator(net, minibatch_size=4) as sim:
        for name, objective in (
            ("array", squares),
            ("list", {net.p: lambda o, t: [tf.reduce_sum(squares(o, t)), 0.0]}),
            ("joint", {(net.p,): lambda o, t: squares(o[0], t[0])}),
            ("sum", reduced(tf.reduce_sum)),
            ("mean", reduced(tf.reduce_mean)),
        ):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                sim.reset()
                shown = sim.loss(data, objective)
                lines = [Path(w.filename).name for w in caught]
                sim.train(data, "sgd", 2, objective, shuffle=False)
                lines += [Path(w.filename).name for w in caught[1:]]
            assert lines == [Path(__file__).name] * (
                0 if name in ("sum", "mean") else 2
            )
            assert all("follows its sum" in str(w.message) for w in caught)
            results[name] = shown, weights(sim)
    for name in ("array", "joint", "list"):
        for ours, expected in zip(results[name][1], results["sum"][1], strict=True):
            assert_close(ours, expected, 1e-6)
    assert results["array"][0] == pytest.approx(results["mean"][0], rel=1e-6)
    assert results["joint"][0] == pytest.approx(results["mean"][0], rel=1e-6)


def test_each_simulator_warns_of_an_array():
    """Though what they compute is traced once."""
    for _ in range(2):
        net = relu_chain(4, 1)
        with simulator(net) as sim, pytest.warns(NengoWarning, match="not a number"):
            sim.loss(data_of(net, 2, 1), lambda outputs, targets: outputs)


@pytest.mark.parametrize("size", rest_with_everything([0, 1, 3]))
def test_the_loss_decides_on_the_size_of_targets(size):
    with memory() as net:
        net.wide = nengo.Probe(net.ensemble.neurons)
    x, y = np.ones((2, 4, 1)), np.ones((2, 4, size))
    seen = []

    def own(outputs, targets):
        seen.append(tuple(targets.shape))
        return tf.reduce_mean(outputs) + tf.reduce_sum(targets)

    with simulator(net) as sim:
        sim.loss({net.a: x, net.wide: y}, {net.wide: own})
        sim.train({net.a: x, net.wide: y}, "sgd", objective=own)
        sim.train({net.a: x, net.wide: y}, "sgd", objective=own, truncation=2)
        sim.run_batch({net.a: x, net.wide: y}, {net.wide: own})
        assert set(seen) == {(1, 4, size), (1, 2, size)}
        for objective in ("mse", None, "mae"):
            for call in (
                lambda o: sim.loss({net.a: x, net.wide: y}, {net.wide: o}),
                lambda o: sim.train({net.a: x, net.wide: y}, "sgd", objective=o),
            ):
                with pytest.raises(ValidationError, match=rf"4, {size}\); expected"):
                    call(objective)
        with pytest.raises(ValidationError, match=rf"4, {size}\); expected"):
            sim.run_batch({net.a: x, net.wide: y}, {net.wide: nengo_dl.obj.mse})


def test_norms_need_no_targets():
    net = relu_chain(8, 1)
    x = np.ones((2, 1, 1))
    with simulator(net) as sim:
        values = [
            sim.loss({net.a: x, **targets}, {net.p: norm})
            for norm in (nengo_dl.losses.Regularize(), nengo_dl.obj.Regularize())
            for targets in ({}, {net.p: None}, {net.p: np.zeros((2, 1, 0))})
        ]
    assert values == [values[0]] * 6 and values[0] > 0


def test_lists_of_minibatches_are_no_data():
    net = relu_chain(4, 1)
    data = [{net.a: np.ones((2, 2, 1)), net.p: np.ones((2, 2, 1))}]
    with simulator(net) as sim:
        for call in (lambda: sim.loss(data), lambda: sim.train(data, "sgd")):
            with pytest.raises(
                ValidationError, match="data: Expected a dict.*dataset or generator"
            ):
                call()


def test_missing_targets_and_losses_that_do_not_know_them():
    net = relu_chain(4, 1)
    data = {net.a: np.ones((2, 2, 1)), net.p: np.full((2, 2, 1), np.nan)}
    with simulator(net) as sim:
        for objective in ("mae", keras.losses.Huber(), {net.p: None}):
            with pytest.warns(NengoWarning, match=r"Targets for <Probe .* are NaN"):
                assert np.isnan(sim.loss(data, objective))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for objective in ("mse", None, lambda o, t: tf.reduce_sum(o)):
                assert np.isfinite(sim.loss(data, objective))

        # whether a function of the user knows them shows in what it returns
        def of_user(outputs, targets):
            return tf.reduce_mean((outputs - targets) ** 2)

        for call in (
            lambda: sim.loss(data, of_user),
            lambda: sim.train(data, keras.optimizers.SGD(0.1), objective=of_user),
        ):
            with pytest.warns(
                NengoWarning, match=r"Targets for <Probe .* are NaN"
            ) as w:
                assert np.isnan(call())
            assert sum("are NaN" in str(warning.message) for warning in w) == 1
