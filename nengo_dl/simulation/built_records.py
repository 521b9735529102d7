"""What ``sim.data[obj]`` is: a record of Nengo's that says what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nengo.builder.connection import BuiltConnection
from nengo.builder.ensemble import BuiltEnsemble

from nengo_dl.display.tables import html_table, in_short, span, text_table


@dataclass(frozen=True)
class About:
    """What a record cannot tell from its arrays.

    Attributes
    ----------
    of : str
        The object that the parameters belong to; empty if nobody knows.
    live : bool
        Whether the simulator is open, so that the values are those of now.
    words : mapping of {str: str}
        What is to be said of single attributes: ``"trainable"``.
    """

    of: str = ""
    live: bool = False
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What follows the type of the record in the first line."""
        state = "current values" if self.live else "as it was built"
        return f" of {self.of}, {state}" if self.of else ""


class _Record:
    """Show the shapes of a record's arrays instead of the arrays."""

    _kind = ""
    _fields: tuple[str, ...] = ()
    about = About()

    def __repr__(self) -> str:
        rows = [
            (name, in_short(value), self.about.words.get(name, ""))
            for name, value in self._items()
        ]
        return text_table(f"{self._kind}{self.about.title}", rows)

    def _repr_html_(self) -> str:
        rows = [
            (name, in_short(value), span(value), self.about.words.get(name, ""))
            for name, value in self._items()
        ]
        header = ("", "shape", "values", "")
        return html_table(f"{self._kind}{self.about.title}", header, rows)

    def _items(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self._fields]


class EnsembleRecord(_Record, BuiltEnsemble):
    """The parameters of an Ensemble; a `nengo.builder.ensemble.BuiltEnsemble`."""

    _kind = "BuiltEnsemble"
    _fields = BuiltEnsemble._fields


class ConnectionRecord(_Record, BuiltConnection):
    """The weights of a Connection; a `nengo.builder.connection.BuiltConnection`."""

    _kind = "BuiltConnection"
    _fields = BuiltConnection._fields


def recorded(built: Any, about: About) -> Any:
    """Return a record of Nengo's as one that says what it holds.

    Parameters
    ----------
    built : BuiltEnsemble or BuiltConnection
        The parameters.
    about : About
        What is known of them.
    """
    kind = EnsembleRecord if isinstance(built, BuiltEnsemble) else ConnectionRecord
    record = kind._make(built)
    record.about = about
    return record
