"""Run a step of optimization in snnTorch and in NengoDL, in turn; prints ratios."""

import argparse
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent


def result_of(python, script, repetitions):
    """Return what a script prints in its last line."""
    command = [python, str(HERE / script), "--repetitions", str(repetitions)]
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
            found = result_of(python, script, repetitions)
            versions.update(found["versions"])
            for form, value in found["milliseconds"].items():
                times[script][form].append(value)
    medians = {
        script: {form: statistics.median(values) for form, values in forms.items()}
        for script, forms in times.items()
    }
    return medians, versions


def main():
    """Print medians and ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", help="Python of the environment with snnTorch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    peer, own = "snntorch_step.py", "nengo_dl_step.py"
    scripts = {peer: options.python, own: sys.executable}
    times, versions = in_turn(scripts, options.rounds, options.repetitions)
    best = min(times[peer].values())
    ratios = {form: best / value for form, value in times[own].items()}
    result = {
        "milliseconds of a step": {"snnTorch": times[peer], "NengoDL": times[own]},
        "snnTorch takes times as long": ratios,
        "versions": versions,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
