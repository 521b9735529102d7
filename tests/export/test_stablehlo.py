"""StableHLO text, run by XLA as it stands in the files."""

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.export import stablehlo
from tests.helpers import older

call_module = pytest.importorskip("tensorflow.compiler.tf2xla.python.xla").call_module

N_ITEMS, N_STEPS = 2, 12


@pytest.fixture(scope="module")
def net():
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node([0.5] * 3, label="stimulus")
        hidden = nengo.Ensemble(5, 3, label="hidden")
        nengo.Connection(stimulus, hidden)
        net.decoded = nengo.Probe(hidden, label="decoded")
        net.spikes = nengo.Probe(hidden.neurons, label="spikes")
        net.stimulus = stimulus
    return net


def called(path, names, tensors, shapes, dtypes):
    """Return the results of a file by name, as metadata.json has their order."""
    function = tf.function(
        lambda *arguments: call_module(
            list(arguments),
            version=9,
            module=path.read_bytes(),
            Tout=[dtypes[name] for name in names["results"]],
            Sout=[shapes[name] for name in names["results"]],
            platforms=["CPU"],
        ),
        jit_compile=True,
    )
    results = function(*[tf.constant(tensors[name]) for name in names["arguments"]])
    return {
        name: value.numpy()
        for name, value in zip(names["results"], results, strict=True)
    }


#: to be tried in TensorFlow 2.19 or newer
written = pytest.mark.skipif(older(tf, (2, 19)), reason="2.18 writes no StableHLO")


@written
def test_xla_computes_what_the_simulator_does(net, tmp_path):
    x = np.random.RandomState(0).uniform(-1, 1, (N_ITEMS, N_STEPS, 3))
    x = x.astype("float32")
    folder = tmp_path / "model"
    with nengo_dl.Simulator(net, minibatch_size=N_ITEMS, progress_bar=False) as sim:
        info = sim.export(folder, format="stablehlo", n_steps=N_STEPS)
        sim.run_steps(N_STEPS, data={net.stimulus: x})
        expected = {"decoded": sim.data[net.decoded], "spikes": sim.data[net.spikes]}
    assert np.count_nonzero(expected["spikes"])

    outputs = {entry["name"]: entry["shape"] for entry in info["outputs"]}
    names = info["order"]["run"]
    types = dict.fromkeys(outputs, tf.float32)
    found = called(folder / "run.mlir", names, {"stimulus": x}, outputs, types)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6, atol=1e-6)

    state = dict(np.load(folder / "initial_state.npz"))  # of all items
    shapes = {name: [s[0], *s[2:]] for name, s in outputs.items()}
    shapes |= {name: list(value.shape) for name, value in state.items()}
    types |= {name: tf.as_dtype(value.dtype) for name, value in state.items()}
    names = info["order"]["step"]
    for i in range(3):
        now = {"stimulus": x[:, i], **state}
        results = called(folder / "step.mlir", names, now, shapes, types)
        state = {name: results[name] for name in state}
        for name, values in expected.items():
            np.testing.assert_allclose(results[name], values[:, i], atol=1e-6)


def test_a_tensorflow_that_does_not_write_it_is_named(net, tmp_path, monkeypatch):
    class Function:
        def experimental_get_compiler_ir(self, **arguments):
            def text(stage):
                raise ValueError(f"Invalid stage selected: '{stage}'. Valid values ...")

            return text

    function = Function()
    made = {"step": function, "run": function}
    monkeypatch.setattr(stablehlo, "graphs", lambda *_, **__: made)
    with (
        nengo_dl.Simulator(net, progress_bar=False) as sim,
        pytest.raises(
            ValidationError, match="does not write StableHLO. Install a newer"
        ),
    ):
        sim.export(tmp_path / "model", format="stablehlo")
    assert list(tmp_path.iterdir()) == []


@written
def test_many_steps_take_no_room_while_they_are_written(net, tmp_path):
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        info = sim.export(tmp_path / "model", format="stablehlo", n_steps=10**9)
    assert info["inputs"][0]["shape"] == [1, 10**9, 3]
    assert (tmp_path / "model" / "run.mlir").stat().st_size < 10**6
