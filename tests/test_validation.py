"""Single values that users give: what is taken, and what is refused in which words."""

import pickle
from pathlib import Path

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.exceptions import NengoException, ValidationError

from nengo_dl import validation

HUGE = 10**400  # no float is as large


@pytest.mark.parametrize("value", [1, 7, np.int64(3)])
def test_whole_numbers(value):
    result = validation.positive_int(value, "n_steps")
    assert result == value
    assert type(result) is int


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", True, None, np.nan])
def test_what_is_no_positive_whole_number(value):
    with pytest.raises(ValidationError, match="n_steps.*at least 1, got"):
        validation.positive_int(value, "n_steps")


@pytest.mark.parametrize("value", [2**31, 2**70, HUGE])
def test_numbers_that_nobody_can_count_to(value):
    with pytest.raises(ValidationError, match="n_steps.*at most 2147483647, got"):
        validation.positive_int(value, "n_steps")


@pytest.mark.parametrize("value", [True, False, np.True_, 1, 0, np.int64(1)])
def test_flags(value):
    assert validation.flag(value, "training") is bool(value)


@pytest.mark.parametrize("value", [None, 2, -1, 1.0, "yes", [], tf.constant(True)])
def test_what_is_no_flag(value):
    with pytest.raises(ValidationError, match="training: Expected True or False, got"):
        validation.flag(value, "training")


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.array(2), tf.constant(2)])
def test_finite_numbers(value):
    assert validation.finite_number(value, "rtol") == 2.0


@pytest.mark.parametrize(
    "value", [np.nan, -np.inf, HUGE, 1j, "1", b"1", True, None, [1.0], np.ones(2)]
)
def test_what_is_no_finite_number(value):
    with pytest.raises(ValidationError, match="rtol: Expected a finite number, got"):
        validation.finite_number(value, "rtol")


@pytest.mark.parametrize("value", [0, 1, 2.0])
def test_ranges(value):
    with pytest.raises(ValidationError, match="between 0 and 1"):
        validation.finite_number(
            value, "x", above=0, below=1, expected="between 0 and 1"
        )


def test_paths(tmp_path):
    assert validation.path_name(Path("logs"), "log_dir") == "logs"
    for value in (b"logs", "", None, 3):
        with pytest.raises(ValidationError, match="log_dir: Expected the name"):
            validation.path_name(value, "log_dir")


def test_synapses():
    alpha = nengo.Alpha(0.1)
    assert validation.synapse_of(None) is None
    assert validation.synapse_of(alpha) is alpha
    assert validation.synapse_of(np.float32(0.5)) == nengo.Lowpass(0.5)
    for value in (np.nan, -0.1, "fast", True, HUGE):
        with pytest.raises(ValidationError, match="synapse: Expected a time constant"):
            validation.synapse_of(value)


def test_long_values_are_cut_short():
    with pytest.raises(ValidationError) as error:
        validation.positive_number("x" * 1000, "slope")
    assert len(str(error.value)) < 200


def test_unknown_keys_are_no_riddles():
    error = validation.UnknownKeyError("Expected a Signal, got 3", "signals")
    assert isinstance(error, KeyError)
    assert str(error) == "signals: Expected a Signal, got 3"


def test_types_are_errors_of_nengo_and_of_python():
    error = validation.WrongTypeError("of a wrong type", "objs")
    assert isinstance(error, TypeError)
    assert isinstance(error, NengoException)
    assert str(error) == "objs: of a wrong type"


@pytest.mark.parametrize(
    "kind",
    [ValidationError, validation.WrongTypeError, validation.UnknownKeyError],
)
@pytest.mark.parametrize("obj", [None, nengo.LIF, nengo.LIF()])
def test_errors_reach_other_processes(kind, obj):
    error = kind("Expected a number", "tau_rc", obj)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind and str(again) == str(error)
    assert again.attr == "tau_rc"
