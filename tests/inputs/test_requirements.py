"""Targets and weights of samples that losses and metrics require."""

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning, ValidationError

from nengo_dl.inputs.endpoints import STEPS, Endpoints
from nengo_dl.inputs.requirements import Requirements

with nengo.Network() as NET:
    A = nengo.Node([0, 0], label="in")
    P = nengo.Probe(A, label="p")
    Q = nengo.Probe(A, label="q")
    R = nengo.Probe(A, label="r")

ENDPOINTS = Endpoints((A,), (P, Q, R), 4, last_only=frozenset({Q}))
BOTH = Requirements(ENDPOINTS, (P, Q))
ONE = Requirements(ENDPOINTS, (P,))
X = np.zeros((9, 5, 2), np.float32)  # the last item does not fill a minibatch


@pytest.fixture(scope="module")
def data():
    with pytest.warns(NengoWarning, match="last 1 are left out"):
        return BOTH.check(X, {P: X, Q: X[:, :1]})


def weights(*shape):
    return np.arange(1.0, np.prod(shape) + 1).reshape(shape)


@pytest.mark.parametrize("form", [np.asarray, np.ndarray.tolist, tf.constant])
@pytest.mark.parametrize("shape", [(9,), (9, 1), (9, 1, 1), (9, 5), (9, 5, 1)], ids=str)
def test_shapes_of_weights(data, shape, form):
    expected = weights(*shape)[:8].reshape(8, -1)
    found = ONE.weights(form(weights(*shape)), data)
    assert list(found) == [P] and found[P].dtype == np.float32
    assert np.array_equal(found[P], expected)


@pytest.mark.parametrize(
    "shape",
    [
        *((), (0,), (1,), (4,), (5,), (8,), (10,), (45,)),
        *((9, 0), (9, 4), (5, 9), (8, 5), (1, 5), (1, 9), (9, 5, 2), (9, 5, 1, 1)),
    ],
    ids=str,
)
def test_all_other_lengths_are_refused(data, shape):
    message = rf"Weights for .*p.* have shape \({', '.join(map(str, shape))},?\); "
    with pytest.raises(ValidationError, match=message + r"expected \(9,\).*\(9, 5\)"):
        ONE.weights(np.ones(shape), data)
    with pytest.raises(ValidationError, match=message):
        ONE.weights({P: np.ones(shape)}, data)


def test_one_step_where_the_last_one_is_kept(data):
    with pytest.raises(ValidationError, match=r"q.*\(9, 5\); expected .* or \(9, 1\)"):
        BOTH.weights({Q: weights(9, 5)}, data)
    assert BOTH.weights({Q: weights(9, 1)}, data)[Q].shape == (8, 1)


def test_weights_by_output(data):
    first, second = weights(9), weights(9, 1)
    ones = np.ones((8, 1))
    for given, expected in (
        (first, (first, first)),
        ({P: first, "q": second}, (first, second)),
        ({"q": first}, (None, first)),
        ([first, second], (first, second)),
        ((tf.constant(first), second), (first, second)),
        ([None, first], (None, first)),
        ([first, None], (first, None)),
        # for all Probes
        ([first, second, None], (first, second)),
    ):
        found = BOTH.weights(given, data)
        assert list(found) == [P, Q]
        for own, wanted in zip(found.values(), expected, strict=True):
            assert np.array_equal(
                own, ones if wanted is None else wanted.reshape(9, 1)[:8]
            )


def test_arrays_in_a_list_are_items_where_there_is_one_output(data):
    given = weights(9, 5)
    assert np.array_equal(ONE.weights(list(given), data)[P], given[:8])
    assert np.array_equal(ONE.weights([given], data)[P], given[:8])


@pytest.mark.parametrize(
    "given, message",
    [
        ({R: weights(9)}, "weights for .*r.* neither loss nor metric; .*'p'.*'q'"),
        ([None, None, weights(9)], "weights for .*r.* neither loss nor metric"),
        ({"s": weights(9)}, "no Probe has the label 's'"),
        ({A: weights(9)}, "Expected a Probe, its label or its name; got <Node"),
        ({P: weights(9), "p": weights(9)}, "Got two arrays for .*p"),
        ([weights(9)] * 4, r"shape \(4, 9\); .* a list with such an array for each"),
        (["a"] * 9, "Weights for .* but text"),
        (weights(9) * 1j, "Weights for .* but complex"),
        (np.full(9, np.nan), "Weights for .*NaN or infinity"),
        (np.full(9, 1e39), "Weights for .*beyond the simulation's precision"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_weights(data, given, message):
    with pytest.raises(ValidationError, match=f"sample_weight: .*{message}"):
        BOTH.weights(given, data)


def test_targets_that_are_missing_or_not_used():
    needs = Requirements(ENDPOINTS, (P, Q), with_targets=[Q])
    with pytest.raises(ValidationError, match="y: There are no targets for .*q"):
        needs.check(X[:4], {P: X[:4]})
    with pytest.raises(ValidationError, match="y: There are targets for .*r.* neither"):
        needs.check(X[:4], {R: X[:4], Q: X[:4, :1]})
    assert set(needs.check(X[:4], {Q: X[:4, :1]}).targets) == {Q}


def test_arrays_by_name(data):
    inputs, targets, own = BOTH.parts(data, {"p": weights(9, 5)})
    assert set(inputs) == {"in", STEPS} and inputs[STEPS].shape == (8, 5, 0)
    assert {name: t.shape for name, t in targets.items()} == {
        "p": (8, 5, 2),
        "q": (8, 1, 2),
    }
    assert own["p"].shape == (8, 5) and own["q"].shape == (8, 1)
    assert BOTH.parts(data)[2] is None
