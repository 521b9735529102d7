"""A process of its own with several logical devices: ``test_devices.py`` starts it.

Prints the largest differences to the results of one device, as JSON.
"""

import json
import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import tensorflow as tf


def main(n_devices, kinds, dtype, jit, *calls):
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * int(n_devices)
    )
    from tests.distribution import networks

    strategy = tf.distribute.MirroredStrategy(
        [f"cpu:{i}" for i in range(int(n_devices))]
    )
    found = {}
    for kind in kinds.split(","):
        for call in calls:
            run = getattr(networks, call)
            expected = run(kind, dtype, jit == "True", None)
            got = run(kind, dtype, jit == "True", strategy)
            for name, value in networks.differences(got, expected).items():
                found[f"{kind}: {name}"] = value
    print("RESULT", json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
