"""Arguments of `sim.export`, and the folder that it writes."""

import re

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.export import saved_model
from nengo_dl.export.portable_names import portable_names
from nengo_dl.parameters.atomic_files import replacing_folder


@pytest.fixture(scope="module")
def sim():
    """Return a simulator of a network with names that some formats refuse."""
    with nengo.Network(seed=0) as net:
        node = nengo.Node([0.0], label="my input/été: 1")
        ensemble = nengo.Ensemble(5, 1)
        nengo.Connection(node, ensemble)
        for label in ("a b", "A.b", "1", None, "n_steps", "x" * 300):
            nengo.Probe(ensemble, label=label)
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        yield sim


@pytest.fixture
def written(monkeypatch):
    """Write a line instead of a SavedModel."""
    monkeypatch.setattr(
        saved_model,
        "write",
        lambda p, folder, *_: (folder / "saved_model.pb").write_text("x"),
    )


def test_names_are_valid_and_unique(sim, tmp_path, written):
    info = sim.export(tmp_path / "model")
    names = [e["name"] for key in ("inputs", "outputs", "state") for e in info[key]]
    assert len({name.lower() for name in names}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) for name in names)
    assert "n_steps" not in names


@pytest.mark.parametrize("name", ["model[1]", "a\\b"])
def test_paths_that_tensorflow_could_not_load(sim, tmp_path, name):
    with pytest.raises(ValidationError, match=r"path: TensorFlow could not load"):
        sim.export(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_names_of_nothing_but_signs():
    assert portable_names({1: "??", 2: "", 3: "_"}) == {1: "x", 2: "x_1", 3: "x_2"}


def test_names_that_python_has_for_itself(tmp_path):
    with nengo.Network() as net:
        nengo.Probe(nengo.Node([1], label="in"), label="lambda")
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        info = sim.export(tmp_path / "model")
    names = [info[key][0]["name"] for key in ("inputs", "outputs")]
    assert names == ["in_1", "lambda_1"]


def test_only_what_was_exported_is_replaced(sim, tmp_path, written):
    foreign = tmp_path / "thesis"
    foreign.mkdir()
    (foreign / "chapter1").write_text("all my work")
    with pytest.raises(nengo.exceptions.ValidationError, match="holds something else"):
        sim.export(foreign)
    assert (foreign / "chapter1").read_text() == "all my work"
    with pytest.raises(nengo.exceptions.ValidationError, match="is a file"):
        sim.export(foreign / "chapter1")
    with pytest.raises(nengo.exceptions.ValidationError, match="no folder"):
        sim.export(tmp_path / "no" / "model")
    empty = tmp_path / "empty"
    empty.mkdir()
    sim.export(empty)
    sim.export(empty, probes="1")
    (empty / "notes.txt").write_text("mine, too")
    with pytest.raises(nengo.exceptions.ValidationError, match=r"'notes\.txt'"):
        sim.export(empty)
    assert (empty / "notes.txt").read_text() == "mine, too"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "thesis"]


def test_a_failure_leaves_what_was_there(sim, tmp_path, written, monkeypatch):
    sim.export(tmp_path / "model")
    before = (tmp_path / "model" / "metadata.json").read_text()

    def fail(portable, folder, *_):
        (folder / "half").write_text("x")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saved_model, "write", fail)
    with pytest.raises(nengo.exceptions.SimulationError, match="No space left"):
        sim.export(tmp_path / "model", probes="1")
    assert (tmp_path / "model" / "metadata.json").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "folder"
    for text in ("old", "new"):
        with replacing_folder(target) as folder:
            (folder / text).write_text(text)
        assert [path.name for path in target.iterdir()] == [text]
    with pytest.raises(KeyboardInterrupt), replacing_folder(target) as folder:
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"format": "keras"}, "saved_model"),
        ({"format": ["onnx"]}, "saved_model"),
        ({"weights": "int8"}, "litert"),
        ({"weights": 8, "format": "litert"}, "weights"),
        ({"n_steps": 0}, "n_steps"),
        ({"n_steps": np.nan}, "n_steps"),
        ({"minibatch_size": -1}, "minibatch_size"),
        ({"minibatch_size": True}, "minibatch_size"),
        ({"probes": "nothing"}, "no Probe"),
        ({"probes": 3}, "probes"),
        ({"inputs": 3.5}, "inputs"),
        ({"jit_compile": "yes"}, "jit_compile"),
        ({"path": ""}, "path"),
        ({"path": "a\0b"}, "path"),
        ({"path": 3}, "path"),
        ({"path": "/"}, "path"),
    ],
)
def test_wrong_arguments(sim, tmp_path, arguments, words):
    with pytest.raises(nengo.exceptions.ValidationError, match=words):
        sim.export(**{"path": tmp_path / "model", **arguments})
    assert not list(tmp_path.iterdir())


def test_nothing_to_return(sim, tmp_path):
    with pytest.raises(NotImplementedError, match="`probes`: it is empty"):
        sim.export(tmp_path / "model", probes=[])
    with nengo.Network() as net:
        nengo.Node([1.0])
    unseen = nengo_dl.Simulator(net, progress_bar=False)
    with unseen, pytest.raises(NotImplementedError, match="it has no Probe"):
        unseen.export(tmp_path / "model")


def test_closed(tmp_path):
    with nengo_dl.Simulator(nengo.Network(), progress_bar=False) as sim:
        pass
    with pytest.raises(nengo.exceptions.SimulatorClosed, match="export"):
        sim.export(tmp_path / "model")


def test_onnx_needs_its_packages(sim, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install tf2onnx onnx"):
        sim.export(tmp_path / "model", format="onnx")
    assert not list(tmp_path.iterdir())


def test_the_keras_model_says_what_to_use(sim):
    with pytest.raises(NotImplementedError, match=r"sim\.export\(path"):
        sim.keras_model.export("model")
    with pytest.raises(NotImplementedError, match=r"sim\.export\(path"):
        sim.keras_model.save("model.keras")
