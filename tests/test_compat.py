"""Call forms of earlier releases, and of Nengo itself."""

import json
import sys

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning, ValidationError

import nengo_dl
from nengo_dl.compat import constructor_arguments, run_arguments
from tests.helpers import profile_files


@pytest.fixture
def net():
    with nengo.Network(seed=0) as net:
        net.stimulus = nengo.Node([0])
        net.probe = nengo.Probe(net.stimulus)
    return net


def deprecated(pattern):
    return pytest.warns(DeprecationWarning, match=pattern)


def blames_this_file(warnings):
    """The default filters show a DeprecationWarning only where its cause is."""
    return all(warning.filename == __file__ for warning in warnings)


# -- the constructor

CURRENT = {
    "dtype": None,
    "device": None,
    "unroll_simulation": 1,
    "minibatch_size": None,
    "tensorboard": None,
    "progress_bar": True,
    "optimize": True,
}


def constructor(positional=(), older=None, **current):
    """Return what is not a default."""
    result = constructor_arguments(positional, older or {}, {**CURRENT, **current})
    assert set(result) == set(CURRENT)
    return {name: v for name, v in result.items() if v is not CURRENT[name]}


@pytest.mark.parametrize(
    "positional, expected",
    [
        ((), {}),
        # Nengo
        ((False,), {"progress_bar": False}),
        ((False, False), {"progress_bar": False, "optimize": False}),
        # 0.3 to 2.x
        ((tf.float64,), {"dtype": tf.float64}),
        ((np.float32, "/cpu:0"), {"dtype": np.float32, "device": "/cpu:0"}),
        ((np.dtype("float64"), None), {"dtype": np.dtype("float64")}),
        (
            (tf.float32, "/cpu:0", 5, 10),
            {
                "dtype": tf.float32,
                "device": "/cpu:0",
                "unroll_simulation": 5,
                "minibatch_size": 10,
            },
        ),
        # 3.x
        (("/cpu:0",), {"device": "/cpu:0"}),
        ((None, 4), {"unroll_simulation": 4}),
        ((None, 4, None), {"unroll_simulation": 4}),
        (
            (None, 4, 8, False),
            {
                "unroll_simulation": 4,
                "minibatch_size": 8,
                "progress_bar": False,
            },
        ),
        (("float64",), {"dtype": "float64"}),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_positional_arguments_of_the_constructor(positional, expected):
    assert constructor(positional) == expected


def test_positional_arguments_are_deprecated_with_the_current_form(net):
    with deprecated(r"the current one is `Simulator\(\.\.\., dtype=") as warnings:
        sim = nengo_dl.Simulator(net, 0.001, None, None, tf.float64)
    with sim:
        sim.run_steps(1, progress_bar=False)
    assert sim.data[net.probe].dtype == np.float64
    assert blames_this_file(warnings)


def test_arguments_of_nengo_are_not_deprecated(net, recwarn):
    nengo_dl.Simulator(net, 0.001, None, None, False, True).close()
    nengo_dl.Simulator(net, progress_bar=False, optimize=False).close()
    assert not [w for w in recwarn if issubclass(w.category, DeprecationWarning)]


@pytest.mark.parametrize("value", [3.5, [1], object()])
def test_positional_arguments_that_could_be_anything(value):
    with pytest.raises(
        ValidationError, match="give all arguments behind `model` by name"
    ):
        constructor((value,))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_argument_given_twice():
    with pytest.raises(TypeError, match="two values for 'dtype'"):
        constructor((tf.float32,), dtype="float64")


def test_unknown_arguments(net):
    with pytest.raises(TypeError, match="colour"):
        nengo_dl.Simulator(net, colour="red")


def test_step_blocks_with_unrolling(net):
    # 0.2: the steps of one graph execution, all of them unrolled
    with deprecated("`unroll_simulation=10`") as warnings:
        sim = nengo_dl.Simulator(net, step_blocks=10, unroll_simulation=True)
    with sim:
        assert sim.unroll == 10
        sim.run_steps(3, progress_bar=False)
        assert sim.n_steps == 3
    assert blames_this_file(warnings)


def test_step_blocks_without_unrolling(net):
    with deprecated("step_blocks"), deprecated("unroll_simulation=1"):
        sim = nengo_dl.Simulator(net, step_blocks=10, unroll_simulation=False)
    with sim:
        assert sim.unroll == 1
        sim.run_steps(3, progress_bar=False)
    with deprecated("step_blocks"):
        nengo_dl.Simulator(net, step_blocks=50).close()


def test_step_blocks_marked_as_deprecated_is_nothing(recwarn):
    assert constructor((), {"step_blocks": "deprecated"}) == {}
    assert not recwarn


def test_unrolling_without_a_number(net):
    with pytest.raises(ValidationError, match="unroll_simulation.*got True"):
        nengo_dl.Simulator(net, unroll_simulation=True)


def test_tensorboard_was_once_a_switch(net):
    with nengo_dl.Simulator(net, tensorboard=False, progress_bar=False) as sim:
        assert sim.tensorboard is None


# -- runs


def test_input_feeds(net):
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        feeds = {net.stimulus: np.full((1, 3, 1), 2.0)}
        with deprecated("`data=...`") as warnings:
            sim.run_steps(3, input_feeds=feeds)
            sim.run_steps(3, None, feeds)
            sim.run_steps(3, feeds)  # the current form
            assert blames_this_file(warnings)
        assert len(warnings) == 2
        assert np.all(sim.data[net.probe] == 2)
        assert sim.n_steps == 9


@pytest.mark.parametrize("method, argument", [("run", 0.001), ("step", None)])
def test_input_feeds_of_other_methods(net, method, argument):
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        arguments = () if argument is None else (argument,)
        with deprecated("`data=...`") as warnings:
            getattr(sim, method)(*arguments, input_feeds={net.stimulus: [[2.0]]})
        assert blames_this_file(warnings)
        assert sim.data[net.probe].tolist() == [[2]]


def test_data_given_twice():
    with pytest.raises(
        ValidationError, match="are the same argument; give `data` only"
    ):
        run_arguments({1: 2}, None, (), {"input_feeds": {1: 2}})
    with pytest.raises(ValidationError, match="are the same argument"):
        run_arguments({1: 2}, None, ({1: 2},), {})


@pytest.mark.parametrize("value", [None, {}])
def test_empty_extra_feeds(value):
    assert run_arguments(None, None, (), {"extra_feeds": value}) == (None, None)


def test_extra_feeds_have_no_meaning():
    with pytest.raises(ValidationError, match="no TensorFlow session.*`data="):
        run_arguments(None, None, (), {"extra_feeds": {"tensor": 1}})


def test_profile_of_a_run(net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(2, profile=tmp_path / "steps")
        sim.run(0.002, profile="time[1].json")
        sim.run_steps(2, profile=True)
        data = {net.stimulus: np.ones((1, 2, 1))}
        sim.run_batch(data, {net.probe: None}, profile="batch")
        with pytest.raises(ValidationError, match="name of a directory, got 3"):
            sim.run_steps(2, profile=3)
        assert sim.n_steps == 6
    for name in ("steps", "time[1]", "nengo_dl_profile", "batch"):
        assert list((tmp_path / name).rglob("*.xplane.pb"))
        if profile_files(name) == {name}:
            continue
        trace = json.loads((tmp_path / f"{name}.json").read_text())
        # "X": something that took a while, from ts on
        complete = [e for e in trace["traceEvents"] if e.get("ph") == "X"]
        assert complete and all(e["dur"] >= 0 <= e["ts"] for e in complete)


def test_profile_without_a_converter(net, tmp_path, monkeypatch):
    module = "tensorflow.python.profiler.internal._pywrap_profiler_plugin"
    monkeypatch.setitem(sys.modules, module, None)
    with (
        nengo_dl.Simulator(net, progress_bar=False) as sim,
        pytest.warns(NengoWarning, match="'.*p.json' was not written.*tensorboard"),
    ):
        sim.run_steps(2, profile=tmp_path / "p")
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


#: where no profile can be written; "file" is a file, and "full.json" a folder
UNWRITABLE = ["file", "file/x", "file/x.json", "/proc/nobody/y", "y" * 300, "full"]


@pytest.mark.parametrize("path", UNWRITABLE)
def test_profile_that_cannot_be_written(net, tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("kept")
    (tmp_path / "full.json").mkdir()
    data = {net.stimulus: np.ones((1, 2, 1))}
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        for call in (
            lambda: sim.run(0.002, profile=path),
            lambda: sim.run_steps(2, profile=path),
            lambda: sim.run_batch(data, {net.probe: None}, profile=path),
            lambda: sim.train(
                {**data, net.probe: np.ones((1, 2, 1))}, "sgd", profile=path
            ),
        ):
            with pytest.raises(ValidationError, match="^profile: .*Expected a dir"):
                call()
        assert sim.n_steps == 0
        sim.run_steps(1, profile="good")
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("path", ["folder/", "./folder//", "folder/."])
def test_profile_of_a_folder_with_a_slash(net, tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(2, profile=path)
    assert {found.name for found in tmp_path.iterdir()} == profile_files("folder")
    assert {found.name for found in (tmp_path / "folder").iterdir()} == {"plugins"}


def test_profile_into_the_current_folder(net, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(2, profile=".")
    assert {found.name for found in tmp_path.iterdir()} == profile_files("here")


@pytest.mark.parametrize("value", [False, None])
def test_profile_that_is_off(net, value):
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(2, profile=value)
        assert sim.n_steps == 2


def test_progress_bar_in_nengos_place(net):
    assert run_arguments(False, None, (), {}) == (None, False)
    with pytest.raises(TypeError, match="two values"):
        run_arguments(False, True, (), {})
    with nengo_dl.Simulator(net) as sim:
        sim.run_steps(2, False)
        sim.run(0.002, False)
        assert sim.n_steps == 4


def test_third_argument_that_could_be_several_things():
    for value in (True, "profile.json"):
        with pytest.raises(TypeError, match="give all arguments behind `data` by name"):
            run_arguments(None, None, (value,), {})


def test_unknown_arguments_of_runs(net):
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        with pytest.raises(TypeError, match="speed"):
            sim.run_steps(2, speed=3)
        assert sim.n_steps == 0


# -- methods


def test_soft_reset_shows_the_form_of_today(net):
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(2)
        with deprecated(
            r"reset\(include_trainable=False, include_probes=True, "
            r"include_processes=False\)"
        ) as warnings:
            sim.soft_reset(include_probes=True)
        assert blames_this_file(warnings)
        assert sim.n_steps == 0


def test_trange_by_its_older_argument(net):
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(4)
        with deprecated("sample_every") as warnings:
            assert sim.trange(dt=0.002).tolist() == [0.002, 0.004]
        assert blames_this_file(warnings)
        with pytest.raises(ValidationError, match="give `sample_every` only"):
            sim.trange(0.002, dt=0.002)
