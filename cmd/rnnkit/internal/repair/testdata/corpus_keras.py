"""Writes Keras models of a fixed batch and time by tf2onnx: corpus_keras.py FOLDER [NAME...].

With tensorflow-cpu 2.19.1 and tf2onnx 1.17.0. The files are as corpus_torch.py's;
those with _rows have an open batch, those with _open an open time too. GRU, SimpleRNN and masked layers become a Loop,
whose trip count is constant; unrolled ones a graph as long as the time.
"""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import keras
import numpy
import tensorflow as tf
import tf2onnx
from keras import layers as L

import corpus

folder, only = corpus.arguments()
F = 3
rng = numpy.random.default_rng(5)


def rows(b, t):
    return rng.normal(size=(b, t, F)).astype("f")


def tokens(b, t):
    return rng.integers(1, 9, size=(b, t)).astype("int32")


def sequential(*layers):
    """A function of the input, whose layers are made once."""
    def run(x):
        for layer in layers:
            x = layer(x)
        return x
    return run


MODELS = {}


def add(name, run, inputs=rows, b=2, t=6):
    MODELS[name] = (run, inputs, b, t)


def seq(*ls):
    return sequential(*ls)


for k, (name, after) in enumerate({
    "last": lambda: [L.LSTM(4), L.Dense(2)],
    "all": lambda: [L.LSTM(4, return_sequences=True), L.Dense(2)],
    "stack": lambda: [L.LSTM(4, return_sequences=True), L.LSTM(5), L.Dense(2)],
    "bi": lambda: [L.Bidirectional(L.LSTM(4)), L.Dense(2, activation="softmax")],
    "bi_all": lambda: [L.Bidirectional(L.LSTM(4, return_sequences=True)), L.Dense(2)],
    "mean": lambda: [L.LSTM(4, return_sequences=True), L.GlobalAveragePooling1D(), L.Dense(2)],
    "max": lambda: [L.LSTM(4, return_sequences=True), L.GlobalMaxPooling1D(), L.Dense(2)],
    "timedist": lambda: [L.LSTM(4, return_sequences=True), L.TimeDistributed(L.Dense(2, activation="relu"))],
    "conv": lambda: [L.Conv1D(4, 3, padding="same", activation="relu"), L.LSTM(4), L.Dense(2)],
    "causal": lambda: [L.Conv1D(4, 3, padding="causal", activation="relu"), L.LSTM(4), L.Dense(2)],
    "norm": lambda: [L.LSTM(4, return_sequences=True), L.LayerNormalization(), L.Dense(2)],
    "bn": lambda: [L.LSTM(4, return_sequences=True), L.BatchNormalization(), L.Dense(2)],
    "dropout": lambda: [L.LSTM(4), L.Dropout(0.3), L.Dense(4, activation="relu"), L.Dense(1, activation="sigmoid")],
    "back": lambda: [L.LSTM(4, go_backwards=True), L.Dense(2)],
    "concatpool": lambda: [L.LSTM(4, return_sequences=True), lambda y: L.Concatenate()([L.GlobalMaxPooling1D()(y), L.GlobalAveragePooling1D()(y)]), L.Dense(2)],
    "attend": lambda: [L.LSTM(4, return_sequences=True), lambda y: L.Attention()([y, y]), L.GlobalAveragePooling1D(), L.Dense(2)],
}.items()):
    add(f"k_{name}", (after, "seq"), rows, 1 + k % 3, 5 + k % 5)
