"""Writes JAX functions of a fixed time by jax2onnx: corpus_jax.py FOLDER.

The files are as corpus_torch.py's. lax.scan becomes a Loop or a Scan, a loop in
Python a graph as long as the time.
"""

import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy
from jax import lax
from jax2onnx import to_onnx

folder = pathlib.Path(sys.argv[1])
only = sys.argv[2:]
folder.mkdir(parents=True, exist_ok=True)
rng = numpy.random.default_rng(6)
H, F = 4, 3
W, U, V = (rng.normal(size=s).astype("f") / 2 for s in ((F, H), (H, H), (H, 2)))
W4, U4 = (rng.normal(size=s).astype("f") / 2 for s in ((F, 4 * H), (H, 4 * H)))


def step(h, x):
    h = jnp.tanh(x @ W + h @ U)
    return h, h


def lstm(state, x):
    h, c = state
    i, f, g, o = jnp.split(x @ W4 + h @ U4, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def start(x):
    return jnp.zeros((x.shape[0], H))


def scan_last(x):
    return lax.scan(step, start(x), jnp.swapaxes(x, 0, 1))[0] @ V


def scan_all(x):
    return jnp.swapaxes(lax.scan(step, start(x), jnp.swapaxes(x, 0, 1))[1], 0, 1) @ V


def scan_lstm(x):
    return lax.scan(lstm, (start(x), start(x)), jnp.swapaxes(x, 0, 1))[0][0] @ V


def scan_mean(x):
    return lax.scan(step, start(x), jnp.swapaxes(x, 0, 1))[1].mean(0) @ V


def scan_back(x):
    return lax.scan(step, start(x), jnp.swapaxes(x, 0, 1), reverse=True)[0] @ V


def fori(x):
    return lax.fori_loop(0, x.shape[1], lambda t, h: jnp.tanh(lax.dynamic_index_in_dim(x, t, 1, keepdims=False) @ W + h @ U), start(x)) @ V


def unrolled(x):
    h = start(x)
    for t in range(x.shape[1]):
        h, _ = step(h, x[:, t])
    return h @ V


def unrolled_all(x):
    h, ys = start(x), []
    for t in range(x.shape[1]):
        h, y = step(h, x[:, t])
        ys.append(y)
    return jnp.stack(ys, 1) @ V


def unrolled_lstm(x):
    s = (start(x), start(x))
    for t in range(x.shape[1]):
        s, y = lstm(s, x[:, t])
    return y @ V


def total(x):
    return (jnp.tanh(x @ W).sum(1) / x.shape[1]) @ V


def associative(x):
    return jnp.cumsum(jnp.tanh(x @ W), 1) @ V


def mean(x):
    return jnp.tanh(x @ W).mean(1) @ V


def middle(x):
    return jnp.tanh(x @ W)[:, x.shape[1] // 2] @ V


def decoder(x):
    h, _ = lax.scan(step, start(x), jnp.swapaxes(x, 0, 1))
    return jnp.swapaxes(lax.scan(lambda h, _: step(h, h @ W.T), h, None, length=x.shape[1])[1], 0, 1)


FUNCTIONS = [(f, 2, 5 + k % 4) for k, f in enumerate([scan_last, scan_all, scan_lstm, scan_mean, scan_back, fori, unrolled, unrolled_all, unrolled_lstm, total, associative, mean, middle, decoder])]
answers = {}
for f, b, t in FUNCTIONS:  # before jax2onnx changes the functions of JAX
    arrays = answers["x_j_" + f.__name__] = {}
    for k, (bb, tt) in enumerate([(b, t), (b + 1, t + 1), (2, 2 * t + 3), (1, max(2, t - 2)), (3, t + 4)]):
        x = rng.normal(size=(bb, tt, F)).astype("f")
        arrays[f"in{k}_0"], arrays[f"out{k}_0"] = x, numpy.asarray(f(x))
for f, b, t in [*FUNCTIONS, *((f, "B", t) for f, _, t in FUNCTIONS)]:
    name = "x_j_" + f.__name__ + ("_rows" if b == "B" else "")
    if only and name not in only:
        continue
    try:
        model = to_onnx(f, [(b, t, F)], model_name=name, opset=18)
        (folder / (name + ".onnx")).write_bytes(model.SerializeToString())
        numpy.savez(folder / (name + ".npz"), **answers["x_j_" + f.__name__])
    except Exception as error:
        print(f"{name}: not exported: {str(error).splitlines()[0][:200]}", file=sys.stderr)
