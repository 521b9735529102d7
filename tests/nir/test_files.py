"""Files and graphs of others are not trusted: an error of Nengo's, at once."""

import os
import time
import tracemalloc
import zlib
from contextlib import suppress

import h5py
import nir
import numpy as np
import pytest
from nengo.exceptions import NengoException, ValidationError

import nengo_dl
from nengo_dl.nir import nir_files
from tests.nir.graphs import neurons

HUGE = 10**9


def graph_of(**more):
    rng = np.random.RandomState(0)
    nodes = {
        "in": nir.Input(np.array([2, 5, 5])),
        "conv": nir.Conv2d((5, 5), rng.rand(3, 2, 3, 3), 1, 0, 1, 1, rng.rand(3)),
        "pool": nir.AvgPool2d(np.array([3, 3]), np.array([1, 1]), np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([3, 1, 1])}, 0, -1),
        "affine": nir.Affine(rng.rand(4, 3), rng.rand(4)),
        "lif": neurons(rng, "CubaLIF", (4,)),
        "back": nir.Linear(rng.rand(4, 4)),
        "delay": nir.Delay(np.full(4, 0.002)),
        "out": nir.Output(np.array([4])),
        **more,
    }
    chain = ["in", "conv", "pool", "flat", "affine", "lif", "delay", "out"]
    edges = [*zip(chain[:-1], chain[1:], strict=True), ("lif", "back"), ("back", "lif")]
    return nir.NIRGraph(nodes, edges, type_check=False)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "graph.nir"
    nir.write(path, graph_of())
    return path


def assert_refused(graph, match=None, megabytes=60, seconds=5, **kwargs):
    """Check that a graph gives an error of Nengo's in bounded memory and time."""
    kwargs.setdefault("spike_dt", 1e-3)
    tracemalloc.start()
    start = time.perf_counter()
    try:
        with pytest.raises(NengoException, match=match):
            nengo_dl.from_nir(graph, **kwargs)
        assert time.perf_counter() - start < seconds
        assert tracemalloc.get_traced_memory()[1] < megabytes * 2**20
    finally:
        tracemalloc.stop()


def test_files_are_read(path):
    net = nengo_dl.from_nir(str(path), spike_dt=1e-3)
    assert list(net.inputs) == ["in"]
    assert net.outputs["out"].size_in == 4
    assert "one step late" in str(net.report)
    assert "<table" in net.report._repr_html_()


def change(path, name, value=None, **kwargs):
    """Replace a member of a file, or remove it."""
    with h5py.File(path, "r+") as file:
        del file[name]
        if value is not None or kwargs:
            file.create_dataset(name, data=value, **kwargs)


NODES = "node/nodes"


@pytest.mark.parametrize("what", ["lif/tau_mem", "affine/weight", "conv/weight"])
def test_missing_parameters_have_names(path, what):
    change(path, f"{NODES}/{what}")
    node, field = what.split("/")
    assert_refused(path, rf"'{node}'.{field}: Expected an array.*missing")


@pytest.mark.parametrize(
    "what, value, match",
    [
        ("lif/tau_mem", np.full(4, np.nan), "finite"),
        ("lif/tau_mem", np.full(4, -1.0), "above 0"),
        ("lif/tau_mem", np.ones(3), "one shape"),
        ("lif/tau_mem", np.ones(4, complex), "complex"),
        ("lif/v_threshold", np.full(4, -9.0), "threshold above"),
        ("lif/type", "Hodgkin", "no NIR node of type 'Hodgkin'"),
        ("affine/weight", np.ones((4, 7)), "sends shape"),
        ("affine/weight", np.ones(4), "axes"),
        ("affine/bias", np.ones(9), "bias: Expected shape"),
        ("conv/groups", 7, "divisor"),
        ("conv/stride", [0, 1], "at least 1"),
        ("conv/stride", [0.5, 1], "whole number"),
        ("conv/padding", "reflect", "'same', 'valid'"),
        ("conv/padding", [HUGE, HUGE], "elements"),
        ("conv/dilation", [HUGE, 1], "no larger than"),
        ("conv/dilation", [100, 1], "no larger than"),
        ("pool/kernel_size", [HUGE, 1], "no larger than"),
        ("flat/start_dim", 99, "number of an axis|axes of the shape"),
        ("in/shape", [HUGE], "elements"),
        ("in/shape", [-1], "at least 1"),
        ("in/shape", [2**40, 2**40], "at least 1"),
        ("in/shape", [], "real numbers"),
        ("delay/delay", np.full(4, 1e6), "steps"),
        ("delay/delay", np.full(4, -1.0), "at least 0"),
    ],
)
def test_absurd_values_are_refused(path, what, value, match):
    change(path, f"{NODES}/{what}", value)
    assert_refused(path, match)


