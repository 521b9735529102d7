import os

# the tests are about numbers, not speed, and a GPU would round differently
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import nengo

# tests leave nothing behind in the home directory
nengo.rc.set("decoder_cache", "enabled", "False")
