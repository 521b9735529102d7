"""Every argument of the public interface, and values that are wrong for most."""

import keras
import nengo
import numpy as np
import tensorflow as tf

import nengo_dl

#: one item of one time step
ZEROS = np.zeros((1, 1, 1))


class Anything:
    """An object without a meaning."""

    def __repr__(self):
        return "<anything>"


#: what hardly any argument can be; where one is right, it is taken
WRONG = (
    None,
    True,
    0,
    -1,
    1.5,
    float("nan"),
    float("inf"),
    2**70,
    10**400,
    1j,
    "junk",
    "",
    b"junk",
    [],
    ["junk"],
    [None],
    {},
    {"junk": "junk"},
    (Anything(), None),
    np.array(["2020-01-01"], "M8[D]"),
    np.zeros(3),
    np.float64("nan"),
    tf.constant(1.0),
    tf.constant([1, 2]),
    Anything(),
)
#: what no argument can be
NEVER_RIGHT = (1j, b"junk", WRONG[-1])


def network():
    """Return a network with an input, neurons and weights that can be trained."""
    with nengo.Network(seed=0) as net:
        nengo_dl.configure_settings(jit_compile=False)
        node, out = nengo.Node([0.5], label="node"), nengo.Node(size_in=1)
        ensemble = nengo.Ensemble(3, 1, neuron_type=nengo.RectifiedLinear())
        nengo.Connection(node, ensemble, synapse=None)
        weights = nengo_dl.dists.Glorot()
        nengo.Connection(ensemble.neurons, out, transform=weights, synapse=None)
        nengo.Probe(out, label="seen")
    return net


