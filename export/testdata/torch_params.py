"""Writes *.onnx and torch_params.json: make goldens.

Each module is exported by both exporters of PyTorch. Beside the files, the JSON
has the weights of the module's state_dict in the order of the ONNX operators,
an input and the module's own answer. The nodes' metadata, which is most of what
the dynamo exporter writes and has paths of this machine in it, is removed.
"""

import json
import pathlib
import warnings

import numpy as np
import onnx
import torch
from torch import nn

warnings.filterwarnings("ignore")
here = pathlib.Path(__file__).parent
BATCH, TIME = 3, 4

# The gates of PyTorch, in the order of ONNX: i f g o -> i o f c, r z n -> z r h.
GATES = {"RNN": [0], "LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2]}


class Module(nn.Module):
    def __init__(self, cell, inputs, hidden, layers=1, bi=False, batch_first=True,
                 vocabulary=0, outputs=2, readout="last", bias=True, head_bias=True, **options):
        super().__init__()
        self.config = dict(cell=cell.lower(), activation=options.get("nonlinearity", ""),
                           features=0 if vocabulary else inputs, vocabulary=vocabulary,
                           embedding=inputs if vocabulary else 0, hidden=hidden, layers=layers,
                           bidirectional=bi, readout=readout, outputs=max(outputs, 1))
        self.cell, self.batch_first, self.readout = cell, batch_first, readout
        self.embedding = nn.Embedding(vocabulary, inputs) if vocabulary else None
        self.rnn = getattr(nn, cell)(inputs, hidden, layers, bias=bias, batch_first=batch_first,
                                     bidirectional=bi, **options)
        self.head = nn.Linear(hidden * (1 + bi), outputs, bias=head_bias) if outputs else None

    def forward(self, x):
        if self.embedding is not None:
            x = self.embedding(x)
        y, state = self.rnn(x)
        if self.readout == "last":
            y = y[:, -1] if self.batch_first else y[-1]
        elif self.readout == "final":
            h = state[0] if self.cell == "LSTM" else state
            y = torch.cat([h[-2], h[-1]], 1) if self.rnn.bidirectional else h[-1]
        return y if self.head is None else self.head(y)

    def params(self):
        """The weights as lists of numbers, in the order of the ONNX operators."""
        state = {k: v.numpy() for k, v in self.state_dict().items()}
        hidden = self.rnn.hidden_size

        def reorder(x):
            return np.concatenate([x[g * hidden:(g + 1) * hidden] for g in GATES[self.cell]])

        layers = []
        for layer in range(self.rnn.num_layers):
            w, r, b = [], [], []
            for suffix in [f"_l{layer}", f"_l{layer}_reverse"][:1 + self.rnn.bidirectional]:
                w.append(reorder(state["rnn.weight_ih" + suffix]))
                r.append(reorder(state["rnn.weight_hh" + suffix]))
                for name in ["rnn.bias_ih" + suffix, "rnn.bias_hh" + suffix]:
                    b.append(reorder(state[name]) if name in state else np.zeros(hidden * len(GATES[self.cell]), np.float32))
            layers.append({"w": numbers(np.stack(w)), "r": numbers(np.stack(r)), "b": numbers(np.concatenate(b))})
        params = {"layers": layers}
        if self.embedding is not None:
            params["embedding"] = numbers(state["embedding.weight"])
        if self.head is not None:
            params["head_w"] = numbers(state["head.weight"].T)
            params["head_b"] = numbers(state.get("head.bias", np.zeros(self.head.out_features, np.float32)))
        return params


def numbers(x):
    return [float(str(v)) for v in np.asarray(x, np.float32).ravel()]


def export(module, x, name, **options):
    module.eval()
    path = here / (name + ".onnx")
    torch.onnx.export(module, (x,), str(path), input_names=["input"], output_names=["output"], verbose=False, **options)
    model = onnx.load(path)
    del model.metadata_props[:]
    model.graph.doc_string = ""
    del model.graph.value_info[:], model.graph.metadata_props[:]
    for part in [*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output]:
        part.doc_string = ""
        del part.metadata_props[:]
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


MODULES = {
    "rnn": dict(cell="RNN", inputs=2, hidden=3, batch_first=False, readout="all"),
    "rnn_relu": dict(cell="RNN", inputs=2, hidden=3, nonlinearity="relu", readout="final"),
    "rnn2_bi": dict(cell="RNN", inputs=3, hidden=4, layers=2, bi=True, readout="last"),
    "lstm_tokens": dict(cell="LSTM", inputs=3, hidden=5, vocabulary=7, outputs=7, readout="last"),
    "lstm2_bi": dict(cell="LSTM", inputs=1, hidden=3, layers=2, bi=True, batch_first=False, outputs=1, readout="all"),
    "lstm_headless": dict(cell="LSTM", inputs=2, hidden=3, outputs=0, readout="all"),
    "gru_no_bias": dict(cell="GRU", inputs=2, hidden=4, bias=False, head_bias=False, readout="final"),
    "gru_bi_unfolded": dict(cell="GRU", inputs=2, hidden=3, bi=True, readout="all"),
    "gru2_bi_tokens": dict(cell="GRU", inputs=2, hidden=3, layers=2, bi=True, vocabulary=5, outputs=3, readout="final"),
}

torch.manual_seed(20)
golden = {}
for name, config in MODULES.items():
    module = Module(**config).eval()
    if module.embedding is not None:
        x = torch.randint(module.embedding.num_embeddings, (BATCH, TIME))
    else:
        x = torch.randn(BATCH, TIME, config["inputs"])
    given = x if module.batch_first else x.transpose(0, 1).contiguous()
    files = [name + "_torchscript"]
    folding = not name.endswith("_unfolded")  # else the graph cuts, joins and transposes the weights
    export(module, given, files[0], dynamo=False, do_constant_folding=folding, dynamic_axes={"input": {0: "a", 1: "b"}})
    if config["cell"] != "RNN" and folding:
        files.append(name + "_dynamo")
        export(module, given, files[1], dynamo=True, external_data=False, dynamic_shapes={"x": {0: "a", 1: "b"}})
    with torch.no_grad():
        y = module(given)
    if module.readout == "all" and not module.batch_first:
        y = y.transpose(0, 1)
    golden[name] = {"spec": module.config, "files": files, "batch": BATCH, "time": TIME,
                    "input": numbers(x), "output": numbers(y)} | module.params()

# What is refused: the loop without an RNN node that this exporter makes of nn.RNN.
export(nn.RNN(2, 3), torch.randn(2, BATCH, 2), "rnn_dynamo", dynamo=True, external_data=False)

lines = [f"{json.dumps(name)}: {json.dumps(g, separators=(',', ':'))}" for name, g in golden.items()]
(here / "torch_params.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
