"""How many pairs of symbols a spiking memory holds, here and in Nengo's simulator.

A vector that is the sum of some pairs of roles and fillers, bound by circular
convolution, is written to a memory that is connected with itself. Then it is asked for
the filler of each role in turn: the answer is the most similar filler.

References
----------
C. Eliasmith, *How to Build a Brain*, Oxford University Press, 2013, chapter 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import nengo
import numpy as np

from nengo_dl import config
from nengo_dl.benchmarks.vectors import unit_vectors
from nengo_dl.simulator import Simulator

#: time steps of 1 ms to write, and to answer for each role
WRITE, ANSWER = 150, 80
TAU = 0.1


class _Shown:
    """What Nodes present, for Nengo's simulator too: an item's values in each step."""

    def __init__(self, dimensions: int) -> None:
        self.values = np.zeros((1, dimensions))

    def __call__(self, t: float) -> np.ndarray:
        return self.values[min(round(t / 0.001), len(self.values)) - 1]


def capacity(
    seed: int = 0,
    n_pairs: Sequence[int] = (1, 2, 4, 6),
    n_items: int = 6,
    dimensions: int = 32,
    neurons_per_d: int = 30,
) -> dict[str, float]:
    """Return how many answers are right, by numbers of pairs, here and in Nengo.

    Parameters
    ----------
    seed : int
        Of network and symbols.
    n_pairs : sequence of int
        How many pairs are remembered at once.
    n_items : int
        How many memories there are for each number of pairs; each has symbols of its
        own. All of them run as one minibatch here, and one after the other in Nengo.
    dimensions : int
        Of the vectors that stand for symbols.
    neurons_per_d : int
        Neurons of each ensemble; the memory has one for each dimension.

    Returns
    -------
    dict of {str: float}
        Right answers (%), ``4 pairs (%)`` here and ``4 pairs, Nengo (%)`` there.
    """
    memory, cue = _Shown(dimensions), _Shown(dimensions)
    net = _network(memory, cue, dimensions, neurons_per_d, seed)
    most = max(n_pairs)
    tasks = [(n, seed * 1000 + i) for n in n_pairs for i in range(n_items)]
    words = [unit_vectors(2 * most, dimensions, number) for _, number in tasks]
    shown = [
        _presented(vectors, n, most)
        for (n, _), vectors in zip(tasks, words, strict=True)
    ]
    written, cues = (np.stack(values) for values in zip(*shown, strict=True))
    n_steps = written.shape[1]
    with Simulator(
        net, minibatch_size=len(tasks), seed=seed, progress_bar=False
    ) as sim:
        sim.run_steps(n_steps, data={net.written: written, net.cue: cues})
        ours = sim.data[net.answer]
    theirs = []
    with nengo.Simulator(net, progress_bar=False) as reference:
        for memory.values, cue.values in zip(written, cues, strict=True):
            reference.reset(seed=seed)
            reference.clear_probes()
            reference.run_steps(n_steps)
            theirs.append(np.array(reference.data[net.answer]))
    found = {}
    for label, answers in (("", ours), (", Nengo", np.stack(theirs))):
        for n in n_pairs:
            right = [
                _right(answers[i], words[i], n, most)
                for i, (number, _) in enumerate(tasks)
                if number == n
            ]
            found[f"{n} pairs{label} (%)"] = 100 * float(np.mean(right))
    return found


def _network(
    written: _Shown, cue: _Shown, dimensions: int, neurons_per_d: int, seed: int
) -> nengo.Network:
    with nengo.Network(seed=seed) as net:
        config.configure_settings(dtype="float32")
        net.written = nengo.Node(written, label="written")
        net.cue = nengo.Node(cue, label="cue")
        memory = nengo.networks.EnsembleArray(neurons_per_d, dimensions)
        unbind = nengo.networks.CircularConvolution(
            neurons_per_d, dimensions, invert_b=True
        )
        # the vector has its own length when the time to write is over
        share = TAU / (0.001 * WRITE)
        nengo.Connection(net.written, memory.input, transform=share, synapse=TAU)
        nengo.Connection(memory.output, memory.input, synapse=TAU)
        nengo.Connection(memory.output, unbind.input_a)
        nengo.Connection(net.cue, unbind.input_b)
        net.answer = nengo.Probe(unbind.output, synapse=0.02, label="answer")
    return net


def _presented(
    vectors: np.ndarray, n_pairs: int, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return what is written and asked, shapes (n_steps, dimensions) each."""
    roles, fillers = vectors[:most], vectors[most:]
    both = np.fft.rfft(roles[:n_pairs]) * np.fft.rfft(fillers[:n_pairs])
    trace = np.fft.irfft(both, n=vectors.shape[1]).sum(axis=0)
    trace /= np.linalg.norm(trace)
    silence = np.zeros((WRITE, vectors.shape[1]))
    asked = roles.repeat(ANSWER, axis=0)
    written = np.concatenate([np.tile(trace, (WRITE, 1)), np.zeros_like(asked)])
    return written, np.concatenate([silence, asked])


def _right(answers: np.ndarray, vectors: np.ndarray, n_pairs: int, most: int) -> float:
    """Return the share of right answers at the ends of the first ``n_pairs`` cues."""
    ends = WRITE + ANSWER * np.arange(1, n_pairs + 1) - 1
    found = (answers[ends] @ vectors[most:].T).argmax(axis=1)
    return float(np.mean(found == np.arange(n_pairs)))
