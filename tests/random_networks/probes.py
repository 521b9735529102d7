"""Probes, drawn at random."""

from collections.abc import Iterable

import nengo

from tests.random_networks.draw import call
from tests.random_networks.slices import part
from tests.random_networks.writer import Writer

#: whose elements can be probed apart
SLICED = (nengo.Ensemble, nengo.Node, nengo.ensemble.Neurons)

#: what is probed as a matrix
MATRICES = ("scaled_encoders", "weights", "delta", "inv_gamma")


def probe_some(
    writer: Writer, names: Iterable[str], synapses: list[str], probability: float
) -> None:
    """Probe some of the attributes of some objects."""
    for name in dict.fromkeys(names):
        for attribute in writer.ask(name).probeable:
            if _exists(writer, name, attribute) and writer.draw.flip(probability):
                probe(writer, name, attribute, synapses)


def _exists(writer: Writer, name: str, attribute: str) -> bool:
    """Whether Nengo can probe what it says that it can."""
    target = writer.ask(name)
    if attribute == "weights":
        return bool(target.has_weights)
    return bool(target.size_out) or isinstance(target, nengo.connection.LearningRule)


def probe(writer: Writer, name: str, attribute: str, synapses: list[str]) -> None:
    """Probe an attribute of an object, or some elements of it."""
    draw, target = writer.draw, writer.ask(name)
    if isinstance(target, SLICED) and attribute not in MATRICES and draw.flip(0.3):
        name, _ = part(draw, name, target.size_out)
    options = {"synapse": draw.one_of(["None", "None", *synapses])}
    if attribute == "weights" and isinstance(target.transform, nengo.Sparse):
        options["synapse"] = "None"  # Nengo's do not filter sparse matrices
    if draw.flip(0.4):
        options["sample_every"] = draw.one_of(["0.002", "0.0035", "0.0007", "0.01"])
    writer.say("probe", call("nengo.Probe", name, repr(attribute), **options))
