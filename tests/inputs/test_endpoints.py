"""Data for training and measuring, in all forms and with all mistakes."""

import warnings

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoWarning, ValidationError

from nengo_dl.inputs.checks import check_split
from nengo_dl.inputs.endpoints import (
    Endpoints,
    check_truncation,
    warn_about_synapses,
)

with nengo.Network() as NET:
    A = nengo.Node([0, 0], label="left eye")
    B = nengo.Node(0, label="right")
    RELAY = nengo.Node(size_in=2, label="relay")
    P = nengo.Probe(RELAY, label="out")
    Q = nengo.Probe(B, label="out")
with nengo.Network():
    STRANGER = nengo.Node(0, label="stranger")
    FOREIGN = nengo.Probe(STRANGER, label="foreign")

BATCHES = Endpoints((A, B), (P, Q), 4)
SINGLE = Endpoints((A, B), (P, Q))
ONE = Endpoints((A,), (P,), 4)


def array(*shape, dtype=np.float32):
    return np.random.RandomState(0).normal(size=shape).astype(dtype)


# -- train(data, ...)


def test_data_by_node_and_probe():
    data = {A: array(8, 5, 2), P: array(8, 5, 2), "right": array(8, 5, 1)}
    inputs, targets, n_steps = BATCHES.split(data)
    assert list(inputs) == [A, B] and list(targets) == [P] and n_steps is None
    checked = BATCHES.check(inputs, targets)
    assert checked.inputs[A] is not None and set(checked.inputs) == {A, B}
    assert set(checked.targets) == {P}
    assert (checked.n_items, checked.n_steps) == (8, 5)


def test_names_and_labels_may_belong_to_either():
    inputs, targets, _ = BATCHES.split({"left_eye": 1, "out_1": 2, "out": 3})
    assert inputs == {A: 1}
    assert targets == {Q: 2, P: 3}
    with pytest.raises(ValidationError, match="no object has the label 'up'.*'out_1'"):
        BATCHES.split({"up": 1})
    with pytest.raises(ValidationError, match="two arrays for .*out"):
        BATCHES.split({P: 1, "out": 2})


@pytest.mark.parametrize("number", [3, np.int64(3)])
def test_a_number_of_steps_instead_of_data(number):
    inputs, targets, n_steps = BATCHES.split(number)
    checked = BATCHES.check(inputs, targets, n_steps)
    assert checked.inputs == checked.targets == {}
    assert (checked.n_items, checked.n_steps) == (4, 3)
    assert SINGLE.check(n_steps=3).n_items == 1


@pytest.mark.parametrize("data", [None, True, "data"])
def test_what_is_no_data(data):
    with pytest.raises(ValidationError, match=r"Expected a dict \{Node: array, Probe"):
        BATCHES.split(data)
    with pytest.raises(ValidationError, match="at least 1, got 0"):
        BATCHES.split(0)


def test_targets_alone_decide_the_number_of_steps():
    checked = BATCHES.check({}, {P: array(4, 6, 2)})
    assert (checked.n_items, checked.n_steps) == (4, 6)


def test_no_data_and_no_steps():
    for given in ({}, None):
        with pytest.raises(
            ValidationError, match=r"steps is not known.*'left_eye'.*'right'"
        ):
            BATCHES.check(given, {})


# -- one array, lists


def test_one_array_needs_one_object():
    values, wanted = array(4, 5, 2), array(4, 5, 2)
    checked = ONE.check(values, wanted)
    assert np.array_equal(checked.inputs[A], values)
    assert np.array_equal(checked.targets[P], wanted)
    assert ONE.split(values)[0] is values
    with pytest.raises(ValidationError, match=r"inputs: A single.*\{Node: array\}"):
        BATCHES.check(values, attrs=("inputs", "targets"))
    with pytest.raises(ValidationError, match=r"targets: A single.*\{Probe: array\}"):
        BATCHES.check({}, values, attrs=("inputs", "targets"))


def test_keras_gives_single_arrays_to_the_first():
    with pytest.warns(NengoWarning, match=r"`x` has 1 array\(s\) for 2 input Nodes"):
        checked = BATCHES.check(array(4, 5, 2), attrs=("x", "y"), first_of_several=True)
    assert list(checked.inputs) == [A]
    with pytest.warns(NengoWarning, match=r"`y` has 1 array\(s\) for 2 Probes"):
        checked = BATCHES.check(
            n_steps=5,
            targets=[array(4, 5, 2)],
            attrs=("x", "y"),
            first_of_several=True,
        )
    assert list(checked.targets) == [P]


