"""All call forms of train and loss become one."""

import inspect
import warnings

import keras
import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import ValidationError

import nengo_dl
from nengo_dl.compat import (
    gradient_arguments,
    loss_arguments,
    older_forms,
    profile_directory,
    train_arguments,
)
from nengo_dl.inputs.endpoints import Endpoints

with nengo.Network() as NET:
    A = nengo.Node([0], label="a")
    B = nengo.Node([0], label="b")
    P = nengo.Probe(A, label="p")
    Q = nengo.Probe(B, label="q")
ENDPOINTS = Endpoints((A, B), (P, Q))
ONE = Endpoints((A,), (P,))

X, Y = np.ones((4, 3, 1)), np.zeros((4, 3, 1))
OPTIMIZER = tf.compat.v1.train.MomentumOptimizer(1e-2, 0.9)
BOTH = {A: X, P: Y}


def objective(outputs, targets):
    return tf.reduce_mean(outputs - targets)


def train(*positional, endpoints=ENDPOINTS, **named):
    return train_arguments(positional, named, endpoints)


def loss(*positional, endpoints=ENDPOINTS, **named):
    return loss_arguments(positional, named, endpoints)


def older(form):
    """Expect a warning, pointed at this file, that shows the current form."""
    return _Older(form)


class _Older:
    def __init__(self, form):
        self.form = form

    def __enter__(self):
        self.log = warnings.catch_warnings(record=True)
        self.found = self.log.__enter__()
        warnings.simplefilter("always")

    def __exit__(self, *error):
        self.log.__exit__(*error)
        if error[0] is None:
            (warning,) = self.found
            assert warning.category is DeprecationWarning
            assert f"the current one is `{self.form}" in str(warning.message)
            assert warning.filename == __file__


def older_train():
    return older("train({**inputs, **targets}, optimizer)")


def older_loss():
    return older("loss({**inputs, **targets}, objective)")


@pytest.fixture(autouse=True)
def no_other_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# -- train


def test_current_form_of_train():
    assert train(BOTH, OPTIMIZER) == {"data": BOTH, "optimizer": OPTIMIZER}
    assert train(
        BOTH, OPTIMIZER, 3, {P: "mse"}, False, 5, ["loss"], False, None, True
    ) == {
        "data": BOTH,
        "optimizer": OPTIMIZER,
        "n_epochs": 3,
        "objective": {P: "mse"},
        "shuffle": False,
        "truncation": 5,
        "summaries": ["loss"],
        "profile": None,
        "progress_bar": True,
    }
    for given in (5, X, BOTH):
        assert train(given, "adam", n_epochs=2) == {
            "data": given,
            "optimizer": "adam",
            "n_epochs": 2,
        }
    assert train(data=BOTH, optimizer="adam") == {"data": BOTH, "optimizer": "adam"}


def test_none_as_objective_of_the_current_form_stays_as_it_is():
    assert train(BOTH, "adam", objective=None)["objective"] is None
    assert train(BOTH, "adam", objective={P: None})["objective"] == {P: None}


@pytest.mark.parametrize(
    "positional, named",
    [
        (({A: X}, {P: Y}, OPTIMIZER), {"n_epochs": 10}),
        (({A: X}, {P: Y}, OPTIMIZER, 10), {}),
        (({A: X}, {P: Y}), {"optimizer": OPTIMIZER, "n_epochs": 10}),
        (({A: X},), {"targets": {P: Y}, "optimizer": OPTIMIZER, "n_epochs": 10}),
        (
            (),
            {
                "inputs": {A: X},
                "targets": {P: Y},
                "optimizer": OPTIMIZER,
                "n_epochs": 10,
            },
        ),
        (({"a": X}, {"p": Y}, OPTIMIZER, 10), {}),
    ],
    ids=["seed", "position", "optimizer by name", "mixed", "names", "labels"],
)
def test_inputs_and_targets_apart(positional, named):
    with older_train():
        given = train(*positional, **named)
    data = given.pop("data")
    assert data[A] is X and data[P] is Y and len(data) == 2
    assert given == {"optimizer": OPTIMIZER, "n_epochs": 10}


def test_arrays_alone_where_there_is_one_node_and_one_probe():
    with older_train():
        given = train(X, Y, OPTIMIZER, endpoints=ONE)
    assert given["data"][A] is X and given["data"][P] is Y
    with older_train():
        given = train(targets=Y, objective=None, optimizer=OPTIMIZER, endpoints=ONE)
    assert list(given["data"]) == [P]
    assert given["objective"] == {P: None}
    for name in ("inputs", "targets"):
        message = f"{name}: A single array needs"
        with pytest.raises(ValidationError, match=message), older_train():
            train(**{name: X}, optimizer=OPTIMIZER)


def test_none_in_the_older_form_means_that_targets_are_gradients():
    with older_train():
        given = train({A: X}, {P: Y, Q: Y}, OPTIMIZER, 1, None)
    assert given["objective"] == {P: None, Q: None}
    # and only if it was given
    with older_train():
        assert "objective" not in train({A: X}, {P: Y}, OPTIMIZER)
    for value in ("mse", objective, {P: objective}):
        with older_train():
            given = train({A: X}, {P: Y}, OPTIMIZER, objective=value)
        assert given["objective"] is value


