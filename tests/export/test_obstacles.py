"""What cannot be exported is named, all of it; what Python computes may be recorded."""

import warnings

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning

import nengo_dl
from nengo_dl.export.obstacles import obstacles
from nengo_dl.simulator import program_of
from nengo_dl.validation import NotPossibleError


def _hostile():
    with nengo.Network(seed=0) as net:
        wave = nengo.Node(lambda t: np.sin(t), label="wave")
        doubled = nengo.Node(lambda t, x: 2 * x, size_in=1, label="doubled")
        noisy = nengo.Ensemble(
            5, 1, label="noisy", noise=nengo.processes.WhiteNoise(seed=0)
        )
        random = nengo.Ensemble(
            5, 1, label="random", neuron_type=nengo.StochasticSpiking(nengo.LIFRate())
        )
        nengo.Connection(wave, doubled)
        nengo.Connection(doubled, noisy)
        nengo.Connection(noisy, random)
        nengo.Probe(random)
        nengo_dl.configure_settings(jit_compile=False)
    return net


def test_all_that_prevents_an_export_is_named(tmp_path):
    sim = nengo_dl.Simulator(_hostile(), progress_bar=False)
    with sim, pytest.raises(NotPossibleError) as error:
        sim.export(tmp_path / "model", inputs=[])
    message = str(error.value)
    assert message.count("\n- ") == 4
    for name in ("wave", "doubled", "noisy", "random"):
        assert name in message
    assert isinstance(error.value, NotImplementedError)
    assert not list(tmp_path.iterdir())


def test_what_is_fed_or_recorded_prevents_nothing(tmp_path):
    sim = nengo_dl.Simulator(_hostile(), progress_bar=False)
    with sim, pytest.raises(NotPossibleError) as error:
        sim.export(tmp_path / "model", n_steps=10)
    assert str(error.value).count("\n- ") == 1
    assert "doubled" in str(error.value)


def test_what_python_computes_is_recorded(tmp_path):
    with nengo.Network(seed=1) as net:
        wave = nengo.Node(lambda t: np.sin(30 * t), label="wave")
        noise = nengo.Node(nengo.processes.WhiteSignal(0.1, 20), label="noise")
        ensemble = nengo.Ensemble(
            20,
            2,
            noise=nengo.processes.WhiteNoise(),
            neuron_type=nengo.StochasticSpiking(nengo.LIFRate()),
        )
        nengo.Connection(wave, ensemble[0])
        nengo.Connection(noise, ensemble[1])
        probe = nengo.Probe(ensemble, synapse=0.01, label="y")
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(net, seed=3, progress_bar=False) as sim:
        sim.run_steps(5)
        info = sim.export(tmp_path / "model", inputs=[], n_steps=30)
        sim.reset()
        sim.run_steps(30)
        expected = sim.data[probe]
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    found = loaded.signatures["run"]()["y"].numpy()[0]
    assert info["recorded_steps"] == 30
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_items_that_have_learned_different_weights(tmp_path):
    with nengo.Network(seed=0) as net:
        x = nengo.Node([0.5], label="x")
        ensemble = nengo.Ensemble(10, 1)
        out = nengo.Node(size_in=1)
        nengo.Connection(x, ensemble)
        connection = nengo.Connection(
            ensemble, out, learning_rule_type=nengo.PES(1e-2), label="learned"
        )
        nengo.Connection(x, connection.learning_rule)
        nengo.Probe(out, label="y")
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        data = np.zeros((2, 20, 1))
        data[1] = 1
        sim.run_steps(20, data={x: data})
        with pytest.raises(NotPossibleError, match="learned different weights"):
            sim.export(tmp_path / "model")
        sim.export(tmp_path / "model", minibatch_size=2)
    state = np.load(tmp_path / "model" / "initial_state.npz")
    assert any((value[0] != value[1]).any() for value in state.values())


