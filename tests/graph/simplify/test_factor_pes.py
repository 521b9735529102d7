"""PES keeps two vectors from step to step, where nobody asks for their product."""

import copy
import pickle

import nengo
import numpy as np
import pytest
from nengo.builder import Model

import nengo_dl
from nengo_dl.graph.simplify import Facts, default_simplifications, factor_pes
from nengo_dl.graph.simplify.factor_pes import Factor, Keep, PESInc
from tests.helpers import assert_matches_nengo


def wave(t):
    return [np.sin(40 * t), -0.3]


def network(probed=(), weights=False):
    with nengo.Network(seed=0) as net:
        node = nengo.Node(wave)
        pre, post = nengo.Ensemble(20, 2), nengo.Ensemble(15, 2)
        error = nengo.Node(size_in=2)
        nengo.Connection(node, pre)
        net.learned = nengo.Connection(
            pre,
            post,
            solver=nengo.solvers.LstsqL2(weights=weights),
            learning_rule_type=nengo.PES(3e-3),
        )
        nengo.Connection(post, error)
        nengo.Connection(node, error, transform=-1)
        nengo.Connection(error, net.learned.learning_rule)
        nengo.Probe(post, synapse=0.01)
        nengo.Probe(net.learned, "weights", sample_every=0.01)
        for attribute in probed:
            nengo.Probe(net.learned.learning_rule, attribute)
    return net


def rewritten(net):
    model = Model()
    model.build(net)
    return [
        type(op)
        for op in factor_pes(Facts(model.operators))
        if op not in model.operators
    ]


@pytest.mark.parametrize("weights", [False, True])
def test_output_is_that_of_nengo(weights):
    net = network(weights=weights)
    assert rewritten(net) == [PESInc, Keep]
    assert_matches_nengo(net, steps=60, brief=weights)


def test_other_probes_do_not_matter():
    assert rewritten(network(["error", "activities"])) == [PESInc, Keep]


def test_changes_that_are_probed_stay():
    net = network(["delta"])
    assert rewritten(net) == []
    assert_matches_nengo(net, steps=30, brief=True)


def test_two_rules_of_one_connection():
    with nengo.Network(seed=0) as net:
        pre, post = nengo.Ensemble(20, 1), nengo.Node(size_in=1)
        learned = nengo.Connection(pre, post)
        learned.learning_rule_type = [nengo.PES(1e-3), nengo.PES(2e-3)]
        nengo.Connection(nengo.Node(np.sin), pre)
        for rule in learned.learning_rule:
            nengo.Connection(nengo.Node(np.cos), rule)
        nengo.Probe(post, synapse=0.01)
    kinds = rewritten(net)
    assert kinds.count(PESInc) == kinds.count(Keep) == 2
    assert_matches_nengo(net, steps=40, brief=True)


def test_factors_are_equal_if_they_are_of_one_product():
    model = Model()
    model.build(network())
    (first, second) = (
        next(op for op in factor_pes(Facts(model.operators)) if type(op) is Keep)
        for _ in range(2)
    )
    assert first.updates == second.updates
    error, activity = first.updates
    assert error != activity and error != error.product
    assert isinstance(error, Factor) and len({error, activity, *second.updates}) == 2


def test_copies_and_files_go_on_where_the_simulation_was(tmp_path):
    net = network()
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    options = {"progress_bar": False, "dtype": "float64"}
    with nengo_dl.Simulator(net, **options) as sim:
        sim.run_steps(20)
        sim.save_params(tmp_path / "p.npz", include_state=True)
        others = [copy.copy(sim), pickle.loads(pickle.dumps(sim))]
        sim.run_steps(20)
        expected = [sim.data[probe][-20:] for probe in net.probes[:1]]
    with nengo_dl.Simulator(net, seed=5, **options) as loaded:
        loaded.load_params(tmp_path / "p.npz", include_state=True)
        others.append(loaded)
        for other in others:
            with other:
                other.run_steps(20)
                data = [other.data[p][-20:] for p in other.model.toplevel.probes[:1]]
                assert np.allclose(data, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("rewrite", [False, True])
def test_names_of_the_state(rewrite, tmp_path):
    net = network()
    rewrites = [f for f in default_simplifications if rewrite or f is not factor_pes]
    with net:
        nengo_dl.configure_settings(jit_compile=False, simplifications=rewrites)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(5)
        sim.save_params(tmp_path / "p.npz", include_state=True)
    names = np.load(tmp_path / "p.npz").files
    shapes = {name.rpartition(".")[2] for name in names}
    assert ({"error", "activity"} <= shapes) == rewrite, names
