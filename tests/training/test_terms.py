"""Objectives as users write them, as terms of one sum."""

import functools

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning, ValidationError

import nengo_dl
from nengo_dl.inputs.names import io_names
from nengo_dl.training.terms import NOT_GIVEN, resolve


def readable(value):
    """Return an id without the address of an object, or leave it to pytest."""
    return value[:30] if isinstance(value, str) else None


with nengo.Network() as NET:
    NODE = nengo.Node([0, 0], label="stimulus")
    P = nengo.Probe(NODE, label="first")
    Q = nengo.Probe(NODE, label="second one")
    R = nengo.Probe(NODE)
with nengo.Network():
    STRANGER = nengo.Probe(nengo.Node(0), label="stranger")
PROBES = (P, Q, R)
NAMES = io_names([NODE], PROBES)

everywhere = pytest.mark.parametrize("dtype", ["float32", "float64"])


def terms_of(objective=NOT_GIVEN, targets=(P,), **options):
    return resolve(objective, targets, PROBES, names=NAMES, **options)


def data(dtype="float64", seed=0):
    """Return outputs and targets of all probes."""
    rng = np.random.RandomState(seed)
    return [
        dict(zip(PROBES, rng.normal(size=(3, 4, 5, 2)).astype(dtype), strict=True))
        for _ in range(2)
    ]


