"""What simulators and their data look like at a prompt and in a notebook."""

import copy
import xml.etree.ElementTree as ET

import nengo
import numpy as np
import pytest
from nengo.builder.connection import BuiltConnection
from nengo.builder.ensemble import BuiltEnsemble

import nengo_dl
from nengo_dl.display.tables import counted, html_table, in_short, span, text_table
from nengo_dl.simulation import sim_data as data_module
from nengo_dl.simulation.built_records import EnsembleRecord


@pytest.fixture(scope="module")
def net():
    with nengo.Network(seed=0, label="example") as net:
        nengo_dl.configure_settings(jit_compile=False, trainable=None)
        node = nengo.Node([0.5])
        net.a = nengo.Ensemble(20, 1, label="a")
        net.b = nengo.Ensemble(30, 1, label="b <&>")
        net.config[net.b.neurons].trainable = False
        net.into = nengo.Connection(node, net.a)
        net.learned = nengo.Connection(
            net.a, net.b, learning_rule_type=nengo.PES(), label="learned"
        )
        nengo.Connection(node, net.learned.learning_rule)
        net.probe = nengo.Probe(net.b, label="p")
    return net


@pytest.fixture(scope="module")
def sim(net):
    with nengo_dl.Simulator(net, minibatch_size=3, progress_bar=False) as sim:
        sim.run_steps(4)
        yield sim


def rows_of(html):
    """Return the cells of a table, row by row; the table has to be well-formed."""
    table = ET.fromstring(html)
    assert table.tag == "div" and "overflow-x: auto" in table.get("style")
    (table,) = table
    return [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]


def test_simulators_say_in_one_line_what_they_are(net, sim):
    text = repr(sim)
    assert "\n" not in text
    for fact in (
        "of 'example', open, t=0.004 s (4 steps), minibatch of 3, float32 on",
        f"{len(sim.model.operators)} operators in {len(sim._program.plan)} groups",
    ):
        assert fact in text


def test_simulators_say_that_they_are_closed():
    options = {"dtype": "float64", "device": "/cpu:0", "progress_bar": False}
    with nengo_dl.Simulator(nengo.Network(), **options) as sim:
        before = repr(sim)
    assert "an unlabelled network, open" in before
    assert "float64 on /cpu:0" in before
    assert "minibatch" not in before
    assert repr(sim) == before.replace("open", "closed")
    assert ["state", "closed"] in rows_of(sim._repr_html_())


def test_simulators_that_failed_can_be_shown():
    sim = nengo_dl.Simulator.__new__(nengo_dl.Simulator)
    assert repr(sim) == "<nengo_dl.Simulator, not built>"


def test_simulators_in_notebooks(net, sim):
    rows = dict(rows_of(sim._repr_html_()))
    assert rows["time"] == "t=0.004 s (4 steps), dt=0.001 s"
    assert rows["minibatch"] == "3 items"
    # encoders of both, biases of one; the decoders are learned online
    assert rows["trainable"] == "70 parameters"


def test_data_list_samples_and_parameters(net, sim):
    lines = repr(sim.data).splitlines()
    assert lines[0] == "SimulationData of an open simulator"
    assert lines[1].split() == ["(3,", "4,", "1)", "samples", *str(net.probe).split()]
    rest = [" ".join(line.split()) for line in lines[2:]]
    assert f"(20, 1) encoders, trainable {net.a}" in rest
    assert f"(30,) bias, fixed {net.b}" in rest
    assert "(1, 20) weights, learned online <Connection learned>" in rest


def test_data_in_notebooks(net, sim):
    rows = rows_of(sim.data._repr_html_())
    assert [str(net.a), "bias, trainable", "(20,)"] in rows
    assert [str(net.b), "bias, fixed", "(30,)"] in rows  # escaped, and read again


def test_long_lists_are_cut(sim, monkeypatch):
    monkeypatch.setattr(data_module, "N_SHOWN", 1)
    text = repr(sim.data)
    assert "encoders, trainable" in text
    assert "weights" not in text
    assert "and 3 more" in text  # b, the connection, and the one of the probe


def test_records_show_shapes(net, sim):
    found = sim.data[net.a]
    assert isinstance(found, BuiltEnsemble)
    lines = [line.split() for line in repr(found).splitlines()]
    assert repr(found).startswith(f"BuiltEnsemble of {net.a}, current values\n")
    assert ["bias", "(20,)", "trainable"] in lines
    assert ["gain", "(20,)"] in lines
    assert ["scaled_encoders", "(20,", "1)", "trainable"] in lines
    learned = sim.data[net.learned]
    assert isinstance(learned, BuiltConnection)
    assert "(3, 1, 20)" in repr(learned)
    assert "learned online" in repr(learned)
    assert "None" in repr(sim.data[net.into])


def test_records_in_notebooks(net, sim):
    rows = rows_of(sim.data[net.b]._repr_html_())
    low, high = sim.data[net.b].bias.min(), sim.data[net.b].bias.max()
    assert ["bias", "(30,)", f"{low:.3g} … {high:.3g}", "fixed"] in rows


def test_records_of_closed_simulators_say_so(net):
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        pass
    assert "as it was built" in repr(sim.data[net.a])
    assert "closed simulator" in repr(sim.data)


def test_records_are_still_named_tuples(net, sim):
    found = sim.data[net.a]
    *_, bias = found
    assert bias is found.bias
    other = found._replace(bias=None)
    assert other.bias is None
    assert repr(other).startswith("BuiltEnsemble\n  eval_points")
    again = copy.copy(found)
    assert type(again) is EnsembleRecord
    assert repr(again) == repr(found)
    assert np.array_equal(again.encoders, found.encoders)


def test_numbers_in_words():
    assert counted(1, "group") == "1 group"
    assert counted(2000, "group") == "2,000 groups"
    assert in_short(np.zeros((2, 3))) == "(2, 3)"
    assert in_short({}) == "dict of nothing"
    assert span(np.array([0.5, -2.0])) == "-2 … 0.5"
    assert span(np.full(3, 0.25)) == "0.25"
    assert span(np.array([np.nan, 1])) == "not all finite"
    assert span(np.zeros(0)) == span("text") == ""


def test_tables():
    assert text_table("title", [("a", "bc"), ("def", "")]) == "title\n  a    bc\n  def"
    assert text_table("title", []) == "title"
    assert rows_of(html_table("<t>", ("x",), [("<b>",)])) == [["x"], ["<b>"]]
