"""Writes *.onnx and torch_baked.json: make goldens.

Each module is exported by both exporters of PyTorch in ways that bake its batch,
or its time too, into the file. The JSON has inputs of other sizes and the
module's own answers to them, which a repaired file must give.
"""

import json
import pathlib
import warnings

import onnx
import torch
from torch import nn

warnings.filterwarnings("ignore")
here = pathlib.Path(__file__).parent
H = 3  # hidden


class Cell(nn.Module):
    def __init__(self, cell=nn.LSTM, inputs=2, outputs=2, **options):
        super().__init__()
        self.rnn = cell(inputs, H, **options)
        self.head = nn.Linear(H * (1 + self.rnn.bidirectional), outputs)


class Last(Cell):
    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


class LastByNumber(Cell):
    def forward(self, x):
        return self.head(self.rnn(x)[0][:, x.size(1) - 1])


class All(Cell):
    def forward(self, x):
        return self.head(self.rnn(x)[0])


class Zeros(Cell):
    """The common way to begin: zeros of the batch, as a person writes them."""

    def forward(self, x):
        zeros = torch.zeros(self.rnn.num_layers, x.size(0), H)
        return self.head(self.rnn(x, (zeros, zeros))[0][:, -1])


class ZerosOfTwo(nn.Module):
    """The same, for two sequences."""

    def __init__(self, zeros):
        super().__init__()
        self.zeros = zeros

    def forward(self, x):
        zeros = torch.zeros(self.zeros.rnn.num_layers, 2, H)
        return self.zeros.head(self.zeros.rnn(x, (zeros, zeros))[0][:, -1])


class Learned(Cell):
    """The initial state is a parameter, the same for all rows."""

    def __init__(self, **options):
        super().__init__(nn.GRU, **options)
        self.h0 = nn.Parameter(torch.randn(1, 1, H))

    def forward(self, x):
        return self.head(self.rnn(x, self.h0.expand(-1, x.size(0), -1).contiguous())[0])


class Different(Cell):
    """The initial state has other values in each row of the batch."""

    def __init__(self, **options):
        super().__init__(nn.GRU, **options)
        self.register_buffer("h0", torch.randn(1, 2, H))

    def forward(self, x):
        return self.head(self.rnn(x, self.h0)[0])


class Folded(Cell):
    """Steps of all sequences go through the head as rows of one matrix."""

    def forward(self, x):
        batch, time, _ = x.shape
        y = self.rnn(x)[0].reshape(batch * time, H)
        return torch.tanh(self.head(y)).view(batch, time, -1)


class Steps(Cell):
    """The same, of a time that comes before the batch."""

    def forward(self, x):
        time, batch, _ = x.shape
        y = self.rnn(x)[0].reshape(time * batch, H)
        return torch.tanh(self.head(y)).view(time, batch, -1)


class Inner(nn.Module):
    """Reads the features of each step as a sequence, and then what it made of them."""

    def __init__(self):
        super().__init__()
        self.inner = nn.GRU(1, H, batch_first=True)
        self.outer = nn.GRU(H, H, batch_first=True)

    def forward(self, x):
        batch, time, features = x.shape
        y = self.inner(x.reshape(batch * time, features, 1))[0][:, -1]
        return self.outer(y.view(batch, time, H))[0]


class OneStep(nn.Module):
    """A cell takes all steps from a state of zeros, of which constants are left."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(2, H)
        self.rnn = nn.GRU(H, H, batch_first=True)

    def forward(self, x):
        batch, time, features = x.shape
        y = self.cell(x.reshape(batch * time, features))
        return self.rnn(y.view(batch, time, H))[0]


class Heads(nn.Module):
    """Attention, whose heads are sequences of the batch to it."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(2, 4, batch_first=True)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        y = self.rnn(x)[0]
        return self.attention(y, y, y, need_weights=False)[0]


class Flat(Cell):
    """The head reads all steps at once, so that their number is part of the model."""

    def __init__(self, **options):
        super().__init__(**options)
        self.head = nn.Linear(4 * H, 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0].reshape(x.size(0), -1))


class Tokens(Cell):
    def __init__(self, **options):
        super().__init__(nn.GRU, outputs=7, **options)
        self.embedding = nn.Embedding(7, 2)

    def forward(self, x):
        y, h = self.rnn(self.embedding(x))
        return self.head(y), h


class State(Cell):
    def forward(self, x, h0, c0):
        y, (h, c) = self.rnn(x, (h0, c0))
        return self.head(y), h, c