def minimised(terms, dtype="float64", targets=None):
    """Return the sum of terms, and its derivatives by probe."""
    outputs, own_targets = data(dtype)
    targets = targets or own_targets

    @tf.function(jit_compile=True)
    def run(values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            outputs = dict(zip(PROBES, values, strict=True))
            total = tf.add_n(
                [
                    term.function(
                        [outputs[p] for p in term.probes],
                        [
                            tf.constant(targets[p]) if term.uses_targets else None
                            for p in term.probes
                        ],
                    )
                    for term in terms
                ]
            )
        return total, tape.gradient(total, values, unconnected_gradients="zero")

    total, gradients = run([tf.constant(outputs[p]) for p in PROBES])
    assert total.dtype == dtype and total.shape == ()
    gradients = [gradient.numpy() for gradient in gradients]
    return float(total), dict(zip(PROBES, gradients, strict=True))


def mse_of(probe):
    outputs, targets = data("float64")
    return np.mean((outputs[probe] - targets[probe]) ** 2)


def objective(outputs, targets):
    return tf.reduce_mean(tf.abs(outputs - targets))


# -- forms


@everywhere
@pytest.mark.parametrize(
    "given",
    [NOT_GIVEN, None, "mse", nengo_dl.obj.mse, nengo_dl.losses.nan_mse],
    ids=readable,
)
def test_mean_squared_error_of_each_probe_with_targets(given, dtype):
    terms = terms_of(given, (P, Q))
    assert [term.probes for term in terms] == [(P,), (Q,)]
    assert all(term.uses_targets for term in terms)
    total, gradients = minimised(terms, dtype)
    assert total == pytest.approx(mse_of(P) + mse_of(Q), rel=1e-5)
    outputs, targets = data(dtype)
    for probe in (P, Q):
        np.testing.assert_allclose(
            gradients[probe],
            2 * (outputs[probe] - targets[probe]) / outputs[probe].size,
            rtol=1e-4,
        )
    assert not np.any(gradients[R])


def test_targets_that_are_not_a_number_count_as_met():
    outputs, targets = data()
    targets[P][:2] = np.nan
    total, gradients = minimised(terms_of(), targets=targets)
    error = np.where(np.isnan(targets[P]), 0, outputs[P] - targets[P])
    assert total == pytest.approx(np.mean(error**2))
    np.testing.assert_allclose(gradients[P], 2 * error / error.size)


@pytest.mark.parametrize(
    "given, targets",
    [
        (objective, (P, R)),
        ({P: objective, R: objective}, (P, R)),
        ({"first": objective, "probe": objective}, (P, R)),
        ({P: "mae", R: keras.losses.MeanAbsoluteError()}, (P, R)),
        ({(P,): lambda o, t: objective(o[0], t[0]), R: objective}, (P, R)),
        (
            {(P, R): lambda o, t: objective(o[0], t[0]) + objective(o[1], t[1])},
            {P: 1, R: 2},
        ),
    ],
    ids=["function", "by probe", "by name", "keras", "tuple of one", "tuple"],
)
def test_forms_of_one_sum(given, targets):
    outputs, wanted = data()
    expected = sum(np.mean(np.abs(outputs[p] - wanted[p])) for p in (P, R))
    total, gradients = minimised(terms_of(given, targets))
    assert total == pytest.approx(expected)
    assert np.any(gradients[P]) and np.any(gradients[R]) and not np.any(gradients[Q])


def test_names_and_labels_of_probes():
    for key in ("second one", "second_one"):
        (term,) = terms_of({key: "mse"}, (Q,))
        assert term.probes == (Q,)
    (term,) = terms_of({("first", Q): lambda outputs: 0.0}, ())
    assert term.probes == (P, Q)


def test_functions_of_several_probes_get_lists():
    seen = []

    def joint(outputs, targets):
        seen.append((type(outputs), type(targets), len(outputs), len(targets)))
        return tf.reduce_mean(outputs[0] * targets[1])

    outputs, targets = data()
    total, _ = minimised(terms_of({(P, Q): joint}, (P, Q)))
    assert total == pytest.approx(np.mean(outputs[P] * targets[Q]))
    assert set(seen) == {(list, list, 2, 2)}


def test_functions_of_outputs_alone():
    for given in (
        nengo_dl.obj.Regularize(),
        lambda outputs: tf.reduce_mean(tf.norm(outputs, axis=-1)),
        functools.partial(
            lambda x, axis: tf.reduce_mean(tf.norm(x, axis=axis)), axis=-1
        ),
    ):
        (term,) = terms_of({P: given}, ())
        assert not term.uses_targets
        total, _ = minimised([term])
        expected = np.linalg.norm(data()[0][P], axis=-1).mean()
        assert total == pytest.approx(expected)
    (term,) = terms_of({(P, R): lambda outputs: tf.reduce_mean(outputs[1])}, ())
    assert minimised([term])[0] == pytest.approx(data()[0][R].mean())
    # targets that are there all the same do no harm
    (term,) = terms_of({P: nengo_dl.obj.Regularize()}, (P,))
    assert not term.uses_targets


def test_one_probe_in_several_terms():
    terms = terms_of({P: "mse", (P, Q): lambda o: tf.reduce_sum(o[0]), "first": "mae"})
    assert [term.probes for term in terms] == [(P,), (P, Q), (P,)]
    outputs, targets = data()
    expected = mse_of(P) + outputs[P].sum() + np.abs(outputs[P] - targets[P]).mean()
    assert minimised(terms)[0] == pytest.approx(expected)


def test_targets_of_class_numbers():
    (term,) = terms_of({P: "sparse_categorical_crossentropy"})
    assert term.target_size == "class"
    assert terms_of()[0].target_size == "equal"
    assert terms_of({P: None})[0].target_size == "equal"


# -- targets that are gradients


@everywhere
@pytest.mark.parametrize(
    "given, legacy",
    [(None, True), ({P: None, Q: None}, False), ({(P, Q): None}, False)],
    ids=["older form", "by probe", "tuple"],
)
def test_targets_are_the_gradient_exactly(given, legacy, dtype):
    outputs, targets = data(dtype)
    total, gradients = minimised(terms_of(given, (P, Q), legacy=legacy), dtype)
    for probe in (P, Q):
        np.testing.assert_array_equal(gradients[probe], targets[probe])
    expected = sum(np.sum(outputs[p] * targets[p]) for p in (P, Q))
    assert total == pytest.approx(expected, rel=1e-4)


def test_none_is_the_default_in_the_current_form():
    (term,) = terms_of(None)
    assert minimised([term])[0] == pytest.approx(mse_of(P))
    # and what was not given is it in both
    (term,) = terms_of(legacy=True)
    assert minimised([term])[0] == pytest.approx(mse_of(P))


# -- what is compiled is kept by function


def test_equal_objectives_are_equal_functions():
    loss = keras.losses.Huber()
    for given in (NOT_GIVEN, "mse", "mae", objective, loss, nengo_dl.obj.Regularize()):
        (first,), (second,) = (terms_of({P: given}) for _ in range(2))
        assert first.function == second.function
        assert hash(first.function) == hash(second.function)
    for given in (None, {P: None}):
        (first,), (second,) = (terms_of(given, legacy=True) for _ in range(2))
        assert first == second and hash(first) == hash(second)
    alone, joint = terms_of({P: objective}), terms_of({(P,): objective})
    assert alone[0].function != joint[0].function


# -- errors


@pytest.mark.parametrize(
    "given, targets, message",
    [
        (NOT_GIVEN, (), r"no targets.*\{probe: f\}.*'first'.*'second_one'.*'probe'"),
        (None, (), "There are no targets"),
        (objective, (), "There are no targets"),
        ({}, (P,), "nothing would be minimised.*'first'"),
        ({P: objective}, (), "for <Probe .first. .* needs targets"),
        ({P: None}, (), "for <Probe .first. .* needs targets"),
        ({(P, Q): objective}, (P,), "needs targets.*none for <Probe .second one. "),
        (
            {P: objective},
            (P, Q),
            "targets for <Probe .second one. .*, and no objective",
        ),
        ({STRANGER: objective}, (), "stranger.* is not part.*'first'"),
        ({"third": objective}, (), "no Probe has the label 'third'.*'second_one'"),
        ({NODE: objective}, (), "Expected a Probe, its label.*stimulus.*'first'"),
        ({(P, 3): objective}, (), "Expected a Probe, its label.*got 3"),
        ({(): objective}, (), "empty tuple"),
        ({P: 3}, (P,), "Got 3 for <Probe .first. .*"),
        ("nonsense", (P,), "'nonsense' for <Probe .first. .*: Keras has no loss"),
        ([objective], (P,), r"Got \[<function"),
        ({(P, Q): "mse"}, (P, Q), "one output.*first.*second one.*p0: f"),
        ({(P, Q): keras.losses.Huber()}, (P, Q), "Give it for each of them"),
        ({(P, Q): nengo_dl.obj.Regularize()}, (), "Give it for each of them"),
    ],
    ids=readable,
)
def test_what_cannot_be_minimised(given, targets, message):
    with pytest.raises(ValidationError, match=message):
        terms_of(given, targets)


@pytest.mark.parametrize(
    "returned, message",
    [
        (None, "returned None"),
        (tf.ones((0, 5)), r"returned an array of shape \(0, 5\).*reduce_mean"),
        (["a"], r"returned \['a'\]"),
        ("a", "returned 'a'"),
        (tf.zeros((), tf.complex64), r"returned complex numbers of shape \(\)"),
        ({"loss": 1}, "returned {'loss': 1}"),
    ],
    ids=["none", "empty", "texts", "text", "complex", "dict"],
)
def test_objectives_return_a_number(returned, message):
    (term,) = terms_of({P: lambda outputs: returned}, ())
    with pytest.raises(ValidationError, match=f"for <Probe .first. .* {message}"):
        term.function([tf.ones((4, 5, 2))], [None])


@pytest.mark.parametrize("value", [tf.ones((4, 5)), np.ones(20), [1] * 20])
def test_arrays_become_numbers_with_a_warning(value):
    for reduction, expected in (("mean", 1), ("sum", 20)):
        (term,) = terms_of({P: lambda outputs: value}, (), reduction=reduction)
        with pytest.warns(NengoWarning, match=r"first.* returns an array of shape \("):
            assert float(term.function([tf.ones((4, 5, 2))], [None])) == expected


def test_numbers_of_any_type_are_cast():
    for value in (1, 1.0, np.float32(1), tf.constant(1), tf.constant(1.0, tf.float64)):
        (term,) = terms_of({P: lambda outputs, value=value: value}, ())
        result = term.function([tf.ones((4, 5, 2), tf.float64)], [None])
        assert result.dtype == tf.float64
        assert float(result) == 1


def test_the_default_reads_well_in_signatures():
    assert repr(NOT_GIVEN) == "<not given>"
