"""Measurements as tables: for terminals, and for pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from nengo_dl.benchmarks.converted_accuracy import ConvertedAccuracy, OfSeeds
from nengo_dl.benchmarks.measure import Measurement
from nengo_dl.benchmarks.records import Record
from nengo_dl.benchmarks.scores import Score, ScoreOfSeeds, by_figure

#: head, width, and what goes into a cell
Column = tuple[str, int, Callable[[Any], str]]


def _seconds(stage: str) -> Callable[[Measurement], str]:
    def text(found: Measurement) -> str:
        return f"{found.stages[stage]:.2f}" if stage in found.stages else "-"

    return text


def _number(pattern: str, value: Callable[[Any], float]) -> Callable[[Any], str]:
    """Return a function that writes a value; NaN becomes a dash."""

    def text(found: Any) -> str:
        number = value(found)
        return pattern.format(number) if number == number else "-"

    return text


#: times in s, but those of runs in ms; memory in MB
RUNNING: tuple[Column, ...] = (
    ("build", 8, _number("{:.2f}", lambda m: m.build)),
    ("nengo build", 12, _seconds("nengo build")),
    ("plan", 7, _seconds("plan")),
    ("trace", 7, _seconds("trace")),
    ("compile", 8, _seconds("compile")),
    ("first run", 10, _number("{:.2f}", lambda m: m.first)),
    ("start/nengo", 12, _number("{:.2f}", lambda m: m.start_ratio)),
    ("MB", 7, _number("{:.0f}", lambda m: m.memory)),
    ("nengo ms", 10, _number("{:.1f}", lambda m: m.nengo_run * m.items * 1e3)),
    ("ms", 9, _number("{:.1f}", lambda m: m.run * 1e3)),
    ("ratio", 7, _number("{:.1f}", lambda m: m.ratio)),
    ("floor ms", 9, _number("{:.2f}", lambda m: m.floor * 1e3)),
    ("/floor", 8, _number("{:.1f}", lambda m: m.above_floor)),
)

#: the first epoch in s, steps of optimization in ms
TRAINED: tuple[Column, ...] = (
    ("first epoch, s", 16, _number("{:.2f}", lambda t: t.first)),
    ("step, ms", 10, _number("{:.2f}", lambda t: t.step * 1e3)),
    ("by hand, ms", 13, _number("{:.2f}", lambda t: t.by_hand * 1e3)),
    ("ratio", 8, _number("{:.2f}", lambda t: t.ratio)),
)

#: after how many time steps of 1 ms tables show what spikes recognise
CONVERTED_STEPS = (10, 20, 50, 100)


def _converted(n_steps: int) -> Column:
    return (
        f"{n_steps} steps",
        13,
        lambda found: (
            _percent(*found.spikes(n_steps)) if n_steps in found.steps else "-"
        ),
    )


def _percent(mean: float, spread: float) -> str:
    return f"{mean:.1%} ± {100 * spread:.1f}"


#: means over seeds and standard deviations of them
CONVERTED: tuple[Column, ...] = (
    ("mean, Hz", 10, _number("{:.0f}", lambda f: f.mean_rate)),
    ("Keras", 13, lambda f: _percent(*f.keras)),
    *map(_converted, CONVERTED_STEPS),
)


def _value(found: ScoreOfSeeds) -> str:
    mean, spread = found.mean
    return f"{mean:.3g} ± {spread:.2g}"


#: means over seeds, standard deviations of them, and seconds for a seed
SCORED: tuple[Column, ...] = (
    ("mean", 16, _value),
    ("seeds", 7, lambda found: f"{len(found.values)}"),
    ("s", 8, _number("{:.0f}", lambda found: found.seconds)),
)

#: what pages show of networks that run, under which heads; captions say what is better,
#: since heads as long as that would break inside of words
ON_PAGES = {
    "nengo ms": "Nengo (ms)",
    "ms": "NengoDL (ms)",
    "ratio": "Nengo / NengoDL",
    "floor ms": "floor (ms)",
    "/floor": "NengoDL / floor",
    "start/nengo": "start, times Nengo's",
    "MB": "memory (MB)",
}
#: the same of training, conversions and scores, where heads are others
OTHER_HEADS = {
    "first epoch, s": "first epoch (s)",
    "step, ms": "step (ms)",
    "by hand, ms": "by hand (ms)",
    "ratio": "step / by hand",
    "mean, Hz": "mean rate (Hz)",
    "s": "time (s)",
}


def head(first: str, columns: Iterable[Column]) -> str:
    """Return the first line of a table."""
    return f"{first:22s}" + "".join(f"{name:>{width}s}" for name, width, _ in columns)


def row(name: str, found: Any, columns: Iterable[Column]) -> str:
    """Return the line of one measurement."""
    cells = (f"{text(found):>{width}s}" for _, width, text in columns)
    return f"{name:22s}" + "".join(cells)


def list_tables(record: Record) -> str:
    """Return the tables of a page, in reStructuredText."""
    lines = [
        ".. This file is written by ``python -m nengo_dl.benchmarks --rst``.",
        "",
    ]
    if record.networks:
        by_name = {column[0]: column for column in RUNNING}
        columns = [(new, *by_name[name][1:]) for name, new in ON_PAGES.items()]
        lines += _list_table(
            "Networks that run. Of Nengo / NengoDL more is better, of the rest less",
            columns,
            record.networks,
        )
    if record.training:
        lines += _list_table(
            "A step of optimization: less is better", TRAINED, record.training
        )
    if record.conversions:
        rows = {
            name: found
            for task, runs in record.conversions.items()
            for name, found in conversion_rows(task, runs)
        }
        n_seeds = max(len(found.runs) for found in rows.values())
        title = f"Accuracy of converted models, {n_seeds} seeds"
        lines += _list_table(title, CONVERTED, rows)
    if record.scores:
        scored = {
            name: found
            for task, scores in record.scores.items()
            for name, found in score_rows(task, scores)
        }
        n_seeds = max(len(found.values) for found in scored.values())
        columns = [column for column in SCORED if column[0] != "seeds"]
        title = f"How well tasks go, {n_seeds} seeds"
        lines += _list_table(title, columns, scored)
    about = ", ".join(f"{name} {value}" for name, value in record.machine.items())
    return "\n".join([*lines, f"Measured with: {about}.", ""])


def conversion_rows(
    task: str, runs: Iterable[ConvertedAccuracy]
) -> Iterator[tuple[str, OfSeeds]]:
    """Yield the name and the content of each row: one for each firing rate."""
    for rate, found in OfSeeds.by_rate(runs).items():
        yield f"{task}, {rate:g} Hz", found


def score_rows(task: str, runs: Sequence[Score]) -> Iterator[tuple[str, ScoreOfSeeds]]:
    """Yield the name and the content of each row: one for each figure of a task."""
    for name, found in by_figure(runs).items():
        yield f"{task}, {name}", found


def _list_table(
    title: str, columns: Sequence[Column], found: Mapping[str, Any]
) -> Iterator[str]:
    yield f".. list-table:: {title}"
    yield "   :header-rows: 1"
    # names do not break
    yield f"   :widths: 36{' 12' * len(columns)}"
    yield ""
    yield from _row("", *(OTHER_HEADS.get(name, name) for name, _, _ in columns))
    for name, value in found.items():
        yield from _row(f"``{name}``", *(text(value) for _, _, text in columns))
    yield ""


def _row(*cells: str) -> Iterator[str]:
    for i, cell in enumerate(cells):
        yield f"   {'*' if i == 0 else ' '} - {cell}".rstrip()
