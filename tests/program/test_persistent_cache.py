"""Compiled programs on disk, as the performance page describes it."""

import os
import subprocess
import sys
import types

import pytest
from nengo.exceptions import NengoWarning

from nengo_dl import disk_cache

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
            "NENGO_DL_COMPILATION_CACHE": str(directory),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _entries(directory):
    """Return the files of the cache, and when each was written (ns)."""
    return {path.name: path.stat().st_mtime_ns for path in directory.glob("*/*")}


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


@pytest.fixture
def flags(monkeypatch):
    """Return the environment, without flags of TensorFlow's, before it has begun."""
    monkeypatch.setenv("TF_XLA_FLAGS", "")
    monkeypatch.setattr(disk_cache, "_tensorflow_runs", lambda: False)
    return os.environ


def test_flags_of_the_user_are_kept(tmp_path, flags, monkeypatch):
    disk_cache.use_compilation_cache()
    assert flags["TF_XLA_FLAGS"] == ""

    folder = tmp_path / "not yet" / "there"
    monkeypatch.setenv(disk_cache.VARIABLE, str(folder))
    flags["TF_XLA_FLAGS"] = "--tf_xla_clustering_debug"
    disk_cache.use_compilation_cache()
    (own,) = folder.iterdir()
    first = f'--tf_xla_clustering_debug --tf_xla_persistent_cache_directory="{own}"'
    assert flags["TF_XLA_FLAGS"] == first

    # TensorFlow's own flag comes first, also in a process that this one starts
    monkeypatch.setenv(disk_cache.VARIABLE, str(tmp_path / "other"))
    disk_cache.use_compilation_cache()
    assert flags["TF_XLA_FLAGS"] == first


@pytest.mark.parametrize("name", ["file", "file/below", 'quo"ted'])
def test_folders_that_cannot_be_used(tmp_path, flags, monkeypatch, name):
    (tmp_path / "file").write_text("text")
    monkeypatch.setenv(disk_cache.VARIABLE, str(tmp_path / name))
    with pytest.raises(disk_cache.CompilationCacheError, match=disk_cache.VARIABLE):
        disk_cache.use_compilation_cache()
    assert flags["TF_XLA_FLAGS"] == ""


def test_processors_have_folders_of_their_own(monkeypatch):
    here = disk_cache._platform_key()
    assert here == disk_cache._platform_key()
    monkeypatch.setattr(disk_cache.platform, "machine", lambda: "another")
    assert disk_cache._platform_key() != here


def test_too_late_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_XLA_FLAGS", "")
    monkeypatch.setenv(disk_cache.VARIABLE, str(tmp_path))
    context = types.SimpleNamespace(_context=types.SimpleNamespace(_initialized=True))
    monkeypatch.setitem(sys.modules, "tensorflow.python.eager.context", context)
    with pytest.warns(NengoWarning, match="already run an operation"):
        disk_cache.use_compilation_cache()
