"""Options of fit, evaluate and predict: what Keras would take without a word."""

import warnings

import keras
import nengo
import numpy as np
import pytest
from nengo.exceptions import NengoWarning, ValidationError

import nengo_dl
from nengo_dl.inputs.checks import check_split
from nengo_dl.keras_model.loop_options import KNOWN, check_options
from tests.keras_networks import data, feed_forward, simulator

WRONG = {
    "validation_split": [-1, 1.5, 1, 1.0, "a", True, np.nan, [0.5]],
    "validation_data": [(), ((), (), (), ()), 5, "abc", b"abc", True, np.float32(1)],
    "validation_freq": [0, -1, "a", 1.5, [0], None],
    "validation_steps": [0, "a", 1.5],
    "steps_per_epoch": [0, -1, "a", 1.5, True],
    "epochs": [-1, 1.5, 2.0, "a", True, None],
    "initial_epoch": [-1, 0.5, "a"],
    "class_weight": [[1, 2], "a", 5, {0: "a"}, {0: np.inf}],
    "callbacks": [
        5,
        "a",
        [object()],
        keras.callbacks.History,
        [keras.callbacks.History],
    ],
    "verbose": ["a", 5, -1, None, 0.5, []],
    "shuffle": ["a", 5, None],
}
RIGHT = {
    "validation_split": [None, 0, 0.5, np.float32(0.25)],
    "validation_data": [None, (1, 2), [1, 2, 3]],
    "validation_freq": [1, [1, 5], (2,), {3}, np.int64(2)],
    "steps_per_epoch": [None, 1],
    "epochs": [0, 1, np.int64(3)],
    "class_weight": [None, {}, {0: 1, 1: 0.5}],
    "callbacks": [None, [], keras.callbacks.History(), (keras.callbacks.History(),)],
    "verbose": ["auto", 0, 1, 2, True, False],
    "shuffle": [True, False, "batch"],
    "batch_size": [None, 5],
}


@pytest.mark.parametrize("name", WRONG)
def test_values_of_the_wrong_kind_are_refused(name):
    for value in WRONG[name]:
        with pytest.raises(ValidationError, match=f"{name}: .*[Ee]xpected") as caught:
            check_options({name: value}, "fit")
        assert caught.value.attr == name


@pytest.mark.parametrize("name", RIGHT)
def test_values_that_keras_knows_are_taken(name):
    for value in RIGHT[name]:
        check_options({name: value}, "fit")


def test_classes_of_callbacks_are_not_callbacks():
    with pytest.raises(ValidationError, match=r"write `History\(\.\.\.\)`"):
        check_options({"callbacks": [keras.callbacks.History]}, "predict")


def test_every_method_checks():
    x, y = data()
    net = feed_forward()
    with simulator(net) as sim:
        sim.compile("sgd", loss={"out": "mse"})
        calls = {
            "fit": lambda **options: sim.fit(x, y, **options),
            "evaluate": lambda **options: sim.evaluate(x, y, **options),
            "predict": lambda **options: sim.predict(x, **options),
        }
        assert calls.keys() == KNOWN.keys()
        for method, call in calls.items():
            with pytest.raises(ValidationError, match="callbacks: Expected instances"):
                call(callbacks="a")
            with pytest.raises(
                TypeError, match=rf"{method}\(\) got .* 'epoch';.*verbose"
            ):
                call(epoch=5)
        with pytest.warns(NengoWarning, match="return_dict=False is ignored"):
            sim.evaluate(x, y, return_dict=False, verbose=0)
        with pytest.warns(UserWarning, match="ran out"):
            sim.fit(x, y, steps_per_epoch=100, verbose=0)
        with pytest.raises(ValidationError, match="into 0 and 12; expected multiples"):
            sim.fit(x, y, validation_split=0.999, verbose=0)


