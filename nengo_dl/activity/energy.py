"""Estimates of energy from counts of operations, with published figures of devices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nengo.exceptions import ValidationError

from nengo_dl.activity.counts import Activity
from nengo_dl.display.tables import html_table, text_table
from nengo_dl.validation import finite_number, flag, refused

_DEGNAN = (
    "Degnan, Marr, Hasler, IEEE Transactions on VLSI Systems 24(1), 2016; energy of a "
    "multiply-accumulate"
)
_HOEPPNER = "Höppner et al., IEEE Transactions on Circuits and Systems I 66(8), 2019"
_TANG = "table 3 of Tang et al., Frontiers in Neuroscience 17, 2023"
_HOROWITZ = "Horowitz, ISSCC 2014; arithmetic alone"
_NOTES = (
    "Estimates from counts of operations. Memory, input and output are not in them.",
    "With the traffic of memory, spiking networks need less than quantised ones "
    "without spikes only where few neurons spike in a step, about 6.4 % or less: Yan, "
    "Bai, Wong, arXiv 2409.08290.",
)


@dataclass(frozen=True)
class Device:
    """A device, with its energy for each kind of operation.

    Parameters
    ----------
    name : str
        Its name.
    synop : float
        Energy of one synaptic operation, or of one multiply-accumulate (J).
    neuron : float or None
        Energy of one update of a neuron (J); None where no figure is published.
    spiking : bool
        Whether it computes with spikes, when they come; otherwise it computes the whole
        network once for each inference, without spikes.
    source : str
        Where the figures are from.

    Raises
    ------
    ValidationError
        If an energy is no number of at least 0, or the name is empty.

    Examples
    --------
    >>> import nengo_dl
    >>> nengo_dl.activity.Device("mine", synop=1e-12, neuron=5e-12, source="data sheet")
    Device(name='mine', synop=1e-12, neuron=5e-12, spiking=True, source='data sheet')
    """

    name: str
    synop: float
    neuron: float | None = None
    spiking: bool = True
    source: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise refused(self.name, "name", "the name of a device")
        if not isinstance(self.source, str):
            raise refused(self.source, "source", "where the figures are from")
        expected = "an energy of at least 0 (J)"
        finite_number(self.synop, "synop", least=0, expected=expected)
        if self.neuron is not None:
            finite_number(
                self.neuron, "neuron", least=0, expected=f"{expected}, or None"
            )
        flag(self.spiking, "spiking")


_PUBLISHED = (
    Device(
        "loihi",
        27.1e-12,
        81e-12,
        True,
        "Davies et al., IEEE Micro 38(1), 2018; 23.6 pJ and 3.5 pJ for a hop to the "
        "next core",
    ),
    Device("spinnaker", 13.3e-9, 26e-9, True, _HOEPPNER),
    Device("spinnaker2", 450e-12, 2.19e-9, True, f"{_HOEPPNER}; prototype"),
    Device("truenorth", 2.5e-12, None, True, _TANG),
    Device("odin", 12.7e-12, None, True, _TANG),
    Device("tianjic", 1.54e-12, None, True, _TANG),
    Device("seneca", 2.8e-12, None, True, _TANG),
    Device("45nm_add", 0.9e-12, None, True, f"{_HOROWITZ}: addition of float32"),
    Device("cpu", 8.6e-9, 8.6e-9, False, f"{_DEGNAN} on an Intel i7-4960X"),
    Device("gpu", 0.3e-9, 0.3e-9, False, f"{_DEGNAN} on an Nvidia GTX Titan Black"),
    Device("arm", 0.9e-9, 0.9e-9, False, f"{_DEGNAN} on an ARM Cortex-A"),
    Device(
        "45nm_mac",
        4.6e-12,
        4.6e-12,
        False,
        f"{_HOROWITZ}: multiplication and addition of float32",
    ),
)

#: the devices that are known, by name
DEVICES: dict[str, Device] = {device.name: device for device in _PUBLISHED}


def register_device(device: Device) -> Device:
    """Add a device to those known by name; one of the same name is replaced.

    Parameters
    ----------
    device : Device
        The device.

    Returns
    -------
    Device
        The same.

    Raises
    ------
    ValidationError
        If it is no `Device`.

    Examples
    --------
    >>> from nengo_dl.activity import DEVICES, Device, register_device
    >>> _ = register_device(Device("mine", synop=1e-12, source="data sheet"))
    >>> DEVICES.pop("mine").synop
    1e-12
    """
    if not isinstance(device, Device):
        raise refused(device, "device", "a nengo_dl.activity.Device")
    DEVICES[device.name] = device
    return device


@dataclass(frozen=True)
class DeviceEnergy:
    """The estimated energy of an inference on one device (J).

    Attributes
    ----------
    device : Device
        The device.
    synapses, neurons : float
        Energy of synaptic operations and of updates of neurons; for devices without
        spikes, of multiply-accumulates and activations of the network without spikes.
    analog : float
        What multiplications without spikes would take in addition, at the same price:
        of inputs and decoded values. It is not in the sum.
    duration : float
        How long an inference lasts in the simulation (s).
    """

    device: Device
    synapses: float
    neurons: float
    analog: float
    duration: float

    @property
    def per_inference(self) -> float:
        """Energy of an inference (J)."""
        return self.synapses + self.neurons

    @property
    def per_second(self) -> float:
        """Energy in a second (J), with one inference after the other."""
        return self.per_inference / self.duration


@dataclass(frozen=True)
class Energy:
    """The estimated energy of an inference on some devices; prints as a table.

    Attributes
    ----------
    devices : tuple of DeviceEnergy
        In the order in which they were asked for.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     ensemble = nengo.Ensemble(20, 1)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     energy = nengo_dl.energy(sim.activity(n_steps=10), "loihi")
    >>> [one.device.name for one in energy.devices]
    ['loihi']
    """

    devices: tuple[DeviceEnergy, ...]

    def __getitem__(self, name: str) -> DeviceEnergy:
        """Return the energy on a device by its name."""
        for one in self.devices:
            if one.device.name == name:
                return one
        names = ", ".join(repr(one.device.name) for one in self.devices)
        raise KeyError(f"There is no estimate for {name!r}; there are {names}")

    def __str__(self) -> str:
        title, header, rows, sources = self._tables()
        return "\n\n".join(
            [
                text_table(title, [header, *rows]),
                *_NOTES,
                text_table("Sources", sources),
            ]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        title, header, rows, sources = self._tables()
        notes = "".join(f"<p>{note}</p>" for note in _NOTES)
        return (
            html_table(title, header, rows) + notes + html_table("Sources", (), sources)
        )

    def _tables(self) -> tuple[str, list[str], list[list[str]], list[list[str]]]:
        header = ["device", "network", "synapses", "neurons", "per inference"]
        header += ["per second", "inputs, in addition"]
        rows = [
            [
                one.device.name,
                "with spikes" if one.device.spiking else "without spikes",
                joules(one.synapses),
                "not published" if one.device.neuron is None else joules(one.neurons),
                joules(one.per_inference),
                joules(one.per_second),
                joules(one.analog) if one.device.spiking else "",
            ]
            for one in self.devices
        ]
        sources = [[one.device.name, one.device.source] for one in self.devices]
        return "Estimated energy", header, rows, sources


def joules(value: float) -> str:
    """Return an energy with a fitting unit, ``2.37 uJ``."""
    for factor, unit in ((1, "J"), (1e-3, "mJ"), (1e-6, "uJ"), (1e-9, "nJ")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value / 1e-12:.3g} pJ"


def energy(activity: Activity, device: Any = None, multiplied: bool = False) -> Energy:
    """Estimate the energy of an inference on devices, from counts of its operations.

    On devices with spikes,

    - each synaptic operation takes the device's energy for one, and so does
    - each update of a neuron, in each time step.

    On devices without, the network of the same shape without spikes is computed once:
    a multiply-accumulate for each weight, and an activation for each neuron.

    Parameters
    ----------
    activity : Activity
        What `nengo_dl.Simulator.activity` returns.
    device : str, Device, or a list of these, optional
        Names of published devices, see `DEVICES`, or devices of your own; by default
        all that are known.
    multiplied : bool
        Whether decoders and encoders are multiplied out to weights from neuron to
        neuron. By default spikes go through decoders, and decoded values, which are
        no spikes, through encoders.

    Returns
    -------
    Energy
        It prints as a table, with the source of each figure.

    Raises
    ------
    ValidationError
        If one of these is something else, a device is not known, or two have one name.

    Examples
    --------
    >>> import nengo, nengo_dl
    >>> with nengo.Network(seed=0) as net:
    ...     node = nengo.Node([0.5])
    ...     ensemble = nengo.Ensemble(20, 1)
    ...     _ = nengo.Connection(node, ensemble)
    >>> with nengo_dl.Simulator(net, progress_bar=False) as sim:
    ...     activity = sim.activity(n_steps=100)
    >>> energy = nengo_dl.energy(activity, device=["loihi", "gpu"])
    >>> f"{energy['loihi'].per_inference:.3g} J"  # 20 neurons, 100 steps
    '1.62e-07 J'
    """
    if not isinstance(activity, Activity):
        raise refused(activity, "activity", "what `sim.activity(...)` returns")
    multiplied = flag(multiplied, "multiplied")
    return Energy(tuple(_on(activity, one, multiplied) for one in _devices(device)))


def _devices(given: Any) -> Iterable[Device]:
    """Return the devices that were asked for."""
    if given is None:
        return tuple(DEVICES.values())
    members = given if isinstance(given, list | tuple) else [given]
    found = [DEVICES.get(one) if isinstance(one, str) else one for one in members]
    for one, name in zip(found, members, strict=True):
        if not isinstance(one, Device):
            names = ", ".join(map(repr, DEVICES))
            raise refused(
                name, "device", f"one of {names}, or a nengo_dl.activity.Device"
            )
    chosen = [one for one in found if one is not None]
    names_of = [one.name for one in chosen]
    twice = sorted({name for name in names_of if names_of.count(name) > 1})
    if twice:
        raise ValidationError(
            f"Two devices are named {twice[0]!r}, and estimates are found by name; "
            "give one of them another name",
            "device",
        )
    return chosen


def _on(activity: Activity, device: Device, multiplied: bool) -> DeviceEnergy:
    neuron = device.neuron or 0.0
    if device.spiking:
        synops = activity.multiplied_synops if multiplied else activity.synops
        return DeviceEnergy(
            device,
            device.synop * synops,
            neuron * activity.neuron_updates,
            device.synop * activity.analog_macs,
            activity.duration,
        )
    return DeviceEnergy(
        device,
        device.synop * activity.dense_macs,
        neuron * activity.n_neurons,
        0.0,
        activity.duration,
    )