def test_positions_behind_shuffle():
    with older_train():  # 0.6 to 1.x
        given = train({A: X}, {P: Y}, OPTIMIZER, 1, "mse", True, 5, ["loss"], True, {})
    assert given["truncation"] == 5
    assert given["summaries"] == ["loss"]
    assert given["profile"] == "nengo_dl_profile"
    with older_train():  # 0.5
        given = train({A: X}, {P: Y}, OPTIMIZER, 1, "mse", True, "file.json", ["loss"])
    assert given["profile"] == "file.json"
    assert given["summaries"] == ["loss"]
    assert "truncation" not in given


@pytest.mark.parametrize(
    "positional, named, message",
    [
        ((BOTH, "adam"), {"speed": 3}, "train.. has no argument 'speed'; it has data"),
        ((BOTH, "adam", 1), {"n_epochs": 2}, "two values for 'n_epochs'"),
        ((BOTH,), {"data": BOTH}, "two values for 'data'"),
        ((), {"inputs": {A: X}, "data": BOTH}, "`data` besides `inputs` or `targets`"),
        (({A: X},), {"inputs": {A: X}}, "two values for 'inputs'"),
        (
            (BOTH, "adam", *[None] * 10),
            {},
            "at most 11 arguments by position .*; got 12",
        ),
        (({A: X}, {P: Y}), {"speed": 3}, "no argument 'speed'; it has inputs, targets"),
    ],
    ids=range(7),
)
def test_arguments_that_train_does_not_have(positional, named, message):
    with pytest.raises(TypeError, match=message):
        train(*positional, **named)


@pytest.mark.parametrize(
    "data, given",
    [
        (BOTH, {"lr": 0.1}),
        ({"a": X, "p": Y}, {"lr": 0.1, "nesterov": True}),
        (BOTH, {"class_name": "SGD", "config": {"learning_rate": 0.1}}),
        (BOTH, {"betas": [0.9, 0.99]}),
        (BOTH, {}),
        (BOTH, X),
        (BOTH, ("sgd", 0.1)),
    ],
    ids=range(7),
)
def test_what_is_neither_an_optimizer_nor_targets(data, given):
    """No warning speaks of an older form, and what checks optimizers names it."""
    assert train(data, given) == {"data": data, "optimizer": given}


def test_unknown_nodes_and_probes_in_the_older_form():
    for given, message in (
        ({"inputs": {P: X}}, "inputs: .*Expected an input Node, .*; got <Probe"),
        ({"targets": {A: X}}, "targets: .*Expected a Probe, .*; got <Node"),
        ({"targets": {"r": X}}, "targets: no Probe has the label 'r'"),
    ):
        with pytest.raises(ValidationError, match=message), older_train():
            train(**given, optimizer=OPTIMIZER)


# -- loss


def test_current_form_of_loss():
    assert loss(BOTH) == {"data": BOTH}
    for value in (
        None,
        "mse",
        objective,
        keras.losses.Huber(),
        nengo_dl.obj.Regularize(),
        {P: "mse"},
        {P: objective, Q: None},
        {P: keras.losses.Huber(), (P, Q): objective},
        {},
    ):
        assert loss(BOTH, value) == {"data": BOTH, "objective": value}
        assert loss(BOTH, objective=value) == {"data": BOTH, "objective": value}
    assert loss(BOTH, "mse", np.sum, None, False, True) == {
        "data": BOTH,
        "objective": "mse",
        "combine": np.sum,
        "progress_bar": False,
        "training": True,
    }
    assert loss(5, {P: "mse"}, training=True)["training"] is True


@pytest.mark.parametrize("form", [np.asarray, np.ndarray.tolist, tf.constant])
@pytest.mark.parametrize(
    "call",
    [
        lambda y: loss({A: X}, {P: y}, objective),
        lambda y: loss({A: X}, {P: y}, objective=objective),
        lambda y: loss({A: X}, targets={P: y}, objective=objective),
        lambda y: loss(inputs={A: X}, targets={P: y}, objective=objective),
        lambda y: loss({A: X}, y, objective, endpoints=ONE),
    ],
    ids=["position", "objective by name", "targets by name", "names", "arrays"],
)
def test_inputs_and_targets_of_loss_apart(call, form):
    values = form(Y)
    with older_loss():
        given = call(values)
    data = given.pop("data")
    assert data[A] is X and data[P] is values
    assert given == {"objective": objective}


def test_older_form_of_loss_takes_todays_options_and_gradients():
    with older_loss():
        given = loss({A: X}, {P: Y}, None, training=True, combine=np.sum)
    assert given["objective"] == {P: None}
    assert given["training"] is True and given["combine"] is np.sum
    with older_loss():
        assert "objective" not in loss({A: X}, {P: Y})
    # an empty dict is no targets, unless the objective is given besides
    with older_loss():
        assert loss({A: X}, {}, objective="mse")["data"] == {A: X}