def calls_of_simulators(sim, folder):
    """Return methods of a simulator, with arguments that are right.

    Methods that are given too little to do anything fail fast: all checks come first.
    """
    data = {"node": ZEROS, "seen": ZEROS}
    ensemble = sim.model.toplevel.ensembles[0]
    f = sim.function()
    path = str(folder / "params")
    sim.save_params(path)
    silent = {"verbose": 0}
    return {
        "run": (
            sim.run,
            {
                "time_in_seconds": 0.001,
                "data": None,
                "stateful": True,
                "progress_bar": False,
                "profile": None,
                "out": None,
            },
        ),
        "activity": (sim.activity, {"data": None, "n_steps": 1}),
        "run_steps": (
            sim.run_steps,
            {
                "n_steps": 1,
                "data": None,
                "stateful": True,
                "progress_bar": False,
                "profile": None,
                "out": None,
            },
        ),
        "step": (sim.step, {"data": None, "stateful": True, "progress_bar": False}),
        "trange": (sim.trange, {"sample_every": None}),
        "function": (
            sim.function,
            {"probes": None, "training": False, "as_rates": False},
        ),
        "f": (
            f,
            {
                "params": f.params,
                "state": None,
                "inputs": {},
                "n_steps": 1,
                "first_step": 0,
            },
        ),
        "f.generate": (f.generate, {"n_steps": 1, "presented": (), "first_step": 0}),
        "f.assign": (f.assign, {"params": f.params}),
        "f.rewind": (f.rewind, {"seed": 0}),
        "get_name": (sim.get_name, {"obj": sim.model.probes[0]}),
        "train": (
            sim.train,
            {
                "data": data,
                "optimizer": "sgd",
                "n_epochs": 1,
                "objective": "mse",
                "shuffle": False,
                "truncation": None,
                "summaries": None,
                "profile": None,
                "progress_bar": False,
                "steps_per_epoch": None,
            },
        ),
        "loss": (
            sim.loss,
            {
                "data": data,
                "objective": "mse",
                "combine": np.mean,
                "progress_bar": False,
                "training": False,
                "as_rates": False,
                "steps": None,
            },
        ),
        "check_gradients": (
            sim.check_gradients,
            {
                "outputs": ["seen"],
                "atol": 10.0,
                "rtol": 1e-3,
                "inputs": None,
                "n_steps": 1,
            },
        ),
        "run_batch": (
            sim.run_batch,
            {
                "data": data,
                "outputs": {"seen": None},
                "n_epochs": 1,
                "truncation": None,
                "shuffle": False,
                "profile": None,
                "training": False,
                "callback": None,
                "combine": np.stack,
                "isolate_state": True,
                "as_rates": False,
            },
        ),
        "compile": (
            sim.compile,
            {
                "optimizer": "sgd",
                "loss": "mse",
                "loss_weights": None,
                "metrics": None,
                "weighted_metrics": None,
                "steps_per_execution": 1,
                "run_eagerly": False,
                "jit_compile": False,
            },
        ),
        "fit": (
            sim.fit,
            {
                "x": ZEROS,
                "y": ZEROS,
                "n_steps": None,
                "stateful": False,
                "truncation": None,
                "epochs": 1,
                "callbacks": None,
                "validation_data": None,
                "validation_split": 0.0,
                "shuffle": False,
                "sample_weight": None,
                "class_weight": None,
                "initial_epoch": 0,
                "validation_freq": 1,
                "steps_per_epoch": None,
                **silent,
            },
        ),
        "evaluate": (
            sim.evaluate,
            {
                "x": ZEROS,
                "y": ZEROS,
                "n_steps": None,
                "stateful": False,
                "callbacks": None,
                "sample_weight": None,
                "steps": None,
                **silent,
            },
        ),
        "predict": (
            sim.predict,
            {
                "x": ZEROS,
                "n_steps": None,
                "stateful": False,
                "out": None,
                "callbacks": None,
                "steps": None,
                **silent,
            },
        ),
        "predict_on_batch": (
            sim.predict_on_batch,
            {"x": ZEROS, "n_steps": None, "stateful": False},
        ),
        "save_params": (
            sim.save_params,
            {
                "path": path,
                "include_state": False,
                "include_params": True,
                "optimizer": None,
            },
        ),
        "load_params": (
            sim.load_params,
            {
                "path": path,
                "include_state": False,
                "include_params": True,
                "optimizer": None,
            },
        ),
        "freeze_params": (sim.freeze_params, {"objs": ensemble}),
        "get_nengo_params": (
            sim.get_nengo_params,
            {"objs": ensemble, "as_dict": False},
        ),
        "reset": (
            sim.reset,
            {
                "seed": None,
                "include_trainable": True,
                "include_probes": True,
                "include_processes": True,
            },
        ),
        "soft_reset": (
            sim.soft_reset,
            {"include_trainable": False, "include_probes": False},
        ),
        "data[]": (lambda key: sim.data[key], {"key": sim.model.probes[0]}),
        "data.get_params": (
            lambda pair: sim.data.get_params(pair),
            {"pair": (ensemble, "bias")},
        ),
        "signals[]": (
            lambda key: sim.signals[key],
            {"key": sim.model.sig[ensemble]["encoders"]},
        ),
        "dt": (lambda value: setattr(sim, "dt", value), {"value": 0.001}),
    }


def calls_of_keras_models(sim, folder):
    """Return methods of a simulator's Keras model, with arguments that are right."""
    model = sim.keras_model
    x, y = {"node": ZEROS, "n_steps": np.ones((1, 1), int)}, {"seen": ZEROS}
    path = str(folder / "keras.weights.h5")
    model.save_weights(path)
    return {
        "model()": (model, {"inputs": ZEROS, "training": False}),
        "model.train_on_batch": (model.train_on_batch, {"x": x, "y": y}),
        "model.test_on_batch": (model.test_on_batch, {"x": x, "y": y}),
        "model.predict_on_batch": (model.predict_on_batch, {"x": x}),
        "model.set_weights": (model.set_weights, {"weights": model.get_weights()}),
        "model.save_weights": (model.save_weights, {"filepath": path}),
        "model.load_weights": (model.load_weights, {"filepath": path}),
        "model.summary": (
            model.summary,
            {"line_length": None, "print_fn": lambda line: None},
        ),
        "model.compile": (
            model.compile,
            {"optimizer": "sgd", "loss": {"seen": "mse"}, "jit_compile": "auto"},
        ),
        "model.export": (model.export, {"filepath": path}),
        "model.save": (model.save, {"filepath": str(folder / "model.keras")}),
        "model.quantize": (model.quantize, {"mode": "int8"}),
        "model.fit": (
            model.fit,
            {"x": x, "y": y, "batch_size": 1, "epochs": 1, "verbose": 0},
        ),
        "model.evaluate": (
            model.evaluate,
            {"x": x, "y": y, "batch_size": 1, "steps": None, "verbose": 0},
        ),
        "model.predict": (
            model.predict,
            {"x": x, "batch_size": 1, "steps": None, "verbose": 0},
        ),
    }


