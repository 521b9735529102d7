"""Ensembles that several files of tests look at."""

import nengo
import numpy as np
import pytest

#: for files in which populations have neurons that never fire
SOME_ARE_SILENT = [
    pytest.mark.filterwarnings("ignore:Non-finite values detected"),
    pytest.mark.filterwarnings("ignore:.* encountered in log1p"),
]


def add_ensemble(stimulus, neuron_type, n_neurons=30):
    """Neurons whose currents reach from far below to far above the threshold."""
    ensemble = nengo.Ensemble(
        n_neurons,
        1,
        neuron_type=neuron_type,
        gain=np.linspace(0.5, 20, n_neurons),
        bias=np.linspace(-5, 10, n_neurons),
        encoders=np.resize([1, -1], (n_neurons, 1)),
    )
    nengo.Connection(stimulus, ensemble, synapse=None)
    nengo.Probe(ensemble.neurons, label=f"{neuron_type}, {n_neurons}")
    return ensemble


def drive():
    return nengo.Node(lambda t: np.sin(50 * t))


def probe_state(ensemble, name):
    for attribute in ensemble.neurons.probeable:
        if attribute not in ("input", "output", "spikes"):
            nengo.Probe(ensemble.neurons, attribute, label=f"{attribute} of {name}")