def test_arrays_are_looked_at_before_they_are_read(path):
    change(
        path,
        f"{NODES}/affine/weight",
        shape=(HUGE, 1),
        dtype="f8",
        chunks=(2**16, 1),
        compression="gzip",
    )
    assert path.stat().st_size < 10**6
    assert_refused(path, "max_elements")


@pytest.mark.parametrize("size, dtype", [(10**6, "S4096"), (10**8, "S1")])
def test_words_are_counted_before_they_are_read(path, size, dtype):
    shape = {"shape": (size,), "chunks": (1000,), "compression": "gzip"}
    change(path, f"{NODES}/lif/type", dtype=dtype, **shape)
    assert_refused(path, "words")


def test_chunks_larger_than_the_array_are_not_read(path):
    more = {"maxshape": (None,), "chunks": (4 * 10**8,), "compression": "gzip"}
    change(path, f"{NODES}/lif/tau_mem", shape=(4,), dtype="f8", **more)
    assert_refused(path, "max_elements")


def test_many_words_that_are_one_long_word_of_the_file(path):
    name = f"{NODES}/lif/type"
    n, text = 20_000, h5py.string_dtype()
    with h5py.File(path, "r+") as file:
        del file[name]
        words = file.create_dataset(name, (n,), text, chunks=(n,), compression="gzip")
        words[0] = "x" * 100_000
        raw = zlib.decompress(words.id.read_direct_chunk((0,))[1])
        words.id.write_direct_chunk((0,), zlib.compress(raw[: len(raw) // n] * n))
    assert_refused(path, "max_elements", max_elements=10**6)


def test_groups_shared_by_groups_are_refused(path):
    with h5py.File(path, "r+") as file:
        group = file.create_group("node/first")
        for i in range(9):
            outer = file.create_group(f"node/g{i}")
            for k in range(10):
                outer[f"m{k}"] = group
            group = outer
    assert_refused(path, "a member of two groups")


def test_groups_of_many_members_are_refused(path):
    with h5py.File(path, "r+") as file:
        array, group = file[f"{NODES}/lif/r"], file.create_group("node/many")
        for i in range(20_001):
            group[f"m{i}"] = array
    assert_refused(path, "over 20000 members")


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert_refused(tmp_path / "pipe", "Expected a file")
    assert_refused(tmp_path, "Expected a file")


def line(node, shape):
    """Return a graph of one node between an Input and an Output."""
    ends = {"in": nir.Input(np.array(shape)), "out": nir.Output(np.array(shape))}
    edges = [("in", "node"), ("node", "out")]
    return nir.NIRGraph({**ends, "node": node}, edges, type_check=False)


def test_nodes_in_too_many_parts_are_refused():
    taus, ones = np.linspace(0.01, 0.02, 20_000), np.ones(20_000)
    lif = nir.LIF(tau=taus, r=ones, v_leak=0 * ones, v_threshold=ones)
    assert_refused(line(lif, [20_000]), "20000 parts")
    weights = np.ones((20_000, 1, 1))
    assert_refused(line(nir.Linear(weights), [20_000, 1]), "20000 parts")


@pytest.mark.parametrize("kind", ["Conv2d", "SumPool2d"])
def test_kernels_and_padding_are_counted_together(kind):
    more = {
        "Conv2d": lambda: nir.Conv2d(
            None, np.ones((1, 1, 2, 2)), 2, 250, 500, 1, np.zeros(1)
        ),
        "SumPool2d": lambda: nir.SumPool2d(*np.array([[501] * 2, [2] * 2, [250] * 2])),
    }
    graph = line(more[kind](), [1, 1, 1])
    nengo_dl.from_nir(graph, spike_dt=1e-3, max_elements=600_000)
    assert_refused(graph, "Signals and kernels", max_elements=400_000)


@pytest.mark.parametrize(
    "what, value, match",
    [
        ("metadata", np.arange(5), "Expected metadata in a dict"),
        ("lif/metadata", np.arange(5), "Expected metadata in a dict"),
        ("lif/metadata/nengo_role", np.arange(5), None),
        ("back/metadata/nengo_role", np.arange(5), None),
        ("lif/metadata/nengo_initial_voltage", [np.inf] * 4, "4 finite numbers"),
        ("lif/metadata/nengo_tau_ref", np.nan, "1 number, got nan"),
    ],
)
def test_absurd_notes_are_refused(path, what, value, match):
    with h5py.File(path, "r+") as file:
        for key, noted in {"format": "ours", "dt": 1e-3}.items():
            file[f"node/metadata/nengo_{key}"] = noted
        name = f"node/{what}" if what == "metadata" else f"{NODES}/{what}"
        if name in file:
            del file[name]
        file[name] = value
    if match is not None:
        assert_refused(path, match, spike_dt=None)
    else:  # not ours, and of no meaning here
        assert nengo_dl.from_nir(path).report.nodes


def test_filters_that_nothing_comes_through_are_refused():
    ones = np.ones(2)
    graph = line(nir.LI(tau=ones, r=0 * ones, v_leak=ones), [2])
    graph.metadata |= {"nengo_format": "ours", "nengo_dt": 1e-3}
    noted = {"role": "filter", "num": [1.0], "den": [0.1, 1.0]}
    graph.nodes["node"].metadata |= {f"nengo_{k}": v for k, v in noted.items()}
    assert_refused(graph, "other than 0", spike_dt=None)


def test_links_are_not_followed(path, tmp_path):
    with h5py.File(path, "r+") as file:
        file[f"{NODES}/lif/more"] = h5py.SoftLink("/node")
    assert_refused(path, "is a link")
    with h5py.File(path, "r+") as file:
        del file[f"{NODES}/lif/more"]
        file[f"{NODES}/lif/more"] = file["node"]
    assert_refused(path, "a member of itself")
    with h5py.File(path, "r+") as file:
        del file[f"{NODES}/lif/more"]
        file[f"{NODES}/lif/more"] = h5py.ExternalLink("/etc/other.h5", "/")
    assert_refused(path, "is a link")


def test_deep_groups_and_graphs_are_refused(tmp_path):
    path = tmp_path / "deep.nir"
    with h5py.File(path, "w") as file:
        group = file.create_group("node")
        for _ in range(300):
            group = group.create_group("n")
    assert_refused(path, "deeper")
    inner = nir.NIRGraph({"i": nir.Input(np.array([1]))}, [], type_check=False)
    for _ in range(50):
        inner = nir.NIRGraph({"g": inner}, [], type_check=False)
    assert_refused(inner, "deeper")
    inner.nodes["g"] = inner
    assert_refused(inner, "deeper")


def test_graphs_without_sense_are_refused():
    graph = graph_of()
    graph.edges.append(("lif", "nobody"))
    assert_refused(graph, "No node is named 'nobody'")
    graph.edges[-1] = graph.edges[0]
    assert_refused(graph, "twice")
    graph.edges[-1] = 7
    assert_refused(graph, "pairs of names")
    graph.edges = None
    assert_refused(graph, "pairs of names")
    graph.nodes = {1: 2}
    assert_refused(graph, "names")
    loop = nir.NIRGraph(
        {"a": nir.Scale(np.array(1.0)), "b": nir.Scale(np.array(1.0))},
        [("a", "b"), ("b", "a")],
        type_check=False,
    )
    assert_refused(loop, "shape follows neither")


def test_cycles_without_delay_get_one():
    loop = nir.NIRGraph(
        {
            "in": nir.Input(np.array([1])),
            "a": nir.Linear(np.array([[0.5]])),
            "b": nir.Linear(np.array([[1.0]])),
        },
        [("in", "a"), ("a", "b"), ("b", "a")],
        type_check=False,
    )
    net = nengo_dl.from_nir(loop, spike_dt=1e-3)
    assert net.report.late_edges == (("a", "b"),)


@pytest.mark.parametrize(
    "graph", [None, 3, "nowhere.nir", b"x", [], {}, nir.Input(np.array([1]))]
)
def test_what_is_no_graph_is_refused(graph):
    assert_refused(graph)


@pytest.mark.parametrize("kwargs", [
    {"source": "brian"},
    {"source": 3},
    {"spike_dt": 0},
    {"spike_dt": np.nan},
    {"spike_dt": "x"},
    {"discretization": "heun"},
    {"reset": "subtracted"},
    {"source": ["norse"]},
    {"source": "spyx", "spike_dt": None},
    {"max_elements": 0},
    {"max_elements": 10},
    {"spike_dt": 1.0, "discretization": "euler"},
])  # fmt: skip
def test_wrong_arguments(kwargs, path):
    assert_refused(path, **kwargs)


def test_missing_package_has_its_command(path, monkeypatch):
    monkeypatch.setattr(nir_files, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install nir"):
        nengo_dl.from_nir(path)
    import nengo

    with pytest.raises(ImportError, match=r"pip install nir"):
        nengo_dl.to_nir(nengo.Network())


def test_nothing_is_guessed_in_silence(path):
    with pytest.warns(UserWarning, match="which time step"):
        nengo_dl.from_nir(path)
    slow = graph_of()
    for name in ("tau_mem", "tau_syn"):
        setattr(slow.nodes["lif"], name, np.full(4, 20.0))
    with pytest.warns(UserWarning, match="milliseconds"):
        nengo_dl.from_nir(slow, spike_dt=1e-3)


# -- mutated files

VALUES = [
    np.nan,
    -1,
    0,
    HUGE,
    1e300,
    "text",
    b"\xff",
    np.zeros(0),
    np.ones((3, 3, 3)),
    np.array([[np.inf]]),
    np.arange(5),
    np.ones(4, complex),
    True,
]


def mutate(path, rng):
    """Change something in a file, within its format or beyond."""
    if rng.rand() < 0.15:
        with open(path, "r+b") as file:
            if rng.rand() < 0.3:
                file.truncate(rng.randint(1, path.stat().st_size))
            else:
                # beyond what HDF5 reads first, its own structures apart
                file.seek(rng.randint(0, 8))
                file.write(bytes(rng.randint(0, 256, 4).astype(np.uint8)))
        return
    with h5py.File(path, "r+") as file:
        names = []
        file.visit(names.append)
        name = names[rng.randint(len(names))]
        other = names[rng.randint(len(names))]
        is_group = isinstance(file[name], h5py.Group)
        del file[name]
        how = rng.randint(5)
        if how == 0:
            return
        if how == 1 and other in file:
            file[name] = file[other]
        elif how == 2:
            file[name] = h5py.SoftLink("/" + other)
        elif how == 3 and not is_group:
            file.create_dataset(name, shape=(HUGE,), dtype="f4", chunks=(1024,))
        else:
            value = VALUES[rng.randint(len(VALUES))]
            value = np.bytes_(value) if isinstance(value, bytes) else value
            file.create_dataset(name, data=value)


@pytest.mark.parametrize(
    "seed",
    [
        *range(4),
        *(pytest.param(s, marks=pytest.mark.everything) for s in range(4, 108)),
    ],
)
def test_mutated_files(seed, path):
    rng = np.random.RandomState(seed)
    for _ in range(1 + seed % 3):
        try:
            mutate(path, rng)
        except (OSError, KeyError, RuntimeError):
            break  # it is not even a file for h5py any more
    start = time.perf_counter()
    try:
        net = nengo_dl.from_nir(path, spike_dt=1e-3)
    except NengoException:
        pass
    else:
        assert net.report.nodes  # what was changed does not matter
    assert time.perf_counter() - start < 10


def test_objects_of_others_are_not_trusted():
    rng = np.random.RandomState(0)
    for _ in range(30):
        graph = graph_of()
        name = list(graph.nodes)[rng.randint(len(graph.nodes))]
        node = graph.nodes[name]
        field = list(vars(node))[rng.randint(len(vars(node)))]
        values = [*VALUES, None, {}, [], object(), {"input": None}, [[1], 2], int]
        setattr(node, field, values[rng.randint(len(values))])
        with suppress(ValidationError):
            nengo_dl.from_nir(graph, spike_dt=1e-3)