def test_functions_of_time_beside_tensorflow_code_can_be_fed(tmp_path):
    with nengo.Network(seed=0) as net:
        wave = nengo.Node(lambda t: np.sin(t), label="wave")
        node = nengo_dl.TensorNode(lambda t, x: 2 * x, shape_in=(1,))
        nengo.Connection(wave, node, synapse=None)
        nengo.Probe(node, label="y")
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with pytest.raises(NotPossibleError, match="wave"):
            sim.export(tmp_path / "model", inputs=[])
        with pytest.warns(NengoWarning, match=r"compute exactly 1 item\(s\)") as said:
            sim.export(tmp_path / "model")
        assert said[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error", NengoWarning)
            sim.export(tmp_path / "model", minibatch_size=1)
    run = tf.saved_model.load(str(tmp_path / "model")).signatures["run"]
    np.testing.assert_allclose(run(wave=tf.ones((1, 3, 1)))["y"], 2)


def _sine(t, x):
    return tf.ensure_shape(tf.numpy_function(np.sin, [x], tf.float32), x.shape)


def test_tensorflow_code_that_calls_python_is_refused(tmp_path):
    with nengo.Network(seed=0) as net:
        x = nengo.Node([0], label="x")
        node = nengo_dl.TensorNode(_sine, shape_in=(1,), label="sine")
        nengo.Connection(x, node, synapse=None)
        nengo.Probe(node)
    sim = nengo_dl.Simulator(net, progress_bar=False)
    with sim, pytest.raises(NotPossibleError, match="sine"):
        sim.export(tmp_path / "model")


@pytest.mark.parametrize("compiled", [False, True])
def test_a_network_without_inputs(compiled, tmp_path):
    with nengo.Network(seed=0) as net:
        constant = nengo.Node([0.5])
        probe = nengo.Probe(constant, synapse=nengo.Lowpass(0.01), label="y")
        nengo_dl.configure_settings(jit_compile=compiled)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.export(tmp_path / "model", inputs=[])
        sim.run_steps(20)
    run = tf.saved_model.load(str(tmp_path / "model")).signatures["run"]
    for n_steps in (20, 5):
        found = run(n_steps=tf.constant(n_steps))["y"][0]
        np.testing.assert_allclose(found, sim.data[probe][:n_steps], atol=1e-6)


def test_functions_without_output_are_left_out(tmp_path):
    with nengo.Network(seed=0) as net:
        x = nengo.Node([0.5], label="x")
        nengo.Node(lambda t: None, label="clock")
        nengo.Connection(x, nengo.Node(lambda t, x: None, size_in=1, label="log"))
        nengo.Probe(x, label="y")
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.export(tmp_path / "model")
    run = tf.saved_model.load(str(tmp_path / "model")).signatures["run"]
    np.testing.assert_array_equal(run(x=tf.ones((1, 3, 1)))["y"], np.ones((1, 3, 1)))


@pytest.mark.everything
def test_keys_of_random_numbers_are_recorded(tmp_path):
    with nengo.Network(seed=0) as net:
        x = nengo.Node([0.5], label="x")
        neurons = nengo.PoissonSpiking(nengo.LIFRate())
        ensemble = nengo.Ensemble(10, 1, neuron_type=neurons)
        nengo.Connection(x, ensemble)
        probe = nengo.Probe(ensemble.neurons, label="y")
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.export(tmp_path / "model", n_steps=20)
        sim.run_steps(20)
    run = tf.saved_model.load(str(tmp_path / "model")).signatures["run"]
    found = run(x=tf.fill((2, 20, 1), 0.5))["y"].numpy()
    np.testing.assert_array_equal(found, [sim.data[probe]] * 2)
    assert found.any()


def test_neurons_that_run_in_numpy_are_named():
    class Mine(nengo.LIFRate):
        pass

    with nengo.Network(seed=0) as net:
        nengo.Probe(nengo.Ensemble(5, 1, neuron_type=Mine(), label="own").neurons)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        store = sim._runner.store
        (found,) = obstacles(sim.model, program_of(sim), store, [], [], False, True)
    assert "own" in found and "Mine" in found
