"""What many tests need: the comparison with Nengo, above all."""

import subprocess
import sys
import warnings
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning

import nengo_dl
from nengo_dl import config

#: The first, second ... run of a comparison: its precision, items of a minibatch, steps
#: in one iteration of the loop, and whether XLA compiles it. Two runs show each value
#: once; tracing and compiling them takes most of the time of the tests. Each unrolled
#: step is traced again, so that tests of the loop show unrolling by default.
RUNS: dict[str, tuple] = {
    "dtypes": ("float64", "float32"),
    "minibatch": (None, 3),
    "unroll": (1,),
    "jit": (True, False),
}
#: The same for `--everything`: 64 bits with a minibatch, XLA in 32 bits, too, and
#: unrolling, which XLA's loops are not.
MORE_RUNS: dict[str, tuple] = {
    "dtypes": ("float64", "float64", "float32"),
    "minibatch": (None, 3, None),
    "unroll": (1, 3, 1),
    "jit": (True, False, True),
}


def printed_by(program):
    """Return what a program prints that runs in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def rest_with_everything(values, number=1, together=False):
    """Mark all but the first `number` values of a parameter to run with `--everything`.

    For further cases of what the first ones show, where each takes seconds. With
    `together`, each value is a tuple of those of several parameters.
    """
    rest = [
        pytest.param(*(v if together else [v]), marks=pytest.mark.everything)
        for v in values[number:]
    ]
    return [*values[:number], *rest]


def assert_matches_nengo(
    net,
    steps=30,
    dtypes=None,
    minibatch=None,
    unroll=None,
    jit=None,
    full=False,
    brief=False,
    rtol=1e-10,
    rtol32=1e-3,
    items_differ=False,
    silent=(),
    **settings,
):
    """Compare what every probe records with Nengo's own simulator.

    Parameters
    ----------
    net : nengo.Network or callable
        A network, or a function that makes one: for networks with a memory of their
        own, such as objects that several Nodes share.
    steps : int
        How long both run.
    dtypes, minibatch, unroll, jit : sequence
        Values of each axis, those of `RUNS` if None. The k-th run takes the k-th value
        of each, in circles, so that a handful of runs covers them all.
    full : bool
        Run the full product of the axes instead.
    brief : bool
        By default only run a minibatch in float64 without XLA: for what does not depend
        on the way it is compiled, where others show its operators in all ways.
        ``--everything`` runs as many as otherwise.
    rtol, rtol32 : float
        Largest deviation in float64 and float32, as a part of the largest value that
        the probe has recorded. In float32 one flipped spike changes a spike train for
        good, so where neurons spike only filtered probes are compared.
    items_differ : bool
        Item i is compared with a run of Nengo's whose seed is i larger; otherwise
        every item is compared with the same run.
    silent : sequence of str
        Labels of probes that may record nothing but zeros. Anywhere else that would
        mean that the test tests nothing.
    **settings
        For ``configure_settings``, during the comparison only.

    Returns
    -------
    list of np.ndarray, shape (steps, size)
        What Nengo recorded, in the order of the probes.
    """
    given = {"dtypes": dtypes, "minibatch": minibatch, "unroll": unroll, "jit": jit}
    axes = [RUNS[name] if own is None else own for name, own in given.items()]
    if full:
        runs = list(product(*map(dict.fromkeys, axes)))
    else:
        longest = max(map(len, axes))
        runs = [tuple(a[k % len(a)] for a in axes) for k in range(longest)]
    if brief and RUNS != MORE_RUNS:
        runs = [("float64", axes[1][-1], 1, False)]
    make = (lambda: net) if isinstance(net, nengo.Network) else net
    n_items = max(items or 1 for items in axes[1])
    expected = [
        reference(make(), steps, item) for item in range(n_items if items_differ else 1)
    ]
    for name, values in expected[0].items():
        assert values.size, f"{name} recorded nothing"
        assert np.any(values) or name in silent, f"{name} recorded zeros only"

    for dtype, items, n_unrolled, compiled in runs:
        network = make()
        with configured(network, jit_compile=compiled, **settings):
            sim = nengo_dl.Simulator(
                network,
                dtype=dtype,
                minibatch_size=items,
                unroll_simulation=n_unrolled,
                progress_bar=False,
            )
        with sim:
            sim.run_steps(steps)
        run = f"{dtype}, minibatch {items}, unroll {n_unrolled}, jit {compiled}"
        for name, probe in probes(network).items():
            if dtype == "float32" and _spiking(network) and probe.synapse is None:
                continue
            data = sim.data[probe] if items else sim.data[probe][None]
            for item, values in enumerate(data):
                assert_close(
                    values,
                    expected[item if items_differ else 0][name],
                    rtol if dtype == "float64" else rtol32,
                    f"{name}, item {item} ({run})",
                )
    return list(expected[0].values())


def assert_close(values, expected, rtol=1e-10, what="values"):
    """Compare two arrays relative to the largest of all expected values."""
    assert values.shape == expected.shape, f"{what}: {values.shape}, {expected.shape}"
    assert np.all(np.isfinite(values)), f"{what}: not finite"
    scale = np.abs(expected).max(initial=0) or 1.0
    difference = np.abs(values - expected)
    wrong = np.argwhere(difference > rtol * scale)
    assert not len(wrong), (
        f"{what}: {len(wrong)} of {values.size} values differ, the first at "
        f"{tuple(map(int, wrong[0]))}; largest difference "
        f"{difference.max():g}, scale {scale:g}"
    )


def reference(net, steps, item=0, seed=None):
    """Return what Nengo records, by the name of the probe."""
    if seed is None and net.seed is not None:
        seed = net.seed + 1
    if item:
        seed += item
    with nengo.Simulator(net, seed=seed, optimize=False, progress_bar=False) as sim:
        sim.run_steps(steps)
    return {name: np.array(sim.data[probe]) for name, probe in probes(net).items()}


def probes(net):
    """Return all probes of a network by a name that is unique and readable."""
    return {
        probe.label or f"probe {i}, {probe.attr} of {type(probe.obj).__name__}": probe
        for i, probe in enumerate(net.all_probes)
    }


def older(package, version):
    """Return whether a package, such as ``tf``, is older than a version."""
    return tuple(map(int, package.__version__.split(".")[:2])) < version


def profile_files(folder):
    """Return the names of what a profile in a folder consists of.

    TensorFlow 2.18 does not convert profiles to Chrome's format, which users are told.
    """
    return {folder} if older(tf, (2, 19)) else {folder, f"{folder}.json"}


def simulate(net, steps, data=None, **options):
    """Run a network and return the simulator, closed; its data stay readable."""
    options = {"dtype": "float64", "progress_bar": False, **options}
    with nengo_dl.Simulator(net, **options) as sim:
        sim.run_steps(steps, data=data)
    return sim


@contextmanager
def warnings_are_errors():
    """Let what a user would be warned of fail."""
    with warnings.catch_warnings():
        for category in (UserWarning, NengoWarning, DeprecationWarning):
            warnings.simplefilter("error", category)
        # Nengo 4.1 does it, which NumPy 2.5 deprecates
        warnings.filterwarnings("ignore", "Setting the shape on a NumPy array")
        yield


@contextmanager
def without_xla():
    """Let simulators made inside run as plain graphs, whatever their networks say.

    For the code of pages and docstrings: compiling it would take most of the time.
    """
    resolve = config.resolve
    with pytest.MonkeyPatch.context() as context:
        context.setattr(
            config, "resolve", lambda *a: replace(resolve(*a), jit_compile=False)
        )
        yield


@contextmanager
def configured(net, **settings):
    """Apply settings of the whole simulation to a network, for a while."""
    with net:
        nengo_dl.configure_settings(**settings)
    try:
        yield
    finally:
        params = net.config[nengo.Network]
        for name in settings:
            delattr(params, name)


def _spiking(net):
    return any(ensemble.neuron_type.spiking for ensemble in net.all_ensembles)
