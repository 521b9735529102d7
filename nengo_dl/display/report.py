"""How a model runs: what runs as one, how long each stage took, and what slows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from nengo.builder.operator import Operator

from nengo_dl.display.tables import first, html_table, text_table
from nengo_dl.graph.signals import describe
from nengo_dl.lowering import registry
from nengo_dl.lowering.indexing import MAX_SLICES
from nengo_dl.lowering.registry import Lowering
from nengo_dl.plan.groups import OpGroup
from nengo_dl.program.program import Program
from nengo_dl.program.rematerialisation import Storage

#: so many numbers per step are worth a remark: 40 MB per simulated second
MANY_SAMPLES = 10_000
#: objects that a remark names
N_NAMED = 5


@dataclass(frozen=True)
class GroupReport:
    """Operators that run as one.

    Attributes
    ----------
    name : str
        Type of the operators, and of what they run.
    n_operators : int
        How many they are.
    n_elements : int
        Numbers that they read or write in one step, for one item of a minibatch.
    n_gathers : int
        Reads and writes that collect their numbers from many places.
    where : str
        ``"XLA"``, ``"TensorFlow"`` or ``"Python"``.
    """

    name: str
    n_operators: int
    n_elements: int
    n_gathers: int
    where: str


@dataclass(frozen=True)
class Report:
    """The report of `nengo_dl.Simulator.report`; prints as a table.

    Attributes
    ----------
    how : str
        How the loop over time runs.
    groups : tuple of GroupReport
        The plan, in the order of a time step.
    times : dict of {str: float}
        How long each stage has taken so far (s).
    remarks : tuple of str
        What keeps the model from being faster, and what to do about it.
    training : str
        What training keeps of the time steps; empty if nobody asked.
    """

    how: str
    groups: tuple[GroupReport, ...]
    times: Mapping[str, float]
    remarks: tuple[str, ...]
    training: str = ""

    def __str__(self) -> str:
        parts = [
            self.how,
            *([self.training] if self.training else []),
            text_table("Time (s)", self._times()),
            text_table("One time step", [_HEADER, *self._rows()]),
        ]
        return "\n\n".join([*parts, *self.remarks])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        remarks = [("remark", remark) for remark in self.remarks]
        training = [("training", self.training)] if self.training else []
        facts = [("how", self.how), *training, *self._times(), *remarks]
        return html_table("How the model runs", (), facts) + html_table(
            "One time step", _HEADER, self._rows()
        )

    def _times(self) -> list[tuple[str, str]]:
        return [(name, f"{seconds:.3f}") for name, seconds in self.times.items()]

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                group.name,
                f"{group.n_operators:,}",
                f"{group.n_elements:,}",
                str(group.n_gathers or ""),
                group.where,
            )
            for group in self.groups
        ]


_HEADER = ("group", "operators", "elements", "gathers", "runs in")


def report(
    program: Program,
    times: Mapping[str, float],
    dtype: str,
    jit_asked: bool,
    storage: Storage | None = None,
) -> Report:
    """Describe how a program runs.

    Parameters
    ----------
    program : Program
        The compiled model.
    times : mapping of str to float
        How long each stage took (s).
    dtype : str
        Floating point type of the simulation.
    jit_asked : bool
        Whether the user wants XLA.
    storage : Storage, optional
        What training keeps of the time steps.
    """
    groups = tuple(
        _group(program, group, lowering)
        for group, lowering in zip(program.plan, program.lowerings, strict=True)
    )
    remarks = tuple(_remarks(program, dtype, jit_asked))
    training = "" if storage is None else _kept(storage)
    return Report(_how(program), groups, dict(times), remarks, training)


def _how(program: Program) -> str:
    if not program.in_one:
        return "A loop in Python calls TensorFlow and Python code in each time step."
    kind = "XLA" if program.jit_compile else "TensorFlow, without XLA"
    calls = ", which calls Python in each step" if program.calls_python else ""
    found = f"The loop over time is one computation of {kind}{calls}."
    steps = program.unrolled
    unrolled = f"{steps} time steps are" if steps > 1 else "One time step is"
    if not program.use_loop:
        return f"{unrolled} one computation of {kind}{calls}, without a loop."
    return f"{found} {unrolled} one iteration of it."


def _kept(storage: Storage) -> str:
    steps = f"Training over {storage.n_steps:,} time steps keeps"
    size = f"{storage.bytes / 1e6:,.1f} MB for a minibatch"
    if storage.length >= storage.n_steps:
        return (
            f"{steps} the state of each of them: {size}. With "
            "`configure_settings(rematerialisation=True)` it keeps fewer."
        )
    return (
        f"{steps} {storage.n_states:,} states, and computes the {storage.length:,} "
        f"steps behind each a second time: {size}."
    )


def _group(program: Program, group: OpGroup, lowering: Lowering) -> GroupReport:
    views = lowering.views
    compiled = "XLA" if program.jit_compile else "TensorFlow"
    return GroupReport(
        group.name,
        len(group.ops),
        sum(view.size for view in views),
        sum(len(view.runs) > MAX_SLICES for view in views),
        compiled if lowering.xla else "Python",
    )


def _remarks(program: Program, dtype: str, jit_asked: bool) -> Iterator[str]:
    operators = [op for group in program.plan for op in group.ops]
    outside = [op for op in operators if not registry.compiles(op)]
    if not jit_asked:
        yield (
            "XLA is switched off (`jit_compile=False`). It makes most models several "
            "times faster; leave it out of `nengo_dl.configure_settings`."
        )
    elif outside:
        yield (
            f"XLA cannot compile {_named(outside)}, so nothing is compiled. Write it "
            "with functions that XLA knows, of fixed shapes."
        )
    called = [op for op in operators if registry.runs_python(op)]
    if called:
        yield (
            f"Python runs in each time step: {_named(called)}. Compiled code waits "
            "for each call, some microseconds at least. A function of time alone "
            "is computed ahead of the run if no other Python code runs in the step; "
            "functions of other values can be written in TensorFlow, as a "
            "`nengo_dl.TensorNode`."
        )
        if not program.in_one and program.jit_compile:
            yield (
                "Compiled code cannot call Python on this device, so Python drives "
                "the loop, at some 0.1 ms per step. Without Python code in the step, "
                "or on a CPU, the loop is compiled."
            )
    if dtype == "float64":
        yield (
            "The simulation is in double precision. Large models take about half the "
            'time with `dtype="float32"`.'
        )
    if program.unroll > program.unrolled:
        why = (
            "under XLA that would make compilation longer and no step faster; with "
            "`jit_compile=False` it is"
            if program.in_one
            else "Python drives it, step by step"
        )
        yield (
            f"`unroll_simulation={program.unroll}` was asked for. The loop is not "
            f"unrolled: {why}."
        )
    sampled = sum(r.view.size / r.period for r in program.recordings if r.keep_history)
    if sampled * program.minibatch_size > MANY_SAMPLES:
        yield (
            f"Probes keep {sampled * program.minibatch_size:,.0f} numbers per step. "
            "Give those that need not be so exact a `sample_every`, or keep the last "
            "sample only, `configure_settings(keep_history=False)`."
        )


def _named(operators: Iterable[Operator]) -> str:
    shown, rest = first([describe(op) for op in operators], N_NAMED)
    return ", ".join([*shown, *([rest] if rest else [])])
