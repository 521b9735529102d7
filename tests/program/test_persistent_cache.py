"""Compiled programs on disk, as the performance page describes it."""

import os
import subprocess
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import nengo
import numpy as np
import pytest
from nengo.exceptions import NengoWarning

import nengo_dl
from nengo_dl import disk_cache
from nengo_dl.program import kept_traces, traces
from nengo_dl.program.fingerprint import fingerprint

SCRIPT = """
import sys

import nengo
import nengo_dl

for n_neurons in map(int, sys.argv[1:]):
    with nengo.Network(seed=0) as net:
        node = nengo.Node([0.5])
        ensemble = nengo.Ensemble(n_neurons, 1)
        nengo.Connection(node, ensemble)
        probe = nengo.Probe(ensemble, synapse=0.01)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(20)
        print(sim._program.traces, sim.data[probe].ravel().tolist())
"""


def _run(directory, *sizes):
    """Run networks in a process of its own; return traces and samples of each."""
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, sizes)],
        env={
            **os.environ,
            "NENGO_DL_COMPILATION_CACHE": str(directory),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    rows = [line.split(maxsplit=1) for line in ended.stdout.splitlines()]
    return [(int(traces), samples) for traces, samples in rows]


def _entries(directory):
    """Return the files of the cache, and when each was written (ns)."""
    return {path.name: path.stat().st_mtime_ns for path in directory.glob("*/*")}


def test_next_process_reads_what_the_first_compiled(tmp_path):
    ((traces, first),) = _run(tmp_path, 10)
    written = _entries(tmp_path)
    assert traces == 1 and {Path(name).suffix for name in written} == {".pb", ".trace"}

    again, (traces, other) = _run(tmp_path, 10, 11)
    assert again == (0, first)
    # another model has entries of its own
    assert traces == 1 and other != first
    now = _entries(tmp_path)
    assert len(now) <= 2 * len(written)
    # what is compiled again is written again
    assert written.items() < now.items()


@pytest.fixture(autouse=True)
def no_folder(monkeypatch):
    """Let the other tests of this process keep nothing on disk afterwards."""
    monkeypatch.setattr(disk_cache, "_folder", None)


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


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return where traces are kept during a test."""
    monkeypatch.setattr(disk_cache, "_folder", tmp_path)
    return tmp_path


def _simulated(**options):
    """Run a network as another process would; return its program and its samples."""
    traces.shared.forget()
    with nengo.Network(seed=0) as net:
        ensemble = nengo.Ensemble(5, 1)
        learning = nengo.Connection(ensemble, nengo.Node(size_in=1), synapse=0.01)
        learning.learning_rule_type = nengo.PES()
        probe = nengo.Probe(ensemble, synapse=0.01)
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(net, progress_bar=False, **options) as sim:
        sim.run_steps(20)
        return sim._program, sim.data[probe]


def test_what_was_traced_once_is_read(folder):
    program, expected = _simulated()
    (path,) = folder.iterdir()
    content = path.read_bytes()
    again, found = _simulated()
    assert (program.traces, again.traces) == (1, 0)
    np.testing.assert_array_equal(found, expected)

    # whatever is not what was written is no trace
    for damaged in (content[:20], content[:40] + b"x" + content[41:]):
        path.write_bytes(damaged)
        program, found = _simulated()
        assert program.traces == 1
        np.testing.assert_array_equal(found, expected)
    program, _ = _simulated()
    assert program.traces == 0

    other, _ = _simulated(minibatch_size=2)
    assert other.traces == 1 and len(list(folder.iterdir())) == 2


def test_without_a_place_to_write_to_a_trace_is_good_for_this_process(folder):
    folder.rmdir()
    program, samples = _simulated()
    assert program.traces == 1 and len(samples) == 20


def test_what_may_change_without_notice_is_not_kept(monkeypatch):
    @dataclass(frozen=True)
    class OfUser:
        value: int

    assert kept_traces._name(fingerprint(OfUser(1))) is None
    assert kept_traces._name(None) is None

    before = kept_traces._name(fingerprint(1))
    assert before is not None and before == kept_traces._name(fingerprint(1))
    kept_traces._versions.cache_clear()
    monkeypatch.setattr(kept_traces, "_sources", lambda folder: iter(["changed"]))
    assert kept_traces._name(fingerprint(1)) != before
    kept_traces._versions.cache_clear()