add("k_tokens", (lambda: [L.Embedding(9, 3), L.LSTM(4), L.Dense(2)], "seq"), tokens, 2, 7)
add("k_tokens_all", (lambda: [L.Embedding(9, 3), L.LSTM(4, return_sequences=True), L.Dense(9)], "seq"), tokens, 1, 8)
for name, layer, b, t in [
    ("gru", lambda: L.GRU(4), 2, 5), ("gru_all", lambda: L.GRU(4, return_sequences=True), 2, 6), ("gru_nr", lambda: L.GRU(4, reset_after=False), 2, 4),
    ("simple", lambda: L.SimpleRNN(4), 2, 5), ("simple_all", lambda: L.SimpleRNN(4, return_sequences=True), 1, 6),
    ("hard", lambda: L.LSTM(4, recurrent_activation="hard_sigmoid"), 2, 5), ("relu", lambda: L.LSTM(4, activation="relu"), 2, 6),
    ("stackedcells", lambda: L.RNN(L.StackedRNNCells([L.LSTMCell(4), L.GRUCell(3)])), 2, 5),
    ("rnncell", lambda: L.RNN(L.GRUCell(4)), 2, 7), ("unroll", lambda: L.LSTM(4, unroll=True), 2, 5),
    ("gru_unroll", lambda: L.GRU(4, unroll=True, return_sequences=True), 2, 4), ("bigru", lambda: L.Bidirectional(L.GRU(4)), 2, 5),
]:
    add(f"x_k_{name}", (lambda layer=layer: [layer(), L.Dense(2)], "seq"), rows, b, t)
add("x_k_masked", (lambda: [L.Embedding(9, 3, mask_zero=True), L.LSTM(4), L.Dense(2)], "seq"), tokens, 2, 6)
add("x_k_convlstm", (lambda: [L.Reshape((-1, F, 1)), L.ConvLSTM1D(2, 3, padding="same"), L.Flatten(), L.Dense(2)], "seq"), rows, 2, 5)
add("x_k_repeat", (lambda: [lambda x: L.RepeatVector(x.shape[1])(L.LSTM(4, name="enc")(x)), L.LSTM(4, return_sequences=True), L.Dense(F)], "repeat"), rows, 2, 6)
add("x_k_sumT", (lambda: [L.LSTM(4, return_sequences=True), lambda y: tf.reduce_sum(y, 1) / float(y.shape[1]), L.Dense(2)], "seq"), rows, 2, 6)
add("x_k_half", (lambda: [L.LSTM(4, return_sequences=True), lambda y: y[:, y.shape[1] // 2], L.Dense(2)], "seq"), rows, 2, 7)
add("x_k_butlast", (lambda: [L.LSTM(4, return_sequences=True), lambda y: y[:, :y.shape[1] // 2], L.GlobalMaxPooling1D(), L.Dense(2)], "seq"), rows, 2, 8)
add("x_k_whileT", (lambda: [L.Dense(4), lambda y: tf.while_loop(lambda i, h: i < y.shape[1], lambda i, h: (i + 1, tf.tanh(h + y[:, i])), [tf.constant(0), tf.zeros([y.shape[0], 4])], shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, 4])])[1], L.Dense(2)], "seq"), rows, 2, 6)


def write(name, kind_of_sizes):
    (make, kind), inputs, b, t = MODELS[name]
    parts = make()
    if kind == "repeat":
        enc = L.LSTM(4)
        parts[0] = lambda x: L.RepeatVector(x.shape[1])(enc(x))

    def run(x):
        for part in parts:
            x = part(x)
        return x

    x = inputs(b, t)
    run(tf.constant(x))  # builds the layers
    sizes = {"": [b, t], "_rows": [None, t], "_open": [None, None]}[kind_of_sizes]
    spec = [tf.TensorSpec([*sizes, *x.shape[2:]], x.dtype, "x")]
    name += kind_of_sizes
    model, _ = tf2onnx.convert.from_function(tf.function(run, input_signature=spec), input_signature=spec, opset=17)
    given = [inputs(*sizes) for sizes in corpus.cases(b, t)]
    corpus.save(folder / (name + ".onnx"), model, [([x], [run(tf.constant(x)).numpy()]) for x in given])


keras.utils.set_random_seed(3)
for name in MODELS:
    if not name.startswith(only):
        continue
    for kind_of_sizes in ("", "_rows", "_open"):
        try:
            write(name, kind_of_sizes)
        except Exception as error:
            corpus.tell(name, error)
