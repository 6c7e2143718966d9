"""Writes JAX functions of a fixed time by jax2onnx: corpus_jax.py FOLDER [NAME...].

With jax 0.12.0.1 and jax2onnx 0.17.1. The files are as corpus_torch.py's; those with
_rows have an open batch. lax.scan becomes a Loop or a Scan, a loop in
Python a graph as long as the time.
"""

import jax
import jax.numpy as jnp
import numpy
from jax import lax
from jax2onnx import to_onnx

import corpus

folder, only = corpus.arguments()
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
    return lax.fori_loop(0, x.shape[1], lambda t, h: jnp.tanh(lax.dynamic_index_in_dim(x, t, 1, keepdims=False) @ jnp.asarray(W) + h @ jnp.asarray(U)), start(x)) @ V


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
    return jnp.cumsum(jnp.tanh(x @ W), axis=1) @ V


def mean(x):
    return jnp.tanh(x @ W).mean(1) @ V


def middle(x):
    return jnp.tanh(x @ W)[:, x.shape[1] // 2] @ V


def decoder(x):
    h, _ = lax.scan(step, start(x), jnp.swapaxes(x, 0, 1))
    return jnp.swapaxes(lax.scan(lambda h, _: step(h, h @ W.T), h, None, length=x.shape[1])[1], 0, 1)


def chunked(x):
    return lax.scan(step, start(x), jnp.swapaxes(x[:, : x.shape[1] // 2], 0, 1))[0] @ V


def two_layers(x):
    ys = lax.scan(step, start(x), jnp.swapaxes(x, 0, 1))[1]
    return lax.scan(lambda h, y: (jnp.tanh(y @ U + h @ U),) * 2, start(x), ys)[0] @ V


def counted(x):
    return lax.while_loop(lambda s: s[0] < x.shape[1], lambda s: (s[0] + 1, step(s[1], lax.dynamic_index_in_dim(x, s[0], 1, keepdims=False))[0]), (0, start(x)))[1] @ V


def decayed(x):
    return jnp.einsum("bth,t->bh", jnp.tanh(x @ W), 0.9 ** jnp.arange(x.shape[1])[::-1]) @ V


def deviation(x):
    return jnp.std(jnp.tanh(x @ W), axis=1, ddof=1) @ V


FUNCTIONS = [(f, 2, 5 + k % 4) for k, f in enumerate([scan_last, scan_all, scan_lstm, scan_mean, scan_back, fori, unrolled, unrolled_all, unrolled_lstm, total, associative, mean, middle, decoder, chunked, two_layers, counted, decayed, deviation])]
answers = {}
for f, b, t in FUNCTIONS:  # before jax2onnx changes the functions of JAX
    given = [rng.normal(size=(*sizes, F)).astype("f") for sizes in corpus.cases(b, t)]
    answers[f] = [([x], [numpy.asarray(f(x))]) for x in given]
for f, b, t in [*FUNCTIONS, *((f, "B", t) for f, _, t in FUNCTIONS)]:
    name = "x_j_" + f.__name__ + ("_rows" if b == "B" else "")
    if not name.startswith(only):
        continue
    try:
        corpus.save(folder / (name + ".onnx"), to_onnx(f, [(b, t, F)], model_name=name, opset=18), answers[f])
    except Exception as error:
        corpus.tell(name, error)
