"""Time networks beside a plain C loop of the same equations; prints JSON.

A simulator's parameters, state and input go into a file, a program of one thread runs
the same from it, and what is probed in both is compared before times count.
"""

import argparse
import json
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nengo
import numpy as np

import nengo_dl
from nengo_dl.benchmarks.networks import NETWORKS

SOURCE = Path(__file__).parent / "lif_loop.c"
FLAGS = ("-O3", "-march=native", "-ffast-math")
NAMES = ("integrator", "two_ensembles_1000", "two_ensembles")
#: The first steps have to agree to the rounding of single precision. Later on a voltage
#: comes next to the threshold, a neuron spikes a step earlier in one of both, and what
#: follows differs by noise.
SAME_STEPS, ROUNDING, NOISE = 50, 1e-5, 0.2


def compiled(compiler, folder):
    """Return the path of the program, compiled into a folder."""
    program = Path(folder, "lif_loop")
    subprocess.run([compiler, *FLAGS, "-o", str(program), str(SOURCE)], check=True)
    return program


class Exported:
    """A network that both run, in a simulator and from a file.

    Parameters
    ----------
    net : nengo.Network
        One of `NAMES`: a Node, then ensembles of one dimension, as an array that feeds
        itself or as a chain, and a Probe.
    n_steps : int
        Steps of each run.
    """

    def __init__(self, net, n_steps):
        self.net, self.n_steps = net, n_steps
        (self.probe,) = net.all_probes
        # an array of ensembles, or each of them behind the one before
        self.is_array = bool(net.all_networks)
        ensembles = net.all_ensembles
        self.layers = [ensembles] if self.is_array else [[e] for e in ensembles]
        (self.node,) = (node for node in net.all_nodes if node.size_in == 0)
        self.values = np.tile(self.node.output, (n_steps, 1))
        if callable(self.node.output):
            t = (np.arange(n_steps) + 1) * 0.001
            self.values = self.node.output(t)[:, None]
        self.values = self.values.astype(np.float32)

    @property
    def data(self):
        """Return what the Node presents, if it is another value in each step."""
        return {self.node: self.values[None]} if callable(self.node.output) else None

    def parameters(self, sim, ensemble):
        """Return gains, biases, decoders, voltages and refractory times."""
        # those of Probes are not in the network
        (weights,) = (
            sim.data[key].weights
            for key in sim.model.params
            if isinstance(key, nengo.Connection) and key.pre_obj is ensemble
        )
        signals = sim.model.sig[ensemble.neurons]
        state = [sim.signals[signals[k]] for k in ("voltage", "refractory_time")]
        return (
            sim.data[ensemble].scaled_encoders,
            sim.data[ensemble].bias,
            weights,
            *state,
        )

    def write(self, sim, file, repetitions):
        """Write the network as it is now in a simulator."""
        (first,) = (c for c in self.net.all_connections if c.pre_obj is self.node)
        neurons = self.layers[0][0].neuron_type
        sizes = (len(self.layers), len(self.layers[0]), self.n_steps, repetitions)
        keep = [np.exp(-sim.dt / of.synapse.tau) for of in (first, self.probe)]
        times = (sim.dt, neurons.tau_rc, neurons.tau_ref, *keep)
        weights = sim.data[first].weights  # none where there is no transform
        entering = self.values * (1 if weights is None else weights)
        with file.open("wb") as to:
            to.write(struct.pack("=5i5f", self.is_array, *sizes, *times))
            for layer in self.layers:
                to.write(struct.pack("=i", layer[0].n_neurons))
                of_each = (self.parameters(sim, ensemble) for ensemble in layer)
                for arrays in zip(*of_each, strict=True):
                    to.write(np.ravel(arrays).astype(np.float32).tobytes())
            to.write(entering.astype(np.float32).tobytes())


def run_ours(sim, exported):
    """Run all steps; return the time of one (us) and what is probed."""
    sim.clear_probes()
    start = time.perf_counter()
    sim.run_steps(exported.n_steps, data=exported.data)
    seconds = time.perf_counter() - start
    return 1e6 * seconds / exported.n_steps, sim.data[exported.probe]


def run_theirs(program, file):
    """Return the median time of a step in the program (us), and what is probed."""
    output = file.with_suffix(".out")
    command = [str(program), str(file), str(output)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    nanoseconds = statistics.median(map(float, done.stdout.split()))
    return nanoseconds / 1e3, np.fromfile(output, np.float32)


def agreement(name, ours, theirs):
    """Return for how many steps two outputs agree, and how they differ after these.

    Parameters
    ----------
    name : str
        Of the network.
    ours, theirs : np.ndarray, shape (n_steps, size)
        What was probed.

    Raises
    ------
    SystemExit
        If the outputs are not those of the same equations.
    """
    beside = np.abs(ours - theirs).max(axis=1) / np.abs(ours).max()
    apart = np.flatnonzero(~(beside < ROUNDING))
    same = int(apart[0]) if len(apart) else len(ours)
    largest = float(beside.max())
    if same < min(SAME_STEPS, len(ours)) or not largest < NOISE:
        sys.exit(
            f"{name}: the C loop agrees with NengoDL for {same} steps, and differs by "
            f"{largest:.2g} of the largest value at most; expected {SAME_STEPS} steps "
            f"to {ROUNDING:g}, and {NOISE:g}. The two do not compute the same, so that "
            f"times would say nothing: see what {SOURCE.name} and the network in "
            "nengo_dl.benchmarks have in common."
        )
    return {"steps that agree": same, "largest difference": largest}


def measured(name, program, folder, n_steps, rounds):
    """Return times of a step in both, their ratio, and how the outputs agree."""
    exported = Exported(NETWORKS[name](), n_steps)
    file = Path(folder, name)
    with nengo_dl.Simulator(exported.net, progress_bar=False) as sim:
        exported.write(sim, file, repetitions=5)
        found = agreement(
            name,
            run_ours(sim, exported)[1],
            run_theirs(program, file)[1].reshape(n_steps, -1),
        )
        pairs = [
            (run_ours(sim, exported)[0], run_theirs(program, file)[0])
            for _ in range(rounds)
        ]
    ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    times = {"NengoDL (us)": ours, "C loop (us)": theirs, "ratio": ours / theirs}
    return {**times, **found}


def main():
    """Print times, ratios and agreement of each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, metavar="network")
    parser.add_argument("--compiler", default="gcc")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(NAMES)):
        parser.error(f"{unknown[0]} is not in the C loop; it has {', '.join(NAMES)}")
    if min(options.steps, options.rounds) < 1:
        parser.error("--steps and --rounds have to be 1 at least")
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(options.compiler, folder)
        found = {
            name: measured(name, program, folder, options.steps, options.rounds)
            for name in options.names
        }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
