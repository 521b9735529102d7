"""The page ``docs/developer/extending.rst``, run as packages of others would be."""

import re
import sys
import textwrap
import warnings
from pathlib import Path

import nengo
import numpy as np
import pytest
from nengo.builder import Builder
from nengo.builder.neurons import SimNeurons
from nengo.exceptions import BuildError, NengoWarning, ValidationError

import nengo_dl
from nengo_dl.lowering import registry
from nengo_dl.lowering.neurons import lif, rate_equivalents
from tests.helpers import assert_matches_nengo, printed_by, without_xla

PAGE = Path(__file__).parents[1] / "docs" / "developer" / "extending.rst"

BLOCK = re.compile(
    r"^\.\. code-block:: python\n(?:   :caption: (?P<name>\S+)\.py\n)?\n"
    r"(?P<code>(?:(?:   .*)?\n)+)",
    re.MULTILINE,
)


def blocks():
    """Return the code blocks with a file name, and those without, in their order."""
    modules, scripts = {}, []
    for match in BLOCK.finditer(PAGE.read_text(encoding="utf-8") + "\n"):
        code = textwrap.dedent(match["code"])
        if match["name"]:
            assert match["name"] not in modules, f"two files are named {match['name']}"
            modules[match["name"]] = code
        else:
            scripts.append(code)
    return modules, scripts


MODULES, SCRIPTS = blocks()

#: One comparison with Nengo, where the question is only whose code runs
ONCE = {"dtypes": ("float64",), "minibatch": (None,), "unroll": (1,), "jit": (False,)}


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    """Make the page's files modules; what they register is forgotten after a test."""
    monkeypatch.setattr(registry, "_LOWERINGS", dict(registry._LOWERINGS))
    monkeypatch.setattr(Builder, "builders", dict(Builder.builders))
    monkeypatch.setattr(rate_equivalents, "_RATES", dict(rate_equivalents._RATES))
    monkeypatch.syspath_prepend(tmp_path)
    for name, code in MODULES.items():
        assert name not in sys.modules
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


def script(module):
    """Return the one script that imports a module of the page."""
    (found,) = [s for s in SCRIPTS if re.search(rf"^(import|from) {module}\b", s, re.M)]
    return found


def run(code, instead=()):
    """Run a script, with other lines ``instead`` of some; return what it defines.

    Without XLA, which takes time; what comes out with it is compared with Nengo.
    """
    for old, new in instead:
        assert old in code
        code = code.replace(old, new)
    namespace = {}
    with without_xla():
        exec(compile(code, str(PAGE), "exec"), namespace)
    return namespace


def build_only(code):
    """Return the part of a script that comes before the simulation."""
    return code[: code.index("with nengo_dl.Simulator")]


def calls_python(net):
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        return sim._program.calls_python


def test_page_has_its_parts():
    # every block of Python was found
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("code-block:: python") == len(MODULES) + len(SCRIPTS)
    # all that is promised to stay in place is there
    for line, module in (
        ("``nengo_dl.plan``", nengo_dl.plan),
        ("``nengo_dl.graph.simplify``", nengo_dl.graph.simplify),
    ):
        listed = text.split(f"\n{line}\n")[1].split("\n\n")[0]
        assert all(hasattr(module, name) for name in re.findall("``(\\w+)``", listed))
    for name in re.findall(r"nengo_dl\.lowering\.(\w+)`", text):
        assert name in nengo_dl.lowering.__all__


@pytest.mark.parametrize(
    "module, steps",
    [
        ("roll_tensorflow", 40),
        ("soft_reset_tensorflow", 60),
        ("slew_rate_tensorflow", 60),
        ("decay_tensorflow", 60),
        ("neighbours", 30),
        ("diagonals", 30),
    ],
)
def test_scripts_run_and_their_networks_do_what_they_do_in_nengo(module, steps):
    found = run(script(module))
    assert found["sim"].n_steps == 100
    net = found["net"]
    assert calls_python(net) is False
    assert_matches_nengo(net, steps)


@pytest.mark.parametrize(
    "module, types",
    [
        ("soft_reset_tensorflow", "soft_reset"),
        ("slew_rate_tensorflow", "slew_rate"),
        ("coin_tensorflow", "coin"),
    ],
)
def test_neuron_types_and_processes_run_without_a_lowering(module, types):
    net = run(script(module), [(f"import {module}\n", "")])["net"]
    assert calls_python(net) is True
    assert_matches_nengo(net, 40, minibatch=(None,) if types == "coin" else (None, 3))