def test_lists_follow_the_network():
    checked = BATCHES.check([array(4, 5, 2), array(4, 5, 1)], first_of_several=True)
    assert list(checked.inputs) == [A, B]
    with pytest.raises(ValidationError, match="3 arrays for 2 input Nodes"):
        BATCHES.check([array(4, 5, 2)] * 3)


# -- shapes


def test_arrays_are_not_copied_without_need():
    values = array(8, 5, 2)
    checked = BATCHES.check({A: values})
    assert np.shares_memory(checked.inputs[A], values)
    double = Endpoints((A,), (), 4, "float64").check(values)
    assert double.inputs[A].dtype == np.float64
    assert np.array_equal(double.inputs[A], values)


@pytest.mark.parametrize(
    "form", [np.ndarray.tolist, tf.constant, np.float64, np.ndarray.__copy__]
)
def test_forms_of_arrays(form):
    values = array(4, 5, 2)
    checked = ONE.check({A: form(values)})
    assert checked.inputs[A].dtype == np.float32
    assert np.array_equal(checked.inputs[A], values)


def test_the_batch_axis_may_be_left_out_without_a_minibatch():
    values = array(5, 2)
    checked = SINGLE.check({A: values}, {P: values[None]})
    assert checked.inputs[A].shape == checked.targets[P].shape == (1, 5, 2)
    # without a minibatch items are trained with one after the other
    assert SINGLE.check({A: array(7, 5, 2)}).n_items == 7
    with pytest.raises(ValidationError, match=r"\(5, 2\); expected \(n_items, n_step"):
        BATCHES.check({A: values})


