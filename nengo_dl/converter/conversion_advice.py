"""What could be done about the firing rates and outputs of a converted network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import nengo

from nengo_dl.converter.conversion_report import TARGET_RATE, LayerReport

#: parts of the neurons of a layer from which on it is worth a word
_MANY_SILENT, _MANY_SATURATED = 0.5, 0.01
#: how much the agreement with Keras may still rise at the end
_STILL_RISING = 0.02


def suggestions(
    rows: Sequence[LayerReport],
    agreement: Mapping[int, float],
    net: nengo.Network,
    duration: float,
) -> tuple[str, ...]:
    """Return sentences about what could be done.

    Parameters
    ----------
    rows : sequence of LayerReport
        The layers, with firing rates.
    agreement : mapping of int to float
        Part of the items for which the network decides as the model does, by steps.
    net : nengo.Network
        The network.
    duration : float
        How long an item was presented (s).
    """
    if not any(ensemble.neuron_type.spiking for ensemble in net.all_ensembles):
        return ()
    found = [text for row in rows for text in _about_layer(row, duration)]
    *_, before, last = [0.0, 0.0, *agreement.values()]
    is_far = bool(agreement) and last < 1 - _STILL_RISING
    if found or is_far:
        found += _about_synapses(net)
    if is_far and len(agreement) > 1 and last - before > _STILL_RISING:
        found.append(
            f"Outputs agree with Keras more often from step to step, {last:.0%} in the "
            f"end: present items for longer than {1000 * duration:.0f} ms, or raise "
            "`scale_firing_rates`."
        )
    # the calls of a layer may say the same
    return tuple(dict.fromkeys(found))


def _about_layer(row: LayerReport, duration: float) -> Iterator[str]:
    rates = row.rates
    if rates is None:
        return
    name = f"Layer {row.layer!r}"
    advice = (
        f"With a factor of {rates.suggested_scale:.3g} it would be {TARGET_RATE:g} Hz "
        "(`report.suggested_scales` has the factors of all layers)."
    )
    if rates.high == 0:
        yield (
            f"{name}: no neuron has fired within {1000 * duration:.0f} ms. Raise "
            'its factor of `scale_firing_rates`, or use "auto".'
        )
    elif rates.high * duration < 1.9:
        yield (
            f"{name}: the most active neurons have {rates.high:.3g} Hz, less than two "
            f"spikes within {1000 * duration:.0f} ms. {advice}"
        )
    elif rates.silent > _MANY_SILENT:
        yield (
            f"{name}: {rates.silent:.0%} of the neurons have never fired, while the "
            f"most active ones have {rates.high:.3g} Hz. If that are many more than in "
            "Keras, raise its factor of `scale_firing_rates`."
        )
    if rates.saturated > _MANY_SATURATED:
        yield (
            f"{name}: {rates.saturated:.0%} of the neurons fire about as fast as one "
            "spike in a step, or their refractory time, allows; the most active ones "
            f"have {rates.high:.3g} Hz. {advice}"
        )


def _about_synapses(net: nengo.Network) -> Iterator[str]:
    """Yield what to do if spikes arrive as they are."""
    filtered = any(
        connection.synapse is not None
        for connection in net.all_connections
        if isinstance(connection.pre_obj, nengo.ensemble.Neurons)
    )
    if not filtered:
        yield (
            "No synapse averages spikes between layers, so that what inhibits a neuron "
            "is lost unless it comes in the same step as what excites it: try "
            "`synapse=0.005`."
        )