class Attention(Cell):
    """The last state asks which steps matter; a learned vector comes before the first."""

    def __init__(self, **options):
        super().__init__(**options)
        self.start = nn.Parameter(torch.randn(1, 1, 2))

    def forward(self, x):
        x = torch.cat([self.start.expand(x.size(0), 1, 2), x], 1)
        y, (h, _) = self.rnn(x)
        scores = torch.bmm(y, h[-1].unsqueeze(2)).view(x.size(0), x.size(1))
        weights = torch.softmax(scores, 1).view(x.size(0), 1, x.size(1))
        return self.head(torch.bmm(weights, y).squeeze(1))


class Mixed(Cell):
    """Scaled by rows of one vector, less the mean of all steps, cut at both ends."""

    def __init__(self, **options):
        super().__init__(**options)
        self.scale = nn.Parameter(torch.randn(1, 1, 2))

    def forward(self, x):
        batch, time, _ = x.shape
        x = torch.cat([x * self.scale.repeat(batch, 1, 1), x], 1)[:, :2 * time]
        y = self.rnn(x)[0]
        y = y - y.mean(1, keepdim=True).expand(batch, 2 * time, H)
        return self.head(y[:, 2 * time - 1:2 * time]).squeeze(1)


def sequences(batch, time):
    return (torch.randn(batch, time, 2),)


def time_major(batch, time):
    return (torch.randn(time, batch, 2),)


def tokens(batch, time):
    return (torch.randint(7, (batch, time)),)


def with_state(batch, time):
    return (torch.randn(batch, time, 2), torch.randn(2, batch, H), torch.randn(2, batch, H))


torch.manual_seed(21)

# Of each: the module, its inputs, and the batch and time that are baked.
MODULES = {
    "last": (Last(batch_first=True, num_layers=2), sequences, 1, 4),
    "last_by_number": (LastByNumber(batch_first=True), sequences, 1, 4),
    "all_bi": (All(nn.GRU, bidirectional=True), time_major, 3, 4),
    "zeros": (Zeros(batch_first=True, num_layers=2), sequences, 1, 4),
    "learned": (Learned(batch_first=True), sequences, 3, 4),
    "different": (Different(batch_first=True), sequences, 2, 4),
    "folded": (Folded(batch_first=True), sequences, 1, 5),
    "folded_many": (Folded(batch_first=True), sequences, 2, 5),
    "flat": (Flat(batch_first=True), sequences, 2, 4),
    "rnn": (All(nn.RNN, batch_first=True), sequences, 2, 4),
    "tokens": (Tokens(batch_first=True), tokens, 2, 4),
    "state": (State(batch_first=True, num_layers=2), with_state, 1, 4),
    "attention": (Attention(batch_first=True), sequences, 2, 4),
    "mixed": (Mixed(batch_first=True), sequences, 2, 4),
    "steps": (Steps(), time_major, 1, 5),
    "steps_square": (Steps(), time_major, 4, 4),
    "inner": (Inner(), sequences, 2, 4),
    "one_step": (OneStep(), sequences, 2, 4),
    "heads": (Heads(), sequences, 3, 4),
}


def export(module, inputs, name, **options):
    path = here / (name + ".onnx")
    torch.onnx.export(module, inputs, str(path), verbose=False, **options)
    model = onnx.load(path)
    del model.metadata_props[:]
    model.graph.doc_string = ""
    del model.graph.value_info[:], model.graph.metadata_props[:]
    for part in [*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output]:
        part.doc_string = ""
        del part.metadata_props[:]
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def tensor(x):
    kind = str(x.dtype).removeprefix("torch.")
    return {"type": kind, "shape": list(x.shape), "data": [float(str(v)) if kind == "float32" else int(v) for v in x.numpy().ravel()]}


golden = {}
for name, (module, inputs, batch, time) in MODULES.items():
    module.eval()
    given = inputs(batch, time)
    files = [name + "_torchscript"]
    export(module, given, files[0], dynamo=False)
    if name != "rnn":  # of which this exporter makes a loop
        files.append(name + "_dynamo")
        export(module, given, files[1], dynamo=True, external_data=False)
    if name == "zeros":
        files.append("zeros_of_two_torchscript")  # symbolic, but for the state
        export(ZerosOfTwo(module), inputs(2, time), files[-1], dynamo=False, input_names=["x"],
               output_names=["y"], dynamic_axes={"x": {0: "n", 1: "steps"}, "y": {0: "n"}})
    cases = []
    for b, t in [(batch, time), (1, time), (5, time), (4, 1), (3, 9)]:
        if name == "different" and b != batch or name == "flat" and t != time:
            continue
        x = inputs(b, t)
        with torch.no_grad():
            y = module(*x)
        cases.append({"inputs": [tensor(v) for v in x], "outputs": [tensor(v) for v in (y if isinstance(y, tuple) else (y,))]})
    golden[name] = {"files": files, "cases": cases}

lines = [f"{json.dumps(name)}: {json.dumps(g, separators=(',', ':'))}" for name, g in golden.items()]
(here / "torch_baked.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
