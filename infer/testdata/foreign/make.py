"""Makes models that answer in many ways, and ONNX Runtime's answers.

    pip install onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
    python make.py

writes the .onnx files beside it, classes.json with the rows, the outputs and the
probabilities that each classifier means by them, and ahead.json with the rows and the
predictions after the last of them. Seeds are fixed.
"""
import json
import pathlib
import zlib

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper, numpy_helper

ort.set_default_logger_severity(3)
HERE = pathlib.Path(__file__).parent
HIDDEN, WINDOW = 3, 6


def f(*v):
    return np.array(v[0] if len(v) == 1 else v, "f")


def i(*v):
    return np.array(v, "i8")


CONSTANTS = {
    "one": f(1), "two": f(2), "half": f(0.5), "hundred": f(100), "ten": f(10), "zero": f(0), "low": f(1e-3), "high": f(0.999),
    "minus": f(-100), "mean": f([[0.5], [0.5]]), "i0": i(0), "i1": i(1), "i2": i(2), "mix": f([[1, -2, 0], [0, 1, 0.5], [3, 0, -1]]), "k1": f([[0], [1], [2]]),
    "flat": i(0, 0, -1), "pair": i(0, -1), "h4c3": i(0, 4, 3), "c3h4": i(0, 3, 4), "h3c3": i(0, 3, 3), "h6c3": i(0, 6, 3), "h4c2": i(0, 4, 2),
}


