"""Write a network to a file that other frameworks read, and read it again.

    python examples/nir_graph.py

NIR is a format for graphs of spiking networks, of snnTorch, Norse, Spyx and others. It
needs the package ``nir`` (``pip install nir``).
"""

import tempfile
from pathlib import Path

import nengo_dl

import nengo
import nir
import numpy as np

with nengo.Network(seed=0) as net:
    stimulus = nengo.Node([0, 0], label="stimulus")
    # NIR's neurons have no refractory period, and voltages go below 0
    lif = nengo.LIF(tau_ref=0, min_voltage=-np.inf)
    a = nengo.Ensemble(50, 2, neuron_type=lif, label="a")
    b = nengo.Ensemble(50, 1, neuron_type=lif, label="b")
    nengo.Connection(stimulus, a, synapse=None)
    nengo.Connection(a, b, function=lambda x: x[0] * x[1], synapse=0.005)
    spikes = nengo.Probe(b.neurons, label="spikes")

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "product.nir"
    nir.write(path, nengo_dl.to_nir(net))
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB")
    again = nengo_dl.from_nir(path)
print(again.report)

t = np.arange(300) * 0.001
x = np.stack([np.sin(10 * t), np.cos(7 * t)], axis=-1)[None]
counts = []
for network, node, probe in (
    (net, stimulus, spikes),
    (again, again.inputs["stimulus"], again.outputs["spikes"]),
):
    with nengo_dl.Simulator(
        network, minibatch_size=1, dtype="float64", progress_bar=False
    ) as sim:
        sim.run_steps(len(t), data={node: x})
        counts.append((sim.data[probe][0] > 0).sum(axis=0))
print(f"{counts[0].sum()} spikes of the network, {counts[1].sum()} of the graph")
np.testing.assert_array_equal(*counts)
