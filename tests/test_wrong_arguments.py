"""Wrong values for arguments: errors that name the argument, never raw ones."""

import warnings

import pytest
from nengo.exceptions import NengoException

import nengo_dl
from tests.wrong_arguments import (
    NEVER_RIGHT,
    WRONG,
    calls_of_converters,
    calls_of_keras_models,
    calls_of_simulators,
    calls_without_simulators,
    network,
)

#: what takes seconds with all values, since some are right and so run: fewer of them
SLOW = (
    "Simulator",
    "activity",
    "check_gradients",
    "compile",
    "fit",
    "loss",
    "train",
    "report",
    "verify",
    "model.evaluate",
    "model.fit",
    "model.predict",
)
FEW = (float("nan"), 2**70, "junk", *NEVER_RIGHT)


def found_in(calls, values_of):
    """Return how many calls there were, which errors were raw, and what was taken."""
    raw, taken, n_calls = [], [], 0
    for name, (call, right) in calls.items():
        for argument in right:
            for value in values_of(name):
                text = f"{name}({argument}={value!r:.40})"
                n_calls += 1
                try:
                    call(**{**right, argument: value})
                except NengoException as error:
                    assert str(error), text
                except Exception as error:
                    raw.append(f"{text}: {error!r:.100}")
                else:
                    if any(value is never for never in NEVER_RIGHT):
                        taken.append(text)
    return n_calls, raw, taken


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    with (
        pytest.MonkeyPatch.context() as patch,
        nengo_dl.Simulator(network(), progress_bar=False) as simulator,
    ):
        patch.chdir(tmp_path_factory.mktemp("here"))  # profiles and boards go here
        simulator.compile("sgd", "mse")
        yield simulator


def sweep(calls, everything):
    def values_of(name):
        return FEW if name in SLOW and not everything else WRONG

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        n_calls, raw, taken = found_in(calls, values_of)
    assert not raw, "\n".join(raw)
    assert not taken, "\n".join(taken)
    return n_calls


@pytest.mark.parametrize(
    "everything", [False, pytest.param(True, marks=pytest.mark.everything)]
)
@pytest.mark.parametrize("group", ["package", "simulator", "keras_model", "converter"])
def test_no_raw_errors(sim, group, everything, tmp_path):
    if group == "package":
        calls = calls_without_simulators(sim.model.toplevel, sim, tmp_path)
    elif group == "simulator":
        calls = calls_of_simulators(sim, tmp_path)
    elif group == "converter":
        calls = calls_of_converters()
    else:
        calls = calls_of_keras_models(sim, tmp_path)
    assert sweep(calls, everything) > 200


@pytest.mark.parametrize("value", WRONG[1:])
def test_models_of_simulators(value):
    with pytest.raises(NengoException, match="model: Expected"):
        nengo_dl.Simulator(network(), model=value)
