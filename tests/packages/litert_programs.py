"""Exported networks in LiteRT's interpreter, in a process without TensorFlow."""

import subprocess
import sys

import nengo
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from tests.export.exported_networks import MATRIX, classifier, data_of

#: runs where neither TensorFlow nor Nengo nor this package can be imported
ALONE = """
import sys
for name in ("tensorflow", "nengo", "nengo_dl"):
    sys.modules[name] = None
import numpy as np
from ai_edge_litert.interpreter import Interpreter

folder, data, results = sys.argv[1:]
interpreter = Interpreter(f"{folder}/model.tflite", num_threads=1)
inputs = dict(np.load(data))
first = next(iter(inputs.values()))
run = interpreter.get_signature_runner("run")(**inputs)
step = interpreter.get_signature_runner("step")
state = {
    name: np.repeat(value, len(first), axis=0)
    for name, value in np.load(f"{folder}/initial_state.npz").items()
}
for i in range(first.shape[1]):
    now = {name: values[:, i] for name, values in inputs.items()}
    outputs = step(**state, **now)
    state = {name: outputs[name] for name in state}
last = {f"last_{name}": outputs[name] for name in run}
np.savez(results, **run, **last)
"""


def computed(folder, inputs):
    """Return what the interpreter computes of inputs by name."""
    np.savez(folder / "data.npz", **inputs)
    paths = [folder, folder / "data.npz", folder / "results.npz"]
    subprocess.run([sys.executable, "-c", ALONE, *map(str, paths)], check=True)
    return dict(np.load(folder / "results.npz"))


def exported(net, folder, n_steps, n_items=2, **options):
    """Return outputs of the simulator and of the interpreter, by name."""
    data = data_of(net, n_items, n_steps)
    with nengo_dl.Simulator(net, minibatch_size=n_items, progress_bar=False) as sim:
        info = sim.export(folder / "model", format="litert", **options)
        sim.run_steps(n_steps, data=data)
        samples = [sim.data[probe] for probe in net.all_probes]
    names = [entry["name"] for entry in info["inputs"]]
    found = computed(folder / "model", dict(zip(names, data.values(), strict=True)))
    outputs = [entry["name"] for entry in info["outputs"]]
    for name in outputs:
        np.testing.assert_allclose(found[f"last_{name}"], found[name][:, -1], atol=1e-3)
    return dict(zip(outputs, samples, strict=True)), found


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_counts_and_decisions(weights, tmp_path):
    expected, found = exported(classifier(), tmp_path, 100, n_items=20, weights=weights)
    decided, wanted = found["y"][:, -1].argmax(-1), expected["y"][:, -1].argmax(-1)
    counts, total = found["spikes"].sum(), expected["spikes"].sum()
    if weights == "float32":
        assert np.mean(decided == wanted) >= 0.95
        assert abs(counts - total) <= 0.01 * total
    else:
        assert np.mean(decided == wanted) >= 0.8
        assert abs(counts - total) <= 0.05 * total


def test_weights_of_8_bits_are_smaller(tmp_path):
    sizes = []
    with nengo_dl.Simulator(classifier(), progress_bar=False) as sim:
        for weights in ("float32", "int8"):
            sim.export(tmp_path / weights, format="litert", weights=weights)
            sizes.append((tmp_path / weights / "model.tflite").stat().st_size)
    assert sizes[1] < 0.6 * sizes[0]


def test_operations_that_litert_does_not_have_are_named(tmp_path):
    with nengo.Network() as net:
        x = nengo.Node([0.5], label="x")
        layer = nengo_dl.TensorNode(
            lambda t, x: tf.math.betainc(x, x, tf.sigmoid(x)), shape_in=(1,)
        )
        nengo.Connection(x, layer, synapse=None)
        nengo.Probe(layer)
    sim = nengo_dl.Simulator(net, progress_bar=False)
    with sim, pytest.raises(NotImplementedError, match="Betainc"):
        sim.export(tmp_path / "model", format="litert")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", MATRIX)
def test_what_networks_are_made_of(name, tmp_path):
    net = MATRIX[name]()
    n_items = 1 if name == "tensor node" else 2
    expected, found = exported(net, tmp_path, 25, n_items)
    for key, values in expected.items():
        scale = np.abs(values).max()
        difference = np.abs(found[key] - values)
        assert scale > 0 and np.median(difference) <= 1e-3 * scale, key
