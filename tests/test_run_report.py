"""``sim.report()`` and ``sim.times``: how a model runs, and what slows it."""

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import SimulatorClosed, ValidationError

import nengo_dl
from nengo_dl.program import traces


def network(**settings):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(**settings)
        net.node = nengo.Node([0.5, 0.1])
        ensemble = nengo.Ensemble(10, 2)
        nengo.Connection(net.node, ensemble)
        net.probe = nengo.Probe(ensemble, synapse=0.01)
    return net


def report(net, **options):
    with nengo_dl.Simulator(net, progress_bar=False, **options) as sim:
        return sim.report()


def test_nothing_to_remark():
    with nengo_dl.Simulator(network(), progress_bar=False) as sim:
        assert list(sim.times) == ["nengo build", "plan"]
        sim.run_steps(2)
        found = sim.report()
        assert found.times == sim.times
    assert list(found.times) == ["nengo build", "plan", "trace", "compile"]
    assert all(seconds >= 0 for seconds in found.times.values())
    assert found.remarks == ()
    assert found.how == (
        "The loop over time is one computation of XLA. One time step is one iteration "
        "of it."
    )
    neurons = next(g for g in found.groups if g.name == "SimNeurons.LIF")
    assert neurons.n_operators == 1 and neurons.where == "XLA"
    # current, output, voltage, refractory time
    assert neurons.n_elements == 40
    for shown in (str(found), repr(found), found._repr_html_()):
        assert "SimNeurons.LIF" in shown and "compile" in shown


def test_equal_models_are_not_compiled_again():
    traces.shared.forget()
    net = network()
    for again in range(2):
        with nengo_dl.Simulator(net, progress_bar=False) as sim:
            sim.run_steps(1)
            sim.reset()
            sim.run_steps(1)
            assert (sim._program.traces == 0) == bool(again)
            assert (sim.times["trace"] == 0) == bool(again)


def test_python_in_the_loop():
    net = network()
    with net:
        outside = nengo.Node(lambda t, x: np.sin(x), size_in=2, label="outside")
        nengo.Connection(net.node, outside)
    found = report(net)
    assert "which calls Python in each step." in found.how
    (remark,) = found.remarks
    assert "Python runs in each time step" in remark and "outside" in remark
    assert [g.where for g in found.groups].count("Python") == 1


def test_python_drives_the_loop_without_xla():
    net = network(jit_compile=False)
    with net:
        nengo.Node(lambda t, x: x, size_in=2, label="outside")
    found = report(net)
    assert found.how.startswith("A loop in Python")
    assert [remark.split()[0] for remark in found.remarks] == ["XLA", "Python"]
    assert {g.where for g in found.groups} == {"TensorFlow", "Python"}


@pytest.mark.filterwarnings("ignore:XLA cannot compile")
@pytest.mark.filterwarnings("ignore:.*cannot be compiled")
@pytest.mark.filterwarnings("ignore:.*XLA")
def test_functions_that_xla_does_not_know():
    def strings(t):
        return tf.strings.to_number(tf.strings.as_string(t))[None]

    with network() as net:
        nengo_dl.TensorNode(strings, shape_out=(1,), label="by way of strings")
    (remark,) = report(net).remarks
    assert "XLA cannot compile" in remark and "by way of strings" in remark


def test_precision_and_unrolling():
    found = report(network(), dtype="float64", unroll_simulation=4)
    assert ["float32" in r for r in found.remarks] == [True, False]
    assert "unroll_simulation=4" in found.remarks[1]
    assert found.how.endswith("One time step is one iteration of it.")
    net = network()
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    found = report(net, unroll_simulation=4)
    assert found.how.endswith("4 time steps are one iteration of it.")
    assert not any("unroll" in remark for remark in found.remarks)
    with net:
        nengo_dl.configure_settings(use_loop=False)
    found = report(net, unroll_simulation=4)
    assert found.how.startswith("4 time steps are one computation")


def test_many_samples():
    found = report(network(), minibatch_size=6000)
    assert "Probes keep 12,000 numbers per step" in found.remarks[0]
    with network() as net:
        nengo_dl.configure_settings(keep_history=False)
    assert report(net, minibatch_size=6000).remarks == ()


def test_closed_simulators():
    with nengo_dl.Simulator(network(), progress_bar=False) as sim:
        pass
    with pytest.raises(SimulatorClosed, match="report"):
        sim.report()
    assert sim.times["plan"] > 0


def test_what_training_keeps_of_the_steps():
    with network(surrogate="arctan") as net:
        (ensemble,) = net.ensembles
        nengo.Connection(ensemble, ensemble)
    found = {}
    for setting in (None, True):
        with net:
            nengo_dl.configure_settings(rematerialisation=setting)
        with nengo_dl.Simulator(net, minibatch_size=4, progress_bar=False) as sim:
            assert sim.report().training == ""
            found[setting] = sim.report(10_000)
            with pytest.raises(ValidationError, match="n_steps"):
                sim.report(0)
    assert found[None].training.startswith(
        "Training over 10,000 time steps keeps the state of each of them: "
    )
    assert found[True].training.startswith(
        "Training over 10,000 time steps keeps 100 states, and computes the 100 steps "
        "behind each a second time: "
    )
    assert found[True].training in str(found[True])
    assert found[True].training in found[True]._repr_html_()
    with nengo_dl.Simulator(nengo.Network(), progress_bar=False) as sim:
        assert "keeps" in sim.report(5).training
