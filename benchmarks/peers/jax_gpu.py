# An epoch of training in JAX as one compiled program: lax.scan over the steps, data resident on the device.
# SPDX-License-Identifier: Apache-2.0
import functools
import time

import jax
import jax.numpy as jnp

VERSION = f"JAX {jax.__version__}"


def logits(layers, x):
    for i, (kernel, bias) in enumerate(layers):
        x = jnp.dot(x, kernel, precision="highest") + bias
        x = jax.nn.relu(x) if i + 1 < len(layers) else x
    return x


def loss_of(layers, x, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits(layers, x)), y[:, None], axis=1).mean()


def adam(parameters, gradients, moments, t, rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    m, v = moments
    m = jax.tree.map(lambda a, g: a + (g - a) * (1 - beta_1), m, gradients)
    v = jax.tree.map(lambda a, g: a + (g * g - a) * (1 - beta_2), v, gradients)
    step = rate * jnp.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return jax.tree.map(lambda w, a, b: w - step * a / (jnp.sqrt(b) + epsilon), parameters, m, v), (m, v)


class Training:
    """epoch() returns seconds. Rows that fill no whole batch are left out, which is a little less work than Glia's."""

    def __init__(self, widths, batch, rows, device="cuda"):
        if device == "cuda" and jax.default_backend() != "gpu":
            raise RuntimeError("JAX finds no GPU")
        keys = jax.random.split(jax.random.key(1), len(widths) + 2)
        self.x = jax.random.randint(keys[0], (rows, widths[0]), 0, 256, dtype=jnp.uint8)
        self.y = jax.random.randint(keys[1], (rows,), 0, widths[-1])
        layers = [(jax.random.normal(key, (i, o)) * (2 / (i + o)) ** 0.5, jnp.zeros(o))
                  for key, i, o in zip(keys[2:], widths, widths[1:])]
        zeros = jax.tree.map(jnp.zeros_like, layers)
        self.state = (layers, (zeros, jax.tree.map(jnp.zeros_like, layers)), jnp.float32(0))
        self.run = jax.jit(functools.partial(self.scan, batch=batch, rows=rows), donate_argnums=0)
        self.key = jax.random.key(2)

    @staticmethod
    def scan(state, key, x, y, *, batch, rows):
        order = jax.random.permutation(key, rows)[: rows // batch * batch].reshape(-1, batch)

        def step(state, index):
            layers, moments, t = state
            loss, gradients = jax.value_and_grad(loss_of)(layers, x[index].astype(jnp.float32) / 255, y[index])
            layers, moments = adam(layers, gradients, moments, t + 1)
            return (layers, moments, t + 1), loss

        state, losses = jax.lax.scan(step, state, order)
        return state, losses.mean()

    def epoch(self):
        self.key, key = jax.random.split(self.key)
        start = time.perf_counter()
        self.state, loss = self.run(self.state, key, self.x, self.y)
        float(loss)
        return time.perf_counter() - start
