#!/usr/bin/env bash
# In the configuration of a Keras model that holds another model as a layer (a GAN saved as a stack of generator and
# discriminator), the node index in `output_layers` is no index into that layer's `inbound_nodes`. Keras numbers the
# calls of a nested model by its own counter, which apparently counts the model's construction as its first call, though
# the configuration does not list it. Keras 2.15.0 writes
# ["generator", 1, 0] for a Sequential and a Functional model; Keras 3.15.1 writes ["generator", 0, 0] for a Sequential
# and ["functional", 1, 0] for a Functional one. In all four cases `inbound_nodes` has exactly one entry. A reader that
# looks up inbound_nodes[1] fails, and one that expects 1 for nested models fails on Keras 3's Sequential.
#
# Input: a stack of one input of 3 numbers and a nested model of two dense layers, as `to_json()` gives it.
# Seen (Python 3.11, x86-64; Keras 3 on JAX 0.10.2): the text in expected.txt below.
#
# Exits with 1 as soon as this changes. Needs python3.11 with venv, a package index, and temporarily 2 GB.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3.11 -m venv env-2; python3.11 -m venv env-3
env-2/bin/pip install -q --disable-pip-version-check tensorflow-cpu==2.15.0 keras==2.15.0 "numpy<2"
env-3/bin/pip install -q --disable-pip-version-check keras==3.15.1 jax==0.10.2
cat > stack.py <<'P'
import json

import keras
from keras import Input, Model, Sequential, layers

sequential = Sequential([Input((3,)), layers.Dense(4), layers.Dense(5)], name="generator")
z = Input((3,))
functional = Model(z, layers.Dense(5)(layers.Dense(4)(z)), name="functional")
for inner in (sequential, functional):
    z = Input((3,), name="z")
    config = json.loads(Model(z, inner(z)).to_json())["config"]
    nested = next(layer for layer in config["layers"] if layer["name"] == inner.name)
    place = config["output_layers"]
    place = place[0] if isinstance(place[0], list) else place
    print(f"keras {keras.__version__}: {place}, inbound nodes: {len(nested['inbound_nodes'])}")
P
TF_CPP_MIN_LOG_LEVEL=3 env-2/bin/python stack.py 2>/dev/null > seen.txt
KERAS_BACKEND=jax env-3/bin/python stack.py 2>/dev/null >> seen.txt
cat > expected.txt <<'T'
keras 2.15.0: ['generator', 1, 0], inbound nodes: 1
keras 2.15.0: ['functional', 1, 0], inbound nodes: 1
keras 3.15.1: ['generator', 0, 0], inbound nodes: 1
keras 3.15.1: ['functional', 1, 0], inbound nodes: 1
T
cat seen.txt
diff expected.txt seen.txt
