"""Checks exported models against Python: python interop.py FOLDER

`go run ./scripts/interop` writes the folder. Every model must pass onnx's checker
and its strict shape inference. On every case, onnxruntime and onnx's reference
evaluator must give our answers in every output, with the declared shapes. Cases
marked stepwise must give the same answers step by step in onnxruntime, with the
state fed back. Models converted by onnxslim and to float16 must give them too,
except for models whose state is an input with a default, which neither keeps.
"""

import collections
import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
import onnxslim
from onnx.reference import ReferenceEvaluator
from onnxconverter_common.float16 import convert_float_to_float16

TOLERANCE = 1e-5
TOLERANCES = dict.fromkeys(("onnxruntime", "stepwise", "onnxslim", "reference", "trainer"), TOLERANCE) | {"float16": 5e-2}


def main(folder):
    onnxruntime.set_default_logger_severity(3)
    paths = sorted(pathlib.Path(folder).glob("*.onnx"))
    if not paths:
        sys.exit(f"no models in {folder}")
    groups = collections.defaultdict(collections.Counter)
    failures = []
    for path in paths:
        group = groups[path.stem.split("-")[0], *path.stem.split("-")[4:5]]
        group["models"] += 1
        try:
            check(path, group)
        except Exception as e:
            failures.append(f"{path}: {type(e).__name__}: {e}")
    print(f"{'max |difference| from native':30}{'models':>7}{'cases':>7}" + "".join(f"{who:>13}" for who in TOLERANCES))
    for name, g in groups.items():
        differences = "".join(f"{g[who]:13.1e}" if who in g else f"{'-':>13}" for who in TOLERANCES)
        print(f"{' '.join(name):30}{g['models']:7}{g['cases']:7}{differences}")
    worst = max(g[who] for g in groups.values() for who in TOLERANCES if who != "float16")
    print(f"worst {worst:.1e}, allowed {TOLERANCE:.0e}, and in float16 {TOLERANCES['float16']:.0e}")
    if failures:
        sys.exit("\n".join([f"{len(failures)} of {len(paths)} models failed:"] + failures))


def check(path, group):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)

    defaults = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    types = {i.name: onnx.helper.tensor_dtype_to_np_dtype(i.type.tensor_type.elem_type) for i in model.graph.input}
    optional = {name: defaults[name] for name in types if name in defaults}
    names = [o.name for o in model.graph.output]
    session = open_session(model)
    converted = {}
    if not optional:
        converted["onnxslim"] = open_session(onnxslim.slim(onnx.load(path)))
        converted["float16"] = open_session(convert_float_to_float16(onnx.load(path)))
    # onnx's reference evaluator does not support an RNN with Relu.
    relu = any(a.name == "activations" and b"Relu" in a.strings for n in model.graph.node for a in n.attribute)
    reference = None if relu else ReferenceEvaluator(model)

    for case in json.loads(path.with_suffix(".json").read_text()):
        group["cases"] += 1
        inputs = {name: array(t, types[name]) for name, t in case["inputs"].items()}
        answers = {who: {name: array(t, np.float32) for name, t in outputs.items()} for who, outputs in case["answers"].items()}
        answers["onnxruntime"] = dict(zip(names, session.run(names, inputs)))
        if case["stepwise"]:
            answers["stepwise"] = stepwise(session, inputs, answers["onnxruntime"])
        for who, other in converted.items():
            answers[who] = dict(zip(names, other.run(names, typed(inputs, other))))
        if reference:
            answers["reference"] = dict(zip(names, reference.run(names, optional | inputs)))
        ours = answers.pop("native")
        if set(ours) != set(names):
            raise ValueError(f"the native engine answers {sorted(ours)}, the model declares {names}")
        check_shapes(model, inputs["input"], ours)
        for who, outputs in answers.items():
            for name, theirs in outputs.items():
                compare(group, who, name, ours[name], theirs)


def open_session(model):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def typed(inputs, session):
    """Returns the inputs in the types of a session, which may be float16."""
    half = {i.name for i in session.get_inputs() if i.type == "tensor(float16)"}
    return {name: t.astype(np.float16) if name in half else t for name, t in inputs.items()}


def stepwise(session, inputs, whole):
    """Runs one step at a time and returns the same outputs as whole."""
    state = {name: t for name, t in inputs.items() if name != "input"}
    steps = collections.defaultdict(list)
    for step in range(inputs["input"].shape[1]):
        answers = dict(zip(whole, session.run(list(whole), state | {"input": inputs["input"][:, step : step + 1]})))
        for name, t in answers.items():
            steps[name].append(t)
        state = {name: answers[name[0] + "n"] for name in state}
    last = {name[0] + "n" for name in state}
    return {name: t[-1] if name in last or t[-1].ndim == 2 else np.concatenate(t, axis=1) for name, t in steps.items()}


def array(tensor, dtype):
    return np.array(tensor["Data"], dtype).reshape(tensor["Shape"])


def check_shapes(model, x, answers):
    sizes = {"batch": x.shape[0], "time": x.shape[1]}
    for output in model.graph.output:
        want = tuple(sizes[d.dim_param] if d.dim_param else d.dim_value for d in output.type.tensor_type.shape.dim)
        if answers[output.name].shape != want:
            raise ValueError(f"{output.name} has shape {answers[output.name].shape}, declared {want}")


def compare(group, who, name, ours, theirs):
    if ours.shape != theirs.shape:
        raise ValueError(f"{name}: native has shape {ours.shape}, {who} {theirs.shape}")
    difference = float(np.abs(ours - theirs).max())
    group[who] = float(np.fmax(group[who], difference))
    if not difference <= TOLERANCES[who]:  # true for NaN
        raise ValueError(f"{name} of native and {who} differ by {difference:g}")


if __name__ == "__main__":
    main(*sys.argv[1:])