@pytest.mark.parametrize(
    "module, operator",
    [("roll_tensorflow", "RollInc"), ("decay_tensorflow", "SimWeightDecay")],
)
def test_operators_that_nobody_registered_name_themselves_and_the_way_out(
    module, operator
):
    code = script(module)
    module_of_types = module.removesuffix("_tensorflow")
    instead = [(f"import {module}\n", f"import {module_of_types}\n")]
    net = run(build_only(code), instead)["net"]
    with pytest.raises(BuildError) as error:
        nengo_dl.Simulator(net, progress_bar=False)
    message = str(error.value)
    assert f"operators of type {operator}, met in {operator}" in message

    # the advice, word for word
    (advice,) = re.findall("`(.*?)`", message)
    names = {"nengo_dl": nengo_dl, **vars(sys.modules[module_of_types])}
    eval(advice, names)
    assert calls_python(net) is True
    assert_matches_nengo(net, 30, **ONCE)


def test_spiking_neurons_are_trained_as_what_was_registered():
    code = script("soft_reset_training")
    losses = run(code)["losses"]
    assert losses[-1] < losses[0]
    # nothing else says what their rates are
    rate_equivalents._RATES.clear()
    with (
        pytest.warns(NengoWarning, match=r"No gradient passes through SimNeurons"),
        pytest.raises(ValidationError, match="nothing to train"),
    ):
        run(code, [("import soft_reset_training\n", "")])
    with pytest.raises(ValidationError, match=r"class of neurons.*got 3"):
        nengo_dl.lowering.register_rates(3)


def test_spikes_of_others_are_trained_with_their_surrogate():
    code = script("soft_reset_surrogate")
    found = run(code)
    assert found["losses"][-1] < found["losses"][0]
    net = found["net"]
    with net:
        nengo_dl.configure_settings(surrogate="rate")
    # no rates are registered on this page yet, so that there is no derivative
    assert gradients_of(net) is None
    run(MODULES["soft_reset_training"])
    by_rate = gradients_of(net)
    with net:
        nengo_dl.configure_settings(surrogate="arctan")
    for gradients in (by_rate, gradients_of(net)):
        assert np.all(np.isfinite(gradients)) and np.any(gradients)
    assert not np.allclose(by_rate, gradients)


def gradients_of(net):
    """Return what a step of plain gradient descent changes in biases, or None."""
    (ensemble,), (node,), (probe,) = net.ensembles, net.nodes, net.probes
    x = np.full((1, 20, 1), 0.5)
    with net:
        nengo_dl.configure_settings(jit_compile=False)
    with nengo_dl.Simulator(net, progress_bar=False, seed=0) as sim:
        before = sim.data[ensemble].bias.copy()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NengoWarning)
                sim.train({node: x, probe: 0 * x}, "sgd")
        except ValidationError as error:
            assert "nothing to train" in str(error)
            return None
        return sim.data[ensemble].bias - before


def test_random_numbers_of_others_are_fed():
    found = run(script("coin_tensorflow"))
    net = found["net"]
    assert calls_python(net) is False
    assert_matches_nengo(net, 60, minibatch=(None,))
    # each item draws for itself
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.run_steps(30)
    assert np.any(np.diff(sim.data[net.probes[0]], axis=0))
    rates = rate_equivalents.rate_equivalent(found["Coin"](2))
    assert repr(rates) == repr(nengo.RectifiedLinear(amplitude=2))
    # what is registered for the type itself comes first
    nengo_dl.lowering.register(SimNeurons, found["Coin"])(
        nengo_dl.lowering.NumPyOperator
    )
    assert calls_python(net) is True
    assert_matches_nengo(net, 20, **ONCE)


def test_a_type_with_draws_state_rates_and_surrogate_is_trained_with_its_spikes():
    found = run(script("noisy_tensorflow"))
    assert found["losses"][-1] < found["losses"][0]
    net = found["net"]
    assert calls_python(net) is False
    assert_matches_nengo(net, 60, minibatch=(None,))
    by_surrogate = gradients_of(net)
    with net:
        nengo_dl.configure_settings(surrogate="rate")
    for gradients in (by_surrogate, gradients_of(net)):
        assert np.all(np.isfinite(gradients)) and np.any(gradients)


@pytest.mark.parametrize("surrogate", ["fast_sigmoid", "rate"])
@pytest.mark.parametrize("minibatch", [None, 3])
def test_spikes_in_training_are_drawn_as_outside_of_it(surrogate, minibatch):
    net = run(build_only(script("noisy_tensorflow")))["net"]
    with net:
        nengo_dl.configure_settings(surrogate=surrogate, jit_compile=False)
        # another population, whose numbers must not be mixed up
        other = nengo.Ensemble(7, 1, neuron_type=net.ensembles[0].neuron_type)
        probes = [nengo.Probe(e.neurons) for e in net.ensembles]
        volts = nengo.Probe(other.neurons, "voltage")
    found = []
    for training in (None, True):
        with net:
            nengo_dl.configure_settings(learning_phase=training)
        with nengo_dl.Simulator(
            net, minibatch_size=minibatch, dtype="float64", progress_bar=False, seed=4
        ) as sim:
            sim.run_steps(40)
        found.append([sim.data[p] for p in (*probes, volts)])
    for simulated, trained in zip(*found, strict=True):
        np.testing.assert_array_equal(simulated, trained)
    assert all(np.any(values) for values in found[0])


