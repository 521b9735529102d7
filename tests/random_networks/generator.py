"""Random networks: combinations that nobody thought of."""

from tests.random_networks.connections import Connections
from tests.random_networks.learning import Learning
from tests.random_networks.objects import Objects
from tests.random_networks.probes import probe, probe_some
from tests.random_networks.program import Program
from tests.random_networks.writer import Writer


def generate(seed: int) -> Program:
    """Return a network that depends on the seed and on nothing else."""
    writer = Writer(seed)
    draw = writer.draw
    objects = Objects(writer)
    connections = Connections(writer, objects)
    learning = Learning(writer, objects, connections)

    inputs = [objects.input_node() for _ in range(draw.integer(1, 2))]
    for _ in range(draw.integer(2, 4)):
        objects.anything()
    for source in inputs:
        connections.connect(source)
    for _ in range(draw.integer(1, 5)):
        draw.one_of([connections.connect] * 5 + [connections.convolve])()
    for _ in range(draw.integer(0, 2)):
        learning.learn()

    neurons = [f"{name}.neurons" for name in objects.ensembles]
    nodes = [end.text for end in objects.sources + objects.targets if not end.neurons]
    others = [*objects.ensembles, *nodes, *connections.names]
    for names, probability in ((neurons, 0.5), (learning.rules, 0.4), (others, 0.3)):
        probe_some(writer, names, connections.synapses, probability)
    probe(writer, inputs[0].text, "output", connections.synapses)
    return writer.program
