import re

import nengo
import numpy as np
import pytest
import tensorflow as tf
from nengo.builder import Signal
from nengo.builder.operator import Copy, DotInc
from nengo.exceptions import (
    BuildError,
    ConfigError,
    NetworkContextError,
    ValidationError,
)

import nengo_dl
from nengo_dl import config
from nengo_dl.graph.simplify import default_simplifications
from nengo_dl.plan import OpGroup
from nengo_dl.plan.greedy import greedy_planner
from nengo_dl.plan.noop import noop_planner
from nengo_dl.program import traces
from tests.helpers import simulate


def test_defaults():
    settings = config.resolve(nengo.Network(add_to_container=False))
    assert settings.dtype == "float32"
    assert settings.jit_compile is None
    assert settings.planner is greedy_planner
    assert tuple(settings.simplifications) == default_simplifications
    assert settings.inference_only is False
    assert settings.nengo_random_draws is False
    assert settings.lif_smoothing is settings.surrogate is None
    assert settings.stateful is settings.use_loop is True
    assert settings.learning_phase is None
    assert config.resolve(None).dtype == "float32"


def test_settings_reach_the_simulator():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(
            dtype="float64",
            jit_compile=False,
            planner=noop_planner,
            simplifications=[],
            inference_only=True,
        )
        nengo.Connection(nengo.Ensemble(5, 1), nengo.Ensemble(5, 1))
        p = nengo.Probe(net.ensembles[1])
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(2)
        assert sim.data[p].dtype == np.float64
        assert sim._program.jit_compile is False
        assert all(len(group.ops) == 1 for group in sim._program.plan)
        assert not any(block.trainable for block in sim._program.layout.blocks)


def test_settings_add_up_over_several_calls():
    with nengo.Network() as net:
        nengo_dl.configure_settings(dtype="float64")
        nengo_dl.configure_settings(jit_compile=False)
        nengo_dl.configure_settings(trainable=False)
        nengo_dl.configure_settings(keep_history=True)
        nengo_dl.configure_settings(planner=noop_planner)
    settings = config.resolve(net)
    assert settings.dtype == "float64"
    assert settings.jit_compile is False
    assert settings.planner is noop_planner
    assert net.config[nengo.Ensemble].trainable is False


def test_settings_for_training():
    with nengo.Network() as net:
        nengo_dl.configure_settings(
            lif_smoothing=1,
            surrogate="arctan",
            stateful=False,
            use_loop=False,
            learning_phase=True,
        )
    settings = config.resolve(net)
    assert settings.lif_smoothing == 1.0
    assert settings.surrogate == nengo_dl.surrogates.Arctan()
    assert settings.stateful is settings.use_loop is False
    assert settings.learning_phase is True
    with net:
        nengo_dl.configure_settings(
            lif_smoothing=None, surrogate="rate", stateful=None, learning_phase=False
        )
    settings = config.resolve(net)
    assert settings.lif_smoothing is None
    assert settings.surrogate == "rate"
    assert settings.stateful is True  # the default again
    assert settings.learning_phase is False


@pytest.mark.parametrize(
    "name, value, reason",
    [
        (
            "session_config",
            {"gpu_options.allow_growth": True},
            "no sessions.*tf.config",
        ),
        ("sorter", None, "order of the plan.*planner"),
    ],
)
def test_settings_that_have_lost_their_meaning(name, value, reason):
    with (
        nengo.Network() as net,
        pytest.warns(
            DeprecationWarning, match=f"'{name}' has no mean.*{reason}"
        ) as log,
    ):
        nengo_dl.configure_settings(**{name: value}, dtype="float64")
    assert [warning.filename for warning in log] == [__file__]
    assert config.resolve(net).dtype == "float64"


def test_what_configured_training_once():
    with nengo.Network() as net:
        ensemble = nengo.Ensemble(3, 1)
    for target, default in ((net, None), (net.config, False)):
        with pytest.warns(DeprecationWarning, match="configure_settings") as log:
            nengo_dl.configure_trainable(target, default=default)
        assert log[0].filename == __file__
        for cls in (nengo.Ensemble, nengo.Connection):
            assert net.config[cls].trainable is default
    net.config[ensemble].trainable = True
    assert net.config[ensemble].trainable is True
    with (
        pytest.warns(DeprecationWarning),
        pytest.raises(ValidationError, match="nengo.Network or nengo.Config, got 3"),
    ):
        nengo_dl.configure_trainable(3)


