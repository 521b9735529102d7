"""Names and modules of earlier releases."""

import importlib
import textwrap

import nengo
import numpy as np
import pytest
from nengo.exceptions import NengoWarning

import nengo_dl
import nengo_dl.plan
from nengo_dl.compat.older_names import _GONE, _MOVED
from tests.helpers import printed_by


@pytest.mark.parametrize("name", _MOVED)
def test_names_that_moved_lead_to_todays(name):
    module, _, attribute = name.rpartition(".")
    older = importlib.import_module(f"nengo_dl.{module}")
    assert older is getattr(nengo_dl, module)
    with pytest.warns(
        DeprecationWarning, match=f"nengo_dl.{name}.*{_MOVED[name]}"
    ) as w:
        found = getattr(older, attribute)
    assert w[0].filename == __file__
    where, _, current = _MOVED[name].rpartition(".")
    assert found is getattr(importlib.import_module(where), current)


@pytest.mark.parametrize("name", _GONE)
def test_names_that_are_gone_say_what_to_use(name):
    module, _, attribute = name.rpartition(".")
    older = getattr(nengo_dl, module) if module else nengo_dl
    with pytest.raises(AttributeError, match=f"no nengo_dl.{name} any more: ..."):
        getattr(older, attribute)
    assert not hasattr(older, attribute)


@pytest.mark.parametrize("name", _GONE)
def test_imports_of_what_is_gone_say_what_to_use(name):
    package, _, attribute = f"nengo_dl.{name}".rpartition(".")
    message = f"no nengo_dl.{name} any more: ..."
    for statement in (f"from {package} import {attribute}", f"import nengo_dl.{name}"):
        with pytest.raises(ImportError, match=message):
            exec(statement)
    if "builders" in attribute:
        with pytest.raises(ModuleNotFoundError, match=message):
            exec(f"from nengo_dl.{name} import DotIncBuilder")


@pytest.mark.parametrize("module", ["builder", "neuron_builders", "process_builders"])
def test_builders_of_any_type_say_what_to_use(module):
    with pytest.raises(AttributeError, match="TimeBuilder any more.*Lowering"):
        getattr(nengo_dl, module).TimeBuilder  # noqa: B018
    with pytest.raises(ImportError, match="TimeBuilder any more.*Lowering"):
        exec(f"from nengo_dl.{module} import TimeBuilder")


def test_imports_of_what_moved_warn_once():
    with pytest.warns(DeprecationWarning) as caught:
        from nengo_dl.utils import mse
    (warning,) = caught
    assert warning.filename == __file__
    assert mse is nengo_dl.objectives.mse


def test_imports_do_not_need_other_modules():
    """What earlier releases had is known without asking for any of it before."""
    code = """
        try:
            import nengo_dl.op_builders
        except ModuleNotFoundError as error:
            print(error)
        try:
            from nengo_dl.utils import cast_dtype
        except ImportError as error:
            print(error)
        """
    said = printed_by(textwrap.dedent(code)).splitlines()
    assert [line.partition(" any more")[0] for line in said] == [
        "There is no nengo_dl.op_builders",
        "There is no nengo_dl.utils.cast_dtype",
    ]


def test_names_that_never_were():
    with pytest.raises(AttributeError, match="'nengo_dl' has no attribute 'nothing'"):
        nengo_dl.nothing  # noqa: B018
    with pytest.raises(AttributeError, match="'nengo_dl.utils' has no attribute 'no'"):
        nengo_dl.utils.no  # noqa: B018
    with pytest.raises(ImportError):
        importlib.import_module("nengo_dl.nothing")
    with pytest.raises(ImportError):
        importlib.import_module("nengo_dl.utils.nothing")
    with pytest.raises(ImportError, match="cannot import name 'no'"):
        from nengo_dl.utils import no  # noqa: F401


@pytest.mark.parametrize("name", ["noop_planner", "tree_planner"])
def test_planners_by_their_older_names(name):
    with nengo.Network(seed=0) as net:
        nengo.Probe(nengo.Ensemble(5, 1, neuron_type=nengo.LIFRate()))
        with pytest.warns(DeprecationWarning, match=name):
            nengo_dl.configure_settings(
                planner=getattr(nengo_dl.graph_optimizer, name), jit_compile=False
            )
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(2)
        assert np.any(sim.data[net.probes[0]])


def test_plans_need_no_import():
    code = "import nengo_dl; print(nengo_dl.plan.noop_planner.__name__)"
    assert printed_by(code).strip() == "noop_planner"


# -- neurons of NengoLoihi, here in the words of this project