def calls_of_converters():
    """Return the converter and its methods, with arguments that are right."""
    x = keras.Input((2,))
    model = keras.Model(x, keras.layers.Dense(3, "relu", name="dense")(x))
    data = np.ones((1, 2))
    converter = nengo_dl.Converter(model)
    sim = nengo_dl.Simulator(converter.net, progress_bar=False)

    def swapped(**new):
        nengo_dl.Converter(model, swap_activations={"relu": new["new"]})

    def of_layer(**values):
        nengo_dl.Converter(model, **{name: {"dense": v} for name, v in values.items()})

    return {
        "Converter": (
            nengo_dl.Converter,
            {
                "model": model,
                "allow_fallback": True,
                "inference_only": False,
                "max_to_avg_pool": False,
                "split_shared_weights": False,
                "swap_activations": None,
                "scale_firing_rates": "auto",
                "synapse": None,
                "temporal_model": False,
                "freeze_batchnorm": None,
                "sample_data": data,
                "target_rate": 100.0,
                "seed": 0,
            },
        ),
        "Converter(swap_activations={})": (swapped, {"new": nengo.LIF()}),
        "Converter({layer: value})": (
            of_layer,
            {"scale_firing_rates": 2.0, "synapse": 0.1},
        ),
        "verify": (
            converter.verify,
            {"training": False, "inputs": data, "atol": 1e-8, "rtol": 1e-5},
        ),
        "report": (
            converter.report,
            {"data": data, "n_steps": 1, "targets": np.zeros(1, int)},
        ),
        "to_keras": (converter.to_keras, {"sim": sim}),
        "get_converter": (converter.get_converter, {"layer": model.layers[1]}),
        "inputs[]": (lambda key: converter.inputs[key], {"key": x}),
        "rates_from_data": (
            nengo_dl.converter.rates_from_data,
            {"model": model, "data": data, "target_rate": 100.0, "percentile": 99.0},
        ),
    }


