"""The tables of ``python -m nengo_dl.benchmarks``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nengo_dl.benchmarks import (
    build_and_profile,
    converting,
    cores,
    growth,
    picture,
    scaling,
    tables,
)
from nengo_dl.benchmarks.apart import measure_apart, measure_named
from nengo_dl.benchmarks.conversions import CONVERSIONS, SEEDS, measure_conversion
from nengo_dl.benchmarks.converted_accuracy import ConvertedAccuracy
from nengo_dl.benchmarks.measure import Measurement
from nengo_dl.benchmarks.networks import BY_DEFAULT, NETWORKS
from nengo_dl.benchmarks.records import Record, changes, different_machines
from nengo_dl.benchmarks.scored_tasks import TASKS as SCORED_TASKS
from nengo_dl.benchmarks.scored_tasks import measure_score
from nengo_dl.benchmarks.scores import Score
from nengo_dl.benchmarks.training import TASKS, TrainingTime, measure_training

#: all networks that take seconds, all that are trained, and what else is measured
RUNNING, TRAINING = "networks", "training"
CONVERSION, SCORES = "conversions", "scores"
#: what has a table and arguments of its own
OTHERS = {
    "build": build_and_profile.main,
    "converting": converting.main,
    "cores": cores.main,
    "growth": growth.main,
    "scaling": scaling.main,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is named, or all networks, and print a line for each."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    of_its_own = OTHERS.get(arguments[0]) if arguments else None
    if of_its_own is not None:
        of_its_own(arguments)
        return
    options = _parser().parse_args(arguments)
    if options.show:
        record = Record.read(options.show)
        _print(record)
    else:
        record = _measured(options)
    if options.json:
        record.write(options.json)
    if options.rst:
        Path(options.rst).write_text(tables.list_tables(record), encoding="utf-8")
    if options.plot:
        picture.draw(record, options.plot)
    if options.totals:
        picture.draw_totals(record, options.totals)
    if options.compare:
        _compare(Record.read(options.compare), record)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nengo_dl.benchmarks",
        description="How fast networks run and are trained, and how well.",
    )
    known = (*NETWORKS, RUNNING, *TASKS, TRAINING, *CONVERSIONS, CONVERSION)
    known += (*SCORED_TASKS, SCORES)
    parser.add_argument(
        "what",
        nargs="*",
        metavar="WHAT",
        type=_one_of(known),
        help=f"networks that run: {', '.join(NETWORKS)}; {RUNNING}: all of them but "
        f"{', '.join(sorted(set(NETWORKS) - set(BY_DEFAULT)))}, as by default; "
        f"classifiers that are trained: {', '.join(TASKS)}; {TRAINING}: all of them; "
        f"Keras models that are converted to spikes: {', '.join(CONVERSIONS)}; "
        f"{CONVERSION}: all of them, which takes scikit-learn and mnist1d; "
        f"how well tasks go: {', '.join(SCORED_TASKS)}; {SCORES}: all of them but "
        f"{', '.join(sorted(_downloading()))}, whose data Keras downloads, which takes "
        "scikit-learn and mnist1d",
    )
    parser.add_argument("--n-steps", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument(
        "--seeds",
        type=int,
        default=len(SEEDS),
        metavar="N",
        help="how many models are trained and converted, or tasks done, %(default)s "
        "by default",
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--device", default=None)
    parser.add_argument("--unroll", type=int, default=1)
    parser.add_argument(
        "--in-process",
        action="store_true",
        help="run networks in this process: quicker, but the memory of a network then "
        "includes that of those before it",
    )
    _add_files(parser)
    return parser


def _add_files(parser: argparse.ArgumentParser) -> None:
    """Add the options about what is read and written."""
    parser.add_argument("--json", metavar="FILE", help="write all figures to a file")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="of scores, keep those that the file of --json has, and do the rest; the "
        "file is written after each",
    )
    parser.add_argument(
        "--show", metavar="FILE", help="measure nothing, show what --json has written"
    )
    parser.add_argument(
        "--compare", metavar="OLD", help="how figures differ from those in a file"
    )
    parser.add_argument(
        "--plot", metavar="FILE", help="draw a picture, which takes matplotlib"
    )
    parser.add_argument(
        "--totals",
        metavar="FILE",
        help="draw the time of build and run over the time that is simulated, which "
        "shows when compilation pays",
    )
    parser.add_argument("--rst", metavar="FILE", help="write tables for a page")


def _downloading() -> set[str]:
    """Return the names of scored tasks whose data come from the network."""
    return {name for name, task in SCORED_TASKS.items() if task.downloads}


def _one_of(known: Sequence[str]) -> type:
    """Return what argparse calls to check a name."""

    def check(name: str) -> str:
        if name not in known:
            raise argparse.ArgumentTypeError(
                f"unknown {name}; choose from {', '.join(known)}"
            )
        return name

    return check  # type: ignore[return-value]


def _measured(options: argparse.Namespace) -> Record:
    """Measure what was named, and print each result as soon as it is there."""
    what = set(options.what or [RUNNING])
    what.update(BY_DEFAULT if RUNNING in what else ())
    networks = _running([name for name in NETWORKS if name in what], options)
    tasks = [name for name in TASKS if name in what or TRAINING in what]
    conversions = [n for n in CONVERSIONS if n in what or CONVERSION in what]
    record = Record(
        networks,
        _training(tasks, options),
        conversions=_conversions(conversions, options),
    )
    wanted = what | (set(SCORED_TASKS) - _downloading() if SCORES in what else set())
    scored = [name for name in SCORED_TASKS if name in wanted]
    return replace(record, scores=_scores(scored, options, record))


def _running(
    names: Iterable[str], options: argparse.Namespace
) -> dict[str, Measurement]:
    found: dict[str, Measurement] = {}
    for name in names:
        if not found:
            print(tables.head("network", tables.RUNNING))
        found[name] = (measure_named if options.in_process else measure_apart)(
            name,
            n_steps=options.n_steps,
            repetitions=options.repetitions,
            dtype=options.dtype,
            device=options.device,
            unroll_simulation=options.unroll,
        )
        print(tables.row(name, found[name], tables.RUNNING), flush=True)
    return found


def _training(
    names: Iterable[str], options: argparse.Namespace
) -> dict[str, TrainingTime]:
    found: dict[str, TrainingTime] = {}
    for name in names:
        if not found:
            print(tables.head("training", tables.TRAINED))
        found[name] = measure_training(
            TASKS[name],
            repetitions=options.repetitions,
            dtype=options.dtype,
            device=options.device,
            unroll_simulation=options.unroll,
        )
        print(tables.row(name, found[name], tables.TRAINED), flush=True)
    return found


def _scores(
    names: Sequence[str], options: argparse.Namespace, record: Record
) -> dict[str, list[Score]]:
    """Do tasks, seed by seed: all of them have one seed before any has two."""
    found: dict[str, list[Score]] = {}
    if options.resume and options.json and Path(options.json).exists():
        found = {k: list(v) for k, v in Record.read(options.json).scores.items()}
    for seed in range(options.seeds):
        for name in names:
            runs = found.setdefault(name, [])
            if any(run.seed == seed for run in runs):
                continue
            try:
                runs.append(measure_score(SCORED_TASKS[name], seed))
            except (ImportError, ConnectionError) as error:  # data that are not there
                raise SystemExit(str(error)) from error
            if options.resume and options.json:
                replace(record, scores=found).write(options.json)
            figures = ", ".join(f"{k} {v:.3g}" for k, v in runs[-1].figures.items())
            print(f"{name}, seed {seed}: {figures}", flush=True)
    _print_scores(found)
    return found


def _print_scores(found: Mapping[str, Sequence[Score]]) -> None:
    for i, (name, runs) in enumerate(found.items()):
        if i == 0:
            print(f"{'':24s}{tables.head('score', tables.SCORED)}")
        for label, value in tables.score_rows(name, runs):
            print(f"{label:46s}{tables.row('', value, tables.SCORED)[22:]}")


def _conversions(
    names: Sequence[str], options: argparse.Namespace
) -> dict[str, list[ConvertedAccuracy]]:
    try:
        for name in names:  # before minutes are spent on the first of them
            CONVERSIONS[name].load(0)
    except ImportError as error:
        raise SystemExit(str(error)) from error
    found: dict[str, list[ConvertedAccuracy]] = {}
    for name in names:
        if not found:
            print(tables.head("conversion", tables.CONVERTED), flush=True)
        found[name] = [
            run
            for seed in range(options.seeds)
            for run in measure_conversion(CONVERSIONS[name], seed)
        ]
        _print_conversion(name, found[name])
    return found


def _print_conversion(name: str, runs: Iterable[ConvertedAccuracy]) -> None:
    for label, found in tables.conversion_rows(name, runs):
        print(tables.row(label, found, tables.CONVERTED), flush=True)


def _print(record: Record) -> None:
    for title, found, columns in (
        ("network", record.networks, tables.RUNNING),
        ("training", record.training, tables.TRAINED),
    ):
        if found:
            print(tables.head(title, columns))
        for name, value in found.items():
            print(tables.row(name, value, columns))
    if record.conversions:
        print(tables.head("conversion", tables.CONVERTED))
    for name, runs in record.conversions.items():
        _print_conversion(name, runs)
    _print_scores(record.scores)


def _compare(old: Record, new: Record) -> None:
    """Print each figure of both records; a mark stands behind large changes."""
    for difference in different_machines(old, new):
        print(f"not the same machine: {difference}")
    print(f"{'':22s}{'figure':14s}{'old':>12s}{'new':>12s}{'change':>9s}")
    for change in changes(old, new):
        print(change)


if __name__ == "__main__":
    main()
