"""SavedModels compute what the simulator does, in processes without Nengo too."""

import json
import subprocess
import sys

import nengo
import numpy as np
import pytest
import tensorflow as tf

import nengo_dl
from tests.export.exported_networks import MATRIX, data_of, two_layers
from tests.helpers import assert_close, rest_with_everything

N_STEPS = 300

#: runs in a process of its own, without Nengo and this package
ALONE = """
import sys
sys.modules["nengo"] = sys.modules["nengo_dl"] = None
import numpy as np, tensorflow as tf

folder, data, results = sys.argv[1:]
loaded = tf.saved_model.load(folder)
x = tf.constant(np.load(data))
run = loaded.signatures["run"](x=x)
step, state = loaded.signatures["step"], loaded.signatures["initial_state"](
    minibatch_size=tf.constant(len(x)))
for i in range(20):
    outputs = step(x=x[:, i], **state)
    state = {name: outputs[name] for name in state}
described = loaded.description().numpy().decode()
np.savez(results, stepped=outputs["decoded"], described=described, **run)
"""


@pytest.fixture(scope="module", params=rest_with_everything([False, True]))
def simulated(request, tmp_path_factory):
    """Return a folder, data, and what a simulator and a process without it compute."""
    folder = tmp_path_factory.mktemp("exported")
    net = two_layers()
    with net:
        nengo_dl.configure_settings(jit_compile=request.param)
    x = np.random.RandomState(0).uniform(-1, 1, (2, N_STEPS, 2)).astype(np.float32)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        info = sim.export(folder / "model", inputs="x")
        sim.run_steps(N_STEPS, data={net.x: x})
        expected = {
            "decoded": sim.data[net.decoded],
            "spikes": sim.data[net.spikes],
            "last": sim.data[net.last],
        }
    np.save(folder / "x.npy", x)
    paths = [folder / "model", folder / "x.npy", folder / "results.npz"]
    subprocess.run([sys.executable, "-c", ALONE, *map(str, paths)], check=True)
    return info, x, expected, dict(np.load(folder / "results.npz")), folder / "model"


def test_outputs_are_the_simulators(simulated):
    _, _, expected, found, _ = simulated
    for name, values in expected.items():
        assert_close(found[name], values, 1e-5, name)


def test_step_by_step_is_the_same_as_run(simulated):
    *_, found, _ = simulated
    assert_close(found["stepped"], found["decoded"][:, 19], 1e-5)


def test_any_number_of_items_and_steps(simulated):
    _, x, expected, _, model = simulated
    loaded = tf.saved_model.load(str(model))
    many = tf.constant(np.concatenate([x[:, :30], x[:, :30], x[:1, :30]]))
    outputs = loaded.signatures["serving_default"](x=many)
    assert outputs["decoded"].shape == (5, 30, 2)
    assert_close(outputs["decoded"][4].numpy(), expected["decoded"][0, :30], 1e-5)


def test_the_folder_and_the_model_say_what_is_in_it(simulated):
    info, _, _, found, model = simulated
    assert json.loads((model / "metadata.json").read_text()) == info
    assert json.loads(found["described"].item()) == info
    assert [entry["name"] for entry in info["inputs"]] == ["x"]
    units = {entry["name"]: entry["unit"] for entry in info["outputs"]}
    assert list(units) == ["decoded", "spikes", "last"]
    assert units["spikes"].startswith("Hz") and info["dt"] == 0.001
    state = np.load(model / "initial_state.npz")
    assert set(state) == {entry["name"] for entry in info["state"]}


@pytest.mark.parametrize("name", rest_with_everything(list(MATRIX)))
def test_what_networks_are_made_of(name, tmp_path):
    net = MATRIX[name]()
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    n_steps = 25
    data = data_of(net, 2, n_steps)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        info = sim.export(tmp_path / "model")
        sim.run_steps(n_steps, data=data)
        expected = [sim.data[probe] for probe in net.all_probes]
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    fed = {
        entry["name"]: tf.constant(data[node])
        for entry, node in zip(info["inputs"], data, strict=True)
    }
    found = loaded.signatures["run"](**fed)
    for entry, values in zip(info["outputs"], expected, strict=True):
        own = found[entry["name"]].numpy()
        n_items = len(own)
        assert np.any(values), "the probe has recorded nothing"
        assert_close(own, values[:n_items], 1e-5, entry["object"])


def test_weights_are_those_at_the_moment(tmp_path):
    with nengo.Network(seed=0) as net:
        node = nengo.Node([0], label="x")
        out = nengo.Node(size_in=1)
        connection = nengo.Connection(node, out, transform=2, synapse=None)
        probe = nengo.Probe(out, label="y")
        nengo_dl.configure_settings(jit_compile=False, trainable=True)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        function = sim.function(probe)
        function.assign([3 * tf.ones_like(p) for p in function.params])
        weight = np.ravel(sim.data[connection].weights)
        sim.export(tmp_path / "model")
        sim.export(tmp_path / "model")  # again, in its place
    run = tf.saved_model.load(str(tmp_path / "model")).signatures["run"]
    assert weight == 3
    np.testing.assert_allclose(run(x=tf.ones((1, 4, 1)))["y"].numpy().ravel(), 3)


def test_learning_goes_on_from_step_to_step(tmp_path):
    net = MATRIX["PES"]()
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        info = sim.export(tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    step = loaded.signatures["step"]
    state = loaded.signatures["initial_state"](minibatch_size=tf.constant(1))
    for _ in range(10):
        outputs = step(x=tf.ones((1, 1)), **state)
        state = {name: outputs[name] for name in state}
    weights = info["outputs"][-1]
    assert weights["shape"][-2:] == [1, 20]
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        before = sim.data[net.all_connections[1]].weights
    assert np.abs(outputs[weights["name"]].numpy()[0] - before).max() > 0
