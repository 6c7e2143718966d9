"""Writes PyTorch models whose batch and time are baked in: corpus_torch.py FOLDER [NAME...].

NAME.onnx is what an exporter made of an example; NAME.npz has inputs of other
batches and times (in0_0, ... of case 0), and the module's own answers (out0_0).
corpus_score.py tells what `rnnkit repair` makes of them. Those whose name begins
with x_ calculate with their time in Python, so that the exporters unroll them or
leave a constant.
"""

import logging
import math
import warnings

import onnx
import torch
import torch.nn.functional as F
from torch import nn

import corpus

warnings.filterwarnings("ignore")
logging.disable()
folder, only = corpus.arguments()
FEATURES = 3


class Net(nn.Module):
    """A recurrent layer, and a function that reads it out."""

    def __init__(self, read, cell="LSTM", hidden=4, inputs=FEATURES, outputs=2, before=None, width=None, **options):
        super().__init__()
        options.setdefault("batch_first", True)
        self.rnn = getattr(nn, cell)(inputs, hidden, **options)
        self.read, self.before = read, before
        self.h = hidden * (2 if self.rnn.bidirectional else 1)
        self.head = nn.Linear(width or self.h, outputs)
        self.more = nn.ModuleDict()

    def forward(self, x):
        return self.read(self, x if self.before is None else self.before(self, x))


def with_modules(net, **modules):
    net.more.update(modules)
    return net


class Of(nn.Module):
    """Any function of modules."""

    def __init__(self, run, **modules):
        super().__init__()
        self.run = run
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *x):
        return self.run(self, *x)


def zeros(m, x):
    d = m.rnn.num_layers * (2 if m.rnn.bidirectional else 1)
    b = x.size(0) if m.rnn.batch_first else x.size(1)
    h = torch.zeros(d, b, m.rnn.hidden_size)
    return (h, torch.zeros_like(h)) if isinstance(m.rnn, nn.LSTM) else h


def state(m, x):
    h = m.rnn(x)[1]
    return h[0] if isinstance(h, tuple) else h


READ = {
    "last": lambda m, x: m.head(m.rnn(x)[0][:, -1]),
    "lastslice": lambda m, x: m.head(m.rnn(x)[0][:, -1:].squeeze(1)),
    "number": lambda m, x: m.head(m.rnn(x)[0][:, x.size(1) - 1, :]),
    "all": lambda m, x: m.head(m.rnn(x)[0]),
    "relu_all": lambda m, x: torch.sigmoid(m.head(F.relu(m.rnn(x)[0]))),
    "mean": lambda m, x: m.head(m.rnn(x)[0].mean(1)),
    "max": lambda m, x: m.head(m.rnn(x)[0].max(1)[0]),
    "amax": lambda m, x: m.head(torch.amax(m.rnn(x)[0], 1)),
    "sum": lambda m, x: m.head(m.rnn(x)[0].sum(1)),
    "hn": lambda m, x: m.head(state(m, x)[-1]),
    "hncat": lambda m, x: m.head(torch.cat([state(m, x)[-2], state(m, x)[-1]], 1)),
    "hnview": lambda m, x: m.head(state(m, x).permute(1, 0, 2).reshape(x.size(0), -1)),
    "zeros": lambda m, x: m.head(m.rnn(x, zeros(m, x))[0][:, -1]),
    "zerosall": lambda m, x: m.head(m.rnn(x, zeros(m, x))[0]),
    "flatten": lambda m, x: m.head(m.rnn(x)[0].contiguous().view(-1, m.h)).view(x.size(0), x.size(1), -1),
    "flatminus": lambda m, x: m.head(m.rnn(x)[0].reshape(-1, m.h)).reshape(x.size(0), -1, 2),
    "softmax": lambda m, x: torch.softmax(m.head(m.rnn(x)[0]), -1),
    "logsoftmax": lambda m, x: torch.log_softmax(m.head(m.rnn(x)[0][:, -1]), 1),
    "maxpool": lambda m, x: m.head(F.adaptive_max_pool1d(m.rnn(x)[0].transpose(1, 2), 1).squeeze(-1)),
    "avgpool": lambda m, x: m.head(F.adaptive_avg_pool1d(m.rnn(x)[0].transpose(1, 2), 1).squeeze(-1)),
    "meanmax": lambda m, x: m.head(torch.cat([m.rnn(x)[0].mean(1), m.rnn(x)[0].max(1)[0]], 1)),
    "state": lambda m, x: (lambda y, h: (m.head(y), *(h if isinstance(h, tuple) else (h,))))(*m.rnn(x)),
    "dropout": lambda m, x: m.head(F.dropout(m.rnn(x)[0][:, -1], 0.3, m.training)),
    "firstlast": lambda m, x: m.head(torch.cat([m.rnn(x)[0][:, -1, :4], m.rnn(x)[0][:, 0, 4:]], 1)),
    "lognorm": lambda m, x: m.head(F.layer_norm(m.rnn(x)[0], (m.h,))[:, -1]),
    "gelu": lambda m, x: m.head(F.gelu(m.rnn(x)[0]))[:, -1],
    "squeeze": lambda m, x: m.head(m.rnn(x)[0][:, -1])[:, 0],
    "residual": lambda m, x: x[:, -1, :2] + m.head(m.rnn(x)[0][:, -1]),
    "attend": lambda m, x: (lambda y: m.head((torch.softmax(m.more["score"](torch.tanh(y)), 1) * y).sum(1)))(m.rnn(x)[0]),
    "attendbmm": lambda m, x: (lambda y: m.head(torch.bmm(torch.softmax(m.more["score"](y).squeeze(-1), 1).unsqueeze(1), y).squeeze(1)))(m.rnn(x)[0]),
    "attendlast": lambda m, x: (lambda y: m.head(torch.bmm(torch.softmax(torch.bmm(y, y[:, -1].unsqueeze(2)).squeeze(2), 1).unsqueeze(1), y).squeeze(1)))(m.rnn(x)[0]),
    "timemajor": lambda m, x: m.head(m.rnn(x.transpose(0, 1))[0][-1]),
    "timemajorall": lambda m, x: m.head(m.rnn(x.permute(1, 0, 2))[0]).permute(1, 0, 2),
    "ctc": lambda m, x: torch.log_softmax(m.head(m.rnn(x)[0]), 2).permute(1, 0, 2),
    "self": lambda m, x: m.head((lambda y: torch.softmax(y @ y.transpose(1, 2) / 2.449, -1) @ y)(m.rnn(x)[0])),
    "cosine": lambda m, x: F.normalize(m.head(m.rnn(x)[0][:, -1]), dim=1),
    "learned": lambda m, x: m.head(m.rnn(x, m.h0.expand(-1, x.size(0), -1).contiguous())[0]),
    "learnedrep": lambda m, x: m.head(m.rnn(x, m.h0.repeat(1, x.size(0), 1))[0][:, -1]),
    "horizon": lambda m, x: m.head(m.rnn(x)[0][:, -1]).view(x.size(0), 2, 1),
    "normalise": lambda m, x: m.head(m.rnn((x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True, unbiased=False) + 1e-5))[0][:, -1]),
}

