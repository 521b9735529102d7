"""The `repr` of a simulator: facts about it, in one line or as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nengo.builder import Model
from nengo.builder.signal import Signal

from nengo_dl.display.tables import counted, html_table
from nengo_dl.graph.signals import size
from nengo_dl.program.program import Program


@dataclass(frozen=True)
class Overview:
    """The facts that `repr` of a simulator shows.

    Attributes
    ----------
    network : str or None
        Label of the network.
    minibatch_size : int or None
        Items that are simulated side by side.
    dtype : str
        Floating point type.
    device : str or None
        Where it runs; None if TensorFlow chooses.
    dt : float
        Length of a time step (s).
    n_operators : int
        Operators that Nengo has built.
    n_groups : int
        Groups of operators that run as one.
    n_parameters : int
        Single numbers among the parameters that can be trained.
    n_steps : int
        Steps so far.
    closed : bool
        Whether the simulator was closed.
    """

    network: str | None
    minibatch_size: int | None
    dtype: str
    device: str | None
    dt: float
    n_operators: int
    n_groups: int
    n_parameters: int
    n_steps: int = 0
    closed: bool = False

    def at(self, n_steps: int, closed: bool) -> Overview:
        """Return the facts about the simulator with its present time, or as closed."""
        return replace(self, n_steps=n_steps, closed=closed)

    @property
    def _name(self) -> str:
        return "an unlabelled network" if self.network is None else repr(self.network)

    @property
    def _time(self) -> str:
        return f"t={self.n_steps * self.dt:g} s ({counted(self.n_steps, 'step')})"

    @property
    def _work(self) -> str:
        operators = counted(self.n_operators, "operator")
        return f"{operators} in {counted(self.n_groups, 'group')}"

    @property
    def line(self) -> str:
        """The facts about the simulator in one line, as `repr` shows them."""
        facts = [
            f"nengo_dl.Simulator of {self._name}",
            "closed" if self.closed else "open",
            self._time,
            f"{self.dtype} on {self.device or 'the default device'}",
            self._work,
        ]
        if self.minibatch_size is not None:
            facts.insert(3, f"minibatch of {self.minibatch_size}")
        return f"<{', '.join(facts)}>"

    @property
    def html(self) -> str:
        """The facts about the simulator as an HTML table, for notebooks."""
        batch = self.minibatch_size
        rows = [
            ("state", "closed" if self.closed else "open"),
            ("time", f"{self._time}, dt={self.dt:g} s"),
            ("minibatch", "none" if batch is None else counted(batch, "item")),
            ("precision", self.dtype),
            ("device", self.device or "TensorFlow's default"),
            ("plan", self._work),
            ("trainable", counted(self.n_parameters, "parameter")),
        ]
        return html_table(f"nengo_dl.Simulator of {self._name}", (), rows)


def overview(
    model: Model,
    program: Program,
    trainable: Mapping[Signal, bool],
    minibatch_size: int | None,
) -> Overview:
    """Return the facts about a simulator before its first step.

    Parameters
    ----------
    model : nengo.builder.Model
        The built model.
    program : Program
        The simulation.
    trainable : mapping of {Signal: bool}
        The parameters, and which of them an optimizer may change.
    minibatch_size : int or None
        Items that are simulated side by side, as users say it.
    """
    return Overview(
        network=getattr(model.toplevel, "label", None),
        minibatch_size=minibatch_size,
        dtype=program.dtype.name,
        device=program.device
        if program.replicas is None
        else f"{program.replicas.count} replicas",
        dt=float(model.dt),
        n_operators=len(model.operators),
        n_groups=len(program.plan),
        n_parameters=sum(size(s) for s, is_on in trainable.items() if is_on),
    )