def test_options_that_others_leave_without_effect():
    x, y = data()
    with simulator(feed_forward()) as sim:
        sim.compile("sgd", loss={"out": "mse"})

        def fit(**options):
            return sim.fit(x, y, **{"epochs": 0, "verbose": 0, **options})

        none = "ignored: there are no data for validation"
        for options, message in (
            ({"validation_steps": 1}, f"'validation_steps' is {none}"),
            ({"validation_freq": [1]}, f"'validation_freq' is {none}"),
            (
                {"validate_as": "rates", "validation_n_steps": 2},
                f"'validate_as' and 'validation_n_steps' are {none}",
            ),
            (
                {"validation_split": 0.5, "validation_data": (x, y)},
                "'validation_split' is ignored: there are 'validation_data'",
            ),
            ({"initial_epoch": 3, "epochs": 2}, "Nothing is trained.*initial_epoch=3"),
        ):
            with pytest.warns(NengoWarning, match=message):
                fit(**options)
        with warnings.catch_warnings():
            warnings.simplefilter("error", NengoWarning)
            for options in (
                {"validation_freq": 1},
                {"validation_steps": 1, "validation_data": (x, y)},
                {"initial_epoch": 2, "epochs": 3},
            ):
                fit(**options)


def test_no_part_of_a_split_is_empty():
    for split in (0.999, 1e-9):
        with pytest.raises(ValidationError, match="neither to be empty"):
            check_split(12, split, 3)


def test_callbacks_for_simulators():
    with nengo.Network() as net:
        node = nengo.Node([0])
        nengo.Probe(node)
        nengo_dl.configure_settings(jit_compile=False)
    x = np.ones((1, 2, 1))
    for make in (
        nengo_dl.callbacks.IsolateState,
        lambda sim: nengo_dl.callbacks.NengoSummaries("logs", sim, []),
    ):
        for wrong in ("x", None, net, nengo_dl.Simulator):
            with pytest.raises(ValidationError, match="sim: Expected a nengo_dl.Sim"):
                make(wrong)
    with (
        nengo_dl.Simulator(net, progress_bar=False) as sim,
        nengo_dl.Simulator(net, progress_bar=False) as other,
        pytest.raises(ValidationError, match="was made for another simulator"),
    ):
        callbacks = [nengo_dl.callbacks.IsolateState(other)]
        sim.predict(x, callbacks=callbacks, verbose=0)


@pytest.mark.parametrize("interface", ["simulator", "keras_model"])
def test_wrong_data_for_validation_are_called_so(interface):
    x, y = data()
    few = np.ones(3)
    part = "(In its '(x|y|sample_weight)': |Expected|Got)"
    given = [5, "abc", (x, y[:3]), (x, y, few), ("abc", y)]
    if interface == "simulator":
        given += [
            np.full(x.shape, np.nan),
            (x * np.nan, y),
            ({"nobody": x}, y),
            (x, [[None]]),
        ]
    with simulator(feed_forward()) as sim:
        sim.compile("sgd", loss={"out": "mse"})
        before = sim.keras_model.get_weights()
        fit = sim.fit if interface == "simulator" else sim.keras_model.fit
        options = {"verbose": 0}
        if interface == "keras_model":
            options["batch_size"] = 4
        for held_out in given:
            with pytest.raises(
                ValidationError, match=f"^validation_data: {part}"
            ) as caught:
                fit({"in": x}, {"out": y}, validation_data=held_out, **options)
            assert caught.value.attr == "validation_data"
        for now, then in zip(sim.keras_model.get_weights(), before, strict=True):
            assert np.array_equal(now, then)


def test_wrong_minibatches_for_validation_are_called_so():
    x, y = data()
    with simulator(feed_forward()) as sim:
        sim.compile("sgd", loss={"out": "mse"})
        for minibatches in ([({"in": x[:4] * np.nan}, {"out": y[:4]})], []):
            with pytest.raises(ValidationError, match="^validation_data: "):
                sim.fit(x, y, validation_data=iter(minibatches), verbose=0)
