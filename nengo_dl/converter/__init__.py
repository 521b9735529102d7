"""Keras models as Nengo networks: a family of layers per file, each registers itself.

A new kind of layer is one new file and one line here. Packages of others register
theirs with `nengo_dl.Converter.register`.
"""

from nengo_dl.converter import (
    activation_layers,
    convolution_layers,
    dense_layers,
    index_layers,
    merging_layers,
    nested_models,
    normalization_layers,
    pooling_layers,
    recurrent_layers,
    whole_layers,
)
from nengo_dl.converter.layer_converter import LayerConverter
from nengo_dl.converter.model_converter import Converter
from nengo_dl.converter.rate_targets import rates_from_data

__all__ = [
    "Converter",
    "LayerConverter",
    "activation_layers",
    "convolution_layers",
    "dense_layers",
    "index_layers",
    "merging_layers",
    "nested_models",
    "normalization_layers",
    "pooling_layers",
    "rates_from_data",
    "recurrent_layers",
    "whole_layers",
]