def test_later_calls_replace_earlier_ones():
    with nengo.Network() as net:
        nengo_dl.configure_settings(dtype="float64")
        nengo_dl.configure_settings(dtype="float32")
    assert config.resolve(net).dtype == "float32"


def test_settings_of_the_simulation_belong_to_the_outermost_network():
    with nengo.Network() as net, nengo.Network() as inner:
        nengo_dl.configure_settings(dtype="float64")
    assert config.resolve(net).dtype == "float64"
    assert config.resolve(inner).dtype == "float32"


def test_settings_stay_with_their_network():
    with nengo.Network():
        nengo_dl.configure_settings(dtype="float64")
    with nengo.Network() as other:
        pass
    assert config.resolve(other).dtype == "float32"


def test_user_configuration_survives():
    with nengo.Network() as net:
        net.config[nengo.Ensemble].neuron_type = nengo.RectifiedLinear()
        net.config[nengo.Probe].synapse = nengo.Lowpass(0.5)
        nengo_dl.configure_settings(
            trainable=False, keep_history=False, dtype="float64"
        )
        ensemble = nengo.Ensemble(3, 1)
        probe = nengo.Probe(ensemble)
    assert ensemble.neuron_type == nengo.RectifiedLinear()
    assert probe.synapse == nengo.Lowpass(0.5)


def test_configured_networks_still_run_in_nengo():
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(
            trainable=True, keep_history=False, dtype="float64", planner=noop_planner
        )
        p = nengo.Probe(nengo.Ensemble(3, 1))
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(2)
    assert sim.data[p].shape == (2, 1)


def test_outside_of_a_network():
    with pytest.raises(NetworkContextError, match="within a network's context"):
        nengo_dl.configure_settings(dtype="float64")


def test_unknown_settings_are_named_with_the_known_ones():
    with (
        nengo.Network(),
        pytest.raises(
            ConfigError, match=r"'dtypes', 'speed'; known are .*dtype.*planner"
        ),
    ):
        nengo_dl.configure_settings(speed=3, dtypes="float32")


@pytest.mark.parametrize(
    "setting, value, expected",
    [
        ("dtype", "float8", "'float32', 'float64'"),
        ("dtype", tf.int32, "'float32', 'float64'"),
        ("dtype", 3, "'float32', 'float64'"),
        ("jit_compile", 1, "bool or None"),
        ("inference_only", "yes", "bool or None"),
        ("nengo_random_draws", 1, "bool or None"),
        ("lif_smoothing", 0, "positive number or None, got 0"),
        ("lif_smoothing", "soft", "positive number or None"),
        ("surrogate", "logistic", "'fast_sigmoid'.*'rate'"),
        ("stateful", "no", "bool or None"),
        ("use_loop", 0, "bool or None"),
        ("learning_phase", "training", "bool or None"),
        ("planner", "greedy", "callable"),
        ("planner", lambda operators: operators, r"planner\(graph, merge_key"),
        ("simplifications", [3], "list of callables"),
        ("simplifications", [lambda operators, also: operators], r"rewrite\(facts\)"),
        ("simplifications", "none", "list of callables"),
        ("keep_history", "last", "Expected a bool or None, got 'last'"),
        ("keep_history", 1, "Expected a bool or None, got 1"),
        ("trainable", "yes", "bool|boolean"),
    ],
)
def test_values_that_a_setting_cannot_have(setting, value, expected):
    with (
        nengo.Network(),
        pytest.raises(ValidationError, match=f"{setting}.*({expected})"),
    ):
        nengo_dl.configure_settings(**{setting: value})


@pytest.mark.parametrize(
    "dtype, name",
    [
        ("float32", "float32"),
        (tf.float64, "float64"),
        (np.float64, "float64"),
        (np.dtype("float32"), "float32"),
        (float, "float64"),
    ],
    ids=str,
)
def test_names_of_types(dtype, name):
    assert config.dtype_name(dtype) == name


def test_argument_of_the_simulator_comes_before_the_setting():
    with nengo.Network() as net:
        nengo_dl.configure_settings(dtype="float64")
        p = nengo.Probe(nengo.Node(1))
    assert simulate(net, 1, dtype="float32").data[p].dtype == np.float32
    assert simulate(net, 1, dtype=None).data[p].dtype == np.float64


