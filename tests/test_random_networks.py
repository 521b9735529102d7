"""Networks that nobody designed: combinations that no other test thinks of.

``python -m tests.random_networks --from 0 --count 2000`` tries more of them, and cuts
those that fail down to what matters.
"""

import inspect
from dataclasses import replace

import nengo
import numpy as np
import pytest

from tests.random_networks import shrink
from tests.random_networks.comparison import Verdict, compare, deviation, explained
from tests.random_networks.generator import generate
from tests.random_networks.options import Options
from tests.random_networks.program import Program
from tests.random_networks.record import run_nengo

pytestmark = pytest.mark.filterwarnings("ignore")

SEEDS = range(100)
#: Seeds that have each way of running a network at least once: XLA, minibatches,
#: unrolling, parts, a reset, single operators, nothing rewritten, all calls before
FIRST = {0, 4, 5, 7, 9, 11, 15, 16}
#: Seeds whose networks have, together, all that networks are made of. All others were
#: left out, those that take longest to build first, as long as the tests passed
COMPLETE = (
    *(9, 11, 17, 18, 19, 29, 32, 34, 38, 45, 49),
    *(50, 51, 52, 55, 57, 65, 72, 81, 82, 89, 98),
)

#: a network in which one rounding error decides between two futures
FORKED = Program(
    0,
    (
        "node_0 = nengo.Node(lambda t, x: 1 - 1.9 * x**2, size_in=1)",
        "conn_1 = nengo.Connection(node_0, node_0, synapse=0)",
        "probe_2 = nengo.Probe(node_0)",
    ),
)


@pytest.mark.parametrize(
    "seed",
    [pytest.param(k, marks=[pytest.mark.everything] * (k not in FIRST)) for k in SEEDS],
)
def test_random_network(seed):
    program, options = generate(seed), Options.of(seed)
    if seed % 4:
        # TensorFlow keeps what XLA compiles, some 20 MB for each network. The campaign
        # compiles more of them, in processes that end
        options = replace(options, jit_compile=False)
    if seed % 10 != 5:
        options = replace(options, calls=())
    result = compare(program, options)
    if result.verdict is Verdict.REFUSED:
        pytest.skip(result.message)
    assert result.verdict is not Verdict.DIFFERENT, (
        f"{result.message}\n{options}\n{program}"
    )


# -- what the networks are made of


@pytest.fixture(scope="module")
def networks():
    return [generate(seed).build() for seed in COMPLETE]


def classes(module, base):
    """Return the classes of a module that users make instances of."""
    found = inspect.getmembers(module, inspect.isclass)
    return {
        cls
        for _, cls in found
        if issubclass(cls, base) and cls.__module__ == module.__name__
    }


def test_networks_have_all_neuron_types(networks):
    types = {type(e.neuron_type) for net in networks for e in net.all_ensembles}
    abstract = {nengo.neurons.NeuronType, nengo.neurons.RatesToSpikesNeuronType}
    assert types >= classes(nengo.neurons, nengo.neurons.NeuronType) - abstract
    assert any(cls.__module__.startswith("tests") for cls in types)


def test_networks_have_all_synapses_and_transforms(networks):
    connections = [c for net in networks for c in net.all_connections]
    synapses = {type(c.synapse) for c in connections}
    assert synapses >= classes(nengo.synapses, nengo.synapses.Synapse) - {
        nengo.synapses.Synapse
    }
    assert type(None) in synapses
    transforms = {type(c.transform) for c in connections}
    abstract = {nengo.transforms.Transform, nengo.transforms._ConvolutionBase}
    assert (
        transforms >= classes(nengo.transforms, nengo.transforms.Transform) - abstract
    )
    assert {np.ndim(c.transform.init) for c in connections if dense(c)} == {0, 1, 2}
    ends = {(type(c.pre_obj), type(c.post_obj)) for c in connections}
    kinds = (nengo.Node, nengo.Ensemble, nengo.ensemble.Neurons)
    assert ends >= {(pre, post) for pre in kinds for post in kinds}


def dense(connection):
    return isinstance(connection.transform, nengo.Dense)


def test_networks_have_all_processes(networks):
    processes = {type(n.output) for net in networks for n in net.all_nodes}
    processes |= {type(e.noise) for net in networks for e in net.all_ensembles}
    assert processes >= classes(nengo.processes, nengo.Process)


