"""Wrong values for arguments: errors that name the argument, never raw ones."""

import pytest
from nengo.exceptions import NengoException

import nengo_dl
from tests.wrong_arguments import WRONG, calls_without_simulators, network

#: swept so far, each in less than a second
SWEPT = (
    "configure_settings",
    "TensorNode",
    "Layer",
    "tensor_layer",
    "reshaped",
    "callbacks.NengoSummaries",
    "callbacks.IsolateState",
    "surrogates",
    "Glorot",
    "He",
    "VarianceScaling",
    "losses",
    "obj",
)


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    net = network()
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        yield calls_without_simulators(net, sim, tmp_path_factory.mktemp("files"))


def test_no_raw_errors(calls):
    raw, n_calls = [], 0
    for name, (call, right) in calls.items():
        if not name.startswith(SWEPT):
            continue
        for argument in right:
            for value in WRONG:
                if isinstance(value, float) and argument in ("synapse", "label"):
                    continue  # Nengo's own error, of its own parameter
                n_calls += 1
                try:
                    call(**{**right, argument: value})
                except NengoException:
                    pass
                except Exception as error:
                    raw.append(f"{name}({argument}={value!r}): {error!r:.100}")
    assert n_calls > 300
    assert not raw, "\n".join(raw)


@pytest.mark.parametrize("value", WRONG)
def test_models_of_simulators(value):
    with pytest.raises(NengoException, match="model: Expected"):
        nengo_dl.Simulator(network(), model=value)
