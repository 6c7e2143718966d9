"""Writes golden.onnx with the onnx package of pip (1.23.2): python golden.py

All kinds of attribute, all types of element in typed fields and as raw data.
golden_test.go states the same model in Go. An attribute without a type, as in
old files, is the one thing that onnx.checker does not accept in it.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

DTYPES = {
    "float32": (TensorProto.FLOAT, [1.5, -0.0, 3e38]),
    "float64": (TensorProto.DOUBLE, [0.1, -0.0, 1e300]),
    "int32": (TensorProto.INT32, [-(2**31), 0, 2**31 - 1]),
    "int64": (TensorProto.INT64, [-(2**63), 0, 2**63 - 1]),
    "uint8": (TensorProto.UINT8, [0, 7, 255]),
    "bool": (TensorProto.BOOL, [1, 0, 1]),
}

initializers = []
for name, (dtype, values) in DTYPES.items():
    typed = helper.make_tensor(name + "_typed", dtype, [1, 3], values)
    array = np.array(values, helper.tensor_dtype_to_np_dtype(dtype)).reshape(1, 3)
    raw = numpy_helper.from_array(array, name + "_raw")
    assert raw.HasField("raw_data") and not typed.HasField("raw_data")
    initializers += [typed, raw]
initializers.append(numpy_helper.from_array(np.float32(2.5), "scalar"))
initializers.append(helper.make_tensor("empty", TensorProto.FLOAT, [0, 3], []))

branch = helper.make_graph(
    [helper.make_node("Identity", ["x"], ["y"])],
    "branch",
    [],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
)
node = helper.make_node(
    "Custom",
    ["x", "", "scalar"],
    ["y", ""],
    name="all_kinds",
    domain="test.rnnkit",
    f=-0.5,
    i=-7,
    zero=0,
    s="gr\u00fcn",
    t=helper.make_tensor("constant", TensorProto.INT64, [2], [3, -4]),
    g=branch,
    floats=[1.0, -2.5],
    ints=[1, -1, 2**40],
    strings=["Tanh", ""],
)
untyped = helper.make_node("Custom", ["y"], ["z"], domain="test.rnnkit", axis=2)
untyped.attribute[0].ClearField("type")

graph = helper.make_graph(
    [node, untyped],
    "golden",
    [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", None, 4]),
        helper.make_tensor_value_info("h", TensorProto.FLOAT16, []),
    ],
    [helper.make_tensor_value_info("z", TensorProto.INT64, [0])],
    initializers,
)
model = helper.make_model(
    graph,
    producer_name="golden.py",
    producer_version="1",
    ir_version=8,
    opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("test.rnnkit", 1)],
)
helper.set_model_props(model, {"rnnkit": '{"task": "forecast"}'})
onnx.save(model, "golden.onnx")