def test_jit_compile_takes_effect(monkeypatch):
    asked = []
    function = tf.function

    def spy(*args, jit_compile=None, **kwargs):
        asked.append(jit_compile)
        return function(*args, jit_compile=jit_compile, **kwargs)

    monkeypatch.setattr(tf, "function", spy)
    for setting, expected in ((None, True), (True, True), (False, False)):
        with nengo.Network() as net:
            nengo_dl.configure_settings(jit_compile=setting)
            nengo.Probe(nengo.Node(1))
        traces.shared.forget()
        simulate(net, 1)
        assert bool(asked[-1]) is expected


@pytest.mark.parametrize("returned", [None, "plan", [3], [[]]])
@pytest.mark.parametrize("setting", ["planner", "simplifications"])
def test_what_planners_and_rewrites_of_the_user_return(setting, returned):
    def of_user(*args):
        return returned

    with nengo.Network() as net:
        value = of_user if setting == "planner" else [of_user]
        nengo_dl.configure_settings(**{setting: value})
        nengo.Probe(nengo.Ensemble(3, 1))
    with pytest.raises(BuildError, match=re.escape(f"returned {returned!r}; expected")):
        simulate(net, 1)


def test_planners_that_merge_what_has_nothing_in_common_are_refused():
    def planner(graph, merge_key, runs_python):
        free = [op for op in graph.operators if not op.reads]
        other = next(op for op in free if merge_key[op] != merge_key[free[0]])
        rest = [op for op in graph.operators if op not in (free[0], other)]
        return (OpGroup((free[0], other)), *(OpGroup((op,)) for op in rest))

    with nengo.Network() as net:
        nengo_dl.configure_settings(planner=planner, simplifications=[])
        ensemble = nengo.Ensemble(3, 1)
        nengo.Probe(ensemble.neurons)
    with pytest.raises(BuildError, match="as one, whose merge keys differ"):
        simulate(net, 1)


def test_rewrites_may_change_operators_in_their_place():
    ones = np.ones(3)

    def rewrite(facts):
        for op in facts.operators:
            if type(op) is Copy and op.src.name.endswith(".bias"):
                op.reads = [Signal(ones, name="other biases")]
        return list(facts.operators)

    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(simplifications=[rewrite])
        ensemble = nengo.Ensemble(
            3, 1, neuron_type=nengo.RectifiedLinear(), gain=ones, bias=5 * ones
        )
        probe = nengo.Probe(ensemble.neurons)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(2)
    assert np.array_equal(sim.data[probe], np.ones((2, 3)))


@pytest.mark.parametrize("first", [True, False])
def test_others_see_what_a_rewrite_has_changed_in_its_place(first):
    def halved(facts):
        for op in facts.operators:
            if type(op) is DotInc and not np.any(op.A.initial_value):
                op.reads = [Signal(np.full(op.A.shape, 0.5), name="half"), op.X]
        return facts.operators

    ours = default_simplifications
    with nengo.Network() as net:
        rewrites = [halved, *ours] if first else [*ours[1:], halved, ours[0]]
        nengo_dl.configure_settings(inference_only=True, simplifications=rewrites)
        source, target = nengo.Node([1.0, 2.0]), nengo.Node(size_in=2)
        nengo.Connection(source, target, transform=np.zeros((2, 2)), synapse=None)
        probe = nengo.Probe(target)
    assert np.array_equal(simulate(net, 1).data[probe], [[1.5, 1.5]])


def test_rewrites_need_no_hash():
    class Nothing:
        def __eq__(self, other):
            return isinstance(other, Nothing)

        def __call__(self, facts):
            return facts.operators

    with nengo.Network() as net:
        nengo_dl.configure_settings(simplifications=[Nothing()])
        probe = nengo.Probe(nengo.Node(1.0))
    assert np.array_equal(simulate(net, 1).data[probe], [[1.0]])


def test_planners_and_rewrites_of_the_user_are_called():
    seen = []

    def planner(graph, merge_key, runs_python):
        seen.append(len(graph.operators))
        return greedy_planner(graph, merge_key, runs_python)

    def rewrite(facts):
        seen.append("rewrite")
        return list(facts.operators)

    with nengo.Network() as net:
        nengo_dl.configure_settings(planner=planner, simplifications=[rewrite])
        nengo.Probe(nengo.Ensemble(3, 1))
    simulate(net, 1)
    assert seen[0] == "rewrite"
    assert seen[-1] > 3