rows = lambda b, t: (torch.randn(b, t, FEATURES),)
major = lambda b, t: (torch.randn(t, b, FEATURES),)
tokens = lambda b, t: (torch.randint(11, (b, t)),)
MODELS = {}  # name: module, inputs, batch, time, exporters
BOTH = ("ts", "dyn")


def add(name, module, inputs, b, t, exporters=BOTH):
    MODELS[name] = (module, inputs, b, t, exporters)


def build_open():
    k = 0
    for cell in ("LSTM", "GRU"):
        for read in ("last", "number", "all", "mean", "max", "hn", "zeros", "flatten", "softmax", "state", "maxpool"):
            k += 1
            add(f"{cell}_{read}".lower(), Net(READ[read], cell, num_layers=1 + k % 2), rows, 1 + k % 3, 5 + k % 6)
    for read in ("last", "all", "mean", "hncat", "attend", "firstlast", "meanmax"):
        k += 1
        net = Net(READ[read], "LSTM" if k % 2 else "GRU", bidirectional=True, width=16 if read == "meanmax" else None)
        if read == "attend":
            with_modules(net, score=nn.Linear(8, 1))
        add(f"bi_{read}", net, rows, 1 + k % 3, 5 + k % 6)
    for read in ("last", "all", "zeros", "hn"):
        k += 1
        add(f"rnn_{read}", Net(READ[read], "RNN", nonlinearity="relu" if k % 2 else "tanh"), rows, 1 + k % 3, 5 + k % 6, ("ts",))
    for read in ("lastslice", "relu_all", "sum", "amax", "zerosall", "flatminus", "logsoftmax", "avgpool", "dropout", "lognorm", "gelu", "squeeze",
                 "residual", "cosine", "self", "horizon", "normalise", "hnview", "ctc", "attendlast"):
        k += 1
        add(read, Net(READ[read], "GRU" if k % 3 else "LSTM", num_layers=1), rows, 1 + k % 3, 5 + k % 6)
    for read in ("timemajor", "timemajorall"):
        k += 1
        add(read, Net(READ[read], "LSTM", batch_first=False), rows, 1 + k % 3, 5 + k % 6)
    add("major_all", Net(lambda m, x: m.head(m.rnn(x)[0]), "GRU", batch_first=False), major, 2, 7)
    add("major_last", Net(lambda m, x: m.head(m.rnn(x)[0][-1]), "LSTM", batch_first=False, num_layers=2), major, 1, 6)
    for read in ("learned", "learnedrep"):
        net = Net(READ[read], "GRU")
        net.h0 = nn.Parameter(torch.randn(1, 1, 4))
        add(read, net, rows, 2, 6)
    add("attendbmm", with_modules(Net(READ["attendbmm"], "LSTM"), score=nn.Linear(4, 1)), rows, 2, 7)
    embed = lambda m, x: m.more["embed"](x)
    for read in ("last", "all", "mean", "max", "hn"):
        k += 1
        add(f"tokens_{read}", with_modules(Net(READ[read], "LSTM" if k % 2 else "GRU", before=embed), embed=nn.Embedding(11, FEATURES)), tokens, 1 + k % 3, 5 + k % 6)
    conv = lambda m, x: F.relu(m.more["conv"](x.transpose(1, 2))).transpose(1, 2)
    for read in ("last", "all", "mean"):
        k += 1
        add(f"conv_{read}", with_modules(Net(READ[read], "GRU", before=conv), conv=nn.Conv1d(FEATURES, FEATURES, 3, padding=1)), rows, 1 + k % 3, 6 + k % 6)
    norm = lambda m, x: m.more["norm"](x)
    add("norm_last", with_modules(Net(READ["last"], "LSTM", before=norm), norm=nn.LayerNorm(FEATURES)), rows, 2, 7)
    bn = lambda m, x: m.more["bn"](x.transpose(1, 2)).transpose(1, 2)
    add("bn_last", with_modules(Net(READ["last"], "LSTM", before=bn), bn=nn.BatchNorm1d(FEATURES)), rows, 2, 7)
    project = lambda m, x: torch.tanh(m.more["in"](x))
    add("project_all", with_modules(Net(READ["all"], "GRU", before=project), **{"in": nn.Linear(FEATURES, FEATURES)}), rows, 3, 8)
    add("two", Of(lambda m, x: m.head(m.b(m.a(x)[0])[0][:, -1]), a=nn.LSTM(3, 4, batch_first=True), b=nn.GRU(4, 5, batch_first=True), head=nn.Linear(5, 2)), rows, 2, 7)
    add("stacked_bi", Of(lambda m, x: m.head(m.b(m.a(x)[0])[0].mean(1)), a=nn.LSTM(3, 4, batch_first=True, bidirectional=True), b=nn.GRU(8, 5, batch_first=True), head=nn.Linear(5, 2)), rows, 1, 9)
    add("given_state", Of(lambda m, x, h: m.rnn(x, h), rnn=nn.GRU(3, 4, batch_first=True)), lambda b, t: (torch.randn(b, t, 3), torch.randn(1, b, 4)), 2, 5)
    add("heads", Of(lambda m, x: (lambda y: m.att(y, y, y, need_weights=False)[0])(m.rnn(x)[0]), rnn=nn.GRU(3, 4, batch_first=True), att=nn.MultiheadAttention(4, 2, batch_first=True)), rows, 3, 7)
    add("mlp", Of(lambda m, x: m.head(m.seq(m.rnn(x)[0][:, -1])), rnn=nn.LSTM(3, 4, batch_first=True), seq=nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Dropout(0.2)), head=nn.Linear(8, 1)), rows, 2, 10)
    add("packed", Of(lambda m, x, n: m.head(nn.utils.rnn.pad_packed_sequence(m.rnn(nn.utils.rnn.pack_padded_sequence(x, n, batch_first=True))[0], batch_first=True)[0]), rnn=nn.GRU(3, 4, batch_first=True), head=nn.Linear(4, 2)),
        lambda b, t: (torch.randn(b, t, 3), torch.tensor([max(1, t - k) for k in range(b)])), 2, 6, ("ts",))
    add("crnn", Of(lambda m, x: m.head(m.rnn(F.relu(m.conv(x.unsqueeze(1))).permute(0, 2, 1, 3).flatten(2))[0]), conv=nn.Conv2d(1, 2, 3, padding=1), rnn=nn.GRU(6, 4, batch_first=True), head=nn.Linear(4, 2)), rows, 2, 8)
    add("distributed", Of(lambda m, x: m.rnn(m.cell(x.reshape(x.size(0) * x.size(1), 3)).view(x.size(0), x.size(1), 4))[0], cell=nn.Sequential(nn.Linear(3, 4), nn.Tanh()), rnn=nn.GRU(4, 4, batch_first=True)), rows, 2, 7)
    add("siamese", Of(lambda m, a, b: torch.cosine_similarity(m.rnn(a)[0][:, -1], m.rnn(b)[0][:, -1]), rnn=nn.LSTM(3, 4, batch_first=True)), lambda b, t: (torch.randn(b, t, 3), torch.randn(b, t, 3)), 2, 8)
    add("autoreg_heads", Of(lambda m, x: (lambda y: (m.a(y), m.b(y)))(m.rnn(x)[0][:, -1]), rnn=nn.GRU(3, 4, batch_first=True), a=nn.Linear(4, 1), b=nn.Linear(4, 3)), rows, 3, 9)
    add("difference", Of(lambda m, x: m.rnn(x - x[:, -1:])[0][:, -1] @ m.w, rnn=nn.GRU(3, 4, batch_first=True), w=nn.Parameter(torch.randn(4, 2))), rows, 1, 9)
    add("quantiles", Of(lambda m, x: m.head(m.rnn(x)[0][:, -1]).view(-1, 5, 3), rnn=nn.LSTM(3, 6, batch_first=True), head=nn.Linear(6, 15)), rows, 2, 12)
    add("vad", Of(lambda m, x: torch.sigmoid(m.head(m.rnn(x)[0])).squeeze(-1), rnn=nn.GRU(3, 4, batch_first=True, bidirectional=True), head=nn.Linear(8, 1)), rows, 1, 11)
    for read in ("last", "mean", "all", "zeros", "flatten", "softmax", "hn"):
        k += 1
        add(f"o_{read}", Net(READ[read], "GRU" if k % 2 else "LSTM"), rows, 1 + k % 3, 5 + k % 6, ("old",))
    add("o_norm", with_modules(Net(READ["last"], before=norm), norm=nn.LayerNorm(FEATURES)), rows, 2, 7, ("old",))
    add("o_gelu", Net(READ["gelu"]), rows, 2, 4, ("old", "ts", "dyn"))
    add("o_attend", with_modules(Net(READ["attend"], bidirectional=True), score=nn.Linear(8, 1)), rows, 2, 7, ("old",))
    add("o_conv", with_modules(Net(READ["last"], "GRU", before=conv), conv=nn.Conv1d(FEATURES, FEATURES, 5, padding=2, stride=2)), rows, 2, 9, ("old", "ts", "dyn"))
    add("o_tokens", with_modules(Net(READ["all"], before=embed), embed=nn.Embedding(11, FEATURES)), tokens, 2, 7, ("old",))