def test_networks_have_all_learning_rules(networks):
    rules = [c.learning_rule_type for net in networks for c in net.all_connections]
    assert {list, dict} <= {type(rule) for rule in rules}
    types = {type(rule) for given in rules for rule in listed(given)}
    base = nengo.learning_rules.LearningRuleType
    assert types >= classes(nengo.learning_rules, base) - {base}


def listed(rules):
    """Return learning rules as a list, however they were given."""
    if isinstance(rules, dict):
        return list(rules.values())
    return rules if isinstance(rules, list) else [rules]


def test_networks_probe_all_that_can_be_probed(networks):
    probed = {
        (kind(probe.obj), probe.attr) for net in networks for probe in net.all_probes
    }
    for net in networks:
        for ensemble in net.all_ensembles:
            assert probed >= {("Ensemble", attr) for attr in ensemble.probeable}
            neurons, own = ensemble.neurons, {"output", "input", "rate_out"}
            own |= set(ensemble.neuron_type.state)  # not that of a base type
            if neurons.size_out:
                wanted = own & set(neurons.probeable)
                assert probed >= {(kind(neurons), attr) for attr in wanted}
        for connection in net.all_connections:
            assert probed >= {("Connection", attr) for attr in connection.probeable}
            for rule in listed(connection.learning_rule_type):
                wanted = {
                    (type(rule).__name__, a) for a in getattr(rule, "probeable", ())
                }
                assert probed >= wanted


def kind(obj):
    """Return what an object is, as far as its probeable attributes depend on that."""
    if isinstance(obj, nengo.connection.LearningRule):
        return type(obj.learning_rule_type).__name__
    if isinstance(obj, nengo.ensemble.Neurons):
        return type(obj.ensemble.neuron_type).__name__
    return type(obj).__name__


# -- whether a difference would be found


def test_networks_depend_on_nothing_but_their_seed():
    assert generate(3) == generate(3)
    assert generate(3) != generate(4)


@pytest.fixture(scope="module")
def forked():
    options = Options(parts=(80,))
    return options, run_nengo(FORKED, options)


def test_rounding_errors_that_grow_are_no_difference(forked):
    options, expected = forked
    ours = run_nengo(FORKED, options, error=1e-16, draws=100)
    assert "probe_2" in deviation(FORKED, ours, expected)
    assert explained(FORKED, options, 0, ours, expected) < 1e-13


@pytest.mark.parametrize("step", [0, 10, 20])
def test_errors_are_found_in_a_network_that_makes_them_grow(forked, step):
    options, expected = forked
    ours = run_nengo(FORKED, options)
    assert not deviation(FORKED, ours, expected)
    ours.data[0][step] += 1e-3
    assert f"at step {step + 1}" in deviation(FORKED, ours, expected)
    assert explained(FORKED, options, 0, ours, expected) is None


def test_values_that_are_missing_or_not_finite_are_differences(forked):
    options, expected = forked
    ours = run_nengo(FORKED, options)
    ours.data[0] = ours.data[0][:-1]
    assert "shape" in deviation(FORKED, ours, expected)
    assert explained(FORKED, options, 0, ours, expected) is None
    ours = run_nengo(FORKED, options)
    ours.data[0][2] = np.nan
    assert "nan" in deviation(FORKED, ours, expected)
    assert explained(FORKED, options, 0, ours, expected) is None


def test_comparison_ends_where_nengo_diverges():
    program = Program(
        0,
        (
            "ens_0 = nengo.Ensemble(1, 1, neuron_type=nengo.Direct())",
            "conn_1 = nengo.Connection(ens_0, ens_0, function=lambda x: x**2 + 2)",
            "probe_2 = nengo.Probe(ens_0)",
        ),
    )
    result = compare(program, Options(parts=(40,)))
    assert result.verdict is Verdict.SAME
    assert 4 < result.n_steps < 40


def test_networks_that_nengo_refuses_are_refused():
    program = Program(
        0,
        (
            "node_0 = nengo.Node(size_in=1)",
            "conn_1 = nengo.Connection(node_0, node_0, synapse=None)",
        ),
    )
    result = compare(program, Options())
    assert result.verdict is Verdict.REFUSED


def test_shrinking_keeps_what_the_failure_needs():
    program = generate(5)
    culprit = next(line for line in program.lines if "nengo.Connection(" in line)

    def fails(program, options):
        return culprit in program.lines

    shorter, options = shrink.shrink(program, Options.of(5), fails)
    assert culprit in shorter.lines
    assert len(shorter.lines) <= 3
    assert options == Options()
    assert len(shorter.build().all_connections) == 1
