"""Exported networks in onnxruntime; what ONNX has no operation for is named."""

import nengo
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

import nengo_dl
from tests.export.exported_networks import MATRIX, classifier, data_of


def session(path):
    """Return a function of inputs by name that returns outputs by name."""
    found = onnxruntime.InferenceSession(str(path))
    names = [output.name for output in found.get_outputs()]
    known = {given.name for given in found.get_inputs()}

    def call(**inputs):
        # what a network does not use is no input
        given = {name: value for name, value in inputs.items() if name in known}
        return dict(zip(names, found.run(None, given), strict=True))

    return call


def exported(net, folder, n_steps, n_items=2, **options):
    """Return outputs of the simulator and of onnxruntime, by name."""
    data = data_of(net, n_items, n_steps)
    with nengo_dl.Simulator(net, minibatch_size=n_items, progress_bar=False) as sim:
        info = sim.export(folder, format="onnx", **options)
        sim.run_steps(n_steps, data=data)
        samples = [sim.data[probe] for probe in net.all_probes]
    names = [entry["name"] for entry in info["inputs"]]
    inputs = dict(zip(names, data.values(), strict=True))
    found = session(folder / "run.onnx")(**inputs)
    step = session(folder / "step.onnx")
    state = {
        name: value if len(value) == n_items else np.repeat(value, n_items, axis=0)
        for name, value in np.load(folder / "initial_state.npz").items()
    }
    for i in range(n_steps):
        now = {name: values[:, i] for name, values in inputs.items()}
        outputs = step(**state, **now)
        state = {e["name"]: outputs[e["next"]] for e in info["state"]}
        assert all(np.isfinite(values).all() for values in state.values())
    for entry in info["outputs"]:
        name = entry["name"]
        scale = np.abs(found[name]).max()
        difference = np.abs(outputs[name] - found[name][:, -1])
        assert np.median(difference) <= 1e-3 * scale
    outputs = [entry["name"] for entry in info["outputs"]]
    return dict(zip(outputs, samples, strict=True)), found


def test_counts_and_decisions(tmp_path):
    expected, found = exported(classifier(), tmp_path / "model", 100, n_items=20)
    decided, wanted = found["y"][:, -1].argmax(-1), expected["y"][:, -1].argmax(-1)
    counts, total = found["spikes"].sum(), expected["spikes"].sum()
    assert np.mean(decided == wanted) >= 0.95
    assert abs(counts - total) <= 0.01 * total


@pytest.mark.parametrize("name", MATRIX)
def test_what_networks_are_made_of(name, tmp_path):
    n_items = 1 if name == "tensor node" else 2
    expected, found = exported(MATRIX[name](), tmp_path / "model", 25, n_items)
    for key, values in expected.items():
        scale = np.abs(values).max()
        difference = np.abs(found[key] - values)
        assert scale > 0 and np.median(difference) <= 1e-3 * scale, key


def test_operations_that_onnx_does_not_have_are_named(tmp_path):
    with nengo.Network() as net:
        x = nengo.Node([0.5], label="x")
        layer = nengo_dl.TensorNode(lambda t, x: tf.math.lgamma(x), shape_in=(1,))
        nengo.Connection(x, layer, synapse=None)
        nengo.Probe(layer)
    sim = nengo_dl.Simulator(net, progress_bar=False)
    with sim, pytest.raises(NotImplementedError, match="Lgamma"):
        sim.export(tmp_path / "model", format="onnx")
    assert not list(tmp_path.iterdir())
