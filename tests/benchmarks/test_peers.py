"""The comparison with other libraries, without these libraries."""

import importlib.util
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import nengo
import numpy as np
import pytest
from nengo.exceptions import NengoWarning

import nengo_dl
from nengo_dl.benchmarks.training import TASKS
from tests.helpers import rest_with_everything

PEERS = Path(__file__).parents[2] / "benchmarks" / "peers"


def script(name):
    spec = importlib.util.spec_from_file_location(name, PEERS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(folder, name, result):
    """Write a script that prints a result, whatever it is asked for."""
    line = json.dumps(result)
    (folder / f"{name}.py").write_text(f"print('noise')\nprint({line!r})\n")


@pytest.fixture
def compared(tmp_path, monkeypatch, capsys):
    """Return a function that compares scripts, and returns what is printed."""
    compare = script("compare")
    monkeypatch.setattr(compare, "HERE", tmp_path)
    write(
        tmp_path,
        "nengo_dl_step",
        {
            "milliseconds": {"rates": 20.0, "spikes": 25.0},
            "versions": {"nengo_dl": "1"},
        },
    )

    def run(peer):
        arguments = ["compare.py", sys.executable, "--rounds", "2", "--peer", peer]
        monkeypatch.setattr(sys, "argv", arguments)
        compare.main()
        return json.loads(capsys.readouterr().out)

    return run


@pytest.mark.parametrize("peer, name", [("snntorch", "snnTorch"), ("spyx", "Spyx")])
def test_scripts_run_in_turn(tmp_path, compared, peer, name):
    times = {"a": 40.0, "b": 60.0}
    write(tmp_path, f"{peer}_step", {"milliseconds": times, "versions": {"peer": "2"}})
    found = compared(peer)
    assert found[f"{name} takes times as long"] == {
        "rates": {"a": 2.0, "b": 3.0},
        "spikes": {"a": 1.6, "b": 2.4},
    }
    assert found["milliseconds of a step"][name] == times
    assert found["versions"] == {"nengo_dl": "1", "peer": "2"}


@pytest.mark.parametrize("difference", [1e-6, 1e-3, float("nan")])
def test_times_count_for_the_same_equations_alone(tmp_path, compared, difference):
    result = {
        "milliseconds": {"spikes": 50.0},
        "versions": {"jax": "0"},
        "differences": {"spikes": {"loss": 1e-7, "gradient of last": difference}},
    }
    write(tmp_path, "jax_step", result)
    if difference == 1e-6:
        found = compared("jax")
        assert found["differences of a step"] == result["differences"]
        assert found["JAX takes times as long"]["spikes"] == {"spikes": 2.0}
        return
    with pytest.raises(SystemExit, match="gradient of last with spikes differs"):
        compared("jax")


def test_what_a_step_does_is_saved_for_others(tmp_path):
    """Loss and gradients of rates, by a few lines of NumPy in the place of a peer."""
    step = script("nengo_dl_step")
    task = replace(TASKS["rates"], n_steps=2, minibatch_size=3)
    with pytest.warns(NengoWarning, match="Training is likely to fail"):
        found = step.one_step(task)
    assert found["x"].shape == (3, 2, 784)
    assert found["voltage"].shape == found["bias"].shape == (128,)
    current = found["x"][:, 0] @ found["first"] + found["bias"]
    firing = nengo.LIFRate().rates(current, gain=np.ones(128), bias=np.zeros(128))
    # the filter is read a step late: zeros, then what the first step has made of it
    part = 1 - np.exp(-0.001 / 0.1)
    error = part * firing @ found["last"] - found["y"][:, 1]
    loss = (np.square(found["y"][:, 0]).sum() + np.square(error).sum()) / (3 * 2 * 10)
    np.testing.assert_allclose(found["loss"], loss, rtol=1e-5)
    gradient = 2 * part * firing.T @ error / (3 * 2 * 10)
    np.testing.assert_allclose(
        found["gradient of last"], gradient, rtol=1e-4, atol=1e-5 * gradient.max()
    )


@pytest.mark.parametrize("form", rest_with_everything(["spikes", "rates"]))
def test_our_side(form):
    step = script("nengo_dl_step")
    task = replace(TASKS[step.FORMS[form]], n_steps=2, n_minibatches=1)
    assert (task.minibatch_size, task.hidden) == (50, (128,))
    assert step.milliseconds(task, repetitions=1) > 0


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Return the script for the C loop, the program, and a folder."""
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc")
    loop, folder = script("c_loop"), tmp_path_factory.mktemp("c_loop")
    return loop, loop.compiled("gcc", folder), folder


@pytest.mark.parametrize(
    "name",
    rest_with_everything(["two_ensembles", "integrator", "two_ensembles_1000"]),
)
def test_c_loop_computes_the_same(compiled, name):
    loop, program, folder = compiled
    found = loop.measured(name, program, folder, n_steps=60, rounds=1)
    # others than gcc's might round in another way later on
    assert found["steps that agree"] >= 50
    assert found["ratio"] == found["NengoDL (us)"] / found["C loop (us)"]


def test_c_loop_of_other_equations_is_refused(compiled):
    loop, program, folder = compiled
    exported = loop.Exported(loop.NETWORKS["two_ensembles"](), n_steps=60)
    with nengo_dl.Simulator(exported.net, progress_bar=False) as sim:
        _, ours = loop.run_ours(sim, exported)
        # now voltages are those behind 60 steps
        exported.write(sim, folder / "later", repetitions=1)
    _, theirs = loop.run_theirs(program, folder / "later")
    with pytest.raises(SystemExit, match=r"two: the C loop agrees .* for \d steps"):
        loop.agreement("two", ours, theirs.reshape(ours.shape))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ((49, 1e-4), "for 49 steps, and differs by 0.1 of the largest value"),
        ((80, 0.5), "for 80 steps, and differs by 0.5 of the largest value"),
        ((80, np.nan), "for 80 steps, and differs by nan of the largest value"),
    ],
)
def test_outputs_of_other_equations_are_refused(changed, message):
    loop = script("c_loop")
    ours, theirs = np.ones((100, 2)), np.ones((100, 2))
    theirs[80, 1] += 0.1  # noise
    expected = {"steps that agree": 80, "largest difference": pytest.approx(0.1)}
    assert loop.agreement("net", ours, theirs) == expected
    theirs[changed[0], 0] += changed[1]
    with pytest.raises(SystemExit, match=message):
        loop.agreement("net", ours, theirs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pes"], "pes is not in the C loop; it has integrator"),
        (["--steps", "0"], "1 at"),
    ],
)
def test_c_loop_says_what_it_takes(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(sys, "argv", ["c_loop.py", *arguments])
    with pytest.raises(SystemExit):
        script("c_loop").main()
    assert message in capsys.readouterr().err
