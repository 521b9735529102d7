"""What editors and type checkers are told: names, signatures, types."""

import inspect
import os
import pydoc
import subprocess
import sys
import textwrap
from pathlib import Path

import nengo_dl
from tests.helpers import printed_by

ROOT = Path(__file__).parents[1]

SCRIPT = """
    from pathlib import Path

    import nengo
    import numpy as np
    import tensorflow as tf
    from numpy.typing import NDArray

    import nengo_dl
    from nengo_dl.lowering import register_rates


    def objective(outputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.abs(outputs - targets))


    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(dtype="float64", trainable=None)
        node = nengo.Node([0])
        ensemble = nengo.Ensemble(20, 1, neuron_type=nengo_dl.SoftLIFRate(sigma=0.1))
        layer = nengo_dl.Layer(tf.exp)(ensemble, shape_in=(1,))
        weights = nengo_dl.dists.Glorot()
        function = nengo_dl.TensorNode(lambda t: tf.sin(t), shape_out=(1,))
        probe = nengo.Probe(ensemble)

    x = np.ones((4, 3, 1))
    surrogate: nengo_dl.surrogates.Surrogate = nengo_dl.surrogates.FastSigmoid(10)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.run(0.1, data={node: np.zeros((2, 100, 1))})
        sim.run_steps(10)
        sim.step()
        losses: NDArray[np.float64] = sim.train(
            {node: x, probe: x}, "adam", objective=objective
        )
        sim.compile("adam", loss=nengo_dl.losses.Regularize())
        history = sim.fit(x, x, epochs=2, verbose=0)
        outputs = sim.predict(x, verbose=0)
        sim.save_params(Path("params"), include_state=True)
        bias, gain = sim.data.get_params((ensemble, "bias"), (ensemble, "gain"))
        seconds: float = sim.time
        steps: int = sim.n_steps
        sim.freeze_params(net)
    print(nengo_dl.__version__.upper(), sim.trange().shape, seconds, steps, losses)
"""

CONFIG = """
    [mypy]
    strict = True

    [mypy-nengo.*,keras.*,tensorflow.*]
    ignore_missing_imports = True

    # as for packages that are installed: only errors of the script are reported
    [mypy-nengo_dl.*]
    follow_imports = silent
"""


def test_scripts_pass_strict_type_checks(tmp_path):
    wrong = SCRIPT.replace("sim.run_steps(10)", 'sim.run_steps("ten")')
    for name, text in (("right.py", SCRIPT), ("wrong.py", wrong), ("my.ini", CONFIG)):
        (tmp_path / name).write_text(textwrap.dedent(text), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file=my.ini", "right.py", "wrong.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in result.stdout.splitlines() if ": error:" in line]
    assert len(errors) == 1, result.stdout + result.stderr
    assert errors[0].startswith("wrong.py:")
    assert 'expected "int"' in errors[0]


def test_the_package_says_that_it_is_typed():
    assert (Path(nengo_dl.__file__).parent / "py.typed").exists()


def test_completion_lists_names_that_are_imported_later():
    program = "import nengo_dl; print(*dir(nengo_dl))"
    program += "; import sys; print('keras' in sys.modules)"
    names, tensorflow = printed_by(program).splitlines()
    assert {"Simulator", "Layer", "lowering"} <= set(names.split())
    assert set(nengo_dl.__all__) <= set(names.split())
    assert not [n for n in names.split() if n.startswith("_") and n[1] != "_"]
    assert tensorflow == "False"


def test_help_begins_with_what_a_simulator_is():
    text = pydoc.plain(pydoc.render_doc(nengo_dl.Simulator))
    lines = [line.strip(" |") for line in text.splitlines()]
    # Python 3.13 writes each argument on a line of its own
    assert "Simulate a Nengo network with TensorFlow." in lines[:60]
    assert "minibatch_size" in text.split("Method resolution order")[0]
    for method in ("run", "train", "fit", "save_params"):
        assert f"{method}(" in text


def test_signatures_have_the_names_of_arguments():
    """Of methods that also take older forms, too."""
    for method, first in (
        ("train", ["data", "optimizer", "n_epochs"]),
        ("loss", ["data", "objective"]),
        ("save_params", ["path", "include_state"]),
        ("run_steps", ["n_steps", "data"]),
    ):
        found = inspect.signature(getattr(nengo_dl.Simulator, method)).parameters
        assert list(found)[1 : len(first) + 1] == first
    found = inspect.signature(nengo_dl.Simulator).parameters
    assert list(found)[:4] == ["network", "dt", "seed", "model"]
