#!/usr/bin/env bash
# Keras 3.15.1 never trains the discriminator in the classic GAN order: compile D, set `D.trainable = False`, compile
# the stack of G and D, then alternate `D.train_on_batch` and `gan.train_on_batch`. Keras 2 used the flag's value at
# `compile`, so D kept learning. Keras 3 reads it when the training step is built, at D's first batch. If D has had a
# batch before it is frozen, it learns on TensorFlow, and JAX raises ValueError. Setting the flag before every step
# (True for D's, False for the stack's) trains each network in its own step on both backends.
# Two other spellings from the same tutorials: `Adam(lr=)` raises ValueError; `Adam(decay=)` warns and keeps the rate
# constant.
#
# Input: a batch of 16 vectors of 8 numbers with target 1, dense networks, Adam 2e-4 with beta1 0.5, binary cross
# entropy, three rounds. "moved" lists the networks of which any weight changed.
# Seen (Python 3.11, x86-64) on TensorFlow 2.21.0 and JAX 0.10.2: the text in expected.txt below. TensorFlow prints a
# warning ("The model does not have any trainable weights."); JAX prints none.
#
# Exits with 1 as soon as this changes. Needs python3 with venv, a package index, and temporarily 2.5 GB.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv env-tensorflow; python3 -m venv env-jax
env-tensorflow/bin/pip install -q --disable-pip-version-check keras==3.15.1 tensorflow-cpu==2.21.0
env-jax/bin/pip install -q --disable-pip-version-check keras==3.15.1 jax==0.10.2
cat > order.py <<'P'
import warnings
from importlib.metadata import version

import keras
import numpy as np
from keras import Sequential, layers
from keras.optimizers import Adam

package = {"tensorflow": "tensorflow-cpu", "jax": "jax"}[keras.backend.backend()]
print("keras", keras.__version__, "on", package, version(package))
real = np.random.default_rng(0).normal(size=(16, 8)).astype("float32")
z = np.random.default_rng(1).normal(size=(16, 4)).astype("float32")
ones = np.ones((16, 1), "float32")
LOSS = "binary_crossentropy"


def moved(before, model):
    return any((a != b).any() for a, b in zip(before, model.get_weights()))


def train(name, batch_before=False, toggle=False):
    keras.utils.set_random_seed(0)
    d = Sequential([layers.Input((8,)), layers.Dense(16), layers.LeakyReLU(), layers.Dense(1, activation="sigmoid")])
    g = Sequential([layers.Input((4,)), layers.Dense(8)])
    d.compile(loss=LOSS, optimizer=Adam(learning_rate=2e-4, beta_1=0.5))
    if batch_before:
        d.train_on_batch(real, ones)
    d.trainable = False
    gan = Sequential([g, d])
    gan.compile(loss=LOSS, optimizer=Adam(learning_rate=2e-4, beta_1=0.5))
    seen = {"D in its own step": False, "D in the stack's step": False, "G": False}
    try:
        for _ in range(3):
            before = d.get_weights()
            d.trainable = toggle
            d.train_on_batch(real, ones)
            seen["D in its own step"] |= moved(before, d)
            before, g_before = d.get_weights(), g.get_weights()
            d.trainable = False
            gan.train_on_batch(z, ones)
            seen["D in the stack's step"] |= moved(before, d)
            seen["G"] |= moved(g_before, g)
    except ValueError as error:
        print(f"{name}: {type(error).__name__}")
        return
    print(f"{name}: moved:", ", ".join(k for k, v in seen.items() if v))


warnings.simplefilter("ignore")
train("as printed")
train("one batch of D before", batch_before=True)
train("flag set before every step", toggle=True)

for name, settings in (("lr", {"lr": 2e-4}), ("decay", {"learning_rate": 0.1, "decay": 10.0})):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            optimizer = Adam(**settings)
        except ValueError as error:
            print(f"Adam({name}=): ValueError: {error}")
            continue
    model = Sequential([layers.Input((8,)), layers.Dense(1)])
    model.compile(loss="mse", optimizer=optimizer)
    for _ in range(5):
        model.train_on_batch(real, ones)
    rate = float(optimizer.learning_rate)
    print(f"Adam({name}=): warning: {caught[0].message} Rate after 5 updates: {rate:.3f}")
P
export TF_CPP_MIN_LOG_LEVEL=3
for backend in tensorflow jax; do KERAS_BACKEND=$backend env-$backend/bin/python order.py 2> errors.txt || { cat errors.txt; exit 1; }; done | tee seen.txt
cat > expected.txt <<'E'
keras 3.15.1 on tensorflow-cpu 2.21.0
as printed: moved: G
one batch of D before: moved: D in its own step, G
flag set before every step: moved: D in its own step, G
Adam(lr=): ValueError: Argument(s) not recognized: {'lr': 0.0002}
Adam(decay=): warning: Argument `decay` is no longer supported and will be ignored. Rate after 5 updates: 0.100
keras 3.15.1 on jax 0.10.2
as printed: moved: G
one batch of D before: ValueError
flag set before every step: moved: D in its own step, G
Adam(lr=): ValueError: Argument(s) not recognized: {'lr': 0.0002}
Adam(decay=): warning: Argument `decay` is no longer supported and will be ignored. Rate after 5 updates: 0.100
E
diff expected.txt seen.txt && echo "as stated"