def model(name, tail, features, outputs, wide=2.0, layout="btf", time="time", steps=False, both=False, types=None, out=("y",)):
    """An LSTM and a linear layer that computes z, of each step or of the last, and after it tail."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    sides = 2 if both else 1
    weights = {
        "W": rng.normal(size=(sides, 4 * HIDDEN, features)), "R": rng.normal(size=(sides, 4 * HIDDEN, HIDDEN)) / 2,
        "B": rng.normal(size=(sides, 8 * HIDDEN)) / 3, "V": rng.normal(size=(sides * HIDDEN, outputs)) * wide, "b": rng.normal(size=outputs) / 3,
    }
    nodes = [
        helper.make_node("Transpose", ["x"], ["X"], perm={"btf": [1, 0, 2], "bft": [2, 0, 1], "tbf": [0, 1, 2]}[layout]),
        helper.make_node("LSTM", ["X", "W", "R", "B"], ["Y", "Yh", "Yc"], hidden_size=HIDDEN, direction="bidirectional" if both else "forward"),
    ]
    if steps:
        nodes.append(helper.make_node("Transpose", ["Y"], ["Yt"], perm=[0, 2, 1, 3] if layout == "tbf" else [2, 0, 1, 3]))
        nodes.append(helper.make_node("Reshape", ["Yt", "flat"], ["h"]))
    else:
        nodes.append(helper.make_node("Transpose", ["Yh"], ["Yt"], perm=[1, 0, 2]))
        nodes.append(helper.make_node("Reshape", ["Yt", "pair"], ["h"]))
    nodes.append(helper.make_node("MatMul", ["h", "V"], ["hV"]))
    nodes.append(helper.make_node("Add", ["hV", "b"], ["z"]))
    for line in tail:
        op, inputs, results, *attributes = line
        nodes.append(helper.make_node(op, inputs.split(), results.split(), **(attributes[0] if attributes else {})))
    used = {n for node in nodes for n in node.input}
    constants = {k: v.astype("f") for k, v in weights.items()} | {k: v for k, v in CONSTANTS.items() if k in used}
    sizes = {"b": "batch", "t": time, "f": features}
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info("x", T.FLOAT, [sizes[c] for c in layout])],
        [helper.make_tensor_value_info(o, (types or {}).get(o, T.FLOAT), None) for o in out],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    path = str(HERE / (name + ".onnx"))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    session = ort.InferenceSession(path)

    def run(x):  # [batch, time, features]
        x = {"btf": x, "bft": x.transpose(0, 2, 1), "tbf": x.transpose(1, 0, 2)}[layout]
        return dict(zip(out, session.run(None, {"x": np.ascontiguousarray(x)})))

    return run


# What is meant by an answer: the probability of each class.
def one(p):
    return np.concatenate([1 - p, p], axis=-1)


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def logit(z):
    return one(1 / (1 + np.exp(-z)))


def label(k):
    return lambda y: np.eye(k)[y.astype(int).ravel()]


def same(p):
    return p


SOFTMAX, SIGMOID = ("Softmax", "z", "p"), ("Sigmoid", "z", "p")
CLASSES = [  # name, classes, nodes after z, what is meant, output (y), more
    ("logits", 3, [("Identity", "z", "y")], softmax),
    ("logit", 1, [("Identity", "z", "y")], logit),
    ("logit_small", 1, [("Identity", "z", "y")], logit, "y", dict(wide=0.05)),
    ("logits_clamped", 3, [("Clip", "z minus hundred", "y")], softmax),
    ("softmax", 3, [("Softmax", "z", "y")], same),
    ("softmax_clamped", 3, [SOFTMAX, ("Clip", "p low high", "y")], same),
    ("softmax_manual", 3, [("Exp", "z", "e"), ("ReduceSum", "e i1", "s"), ("Div", "e s", "y")], same),
    ("softmax_stable", 3, [("ReduceMax", "z", "m", dict(axes=[1])), ("Sub", "z m", "d"), ("Exp", "d", "e"), ("ReduceSum", "e i1", "s"), ("Div", "e s", "y")], same),
    ("softmax_mean", 3, [SOFTMAX, ("Neg", "z", "n"), ("Softmax", "n", "q"), ("Add", "p q", "s"), ("Mul", "s half", "y")], same),
    ("softmax_half", 3, [SOFTMAX, ("Cast", "p", "y", dict(to=T.FLOAT16))], same, "y", dict(types={"y": T.FLOAT16})),
    ("softmax_through_half", 3, [SOFTMAX, ("Cast", "p", "h16", dict(to=T.FLOAT16)), ("Cast", "h16", "y", dict(to=T.FLOAT))], same),
    ("percent", 3, [SOFTMAX, ("Mul", "p hundred", "y")], lambda y: y / 100),
    ("log_softmax", 3, [("LogSoftmax", "z", "y")], np.exp),
    ("log_softmax_manual", 3, [("ReduceLogSumExp", "z", "s", dict(axes=[1])), ("Sub", "z s", "y")], np.exp),
    ("sigmoid", 1, [("Sigmoid", "z", "y")], one),
    ("sigmoid_clamped", 1, [SIGMOID, ("Clip", "p low high", "y")], one),
    ("sigmoid_held", 1, [SIGMOID, ("Max", "p low", "q"), ("Min", "q high", "y")], one),
    ("sigmoid_manual", 1, [("Neg", "z", "n"), ("Exp", "n", "e"), ("Add", "one e", "s"), ("Div", "one s", "y")], one),
    ("sigmoid_other_way", 1, [("Exp", "z", "e"), ("Add", "e one", "s"), ("Div", "e s", "y")], one),
    ("sigmoid_other_order", 1, [("Exp", "z", "e"), ("Add", "one e", "s"), ("Div", "e s", "y")], one),
    ("sigmoid_by_sign", 1, [("Abs", "z", "a"), ("Neg", "a", "n"), ("Exp", "n", "e"), ("Add", "one e", "s"), ("Div", "one s", "p"), ("Div", "e s", "q"), ("GreaterOrEqual", "z zero", "c"), ("Where", "c p q", "y")], one),
    ("sigmoid_complement", 1, [SIGMOID, ("Sub", "one p", "y")], one),
    ("sigmoid_mean", 2, [SIGMOID, ("ReduceMean", "p", "y", dict(axes=[1]))], one),
    ("sigmoid_mean_matmul", 2, [SIGMOID, ("MatMul", "p mean", "y")], one),
    ("sigmoid_smoothed", 1, [SIGMOID, ("Mul", "p high", "q"), ("Add", "q low", "y")], one),
    ("sigmoid_percent", 1, [SIGMOID, ("Mul", "p hundred", "y")], lambda y: one(y / 100)),
    ("hard_sigmoid", 1, [("HardSigmoid", "z", "y")], one),
    ("hard_sigmoid_clip", 1, [("Mul", "z half", "a"), ("Add", "a half", "q"), ("Clip", "q zero one", "y")], one),
    ("tanh_to_probability", 1, [("Tanh", "z", "t"), ("Add", "t one", "s"), ("Div", "s two", "y")], one),
    ("noisy_or", 2, [SIGMOID, ("Sub", "one p", "q"), ("ReduceProd", "q", "r", dict(axes=[1])), ("Sub", "one r", "y")], one),
    ("argmax", 3, [("ArgMax", "z", "y", dict(axis=1, keepdims=0))], label(3), "y", dict(types={"y": T.INT64})),
    ("argmax_float", 3, [("ArgMax", "z", "a", dict(axis=1)), ("Cast", "a", "y", dict(to=T.FLOAT))], label(3)),
    ("threshold", 1, [SIGMOID, ("Greater", "p half", "c"), ("Cast", "c", "y", dict(to=T.FLOAT))], label(2)),
    ("threshold_bool", 1, [("Greater", "z zero", "y")], label(2), "y", dict(types={"y": T.BOOL})),
    ("threshold_chosen", 1, [("Greater", "z zero", "c"), ("Where", "c i1 i0", "y")], label(2), "y", dict(types={"y": T.INT64})),
    ("steps_causal", 3, [("Softmax", "z", "y")], lambda y: y[:, -1], "y", dict(steps=True)),
    ("steps_time_first", 3, [("Softmax", "z", "y")], lambda y: y[-1], "y", dict(steps=True, layout="tbf")),
    ("channels_first", 3, [("Softmax", "z", "y")], same, "y", dict(layout="bft", time=8)),
    ("label_and_probabilities", 3, [("ArgMax", "z", "l", dict(axis=1, keepdims=0)), ("Softmax", "z", "y")], same, "y", dict(out=("l", "y"), types={"l": T.INT64})),
    ("states_first", 3, [("Softmax", "z", "y")], same, "y", dict(out=("Yh", "Yc", "Y", "y"))),
    # In doubt.
    ("softmax_largest", 3, [SOFTMAX, ("ReduceMax", "p", "y", dict(axes=[1]))], None),
    ("softmax_manual_largest", 3, [("Exp", "z", "e"), ("ReduceSum", "e i1", "s"), ("Div", "e s", "p"), ("ReduceMax", "p", "y", dict(axes=[1]))], None),
    ("softmax_one", 2, [SOFTMAX, ("Slice", "p i0 i1 i1", "y")], None),
    ("softmax_manual_one", 2, [("Exp", "z", "e"), ("ReduceSum", "e i1", "s"), ("Div", "e s", "p"), ("Slice", "p i0 i1 i1", "y")], None),
    ("softmax_linear", 3, [SOFTMAX, ("MatMul", "p mix", "y")], None),
    ("sigmoid_largest", 2, [SIGMOID, ("ReduceMax", "p", "y", dict(axes=[1]))], None),
    ("softmax_complement", 3, [SOFTMAX, ("Sub", "one p", "y")], None),
    ("softmax_of_batch", 3, [("Softmax", "z", "y", dict(axis=0))], None),
    ("softmax_expectation", 3, [SOFTMAX, ("MatMul", "p k1", "y")], None),
    ("sigmoids", 2, [("Sigmoid", "z", "y")], None),
    ("log_sigmoid", 1, [SIGMOID, ("Log", "p", "y")], None),
    ("tanh", 1, [("Tanh", "z", "y")], None),
    ("tanhs", 3, [("Tanh", "z", "y")], None),
    ("tanh_manual", 1, [("Exp", "z", "e"), ("Neg", "z", "n"), ("Exp", "n", "d"), ("Sub", "e d", "s"), ("Add", "e d", "t"), ("Div", "s t", "y")], None),
    ("softsign", 1, [("Softsign", "z", "y")], None),
    ("odds", 3, [("Exp", "z", "y")], None),
    ("softplus", 1, [("Softplus", "z", "y")], None),
    ("relu", 3, [("Relu", "z", "y")], None),
    ("percent_rounded", 1, [SIGMOID, ("Mul", "p hundred", "q"), ("Round", "q", "y")], None),
    ("sign", 1, [("Sign", "z", "y")], None),
    ("steps_both_ways", 3, [("Softmax", "z", "y")], None, "y", dict(steps=True, both=True)),
    ("logits_and_doubt", 3, [("Identity", "z", "n"), ("Sigmoid", "z", "y")], None, "y", dict(out=("n", "y"))),
    ("classes_by_rank", 2, [("TopK", "z i2", "v y")], None, "y", dict(types={"y": T.INT64})),
    ("classes_by_rank_float", 2, [("TopK", "z i2", "v r"), ("Cast", "r", "y", dict(to=T.FLOAT))], None),
    ("two_heads", 3, [("Identity", "z", "y"), ("Neg", "z", "n")], None, "y", dict(out=("y", "n"))),
]

AHEAD = [  # name, features, outputs, nodes after z, layout of the answer or None, more
    ("next", 1, 1, [("Identity", "z", "y")], "bf"),
    ("next_flat", 1, 1, [("Squeeze", "z i1", "y")], "b"),
    ("next_steps", 1, 1, [("Identity", "z", "y")], "btf", dict(steps=True)),
    ("next_steps_fixed", 1, 1, [("Identity", "z", "y")], "btf", dict(steps=True, time=WINDOW)),
    ("next_steps_time_first", 1, 1, [("Identity", "z", "y")], "tbf", dict(steps=True, layout="tbf")),
    ("horizon", 1, 5, [("Unsqueeze", "z i2", "y")], "bhf"),
    ("horizon_time_first", 1, 4, [("Unsqueeze", "z i2", "u"), ("Transpose", "u", "y", dict(perm=[1, 0, 2]))], "hbf", dict(layout="tbf")),
    ("columns_one", 3, 1, [("Identity", "z", "y")], "bf"),
    ("columns_all", 3, 3, [("Identity", "z", "y")], "bf"),
    ("columns_all_window_3", 3, 3, [("Identity", "z", "y")], "bf", dict(time=3)),
    ("columns_steps", 3, 3, [("Identity", "z", "y")], "btf", dict(steps=True)),
    ("columns_one_horizon", 3, 5, [("Unsqueeze", "z i2", "y")], "bhf"),
    ("columns_all_horizon", 3, 12, [("Reshape", "z h4c3", "y")], "bhf"),
    ("columns_all_horizon_3", 3, 9, [("Reshape", "z h3c3", "y")], "bhf"),
    ("columns_channels_first", 3, 12, [("Reshape", "z c3h4", "y")], "bfh", dict(layout="bft")),
    ("columns_first", 3, 12, [("Reshape", "z c3h4", "y")], "bfh"),
    # In doubt, unless the horizon is given.
    ("horizon_flat", 1, 5, [("Identity", "z", "y")], "bh"),
    ("horizon_last", 1, 5, [("Unsqueeze", "z i1", "y")], "bfh"),
    ("horizon_of_window", 1, 6, [("Unsqueeze", "z i2", "y")], "bhf", dict(time=WINDOW)),
    ("horizon_of_window_columns", 3, 18, [("Reshape", "z h6c3", "y")], "bhf", dict(time=WINDOW)),
    ("horizon_of_columns", 3, 3, [("Unsqueeze", "z i2", "y")], "bhf"),
    ("horizon_each_step", 1, 4, [("Identity", "z", "y")], "bth", dict(steps=True)),
    ("next_steps_both_ways", 1, 1, [("Identity", "z", "y")], "btf", dict(steps=True, both=True)),
    # No answer.
    ("next_and_doubt", 1, 4, [("Slice", "z i0 i1 i1", "n"), ("Identity", "z", "y")], None, dict(out=("n", "y"))),
    ("columns_flat", 3, 12, [("Identity", "z", "y")], None),
    ("columns_other", 3, 8, [("Reshape", "z h4c2", "y")], None),
]


def write(name, document):
    (HERE / name).write_text(json.dumps(document, indent=None).replace('}, "', '},\n"') + "\n")


def main():
    rng = np.random.default_rng(1)
    rows = [rng.normal(size=(8, 2)).astype("f") * s for s in (0.5, 1, 2, 3)]
    classes = {}
    for name, outputs, tail, meant, *rest in CLASSES:
        output, more = rest[0] if rest else "y", rest[1] if len(rest) > 1 else {}
        run = model(name, tail, 2, outputs, **more)
        want = [meant(np.float64(run(x[None])[output])).ravel().tolist() for x in rows] if meant else None
        classes[name] = {"want": want}
    write("classes.json", {"rows": [x.tolist() for x in rows], "models": classes})

    series = rng.normal(size=(9, 3)).astype("f")
    ahead = {}
    for name, features, outputs, tail, layout, *rest in AHEAD:
        more = rest[0] if rest else {}
        run = model(name, tail, features, outputs, **more)
        window = more["time"] if more.get("time", "time") != "time" else WINDOW
        y = run(series[None, -window:, :features])["y"]
        want = None
        if layout:
            at = dict(zip(layout, range(y.ndim)))
            if "t" in at:
                y = np.take(y, [y.shape[at["t"]] - 1], axis=at["t"])
            horizon = y.shape[at["h"]] if "h" in at else 1
            order = [at[c] for c in "btfh" if c in at and c != "h" and c != "f"] + [at[c] for c in "hf" if c in at]
            want = y.transpose(order).reshape(horizon, -1).tolist()
        ahead[name] = {"columns": features, "window": window, "want": want}
    write("ahead.json", {"series": series.tolist(), "models": ahead})


main()