@pytest.mark.parametrize(
    "data, given", [(BOTH, {"lr": 0.1}), ({"a": X, "p": Y}, {"lr": 0.1}), (BOTH, X)]
)
def test_what_is_neither_an_objective_nor_targets(data, given):
    """No warning speaks of an older form, and what checks objectives names it."""
    assert loss(data, given) == {"data": data, "objective": given}


def test_what_could_be_targets_or_objectives():
    with pytest.raises(ValidationError, match="Cannot tell.*objective="):
        loss({A: X}, {P: Y, Q: "mse"})


@pytest.mark.parametrize(
    "positional, named, message",
    [
        ((BOTH, "mse"), {"objective": "mse"}, "two values for 'objective'"),
        ((BOTH,), {"speed": 3}, "loss.. has no argument 'speed'; it has data, objec"),
        ((), {"targets": {P: Y}, "data": BOTH}, "`data` besides"),
        (({A: X}, {P: Y}, 1, 2, 3), {}, "at most 4 arguments by position .*; got 5"),
    ],
    ids=range(4),
)
def test_arguments_that_loss_does_not_have(positional, named, message):
    with pytest.raises(TypeError, match=message):
        loss(*positional, **named)


# -- both


@pytest.mark.parametrize("call", [train, loss])
def test_extra_feeds(call):
    assert call(BOTH, "mse", extra_feeds={}).keys() <= {
        "data",
        "optimizer",
        "objective",
    }
    with pytest.raises(
        ValidationError, match=r"no TensorFlow session.*training=True.*learning_phase"
    ):
        call(BOTH, "mse", extra_feeds={"tensor": 1})


@pytest.mark.parametrize(
    "given, directory",
    [
        (None, None),
        (False, None),
        (True, "nengo_dl_profile"),
        ("some/where", "some/where"),
    ],
)
def test_profiles(given, directory):
    assert profile_directory(given) == directory
    assert train(BOTH, "adam", profile=given)["profile"] == directory


def test_profiles_of_older_kinds(tmp_path):
    assert profile_directory(tmp_path) == str(tmp_path)
    with pytest.warns(DeprecationWarning, match="'trace_level': 3} is ignored"):
        assert profile_directory({"trace_level": 3}) == "nengo_dl_profile"
    with pytest.raises(ValidationError, match="profile.*name of a directory, got 3"):
        profile_directory(3)


def test_methods_show_their_current_form():
    class Simulator:
        @older_forms(lambda self, args, named: train_arguments(args, named, ONE))
        def train(self, data, optimizer, n_epochs=1):
            """Train."""
            return data, optimizer, n_epochs

    sim = Simulator()
    assert str(inspect.signature(sim.train)) == "(data, optimizer, n_epochs=1)"
    assert sim.train.__doc__ == "Train."
    assert sim.train(BOTH, "adam") == (BOTH, "adam", 1)
    with older_train():
        assert sim.train({A: X}, {P: Y}, "adam", 3)[1:] == ("adam", 3)
    with pytest.raises(TypeError, match="missing 1 required.*'optimizer'"):
        sim.train(BOTH)


# -- check_gradients


def older_gradients():
    return older("check_gradients(outputs=outputs, inputs=inputs)")


@pytest.mark.parametrize(
    "inputs", [{A: X}, {A: 0.1}, {"a": X}, X, [X, X], tf.constant(X)], ids=range(6)
)
def test_inputs_came_first_in_check_gradients(inputs):
    for outputs in ([P], P, "p", ["p", "q"], None):
        with older_gradients():
            given = gradient_arguments((inputs, outputs, 1e-4, 1e-3), {"n_steps": 3})
        assert given.pop("inputs") is inputs
        assert given == {"outputs": outputs, "atol": 1e-4, "rtol": 1e-3, "n_steps": 3}
    with older_gradients():
        assert gradient_arguments((inputs,), {}).keys() == {"inputs"}


@pytest.mark.parametrize("outputs", [P, [P], "q", ["p", Q]], ids=range(4))
def test_no_inputs_in_the_older_form_of_check_gradients(outputs):
    with older_gradients():
        given = gradient_arguments((None, outputs), {})
    assert given == {"inputs": None, "outputs": outputs}


@pytest.mark.parametrize("outputs", [None, P, [P, Q], "p", ["p"], {P: None}])
def test_current_form_of_check_gradients(outputs):
    given = gradient_arguments((outputs, 1e-4, 1e-3), {"inputs": {A: X}})
    assert given == {"outputs": outputs, "atol": 1e-4, "rtol": 1e-3, "inputs": {A: X}}


@pytest.mark.parametrize(
    "positional, named, message",
    [
        (([P],), {"data": {A: X}}, "no argument 'data'; it has outputs, atol"),
        (([P],), {"outputs": [P]}, "two values for 'outputs'"),
        (([P], 1, 1, None, 2, 3), {}, "at most 5 arguments by position"),
    ],
    ids=range(3),
)
def test_arguments_that_check_gradients_does_not_have(positional, named, message):
    with pytest.raises(TypeError, match=message):
        gradient_arguments(positional, named)