class LoihiLIF(nengo.LIF):
    """Fires in whole steps; time constants are rounded to what a chip can hold."""

    __module__ = "nengo_loihi.neurons"
    nengo_dl_noise = None

    def step(self, dt, J, output, voltage, refractory_time):
        decay = np.round(-np.expm1(-dt / self.tau_rc) * 4095) / 4095
        refractory_time -= dt
        active = np.clip(dt - refractory_time, 0, dt)
        voltage += (J - voltage) * (1 - (1 - decay) ** (active / dt))
        spiked = voltage > 1
        output[...] = np.where(spiked, self.amplitude / dt, 0)
        np.maximum(voltage, self.min_voltage, out=voltage)
        voltage[spiked] = 0
        refractory_time[spiked] = dt * np.round(self.tau_ref / dt) + dt


class LoihiSpikingRectifiedLinear(nengo.SpikingRectifiedLinear):
    """Fires in whole steps, and forgets what is left."""

    __module__ = "nengo_loihi.neurons"

    def step(self, dt, J, output, voltage):
        voltage += J * dt
        spiked = voltage > 1
        output[...] = np.where(spiked, self.amplitude / dt, 0)
        np.maximum(voltage, 0, out=voltage)
        voltage[spiked] = 0


@pytest.fixture(scope="module", autouse=True)
def handed_in():
    table = nengo_dl.neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL
    for neuron_type in (LoihiLIF, LoihiSpikingRectifiedLinear):
        table[neuron_type] = nengo_dl.neuron_builders.LIFBuilder
        table[neuron_type] = nengo_dl.neuron_builders.LIFBuilder
        assert neuron_type in table


def network(neuron_type):
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False, dtype="float64")
        net.source = nengo.Node(lambda t: np.sin(30 * t))
        net.ensemble = nengo.Ensemble(
            20, 1, neuron_type=neuron_type, max_rates=nengo.dists.Uniform(40, 90)
        )
        nengo.Connection(net.source, net.ensemble, synapse=None)
        net.spikes = nengo.Probe(net.ensemble.neurons)
        net.output = nengo.Probe(net.ensemble)
    return net


@pytest.mark.parametrize(
    "neuron_type",
    [
        LoihiLIF(),
        LoihiLIF(tau_rc=0.03, tau_ref=0.0034, min_voltage=-1, amplitude=0.6),
        LoihiSpikingRectifiedLinear(amplitude=0.6),
    ],
)
def test_neurons_of_nengo_loihi(neuron_type):
    net = network(neuron_type)
    with nengo.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(60)
        expected = sim.data[net.spikes]
    assert expected.any()
    x = np.linspace(-1, 1, 8).reshape(8, 1, 1)
    with nengo_dl.Simulator(net, minibatch_size=2, progress_bar=False) as sim:
        sim.run_steps(60)
        for item in sim.data[net.spikes]:
            np.testing.assert_allclose(item, expected)
        assert not any(group.where == "Python" for group in sim.report().groups)
        rates = sim.run_batch(
            {net.source: x}, {net.spikes: None}, training=True, combine=np.concatenate
        )[net.spikes]
        # so many steps apart that the steps make at least a period
        steps = neuron_type.amplitude * 1000 / rates[rates > 0]
        np.testing.assert_allclose(steps, np.round(steps), rtol=1e-9)
        before = [np.array(v) for v in sim.keras_model.trainable_weights]
        data = {net.source: x, net.output: 0 * x}
        sim.train(data, "sgd", progress_bar=False)
        after = [np.array(v) for v in sim.keras_model.trainable_weights]
        assert all(np.any(a != b) for a, b in zip(after, before, strict=True))
        assert np.all(np.isfinite(np.concatenate([np.ravel(a) for a in after])))


def test_noise_that_is_not_added_is_pointed_out():
    neuron_type = LoihiLIF()
    neuron_type.__dict__["nengo_dl_noise"] = "noise"
    net = network(neuron_type)
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        data = {net.source: np.ones((1, 1, 1)), net.output: np.ones((1, 1, 1))}
        with pytest.warns(NengoWarning, match="`nengo_dl_noise` of LoihiLIF"):
            sim.loss(data, training=True, progress_bar=False)


def test_builders_of_other_types_are_not_used():
    class Squared(nengo.RectifiedLinear):
        def step(self, dt, J, output):
            output[...] = J**2

    table = nengo_dl.neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL
    with pytest.warns(NengoWarning, match="builder of Squared .*register"):
        table[Squared] = object
    net = network(Squared())
    with nengo_dl.Simulator(net, progress_bar=False) as sim:
        sim.run_steps(2)
        assert np.any(sim.data[net.spikes])
