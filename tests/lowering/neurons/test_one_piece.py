"""XLA leaves the step of a population of 10,000 neurons in one piece.

It divides a computation among the cores where that has more operations than bytes to
read and write; to wake a second core takes longer than the step of such a population.
"""

import pytest

from tests.helpers import printed_by, rest_with_everything

PROGRAM = """
import os
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_NUM_INTRAOP_THREADS"] = "2"
os.environ["XLA_FLAGS"] = "--xla_dump_to={folder} --xla_dump_hlo_as_text"

import nengo
import nengo_dl

with nengo.Network(seed=0) as net:
    net.config[nengo.Ensemble].neuron_type = nengo.{neuron_type}()
    u = nengo.Node([0.5])
    array = nengo.networks.EnsembleArray(100, {n_ensembles})
    nengo.Connection(u, array.input, transform=[[1]] * {n_ensembles})
    nengo.Connection(array.output, array.input, synapse=0.1)
    nengo.Probe(array.output, synapse=0.01)
with nengo_dl.Simulator(net, dtype="{dtype}", progress_bar=False) as sim:
    sim.run_steps(3)
for module in Path("{folder}").glob("*cpu_after_optimizations.txt"):
    print(module.read_text())
"""


def divided(folder, neuron_type, n_ensembles, dtype="float32"):
    """Return the lines of XLA's optimised modules that are divided among cores."""
    modules = printed_by(
        PROGRAM.format(
            folder=folder,
            neuron_type=neuron_type,
            n_ensembles=n_ensembles,
            dtype=dtype,
        )
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
    assert divided(tmp_path, neuron_type, n_ensembles, dtype) == []


@pytest.mark.everything
def test_many_more_are_divided(tmp_path):
    assert divided(tmp_path, "LIF", 1000)