@pytest.mark.parametrize(
    "inputs, targets, message",
    [
        ({A: (4, 5, 3)}, {}, r"left eye.*\(4, 5, 3\); expected \(n_items, n_steps, 2"),
        ({A: (4, 5)}, {}, r"left eye.*\(4, 5\); expected \(n_items, n_steps, 2\)"),
        ({A: (4, 5, 2, 1)}, {}, r"\(4, 5, 2, 1\); expected \(n_items, n_steps, 2\)"),
        ({A: ()}, {}, r"have shape \(\); expected"),
        ({A: (4, 0, 2)}, {}, r"\(4, 0, 2\); expected"),
        ({}, {P: (4, 5, 1)}, r"out.*\(4, 5, 1\); expected \(n_items, n_steps, 2\)"),
        (
            {A: (8, 5, 2), B: (4, 5, 1)},
            {},
            r"right.*\(4, 5, 1\); expected \(8, 5, 1\).*data for .*left eye.* decided",
        ),
        ({A: (8, 5, 2), B: (8, 6, 1)}, {}, r"right.*\(8, 6, 1\); expected \(8, 5, 1\)"),
        ({A: (8, 5, 2)}, {P: (4, 5, 2)}, r"out.*\(4, 5, 2\); expected \(8, 5, 2\)"),
        ({A: (8, 5, 2)}, {Q: (8, 1, 1)}, r"out.*\(8, 1, 1\); expected \(8, 5, 1\)"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_shapes_that_do_not_fit(inputs, targets, message):
    given = [{k: array(*s) for k, s in part.items()} for part in (inputs, targets)]
    with pytest.raises(ValidationError, match=message):
        BATCHES.check(*given)


def test_messages_say_how_an_array_gets_three_axes():
    def said(size, inputs, targets=None):
        data = ({A: array(4, 5, 2)}, {P: targets}) if inputs is None else (inputs,)
        with pytest.raises(ValidationError) as error:
            BATCHES.check(*data, sizes={P: size})
        return str(error.value)

    assert "row: `array[:, None]`" in said("equal", {A: array(4, 2)})
    assert "`array[..., None]`" in said("equal", {B: array(4, 5)})
    assert "`array.reshape(len(array), 1, -1)`" in said("equal", {A: array(4, 2, 1)})
    assert "`array" not in said("equal", {A: array(4, 5, 3)})
    assert "`array" not in said("equal", {A: array(4, 5, 2), B: array(3, 5, 1)})
    labels = np.arange(4)
    assert "`array.reshape(-1, 1, 1)`" in said("class", None, labels)
    assert "`array.reshape(-1, 1, 1)`" in said("class", None, labels[:, None])
    assert "`array" not in said("equal", None, labels)


def test_steps_that_are_given_have_to_agree():
    with pytest.raises(ValidationError, match=r"\(4, 5, 2\); expected \(n_items, 6, 2"):
        BATCHES.check({A: array(4, 5, 2)}, n_steps=6)
    assert BATCHES.check({A: array(4, 5, 2)}, n_steps=5).n_steps == 5
    with pytest.raises(ValidationError, match="n_steps.*at least 1, got -1"):
        BATCHES.check(n_steps=-1)


def test_targets_with_steps_of_their_own():
    data = {A: array(4, 5, 2)}, {P: array(4, 1, 2)}
    checked = BATCHES.check(*data, own_steps=True)
    assert checked.targets[P].shape == (4, 1, 2) and checked.n_steps == 5
    with pytest.raises(ValidationError, match="steps is not known"):
        BATCHES.check({}, data[1], own_steps=True)


def test_targets_of_probes_that_keep_the_last_step():
    last = Endpoints((A,), (P,), 4, last_only=frozenset({P}))
    data = {A: array(4, 5, 2)}
    assert last.check(data, {P: array(4, 1, 2)}).n_steps == 5
    with pytest.raises(ValidationError, match=r"\(4, 5, 2\); expected \(4, 1, 2\)"):
        last.check(data, {P: array(4, 5, 2)})
    with pytest.raises(ValidationError, match="steps is not known"):
        last.check({}, {P: array(4, 1, 2)})


def test_sizes_of_targets():
    for size, fitting in (("equal", {2}), ("class", {1, 2}), ("any", {0, 1, 2, 7})):
        for own in (0, 1, 2, 7):
            data = {A: array(4, 5, 2)}, {P: np.ones((4, 5, own), int)}
            if own in fitting:
                found = BATCHES.check(*data, sizes={P: size}).targets[P]
                assert found.dtype == np.float32 and found.shape == (4, 5, own)
            else:
                message = rf"\(4, 5, {own}\); expected \(4, 5, 2\)"
                with pytest.raises(ValidationError, match=message):
                    BATCHES.check(*data, sizes={P: size})


def test_no_targets_for_some():
    data = {A: array(4, 5, 2)}
    assert not BATCHES.check(data, {P: None}, sizes={P: "any"}).targets


def test_steps_in_datasets_for_keras():
    data = {"left_eye": array(4, 5, 2), "n_steps": np.full((4, 1), 5)}
    assert BATCHES.check(data).n_steps == 5
    assert "n_steps" in data
    assert BATCHES.check({"n_steps": np.full((4, 1), 3)}).n_steps == 3
    with pytest.raises(ValidationError, match=r"same number of steps.*got \[3, 5\]"):
        BATCHES.check({"n_steps": np.array([[3], [5]])})
    with pytest.raises(ValidationError, match="Got 5 steps in 'data', and n_steps=3"):
        BATCHES.check({"n_steps": np.full((4, 1), 5)}, n_steps=3)


# -- whole minibatches


def test_what_does_not_fill_a_minibatch_is_left_out():
    values = array(11, 5, 2)
    with pytest.warns(NengoWarning, match="11 items.*minibatch_size=4.*last 3") as log:
        checked = BATCHES.check({A: values}, {P: values})
    assert log[0].filename == __file__
    assert checked.n_items == 8
    assert np.array_equal(checked.inputs[A], values[:8])
    assert np.array_equal(checked.targets[P], values[:8])


def test_less_than_a_minibatch():
    with pytest.raises(
        ValidationError, match="left eye.* 3 items, and minibatch_size is 4.*at most 3"
    ):
        BATCHES.check({A: array(3, 5, 2)})


def test_exactly_one_minibatch():
    assert BATCHES.check({A: array(4, 5, 2)}, one_minibatch=True).n_items == 4
    with pytest.raises(ValidationError, match="8 items; expected one minibatch, .* 4"):
        BATCHES.check({A: array(8, 5, 2)}, one_minibatch=True)


# -- values


def test_targets_may_be_missing_and_inputs_may_not():
    values = array(4, 5, 2)
    values[1, 2, 1] = np.nan
    assert np.isnan(BATCHES.check({}, {P: values}).targets[P]).sum() == 1
    with pytest.raises(ValidationError, match="left eye.*NaN or infinity"):
        BATCHES.check({A: values})
    values[1, 2, 1] = np.inf
    with pytest.raises(ValidationError, match="out.*contain infinity"):
        BATCHES.check({}, {P: values})


@pytest.mark.parametrize("values", ["text", [[1, 2], [3]], object(), [["a"]]])
def test_what_is_no_numbers(values):
    with pytest.raises(
        ValidationError, match=r"left eye.*not real numbers.*\(n_items, n_steps, 2\)"
    ):
        BATCHES.check({A: values})


STRUCTURED = np.zeros((4, 5), [("a", float), ("b", float)])


@pytest.mark.parametrize(
    "values, kind",
    [
        (array(4, 5, 2) * 1j, "complex"),
        (tf.constant(array(4, 5, 2) * 1j), "complex"),
        ([[[1j, 0]] * 5] * 4, "complex"),
        (np.ma.masked_less(array(4, 5, 2), 0), "partly masked"),
        ([np.ma.masked_less(array(5, 2), 0)] * 4, "partly masked"),
        (np.zeros((4, 5, 2), "M8[s]"), "dates"),
        (np.zeros((4, 5, 2), "m8[s]"), "lengths of time"),
        (STRUCTURED, "structured"),
        (np.full((4, 5, 2), "1.5"), "text"),
        (np.full((4, 5, 2), b"1.5"), "text"),
        (tf.constant("1.5", shape=(4, 5, 2)), "text"),
        ([[[1, "2"]] * 5] * 4, "text"),
        (None, "None"),
        ([[[None, 1.0]] * 5] * 4, "None"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_real_numbers_is_named(values, kind):
    message = f"are not real numbers but {kind}: "
    for data, name in (((values, {}), "left eye"), (({}, {P: values}), "out")):
        inputs = {A: values} if name == "left eye" else {}
        with pytest.raises(ValidationError, match=f"Data for .*{name}.* {message}"):
            BATCHES.check(inputs, data[1])
    with pytest.raises(ValidationError, match=f"left eye.* {message}"):
        BATCHES.presented({A: values}, 5)


@pytest.mark.parametrize(
    "form",
    [
        lambda values: np.ma.masked_array(values),
        lambda values: values.astype(object),
        lambda values: tf.cast(values, tf.bfloat16),
        lambda values: [list(map(tf.constant, item)) for item in values],
        lambda values: values > 0,
        tf.Variable,
    ],
)
def test_other_forms_of_numbers(form):
    values = np.round(array(4, 5, 2))
    given = form(values)
    expected = values > 0 if getattr(given, "dtype", None) is np.dtype(bool) else values
    assert np.array_equal(BATCHES.check({A: given}).inputs[A], expected)
    assert np.array_equal(BATCHES.presented({A: given}, 5)[A], expected)


@pytest.mark.parametrize("large", [1e39, -1e39, 10**400, np.finfo(float).max])
def test_numbers_beyond_the_precision(large):
    values = array(4, 5, 2).tolist()
    values[1][2][1] = large
    message = "left eye.*beyond the simulation's precision, float32.*'float64'"
    for call in (BATCHES.check, lambda data: BATCHES.presented(data, 5)):
        with pytest.raises(ValidationError, match=message):
            call({A: values})
    double = Endpoints((A,), (P,), 4, "float64")
    if isinstance(large, int):
        with pytest.raises(ValidationError, match="float64; expected .*1.798e[+]308$"):
            double.presented({A: values}, 5)
    else:
        assert double.presented({A: values}, 5)[A][1, 2, 1] == large
    # the largest number is one, and so is what is rounded to it
    values[1][2][1] = float(np.finfo(np.float32).max) * (1 + 1e-9)
    assert BATCHES.presented({A: values}, 5)[A].dtype == np.float64
    assert np.isfinite(BATCHES.check({A: values}).inputs[A]).all()
    # what is missing stays missing
    values[1][2] = [np.nan, large]
    with pytest.raises(ValidationError, match="out.*beyond"):
        BATCHES.check({}, {P: values})


def test_data_of_a_simulation_keep_their_precision():
    for dtype in (np.float32, np.float64):
        values = array(4, 5, 2, dtype=dtype)
        assert BATCHES.presented({A: values}, 5)[A] is values


# -- lists of arrays


@pytest.mark.parametrize("form", [tf.constant, np.asarray, tf.Variable])
@pytest.mark.parametrize("sequence", [list, tuple])
def test_lists_of_tensors_are_lists_of_arrays(form, sequence):
    first, second = array(4, 5, 2), array(4, 5, 1)
    given = sequence([form(first), form(second)])
    for found in (
        BATCHES.check(given).inputs,
        BATCHES.check(given, attrs=("x", "y"), first_of_several=True).inputs,
        BATCHES.presented(given, 5),
    ):
        assert np.array_equal(found[A], first) and np.array_equal(found[B], second)
    mixed = [first, form(second)]
    assert list(BATCHES.check({}, mixed).targets) == [P, Q]


def test_lists_of_tensors_for_a_single_object():
    values = array(4, 5, 2)
    (whole,) = ONE.check([tf.constant(values)]).inputs.values()
    (items,) = ONE.check(list(map(tf.constant, values))).inputs.values()
    assert np.array_equal(whole, values) and np.array_equal(items, values)


# -- keys


@pytest.mark.parametrize(
    "inputs, targets, message",
    [
        ({STRANGER: 0}, {}, "stranger.*not part of .*input Nodes are .*left eye"),
        ({RELAY: 0}, {}, r"relay.* has inputs \(size_in=2\)"),
        ({P: 0}, {}, "Expected an input Node, its label or its name; got <Probe"),
        ({3: 0}, {}, "Expected an input Node, its label or its name; got 3"),
        ({"up": 0}, {}, "no input Node has the label 'up'.*'left_eye'"),
        ({}, {FOREIGN: 0}, "foreign.*not part of .*Probes are .*out"),
        ({}, {A: 0}, "Expected a Probe, its label or its name; got <Node"),
        ({}, {"up": 0}, "no Probe has the label 'up'.*'out_1'"),
        ({A: 0, "left eye": 0}, {}, "Got two arrays for .*left eye"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_keys_that_stand_for_nothing(inputs, targets, message):
    with pytest.raises(ValidationError, match=message):
        BATCHES.check(inputs, targets)
    if all(not isinstance(key, str) for key in (*inputs, *targets)):
        # the same through one dict, where keys of each kind find their side
        split = BATCHES.split({**inputs, **targets})
        if not (P in inputs or A in targets):
            with pytest.raises(ValidationError, match=message):
                BATCHES.check(*split)


def test_names_of_inputs_and_outputs():
    assert BATCHES.name(A) == "left_eye"
    assert BATCHES.name(Q) == "out_1"
    for obj, message in (
        (RELAY, "has inputs"),
        (STRANGER, "not part of"),
        (FOREIGN, "not part of"),
        (NET, "Only input Nodes and Probes have names; got <Network"),
        ("left_eye", "got 'left_eye'"),
    ):
        with pytest.raises(ValidationError, match=message):
            BATCHES.name(obj)


# -- what else can be wrong


def test_truncation():
    assert check_truncation(None, 10) is None
    assert check_truncation(5, 10) == 5
    assert check_truncation(10, 10) is check_truncation(20, 10) is None
    with pytest.warns(NengoWarning, match="no multiple of truncation=4.* has 2 steps"):
        assert check_truncation(4, 10) == 4
    for value in (0, -1, 2.0, "all", True):
        with pytest.raises(ValidationError, match="truncation.*at least 1, got"):
            check_truncation(value, 10)


def test_validation_splits_consist_of_whole_minibatches():
    assert check_split(12, 0.25, 3) == 9
    # as Keras rounds it
    assert check_split(10, 0.1, 1) == 9
    with pytest.raises(ValidationError, match="10 items into 7 and 3; .*size=2"):
        check_split(10, 0.3, 2)


def network(connection=None, probe=None):
    with nengo.Network() as net:
        net.ensemble = nengo.Ensemble(3, 1, label="ens")
        nengo.Connection(nengo.Node(0), net.ensemble, synapse=connection)
        net.filtered = nengo.Probe(net.ensemble, synapse=0.01)
        net.probe = nengo.Probe(net.ensemble, synapse=probe)
    return net


def test_one_step_and_a_synapse():
    for net in (network(connection=0.005), network(probe=0.1)):
        with pytest.warns(
            NengoWarning, match="Did you mean to set synapse=None"
        ) as log:
            warn_about_synapses(net, [net.probe], 1)
        assert len(log) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", NengoWarning)
        warn_about_synapses(net, [net.probe], 2)
        warn_about_synapses(network(), [network().probe], 1)
        warn_about_synapses(None, [], 1)
