"""XLA's cache of compiled programs on disk, as the performance page describes it."""

import os
import subprocess
import sys

SCRIPT = """
import nengo
import nengo_dl

with nengo.Network(seed=0) as net:
    node = nengo.Node([0.5])
    ensemble = nengo.Ensemble({n_neurons}, 1)
    nengo.Connection(node, ensemble)
    probe = nengo.Probe(ensemble, synapse=0.01)
with nengo_dl.Simulator(net, progress_bar=False) as sim:
    sim.run_steps(20)
    print(sim.data[probe].ravel().tolist())
"""


def _run(directory, n_neurons):
    """Run the script in a process of its own; return what it prints."""
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(n_neurons=n_neurons)],
        env={
            **os.environ,
            "TF_XLA_FLAGS": f"--tf_xla_persistent_cache_directory={directory}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _entries(directory):
    """Return the files of the cache, and when each was written (ns)."""
    return {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}


def test_next_process_reads_what_the_first_compiled(tmp_path):
    first = _run(tmp_path, 10)
    written = _entries(tmp_path)
    assert written

    # what is compiled again is written again
    assert _run(tmp_path, 10) == first
    assert _entries(tmp_path) == written

    # another model has an entry of its own
    assert _run(tmp_path, 11) != first
    assert written.items() < _entries(tmp_path).items()
