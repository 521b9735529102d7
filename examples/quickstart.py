"""Run one network in Nengo and in NengoDL; compare their speed and their output.

    python examples/quickstart.py

prints a table of times and draws both outputs in ``quickstart.png``.
"""

import time
from pathlib import Path

import nengo_dl

import nengo
import numpy as np

RUN_TIME = 1.0  # seconds of simulated time


def build_network(seed=0):
    """Return a network that multiplies two numbers, and the probe on its output."""
    with nengo.Network(seed=seed) as net:
        # two numbers that change with time ...
        stimulus = nengo.Node(lambda t: [np.sin(2 * np.pi * t), np.cos(2 * np.pi * t)])
        # ... are represented together by the spikes of 100 neurons ...
        numbers = nengo.Ensemble(100, dimensions=2, radius=1.5)
        nengo.Connection(stimulus, numbers)
        # ... whose connection to 100 other neurons computes the product
        product = nengo.Ensemble(100, dimensions=1)
        nengo.Connection(numbers, product, function=lambda x: x[0] * x[1])
        probe = nengo.Probe(product, synapse=0.02)
    return net, probe


def measure(simulator, net, probe, run_time=RUN_TIME, **kwargs):
    """Build ``net`` and run it twice; the second run goes on where the first one ends.

    Returns the wall time of each stage, the simulated times, and the probe's output.
    """
    seconds = {}

    start = time.perf_counter()
    sim = simulator(net, progress_bar=False, **kwargs)
    seconds["build"] = time.perf_counter() - start

    with sim:
        for stage in ("first run", "second run"):
            start = time.perf_counter()
            sim.run(run_time)
            seconds[stage] = time.perf_counter() - start
        return seconds, sim.trange(), sim.data[probe]


def print_table(theirs, ours):
    """Print the seconds that both simulators took for each stage."""
    print(f"{'':12}{'nengo':>10}{'nengo_dl':>12}{'nengo / nengo_dl':>20}")
    for stage, seconds in theirs.items():
        ratio = seconds / ours[stage]
        print(f"{stage:12}{seconds:>8.3f} s{ours[stage]:>10.3f} s{ratio:>18.1f} x")


def draw(t, theirs, ours, path):
    """Draw both outputs, and below them their difference; return whether we could."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False

    # a Figure made without pyplot needs no display
    figure = Figure(figsize=(7, 5), layout="constrained")
    outputs, difference = figure.subplots(2, sharex=True, height_ratios=(2, 1))
    outputs.plot(t, theirs, label="nengo", linewidth=4, alpha=0.4)
    outputs.plot(t, ours, label="nengo_dl", linewidth=1)
    outputs.set_title("Product of a sine and a cosine", loc="left")
    outputs.set_ylabel("decoded output")
    outputs.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
    difference.plot(t, ours - theirs, color="black", linewidth=1)
    difference.set(xlabel="simulated time (s)", ylabel="difference")
    figure.savefig(path, dpi=150)
    return True


def main(run_time=RUN_TIME, path="quickstart.png"):
    """Compare the simulators; return the largest difference of their outputs."""
    net, probe = build_network()
    # the first build of all also loads libraries, which nobody should be charged for
    nengo.Simulator(net, progress_bar=False).close()
    # float64 because Nengo computes with 64 bits; NengoDL's default is float32
    their_seconds, t, expected = measure(nengo.Simulator, net, probe, run_time)
    our_seconds, _, output = measure(
        nengo_dl.Simulator, net, probe, run_time, dtype="float64"
    )
    difference = float(np.abs(output - expected).max())

    print(f"Wall time, {run_time:g} s of simulated time in each run:\n")
    print_table(their_seconds, our_seconds)
    print("\nThe first run of nengo_dl includes the compilation.")
    print(f"Largest difference of the two outputs: {difference:.1e}")

    if draw(t, expected, output, path):
        print(f"Picture: {Path(path).resolve()}")
    else:
        print('For a picture, install matplotlib: pip install ".[plots]"')
    return difference


if __name__ == "__main__":
    # else the second simulator would find on disk what the first one has solved
    nengo.rc.set("decoder_cache", "enabled", "False")
    main()