class CellNet(nn.Module):
    def __init__(self, kind, every=False, head=True):
        super().__init__()
        self.cell = getattr(nn, kind)(FEATURES, 4)
        self.head, self.every = nn.Linear(4, 2), every

    def forward(self, x):
        h = torch.zeros(x.size(0), 4)
        c = torch.zeros(x.size(0), 4)
        ys = []
        for t in range(x.size(1)):
            if isinstance(self.cell, nn.LSTMCell):
                h, c = self.cell(x[:, t], (h, c))
            else:
                h = self.cell(x[:, t], h)
            ys.append(h)
        return self.head(torch.stack(ys, 1)) if self.every else self.head(h)


class ConvCell(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1 + 2, 8, 3, padding=1)
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        h = torch.zeros(x.size(0), 2, FEATURES)
        c = torch.zeros_like(h)
        for t in range(x.size(1)):
            i, o, f, g = self.conv(torch.cat([x[:, t].unsqueeze(1), h], 1)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return self.head(h.flatten(1))


class Decoder(nn.Module):
    """Reads a sequence, and says it again step by step."""

    def __init__(self, unrolled=True, part=1):
        super().__init__()
        self.part = part
        self.enc = nn.GRU(FEATURES, 4, batch_first=True)
        self.cell, self.dec = nn.GRUCell(FEATURES, 4), nn.GRU(4, 4, batch_first=True)
        self.head, self.unrolled = nn.Linear(4, FEATURES), unrolled

    def forward(self, x):
        h = self.enc(x)[1][0]
        if not self.unrolled:
            return self.head(self.dec(h.unsqueeze(1).repeat(1, x.size(1) // self.part, 1))[0])
        y, ys = torch.zeros(x.size(0), FEATURES), []
        for _ in range(x.size(1) // self.part):
            h = self.cell(y, h)
            y = self.head(h)
            ys.append(y)
        return torch.stack(ys, 1)


class Viterbi(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(FEATURES, 4, batch_first=True)
        self.moves = nn.Parameter(torch.randn(4, 4))

    def forward(self, x):
        y = self.rnn(x)[0]
        score = y[:, 0]
        for t in range(1, x.size(1)):
            score = (score.unsqueeze(2) + self.moves).max(1)[0] + y[:, t]
        return score


@torch.jit.script
def scripted(x, w, u):
    h = torch.zeros(x.size(0), 4)
    for t in range(x.size(1)):
        h = torch.tanh(x[:, t] @ w + h @ u)
    return h


class Scripted(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.u = nn.Parameter(torch.randn(FEATURES, 4)), nn.Parameter(torch.randn(4, 4) / 2)

    def forward(self, x):
        return scripted(x, self.w, self.u)


def gru(read, **more):
    return Net(read, "GRU", **more)


def build_fixed():
    n = lambda x: x.size(1)
    add("x_lstmcell", CellNet("LSTMCell"), rows, 2, 6)
    add("x_grucell", CellNet("GRUCell"), rows, 1, 5)
    add("x_rnncell_all", CellNet("RNNCell", True), rows, 2, 7)
    add("x_lstmcell_all", CellNet("LSTMCell", True), rows, 3, 4)
    add("x_lstmcell_2", CellNet("LSTMCell"), rows, 2, 2)
    add("x_grucell_3_all", CellNet("GRUCell", True), rows, 2, 3)
    add("x_grucell_1", CellNet("GRUCell"), rows, 2, 1)
    add("x_convlstm", ConvCell(), rows, 2, 5)
    add("x_decoder", Decoder(), rows, 2, 6)
    add("x_autoencoder", Decoder(False), rows, 2, 7)
    add("x_viterbi", Viterbi(), rows, 1, 6)
    add("x_scripted", Scripted(), rows, 2, 5, ("ts",))
    add("x_rnn", Net(READ["last"], "RNN"), rows, 2, 5, ("dyn",))
    add("x_rnn_bi", Net(READ["all"], "RNN", bidirectional=True), rows, 1, 7, ("dyn",))
    add("x_half", gru(lambda m, x: m.head(m.rnn(x)[0][:, n(x) // 2])), rows, 2, 7)
    add("x_half2", gru(lambda m, x: m.head(m.rnn(x)[0][:, n(x) // 2])), rows, 2, 2)
    add("x_tail", gru(lambda m, x: m.head(m.rnn(x)[0][:, -(n(x) // 2):].mean(1))), rows, 2, 8)
    add("x_headhalf", gru(lambda m, x: m.head(m.rnn(x)[0][:, :n(x) // 2].mean(1))), rows, 2, 6)
    add("x_butlast", gru(lambda m, x: m.head(m.rnn(x[:, :n(x) - 1])[0].mean(1))), rows, 2, 6)
    add("x_sumT", gru(lambda m, x: m.head(m.rnn(x)[0].sum(1) / n(x))), rows, 2, 6)
    add("x_sumT4", gru(lambda m, x: m.head(m.rnn(x)[0].sum(1) * (1 / n(x)))), rows, 3, 4)
    add("x_sumsqrt", gru(lambda m, x: m.head(m.rnn(x)[0].sum(1) / n(x) ** 0.5)), rows, 2, 7)
    add("x_sumlog", gru(lambda m, x: m.head(m.rnn(x)[0].sum(1) / torch.log(torch.tensor(n(x) + 1.0)))), rows, 2, 7)
    add("x_var", gru(lambda m, x: m.head(m.rnn(x)[0].var(1))), rows, 2, 6)
    add("x_std", gru(lambda m, x: m.head(m.rnn(x)[0].std(1))), rows, 2, 9)
    add("x_stat", gru(lambda m, x: m.head((lambda y: torch.cat([y.mean(1), y.std(1)], 1))(m.rnn(x)[0])), width=8), rows, 1, 8)
    add("x_standard", gru(lambda m, x: m.head(m.rnn((x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-4))[0][:, -1])), rows, 2, 9)
    add("x_pad8", gru(lambda m, x: m.head(m.rnn(F.pad(x, (0, 0, 0, 20 - n(x))))[0][:, -1])), rows, 2, 6)
    add("x_padcat", gru(lambda m, x: m.head(m.rnn(torch.cat([x, torch.zeros(x.size(0), 20 - n(x), FEATURES)], 1))[0][:, -1])), rows, 2, 6)
    add("x_scaleT", gru(lambda m, x: m.head(m.rnn(x * (n(x) / 10))[0][:, -1])), rows, 2, 7)
    add("x_powT", gru(lambda m, x: m.head(m.rnn(x)[0][:, -1] * 0.9 ** n(x))), rows, 2, 7)
    add("x_feature", gru(lambda m, x: m.head(torch.cat([m.rnn(x)[0][:, -1], torch.full((x.size(0), 1), float(n(x)))], 1)), width=5), rows, 2, 7)
    add("x_lens", gru(lambda m, x: m.head((m.rnn(x)[0] * (torch.arange(n(x))[None] < torch.full((x.size(0), 1), n(x))).float()[..., None]).sum(1) / torch.full((x.size(0), 1), float(n(x))))), rows, 2, 6)
    add("x_packed", gru(lambda m, x: m.head(nn.utils.rnn.pad_packed_sequence(m.rnn(nn.utils.rnn.pack_padded_sequence(x, torch.full((x.size(0),), n(x)), batch_first=True))[0], batch_first=True)[0][:, -1])), rows, 2, 6, ("ts",))
    add("x_frac", gru(lambda m, x: m.head(m.rnn(torch.cat([x, (torch.arange(n(x)) / n(x)).view(1, -1, 1).expand(x.size(0), -1, 1)], 2))[0][:, -1]), inputs=4), rows, 2, 6)
    add("x_decay", gru(lambda m, x: m.head((m.rnn(x)[0] * (0.9 ** torch.arange(n(x) - 1, -1, -1.0))[None, :, None]).sum(1))), rows, 2, 6)
    add("x_attscale", gru(lambda m, x: m.head((lambda y: torch.softmax(y @ y.transpose(1, 2) / n(x) ** 0.5, -1) @ y)(m.rnn(x)[0]))), rows, 2, 6)
    add("x_avgk", gru(lambda m, x: m.head(F.avg_pool1d(m.rnn(x)[0].transpose(1, 2), n(x)).squeeze(-1))), rows, 2, 6)
    add("x_avgk0", gru(lambda m, x: m.head(F.avg_pool1d(m.rnn(x)[0].transpose(1, 2), n(x))[..., 0])), rows, 2, 6)
    add("x_adaptive", gru(lambda m, x: m.head(m.rnn(F.adaptive_avg_pool1d(x.transpose(1, 2), 3).transpose(1, 2))[0][:, -1])), rows, 2, 6)
    add("x_topk", gru(lambda m, x: m.head(m.rnn(x)[0].topk(n(x) // 2, 1)[0].mean(1))), rows, 2, 8)
    add("x_cummean", gru(lambda m, x: m.head(m.rnn(x)[0].cumsum(1) / torch.arange(1, n(x) + 1)[None, :, None])), rows, 2, 6)
    add("x_entropy", gru(lambda m, x: (lambda p: -(p * torch.log(p)).sum(1) / torch.log(torch.tensor(float(n(x)))))(torch.softmax(m.rnn(x)[0][..., 0], 1))), rows, 2, 6)
    add("x_position", Of(lambda m, x: m.rnn(x + m.p[:x.size(1)])[0], rnn=nn.GRU(3, 4, batch_first=True), p=nn.Parameter(torch.randn(50, 3))), rows, 2, 6)
    add("x_everyother", gru(lambda m, x: m.head(m.rnn(x)[0][:, torch.arange(0, n(x), 2)].mean(1))), rows, 2, 6)
    add("x_window", gru(lambda m, x: m.head(m.rnn(x)[0][:, n(x) - 3:].mean(1))), rows, 2, 6)
    add("x_unfold", gru(lambda m, x: m.head(m.rnn(x.unfold(1, 2, 1).mean(3))[0][:, -1])), rows, 2, 6)
    add("x_bidir_cell", Of(lambda m, x: m.head(torch.cat([walk(x, m.a), walk(x.flip(1), m.b)], 1)), a=nn.GRUCell(3, 4), b=nn.GRUCell(3, 4), head=nn.Linear(8, 2)), rows, 2, 5)
    add("x_chunks", gru(lambda m, x: m.head(torch.stack([c.mean(1) for c in m.rnn(x)[0].chunk(2, 1)], 1).flatten(1)), width=8), rows, 2, 6)
    add("x_unbind", Of(lambda m, x: m.head(sum(torch.tanh(m.w(v)) for v in x.unbind(1))), w=nn.Linear(3, 4), head=nn.Linear(4, 2)), rows, 2, 4)
    add("x_flatslice", Of(lambda m, x: m.head(sum(torch.tanh(m.w(x.flatten(1)[:, 3 * t:3 * t + 3])) for t in range(x.size(1)))), w=nn.Linear(3, 4), head=nn.Linear(4, 2)), rows, 2, 5)
    add("x_pyramid", gru(lambda m, x: m.head(m.rnn(x.reshape(x.size(0), n(x) // 2, 6))[0][:, -1]), inputs=6), rows, 2, 6)
    add("x_batchT", gru(lambda m, x: m.head(m.rnn(x)[0].sum(1) / (n(x) * 4))), rows, 2, 6)
    add("x_flip", gru(lambda m, x: m.head(m.rnn(x.flip(1))[0][:, -1])), rows, 2, 6)
    add("x_pool", gru(lambda m, x: m.head(m.rnn(F.max_pool1d(x.transpose(1, 2), 2).transpose(1, 2))[0][:, -1])), rows, 2, 9)
    add("x_lag", gru(lambda m, x: m.head(m.rnn(x[:, 1:] - x[:, :-1])[0][:, -1])), rows, 2, 9)
    add("x_causal", Of(lambda m, x: m.rnn(m.c(F.pad(x.transpose(1, 2), (2, 0))).transpose(1, 2))[0], c=nn.Conv1d(3, 3, 3), rnn=nn.GRU(3, 4, batch_first=True)), rows, 2, 9)


    build_more()
    build_of_time()


def build_more():
    n = lambda x: x.size(1)
    add("x_horizon_half", Decoder(part=2), rows, 2, 8)
    add("x_horizon_third", Decoder(part=3), rows, 2, 9)
    add("x_repeat_half", Decoder(False, part=2), rows, 2, 8)
    add("x_major_cell", Of(lambda m, x: m.head(walk(x.transpose(0, 1), m.a)), a=nn.GRUCell(3, 4), head=nn.Linear(4, 2)), major, 2, 5)
    add("x_backwards", Of(lambda m, x: m.head(walk(torch.stack([x[:, t] for t in reversed(range(n(x)))], 1), m.a)), a=nn.GRUCell(3, 4), head=nn.Linear(4, 2)), rows, 2, 5)
    add("x_two_cells", Of(lambda m, x: m.head(walk(torch.stack([walk(x[:, :t + 1], m.a) for t in range(n(x))], 1), m.b)), a=nn.GRUCell(3, 4), b=nn.GRUCell(4, 4), head=nn.Linear(4, 2)), rows, 2, 4)
    add("x_mask", gru(lambda m, x: m.head((m.rnn(x)[0] * (torch.arange(n(x)) < n(x) - 1).float()[None, :, None]).sum(1))), rows, 2, 6)
    add("x_padto4", gru(lambda m, x: m.head(m.rnn(F.pad(x, (0, 0, 0, -n(x) % 4)))[0].mean(1))), rows, 2, 6)
    add("x_padfront", gru(lambda m, x: m.head(m.rnn(F.pad(x, (0, 0, 12 - n(x) // 2, 0)))[0][:, -1])), rows, 2, 6)
    add("x_state", gru(lambda m, x: m.head(m.rnn(x, torch.full((1, x.size(0), 4), n(x) / 10))[0][:, -1])), rows, 2, 6)
    add("x_addT", gru(lambda m, x: m.head(m.rnn(x + n(x) / 10)[0][:, -1])), rows, 2, 7)
    add("x_divT", gru(lambda m, x: m.head(m.rnn(x / n(x))[0])), rows, 2, 5)
    add("x_third", gru(lambda m, x: m.head(m.rnn(x)[0][:, -(n(x) // 3):].mean(1))), rows, 2, 9)
    add("x_min", gru(lambda m, x: m.head(m.rnn(x)[0][:, min(3, n(x) - 1)])), rows, 2, 6)
    add("x_quarter", gru(lambda m, x: m.head(m.rnn(x)[0][:, n(x) // 4])), rows, 2, 7)
    add("x_ends", gru(lambda m, x: m.head(m.rnn(x)[0][:, [0, n(x) // 2, n(x) - 1]].mean(1))), rows, 2, 7)
    add("x_byrow", gru(lambda m, x: m.head(m.rnn(x)[0][torch.arange(x.size(0)), torch.full((x.size(0),), n(x) - 2)])), rows, 2, 7)
    add("x_kernelT", Of(lambda m, x: m.head(m.rnn(x)[0].transpose(1, 2).unfold(2, n(x), 1)[:, :, 0].mean(2)), rnn=nn.GRU(3, 4, batch_first=True), head=nn.Linear(4, 2)), rows, 2, 6)
    add("x_convT", Of(lambda m, x: m.head(m.conv(m.rnn(x)[0].transpose(1, 2))[..., 0]), rnn=nn.GRU(3, 4, batch_first=True), conv=nn.Conv1d(4, 4, 6), head=nn.Linear(4, 2)), rows, 2, 6)
    add("x_step1", Of(lambda m, x: m.rnn(x + m.p[:n(x)])[0], rnn=nn.GRU(3, 4, batch_first=True), p=nn.Parameter(torch.randn(50, 3))), rows, 2, 1)
    add("x_step1_sum", gru(lambda m, x: m.head(m.rnn(x)[0].sum(1) / n(x))), rows, 2, 1)
    add("x_step2_sum", gru(lambda m, x: m.head(m.rnn(x)[0].sum(1) / n(x))), rows, 2, 2)
    add("x_step3_half", gru(lambda m, x: m.head(m.rnn(x)[0][:, n(x) // 2])), rows, 2, 3)
    add("x_step2_cells", CellNet("GRUCell", True), rows, 2, 2)
    add("x_step1_cells", CellNet("LSTMCell", True), rows, 2, 1)
    add("x_resize", gru(lambda m, x: m.head(m.rnn(F.interpolate(x.transpose(1, 2), size=n(x) // 2).transpose(1, 2))[0][:, -1])), rows, 2, 6)
    add("x_temperature", gru(lambda m, x: m.head((torch.softmax(m.rnn(x)[0] / n(x), 1) * m.rnn(x)[0]).sum(1))), rows, 2, 6)
    add("x_power", gru(lambda m, x: m.head(m.rnn(x)[0].mean(1) ** 2 * (n(x) - 1))), rows, 2, 6)
    add("x_variance_both", gru(lambda m, x: m.head((m.rnn(x)[0] - m.rnn(x)[0].var((1, 2), keepdim=True))[:, -1])), rows, 2, 6)
    add("x_tile", gru(lambda m, x: m.head(m.rnn(torch.cat([x, x.mean(1, keepdim=True).expand(-1, n(x), -1)], 2))[0][:, -1]), inputs=6), rows, 2, 6)
    add("x_blocks", gru(lambda m, x: m.head(m.rnn(x.reshape(x.size(0) * 2, n(x) // 2, 3))[0][:, -1].reshape(x.size(0), 2, 4).mean(1))), rows, 2, 8)
    add("x_lag_half", gru(lambda m, x: m.head(m.rnn(x[:, n(x) // 2:] - x[:, :n(x) // 2])[0][:, -1])), rows, 2, 8)
    add("x_roll", gru(lambda m, x: m.head(m.rnn(x.roll(1, 1))[0][:, -1])), rows, 2, 6)
    add("x_weights", gru(lambda m, x: m.head(m.rnn(x)[0].transpose(1, 2) @ torch.full((n(x), 1), 1 / n(x)))[..., 0], width=1, outputs=1), rows, 2, 6)
    add("x_diff_T", gru(lambda m, x: m.head((m.rnn(x)[0][:, -1] - m.rnn(x)[0][:, 0]) / (n(x) - 1))), rows, 2, 6)
    add("x_logits_T", gru(lambda m, x: torch.log_softmax(m.head(m.rnn(x)[0].sum(1)) - torch.tensor([float(n(x)), 0.0]), 1)), rows, 2, 6)
    add("x_cumprod", gru(lambda m, x: m.head(torch.stack([m.rnn(x)[0][:, :t + 1].prod(1) for t in range(n(x))], 1))), rows, 2, 4)
    add("x_esn", Of(lambda m, x: m.head(esn(x, m.w, m.u)), w=nn.Parameter(torch.randn(3, 4)), u=nn.Parameter(torch.randn(4, 4) / 2), head=nn.Linear(4, 2)), rows, 2, 6)


# What people make of a time, and where they put it.
OF_TIME = {
    "t": lambda t: t, "less": lambda t: t - 1, "more": lambda t: t + 1, "twice": lambda t: 2 * t, "half": lambda t: t / 2, "third": lambda t: t // 3 + 1,
    "inverse": lambda t: 1 / t, "root": lambda t: t ** 0.5, "log": lambda t: math.log(t + 0.0), "log2": lambda t: math.log2(t), "log1p": lambda t: math.log1p(t),
    "decay": lambda t: math.exp(-t / 10), "power": lambda t: 0.9 ** t, "square": lambda t: t * t, "bessel": lambda t: t / (t - 1), "rest": lambda t: 1 - 1 / t,
    "ema": lambda t: 2 / (t + 1), "tanh": lambda t: math.tanh(t / 10), "tenth": lambda t: t / 10, "percent": lambda t: t / 100,
}
PLACES = {
    "mul": lambda m, x, g: m.head(m.rnn(x)[0][:, -1] * g),
    "mulall": lambda m, x, g: m.head(m.rnn(x)[0] * g),
    "in": lambda m, x, g: m.head(m.rnn(x * g)[0][:, -1]),
    "add": lambda m, x, g: m.head(m.rnn(x + g)[0][:, -1]),
    "div": lambda m, x, g: m.head(m.rnn(x)[0].sum(1) / g),
    "soft": lambda m, x, g: m.head((torch.softmax(m.rnn(x)[0] * g, 1) * m.rnn(x)[0]).sum(1)),
    "state": lambda m, x, g: m.head(m.rnn(x, torch.full((1, x.size(0), 4), float(g)))[0]),
    "clamp": lambda m, x, g: m.head(m.rnn(x.clamp(max=float(g) / 4))[0][:, -1]),
    "step": lambda m, x, g: m.head(m.rnn(x)[0][:, int(g * 3) % x.size(1)]),
    "lasts": lambda m, x, g: m.head(m.rnn(x)[0][:, -(1 + int(g * 2) % x.size(1)):].mean(1)),
    "firsts": lambda m, x, g: m.head(m.rnn(x)[0][:, :1 + int(g * 2) % x.size(1)].mean(1)),
    "pad": lambda m, x, g: m.head(m.rnn(F.pad(x, (0, 0, 0, int(g * 3) % 5)))[0].mean(1)),
    "mask": lambda m, x, g: m.head(m.rnn(x)[0].masked_fill((x[..., :1] > g / 5), 0.0).sum(1)),
}


def build_of_time():
    for k, (name, g) in enumerate(OF_TIME.items()):
        for j, (place, f) in enumerate(PLACES.items()):
            t = 3 + (5 * k + 3 * j) % 10
            add(f"x_of_{place}_{name}", Net(lambda m, x, f=f, g=g: f(m, x, g(x.size(1))), "GRU"), rows, 2, t, (BOTH[(k + j) % 2],))


def esn(x, w, u):
    h = torch.zeros(x.size(0), 4)
    for v in x.transpose(0, 1):
        h = 0.7 * h + 0.3 * torch.tanh(v @ w + h @ u)
    return h


def walk(x, cell):
    h = torch.zeros(x.size(0), 4)
    for t in range(x.size(1)):
        h = cell(x[:, t], h)
    return h


def answers(module, inputs, b, t):
    """The inputs and answers of each case that the module takes."""
    for x in (inputs(*sizes) for sizes in corpus.cases(b, t)):
        try:
            with torch.no_grad():
                y = module(*x)
        except Exception:
            yield (), ()
        else:
            yield [v.numpy() for v in x], [v.numpy() for v in (y if isinstance(y, tuple) else (y,))]


def write(name, module, inputs, b, t, exporter):
    path = folder / (name + ".onnx")
    options = {"dynamo": True, "external_data": False} if exporter == "dyn" else {"dynamo": False, "opset_version": 11 if exporter == "old" else 17}
    torch.onnx.export(module, inputs(b, t), str(path), verbose=False, **options)
    corpus.save(path, onnx.load(path), answers(module, inputs, b, t))


torch.manual_seed(12)
torch.set_num_threads(1)
build_open()
build_fixed()
for name, (module, inputs, b, t, exporters) in MODELS.items():
    module.eval()
    for file in (f"{name}_{exporter}" for exporter in exporters):
        if not file.startswith(only):
            continue
        try:
            write(file, module, inputs, b, t, file.rpartition("_")[2])
        except Exception as error:
            corpus.tell(file, error)
