import warnings

import nengo
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo.builder.operator import BsrDotInc
from nengo.builder.signal import Signal

import nengo_dl
from nengo_dl.lowering.registry import merge_kind
from tests.helpers import assert_close, rest_with_everything
from tests.lowering.one_group import assert_gradients_match, assert_group_matches
from tests.operators import assert_operators_match, random_signal


def operator_of(places, block, n_rows):
    """Return an operator with blocks at some (row, column).

    SciPy takes the last column that is named for the last of the matrix.
    """
    places = sorted(places, key=lambda place: place[0])
    rows, columns = block
    n_columns = max(column for _, column in places) + 1
    counts = np.bincount([row for row, _ in places], minlength=n_rows)
    return BsrDotInc(
        Signal(np.zeros((len(places), rows, columns))),
        Signal(np.zeros(n_columns * columns)),
        Signal(np.zeros(n_rows * rows)),
        indices=np.array([column for _, column in places], dtype=int),
        indptr=np.concatenate([[0], np.cumsum(counts)]),
        reshape=False,
    )


@st.composite
def groups(draw):
    """Operators with blocks of one shape; anything else may differ."""
    block = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    operators = []
    for _ in range(draw(st.integers(1, 3))):
        n_rows = draw(st.integers(1, 5))
        place = st.tuples(st.integers(0, n_rows - 1), st.integers(0, 4))
        # rows without blocks, rows with several, blocks of the same place
        places = draw(st.lists(place, min_size=1, max_size=8))
        operators.append(operator_of(places, block, n_rows))
    return operators


def per_item_of(operators, what):
    return [getattr(op, name) for op in operators for name in what]


WHAT = st.sampled_from([(), ("X",), ("A",), ("X", "A")])


@settings(max_examples=80, deadline=None)
@given(groups(), st.integers(1, 3), WHAT)
def test_any_blocks(operators, items, what):
    assert_group_matches(operators, per_item_of(operators, what), items)


#: blocks of few columns and of many; rows 0 and 2 with two blocks, row 1 with none
CASES = [
    [operator_of([(0, 1), (0, 2), (2, 2), (2, 0)], (3, columns), 3)]
    for columns in (2, 6)
]


@pytest.mark.parametrize("jit", rest_with_everything([False, True]))
@pytest.mark.parametrize("operators", CASES, ids=["few columns", "many columns"])
def test_derivatives_by_blocks_and_input(operators, jit):
    assert_gradients_match(operators, per_item_of(operators, ["X"]), 2, jit=jit)
    assert_gradients_match(operators, per_item_of(operators, ["X", "A"]), 2, jit=jit)


@pytest.mark.parametrize("operators", CASES, ids=["few columns", "many columns"])
def test_in_32_bits(operators):
    per_item = per_item_of(operators, ["X"])
    assert_group_matches(operators, per_item, 2, dtype="float32", rtol=1e-6)


def test_only_blocks_of_equal_shape_merge():
    one = operator_of([(0, 0)], (2, 3), 1)
    more = operator_of([(0, 1), (1, 0)], (2, 3), 2)
    turned = operator_of([(0, 0)], (3, 2), 1)
    assert merge_kind(one) == merge_kind(more)
    assert merge_kind(one) != merge_kind(turned)


def test_operators_in_a_simulation():
    rng = np.random.RandomState(0)
    x, y = random_signal(rng, 12), random_signal(rng, 20)
    first = scipy.sparse.bsr_matrix(
        (np.zeros((3, 2, 3)), [0, 2, 1], [0, 2, 2, 3]), shape=(6, 9)
    )
    second = scipy.sparse.bsr_matrix(
        (np.zeros((2, 2, 3)), [1, 0], [0, 1, 2]), shape=(4, 6)
    )
    operators = []
    for matrix, source, target in (
        (first, x[:9], y[:6]),
        (second, x[::2], y[4:8]),
        (second, x[6:], y[10:18:2]),
    ):
        a = random_signal(rng, *matrix.data.shape)
        operators.append(
            BsrDotInc(a, source, target, matrix.indices, matrix.indptr, reshape=False)
        )
    assert_operators_match(operators, [y])


@pytest.mark.parametrize("minibatch", rest_with_everything([3, None]))
@pytest.mark.parametrize("dtype", rest_with_everything(["float64", "float32"]))
def test_models_that_nengo_has_optimized(minibatch, dtype):
    rtol = {"float64": 1e-10, "float32": 1e-3}[dtype]
    with nengo.Network(seed=0) as net:
        net.config[nengo.Ensemble].neuron_type = nengo.LIFRate()
        source = nengo.Node(lambda t: np.sin(20 * t + np.arange(2)))
        ensembles = [nengo.Ensemble(20, 2) for _ in range(5)]
        for pre, post in zip(ensembles, ensembles[1:] + ensembles[:1], strict=True):
            nengo.Connection(source, pre)
            nengo.Connection(pre, post, function=np.square)
        targets = [nengo.Probe(ensemble, synapse=0.01) for ensemble in ensembles]
    with nengo.Simulator(net, optimize=False, progress_bar=False) as sim:
        sim.run_steps(30)
        expected = [np.array(sim.data[probe]) for probe in targets]
    with nengo.Simulator(net, optimize=True, progress_bar=False) as optimized:
        model = optimized.model
    kinds = [type(op) for op in model.operators]
    assert kinds.count(BsrDotInc) > 1

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No top-level network")
        sim = nengo_dl.Simulator(
            None,
            model=model,
            dtype=dtype,
            minibatch_size=minibatch,
            progress_bar=False,
        )
    with sim:
        sim.run_steps(30)
        for probe, values in zip(targets, expected, strict=True):
            for data in sim.data[probe] if minibatch else [sim.data[probe]]:
                assert np.any(values)
                assert_close(data, values, rtol)
