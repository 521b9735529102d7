"""Measurements in files, and comparisons of two of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nengo_dl.benchmarks.converted_accuracy import ConvertedAccuracy
from nengo_dl.benchmarks.machine import machine
from nengo_dl.benchmarks.measure import Measurement
from nengo_dl.benchmarks.scores import Score
from nengo_dl.benchmarks.training import TrainingTime

#: JSON has no NaN, which stands for what could not be measured
_NAN = float("nan")

#: changes that are larger than this part of the old figure are pointed out; smaller
#: ones are common between two runs of the same thing
NOTABLE = 0.3

#: what is compared, of networks that run and of those that are trained
FIGURES = ("build", "first", "run", "ratio", "start_ratio", "memory", "above_floor")
TRAINED = ("first", "step", "ratio")


@dataclass(frozen=True)
class Record:
    """All that one call of the benchmarks has measured.

    Attributes
    ----------
    networks : mapping of str to Measurement
        Networks that ran.
    training : mapping of str to TrainingTime
        Networks that were trained.
    machine : mapping of str to str or int
        Processor and versions of libraries.
    conversions : mapping of str to sequence of ConvertedAccuracy
        Keras models that were converted, with several seeds and firing rates.
    scores : mapping of str to sequence of Score
        How well tasks went, with several seeds.
    """

    networks: Mapping[str, Measurement] = field(default_factory=dict)
    training: Mapping[str, TrainingTime] = field(default_factory=dict)
    machine: Mapping[str, str | int] = field(default_factory=machine)
    conversions: Mapping[str, Sequence[ConvertedAccuracy]] = field(default_factory=dict)
    scores: Mapping[str, Sequence[Score]] = field(default_factory=dict)

    def write(self, path: str | Path) -> None:
        """Write it as JSON, with ratios for readers."""
        networks, training = self.networks, self.training
        text = json.dumps(
            {
                "machine": dict(self.machine),
                "networks": {k: _content(v, FIGURES) for k, v in networks.items()},
                "training": {k: _content(v, TRAINED) for k, v in training.items()},
                "conversions": {
                    k: [asdict(one) for one in v] for k, v in self.conversions.items()
                },
                "scores": {k: [asdict(s) for s in v] for k, v in self.scores.items()},
            },
            indent=1,
            allow_nan=False,
        )
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> Record:
        """Read a record from a file that `write` has written."""
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(
            {k: _made(Measurement, v) for k, v in content["networks"].items()},
            {k: _made(TrainingTime, v) for k, v in content["training"].items()},
            content["machine"],
            {
                k: [ConvertedAccuracy.of(**one) for one in v]
                for k, v in content.get("conversions", {}).items()
            },
            {k: [Score(**s) for s in v] for k, v in content.get("scores", {}).items()},
        )


@dataclass(frozen=True)
class Change:
    """A figure in two records.

    Attributes
    ----------
    name, figure : str
        Of what it is a figure, and which one.
    old, new : float
        Its values.
    """

    name: str
    figure: str
    old: float
    new: float

    @property
    def part(self) -> float:
        """The change as a part of the old value."""
        return self.new / self.old - 1

    @property
    def notable(self) -> bool:
        """Whether it is more than noise, most likely."""
        return abs(self.part) > NOTABLE

    def __str__(self) -> str:
        flag = "  !" if self.notable else ""
        return (
            f"{self.name:22s}{self.figure:14s}{self.old:12.4g}{self.new:12.4g}"
            f"{self.part:+9.0%}{flag}"
        )


def changes(old: Record, new: Record) -> Iterator[Change]:
    """Yield each figure that is in both records.

    Parameters
    ----------
    old, new : Record
        The two; networks that only one of them has are left out.

    Yields
    ------
    Change
        Network by network.
    """
    for figures, before, after in (
        (FIGURES, old.networks, new.networks),
        (TRAINED, old.training, new.training),
    ):
        for name in after:
            for figure in figures if name in before else ():
                found = (getattr(record[name], figure) for record in (before, after))
                change = Change(name, figure, *found)
                # NaN, where something could not be measured, is not equal to itself
                if change.old == change.old != 0 and change.new == change.new:
                    yield change


def different_machines(old: Record, new: Record) -> list[str]:
    """Return in what the machines differ, one phrase for each difference."""
    return [
        f"{key}: {old.machine.get(key)} -> {new.machine.get(key)}"
        for key in {**old.machine, **new.machine}
        if old.machine.get(key) != new.machine.get(key)
    ]


def _content(found: Any, figures: tuple[str, ...]) -> dict[str, Any]:
    values = asdict(found) | {figure: getattr(found, figure) for figure in figures}
    return {key: None if value != value else value for key, value in values.items()}


def _made(cls: Any, values: Mapping[str, Any]) -> Any:
    names = cls.__dataclass_fields__
    return cls(**{k: _NAN if v is None else v for k, v in values.items() if k in names})