def calls_without_simulators(net, sim, folder):
    """Return functions and classes of the package, with arguments that are right."""
    dl = nengo_dl

    def within(function):
        def call(**arguments):
            with nengo.Network():
                function(**arguments)

        return call

    def setting(name):
        return within(lambda value: dl.configure_settings(**{name: value}))

    def layer(**arguments):
        with nengo.Network():
            own = nengo.Node([0.0])
            dl.Layer(tf.nn.relu)(own, **arguments)

    def tensor_layer(**arguments):
        with nengo.Network():
            own = nengo.Node([0.0])
            dl.tensor_layer(own, **{"layer_func": tf.nn.relu, **arguments})

    names = (
        "dtype",
        "jit_compile",
        "planner",
        "simplifications",
        "inference_only",
        "nengo_random_draws",
        "lif_smoothing",
        "surrogate",
        "stateful",
        "use_loop",
        "learning_phase",
        "keep_history",
        "trainable",
    )
    return {
        "Simulator": (
            dl.Simulator,
            {
                "network": net,
                "dt": 0.001,
                "seed": 0,
                "model": None,
                "dtype": None,
                "device": None,
                "unroll_simulation": 1,
                "minibatch_size": None,
                "tensorboard": None,
                "progress_bar": False,
                "optimize": True,
                "strategy": None,
            },
        ),
        **{
            f"configure_settings({name})": (setting(name), {"value": None})
            for name in names
        },
        "TensorNode": (
            within(dl.TensorNode),
            {
                "tensor_func": tf.identity,
                "shape_in": (1,),
                "shape_out": (1,),
                "pass_time": False,
                "label": None,
            },
        ),
        "Layer": (within(dl.Layer), {"layer_func": tf.nn.relu}),
        "Layer()": (
            layer,
            {"transform": 1.0, "shape_in": (1,), "shape_out": None, "synapse": None},
        ),
        "tensor_layer": (
            tensor_layer,
            {
                "layer_func": tf.nn.relu,
                "shape_in": (1,),
                "synapse": None,
                "transform": 1.0,
            },
        ),
        "reshaped": (dl.reshaped, {"shape_in": (1,)}),
        "SoftLIFRate": (
            dl.SoftLIFRate,
            {"sigma": 1.0, "tau_rc": 0.02, "tau_ref": 0.002, "amplitude": 1.0},
        ),
        "LeakyReLU": (dl.LeakyReLU, {"negative_slope": 0.1, "amplitude": 1.0}),
        "SpikingLeakyReLU": (
            dl.SpikingLeakyReLU,
            {"negative_slope": 0.1, "amplitude": 1.0},
        ),
        "TruncatedNormal": (
            dl.dists.TruncatedNormal,
            {"mean": 0.0, "stddev": 1.0, "limit": None},
        ),
        "VarianceScaling": (
            dl.dists.VarianceScaling,
            {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform"},
        ),
        "Glorot": (dl.dists.Glorot, {"scale": 1.0, "distribution": "uniform"}),
        "He": (dl.dists.He, {"scale": 1.0, "distribution": "normal"}),
        "Glorot.sample": (dl.dists.Glorot().sample, {"n": 2, "d": 2, "rng": np.random}),
        "losses.nan_mse": (dl.losses.nan_mse, {"y_true": ZEROS, "y_pred": ZEROS}),
        "losses.Regularize": (dl.losses.Regularize, {"order": 2, "axis": None}),
        "obj.mse": (dl.objectives.mse, {"outputs": ZEROS, "targets": ZEROS}),
        "obj.Regularize": (
            dl.objectives.Regularize,
            {"order": 2, "axis": None, "weight": 1.0},
        ),
        "losses.TargetRate": (
            dl.losses.TargetRate,
            {"target": (1.0, 50.0), "order": 2, "percentile": 99, "weight": 1.0},
        ),
        "losses.Sparsity": (
            dl.losses.Sparsity,
            {"weight": 1.0, "order": 1, "amplitude": 1.0, "dt": 0.001},
        ),
        "callbacks.NengoSummaries": (
            dl.callbacks.NengoSummaries,
            {"log_dir": str(folder), "sim": sim, "objects": [net.ensembles[0]]},
        ),
        "callbacks.IsolateState": (dl.callbacks.IsolateState, {"sim": sim}),
        "surrogates.FastSigmoid": (dl.surrogates.FastSigmoid, {"slope": 1.0}),
        "surrogates.Arctan": (dl.surrogates.Arctan, {"slope": 1.0, "scale": 1.0}),
        "surrogates.Triangular": (dl.surrogates.Triangular, {"slope": 1.0}),
        "activity.Device": (
            dl.activity.Device,
            {
                "name": "mine",
                "synop": 1.0,
                "neuron": 1.0,
                "spiking": True,
                "source": "",
            },
        ),
        "activity.register_device": (
            dl.activity.register_device,
            {"device": dl.activity.DEVICES["loihi"]},
        ),
        "energy": (
            dl.energy,
            {
                "activity": dl.activity.Activity((), 1, 1, 0.001, 0, 0),
                "device": "loihi",
                "multiplied": False,
            },
        ),
        "surrogates.LSO": (dl.surrogates.LSO, {"leak": 0.1}),
        "surrogates.Custom": (dl.surrogates.Custom, {"function": abs, "slope": 1.0}),
    }
