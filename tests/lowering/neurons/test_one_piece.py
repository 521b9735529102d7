"""XLA leaves the step of a population of 10,000 neurons in one piece.

It divides a computation among the cores where that has more operations than bytes to
read and write; to wake a second core takes longer than the step of such a population.
"""

import pytest
import tensorflow as tf

from tests.helpers import older, printed_by, rest_with_everything

PROGRAM = """
import os
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_NUM_INTRAOP_THREADS"] = "2"
os.environ["XLA_FLAGS"] = "--xla_dump_to={folder} --xla_dump_hlo_as_text"

import nengo
import nengo_dl

with nengo.Network(seed=0) as net:
{network}
with nengo_dl.Simulator(net, {options}, progress_bar=False) as sim:
    sim.run_steps(3)
for module in Path("{folder}").glob("*cpu_after_optimizations.txt"):
    print(module.read_text())
"""

ARRAY = """
    net.config[nengo.Ensemble].neuron_type = nengo.{neuron_type}()
    u = nengo.Node([0.5])
    array = nengo.networks.EnsembleArray(100, {n_ensembles})
    nengo.Connection(u, array.input, transform=[[1]] * {n_ensembles})
    nengo.Connection(array.output, array.input, synapse=0.1)
    nengo.Probe(array.output, synapse=0.01)
"""

#: decoders of 330 kB that change, and a population of more than 1,000 neurons
LEARNING = """
    pre = nengo.Ensemble(1280, 64)
    error = nengo.Node(size_in=64)
    learned = nengo.Connection(
        pre, error, function=lambda x: 0 * x, learning_rule_type=nengo.PES()
    )
    nengo.Connection(error, learned.learning_rule)
    nengo.Probe(error)
"""


def divided(folder, network, options):
    """Return the lines of XLA's optimised modules that are divided among cores."""
    modules = printed_by(
        PROGRAM.format(folder=folder, network=network, options=options)
    )
    assert "while(" in modules
    return [line for line in modules.splitlines() if "outer_dimension" in line]


@pytest.mark.parametrize(
    "case",
    rest_with_everything(
        [
            ("LIF", "float32"),
            *(
                (name, "float32")
                for name in ("AdaptiveLIF", "SpikingRectifiedLinear", "LIFRate")
            ),
            ("LIF", "float64"),
        ]
    ),
    ids="-".join,
)
def test_ten_thousand_neurons_are_left_in_one_piece(case, tmp_path):
    neuron_type, dtype = case
    n_ensembles = 100 if dtype == "float32" else 50  # as many bytes
    network = ARRAY.format(neuron_type=neuron_type, n_ensembles=n_ensembles)
    assert divided(tmp_path, network, f"dtype='{dtype}'") == []


def test_learning_is_left_in_one_piece(tmp_path):
    assert divided(tmp_path, LEARNING, "dtype='float32'") == []


@pytest.mark.everything
@pytest.mark.skipif(older(tf, (2, 19)), reason="TensorFlow 2.18 divides nothing")
def test_many_more_are_divided(tmp_path):
    network = ARRAY.format(neuron_type="LIF", n_ensembles=1000)
    assert divided(tmp_path, network, "dtype='float32'")
