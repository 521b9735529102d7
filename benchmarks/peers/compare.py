"""Run a step of optimization in another library and in NengoDL, in turn; prints ratios.

Where the other library has the same equations, a step with the same weights and data
is compared first, and nothing is timed if loss or gradients differ.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
OWN = "nengo_dl_step.py"
#: names of libraries, their scripts, and forms of ours that compute the same there
PEERS = {
    "snntorch": ("snnTorch", "snntorch_step.py", ()),
    "jax": ("JAX", "jax_step.py", ("rates", "spikes")),
    "spyx": ("Spyx", "spyx_step.py", ()),
}
#: by how much losses and gradients may differ, as a part of the largest: some times the
#: rounding of single precision, whose errors add up over 100 steps and 50 items
TOLERANCE = 1e-5


def result_of(python, script, *options):
    """Return what a script prints in its last line."""
    command = [python, str(HERE / script), *map(str, options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def in_turn(scripts, rounds, repetitions):
    """Return the median of each form (ms), by script, and versions.

    Parameters
    ----------
    scripts : dict of {str: str}
        Scripts, and the Python that runs each of them.
    rounds : int
        How often each script runs.
    repetitions : int
        Epochs that each run measures.
    """
    times = {script: defaultdict(list) for script in scripts}
    versions = {}
    for _ in range(rounds):
        for script, python in scripts.items():
            found = result_of(python, script, "--repetitions", repetitions)
            versions.update(found["versions"])
            for form, value in found["milliseconds"].items():
                times[script][form].append(value)
    medians = {
        script: {form: statistics.median(values) for form, values in forms.items()}
        for script, forms in times.items()
    }
    return medians, versions


def differences(python, script, forms):
    """Return by how much a step differs from NengoDL's, by form.

    Parameters
    ----------
    python, script : str
        Of the other library.
    forms : sequence of str
        Forms of ours whose equations it has.

    Returns
    -------
    dict of {str: dict of {str: float}}
        Largest differences of the loss and of gradients, as parts of the largest value.

    Raises
    ------
    SystemExit
        If one of them is more than rounding.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / OWN), "--save", folder]
        subprocess.run(command, stdout=subprocess.PIPE, check=True)
        files = [Path(folder, f"{form}.npz") for form in forms]
        found = result_of(python, script, "--check", *files)["differences"]
    for form, of in found.items():
        for name, value in of.items():
            if not value < TOLERANCE:  # NaN is none
                sys.exit(
                    f"{script}: the {name} with {form} differs from NengoDL's by "
                    f"{value:.1g} of the largest value; expected less than "
                    f"{TOLERANCE:g}. The two do not compute the same, so that times "
                    "would say nothing: make the script's equations those of "
                    f"{OWN}."
                )
    return found


def main():
    """Print medians and ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", help="Python of the environment with the library")
    parser.add_argument("--peer", choices=PEERS, default="snntorch", help="the library")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    name, peer, same = PEERS[options.peer]
    result = {}
    if same:
        result["differences of a step"] = differences(options.python, peer, same)
    scripts = {peer: options.python, OWN: sys.executable}
    times, versions = in_turn(scripts, options.rounds, options.repetitions)
    result["milliseconds of a step"] = {name: times[peer], "NengoDL": times[OWN]}
    result[f"{name} takes times as long"] = {
        own: {other: value / time for other, value in times[peer].items()}
        for own, time in times[OWN].items()
    }
    result["versions"] = versions
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