def test_page_shows_the_error_as_it_is():
    code = script("roll_tensorflow")
    net = run(build_only(code), [("import roll_tensorflow\n", "")])["net"]
    with pytest.raises(BuildError) as error:
        nengo_dl.Simulator(net, progress_bar=False)
    shown = " ".join(PAGE.read_text(encoding="utf-8").split())
    first = str(error.value).split("(<")[0]
    rest = str(error.value).split("). To run its NumPy code")[1]
    assert f"BuildError: {first}" in shown
    assert f"). To run its NumPy code{rest}" in shown
    assert "<Node 'input'>.out" in str(error.value)
    assert "<Node 'input'>.out" in shown


def test_fallback_of_the_page():
    net = run(script("roll_tensorflow"), [("roll_tensorflow", "roll_numpy")])["net"]
    assert calls_python(net) is True
    assert_matches_nengo(net, 30)


@pytest.mark.parametrize("module, native", [("half_lif", False), ("slow_lif", True)])
def test_exact_types_decide(module, native):
    (neuron_type,) = [
        value
        for name, value in run(MODULES[module]).items()
        if isinstance(value, type) and issubclass(value, nengo.LIF)
        if value is not nengo.LIF
    ]
    with nengo.Network(seed=0) as net:
        stimulus = nengo.Node(0.7)
        for this in (neuron_type(), nengo.LIF()):
            ensemble = nengo.Ensemble(20, 1, neuron_type=this)
            nengo.Connection(stimulus, ensemble)
            nengo.Probe(ensemble, synapse=0.02)
    assert calls_python(net) is not native
    own, plain = assert_matches_nengo(net, 50, **ONCE)
    assert abs(own - plain).max() > 0.01


def test_test_of_the_page_passes():
    run(MODULES["test_soft_reset"])["test_soft_reset"]()


def test_replacing_a_lowering_warns_and_the_last_one_counts():
    class Another(lif.LowerLIF):
        pass

    with pytest.warns(
        NengoWarning, match=r"Another replaces .*LowerLIF.*SimNeurons.LIF"
    ):
        nengo_dl.lowering.register(SimNeurons, nengo.LIF)(Another)
    signal = nengo.builder.signal.Signal([0.0])
    op = SimNeurons(nengo.LIF(), signal, signal)
    assert registry.lowering_of(op) is Another


def test_class_that_is_defined_again_replaces_itself_without_a_warning(recwarn):
    for _ in range(2):  # as a notebook cell that is run twice, or a reloaded module

        @nengo_dl.lowering.register(SimNeurons, nengo.neurons.NeuronType)
        class Mine(lif.LowerLIF):
            pass

    assert not [w for w in recwarn if issubclass(w.category, NengoWarning)]
    assert registry._LOWERINGS[SimNeurons, nengo.neurons.NeuronType] is Mine


@pytest.mark.parametrize(
    "arguments, match",
    [
        ((nengo.LIF,), r"Operator class.*register\(SimNeurons, MyNeuronType\)"),
        ((SimNeurons, nengo.LIF()), "NeuronType or Process class"),
    ],
)
def test_what_cannot_be_registered_for(arguments, match):
    with pytest.raises(ValidationError, match=match):
        nengo_dl.lowering.register(*arguments)


def test_what_cannot_be_registered():
    with pytest.raises(ValidationError, match="subclass of nengo_dl.lowering.Lowering"):
        nengo_dl.lowering.register(nengo.builder.operator.Copy)(dict)


def test_lowering_that_makes_no_dataclass_is_named():
    run(MODULES["roll"])
    code = MODULES["roll_tensorflow"].replace("@dataclass(frozen=True)\n", "")
    code = code.replace("return cls(", "return dict(")
    run(code)
    net = run(
        build_only(script("roll_tensorflow")), [("import roll_tensorflow\n", "")]
    )["net"]
    with pytest.raises(BuildError, match=r"LowerRollInc.build_pre returned .* RollInc"):
        nengo_dl.Simulator(net, progress_bar=False)


@pytest.mark.everything
def test_lowering_is_imported_when_it_is_first_used():
    # test_objectives.py asks the same in a process that it starts anyway
    program = (
        "import sys, nengo_dl, nengo_dl.plan, nengo_dl.graph.simplify\n"
        "assert 'tensorflow' not in sys.modules\n"
        "nengo_dl.lowering.register, nengo_dl.lowering.NumPyOperator\n"
        "assert 'tensorflow' in sys.modules\n"
    )
    printed_by(program)  # fails if the program does
