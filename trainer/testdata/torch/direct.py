"""Writes direct.json.gz, what PyTorch computes for direct forecasters, in float64 on
one thread. The Go test trainer/directgolden_test.go reads it.

    make goldens

The architecture is written down here anew, from the comment of models.Direct. Both
sides draw these by splitmix64 from the seed of the case, see golden.Draws, in this
order, and every value is a float32:

    parameters   in the order of models.Params.Data, each in [-0.5, 0.5)
    inputs       [batch, window, 1 + past + future], 2u + 3
    ahead        [batch, horizon, future], 2u + 3
    static       [batch, static], 2u + 3
    targets      [batch, horizon], 2u + 3
    weights      [batch], u + 1.5
    categories   [batch, categories]

Where a number below 6, drawn after each value of the first four, is 0, that value is
missing. The first example lacks its whole window, and the values of the second one's
window are all 3.25, so that it has no deviation. The last weight is 50. Covariate i is standardized by the
mean 0.25 (i+1) and the deviation 1.5 + i.
"""

import gzip
import itertools
import json
import math
import os

import torch
from torch import nn

from golden import CLASSES, GATES, SCHEDULES, STEPS, Draws, float32s, significant

NAN = math.nan


class Direct(nn.Module):
    def __init__(self, spec):
        super().__init__()
        d = spec["direct"]
        self.spec, self.d = spec, d
        self.tables = nn.ModuleList(nn.Embedding(c["size"], c["embedding"]) for c in d["categories"])
        features = d["segment"] * (2 + d["past"] + d["future"]) + d["static"] + sum(c["embedding"] for c in d["categories"])
        self.segment = nn.Linear(features, spec["embedding"])
        maps = d["linear"]
        self.path = nn.Parameter(torch.zeros(d["window"], maps, d["horizon"])) if maps else None
        self.gate = nn.Linear(spec["hidden"], maps) if maps > 1 else None
        kind = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[spec["cell"]]
        self.cells = kind(spec["embedding"], spec["hidden"], spec["layers"], batch_first=True)
        self.head = nn.Linear(spec["hidden"], spec["outputs"])

    def tensors(self):
        """The parameters in the order of models.Params.Data, each with whether its
        first axis goes by gates, and whether it is transposed."""
        for table in self.tables:
            yield table.weight, False, False
        yield self.segment.weight, False, True
        yield self.segment.bias, False, False
        if self.path is not None:
            yield self.path, False, False
        if self.gate is not None:
            yield self.gate.weight, False, True
            yield self.gate.bias, False, False
        for layer in range(self.spec["layers"]):
            for name in "weight_ih", "weight_hh", "bias_ih", "bias_hh":
                yield getattr(self.cells, f"{name}_l{layer}"), True, False
        yield self.head.weight, False, True
        yield self.head.bias, False, False

    def ordered(self, of):
        parts = []
        for p, gates, transposed in self.tensors():
            x = of(p)
            if gates:
                x = x.reshape(len(GATES[self.spec["cell"]]), -1)[GATES[self.spec["cell"]]]
            parts.append((x.T if transposed else x).reshape(-1))
        return torch.cat(parts)

    @torch.no_grad()
    def draw_parameters(self, draws):
        for p, gates, transposed in self.tensors():
            x = draws.uniform(*(p.shape[::-1] if transposed else p.shape)) * 0.5
            if gates:
                order = torch.tensor(GATES[self.spec["cell"]]).argsort()
                x = x.reshape(len(order), -1)[order].reshape(p.shape)
            p.copy_(x.T if transposed else x)

    def logarithm(self, x):
        return torch.log(x.clamp(min=self.d["log"])) if self.d.get("log") else x

    def normalize(self, x):
        """Returns the normalized windows, their masks, centers and deviations."""
        x, known = self.logarithm(x), ~x.isnan()
        n = known.sum(1, keepdim=True).clamp(min=1)
        mean = x.nansum(1, keepdim=True) / n
        dev = ((x - mean) ** 2).nansum(1, keepdim=True).div(n).sqrt()
        center = mean
        if self.d["center"] == "last":
            center = torch.tensor([[next((v for v in reversed(row) if v == v), 0.0)] for row in x.tolist()])
        z = (x - center) / torch.maximum(dev, 1e-6 * center.abs() + 1e-20)
        return z.nan_to_num(0), known.double(), center, dev

    def forward(self, b):
        """Returns the answers [batch, horizon, quantiles] in normalized units, and
        what they are normalized by."""
        d, s = self.d, self.d["segment"]
        z, known, center, dev = self.normalize(b["inputs"][:, :, 0])
        batch, segments = len(z), d["window"] // s
        ahead = -(-d["horizon"] // s) if self.spec["readout"] == "all" else 0

        def cut(x):  # [batch, steps] to [batch, segments, s], with zeros behind
            return nn.functional.pad(x, (0, (segments + ahead) * s - x.shape[1])).view(batch, segments + ahead, s)

        columns = [cut(z), cut(known)]
        past, future = d["past"], d["future"]
        inputs = b["inputs"][:, :, 1:]
        columns += [cut(standardize(inputs[:, :, i], i)) for i in range(past)]
        for i in range(future):
            x = inputs[:, :, past + i]
            if ahead:
                x = torch.cat([x, b["ahead"][:, :, i]], 1)
            columns.append(cut(standardize(x, i)))
        constant = [standardize(b["static"][:, i : i + 1], i) for i in range(d["static"])]
        constant += [table(b["categories"][:, i]) for i, table in enumerate(self.tables)]
        columns += [x[:, None].expand(batch, segments + ahead, x.shape[1]) for x in constant]
        y, _ = self.cells(torch.relu(self.segment(torch.cat(columns, 2))))
        state = y[:, segments - 1]
        y = self.head(y[:, segments:] if ahead else state)
        y = y.reshape(batch, -1, len(d["quantiles"]))[:, : d["horizon"]]
        if self.path is not None:
            maps = torch.einsum("bw,wkh->bkh", z, self.path)
            shares = torch.softmax(self.gate(state), 1) if self.gate is not None else torch.ones(batch, 1)
            y = y + torch.einsum("bk,bkh->bh", shares, maps)[:, :, None]
        return y, center[:, :, None], dev[:, :, None]

    def loss(self, b):
        """The pinball loss in normalized units times the deviation and the weight,
        with a logarithm times the level, 10 at most, averaged over the targets that are
        known."""
        y, center, dev = self(b)
        weight = b["weights"][:, None, None]
        if self.d.get("log"):
            weight = weight * center.exp()
        weight = torch.minimum(weight, 10 / dev)
        difference = self.logarithm(b["targets"])[:, :, None] - center - y * dev
        q = torch.tensor(self.d["quantiles"])
        losses = torch.maximum(q * difference, (q - 1) * difference) * weight
        return losses[~b["targets"].isnan()].mean()

    def answers(self, b):
        y, center, dev = self(b)
        y = center + y * dev
        return y.exp() if self.d.get("log") else y


def standardize(x, i):
    return ((x - 0.25 * (i + 1)) / (1.5 + i)).nan_to_num(0)


def draw_batch(draws, d, batch):
    def values(*shape):
        x = []
        for _ in range(math.prod(shape)):
            v = (draws.uniform(1) * 2 + 3).float().double().item()
            x.append(NAN if draws.integers(6, 1).item() == 0 else v)
        return torch.tensor(x).reshape(shape)

    b = {
        "inputs": values(batch, d["window"], 1 + d["past"] + d["future"]),
        "ahead": values(batch, d["horizon"], d["future"]),
        "static": values(batch, d["static"]),
        "targets": values(batch, d["horizon"]),
        "weights": (draws.uniform(batch) + 1.5).float().double(),
    }
    b["weights"][-1] = 50
    b["categories"] = torch.tensor([[draws.integers(c["size"], 1).item() for c in d["categories"]] for _ in range(batch)])
    if batch > 1:
        b["inputs"][0, :, 0] = NAN
        b["inputs"][1, :, 0] = 3.25
    return b


def cases():
    """Every cell, head, center, logarithm and number of maps with each other; the covariates
    and the sizes in turn."""
    extras = [
        dict(past=0, future=0, static=0, categories=[]),
        dict(past=2, future=0, static=1, categories=[{"size": 3, "embedding": 2}]),
        dict(past=1, future=2, static=2, categories=[{"size": 2, "embedding": 1}, {"size": 4, "embedding": 3}]),
    ]
    sizes = [(12, 7, 4), (6, 5, 3), (5, 3, 1), (7, 2, 7), (9, 9, 3)]
    factors = itertools.product(["gru", "lstm", "rnn"], ["last", "all"], ["mean", "last"], [0, 2.5], [0, 1, 3])
    for seed, (cell, readout, center, log, linear) in enumerate(factors):
        window, horizon, segment = sizes[seed % len(sizes)]
        extra = extras[seed // 3 % 3] if readout == "all" else extras[seed // 3 % 2]
        quantiles = [[0.5], [0.1, 0.5, 0.9], [0.025, 0.1, 0.5, 0.9, 0.975]][seed % 3]
        d = dict(window=window, horizon=horizon, segment=segment, targets=1, **extra, center=center, linear=linear, quantiles=quantiles)
        if log:
            d["log"] = log
        spec = {
            "cell": cell, "features": 1 + extra["past"] + extra["future"], "embedding": [4, 7, 17][seed % 3], "hidden": [5, 8, 17][seed // 3 % 3],
            "layers": 1 + seed % 2, "readout": readout, "direct": d,
            "outputs": (horizon if readout == "last" else segment) * len(quantiles),
        }
        name = f"{cell}-{readout}-{center}-log={log:g}-linear={linear}"
        yield {"name": name, "seed": 100 + seed, "spec": spec, "batch": [19, 3, 1, 8][seed % 4] if seed else 33}


def draw_problem(case):
    draws, network = Draws(case["seed"]), Direct(case["spec"])
    network.draw_parameters(draws)
    return network, draw_batch(draws, case["spec"]["direct"], case["batch"])


def run_case(case):
    network, batch = draw_problem(case)
    loss = network.loss(batch)
    assert loss > 0, f"{case['name']}: no target is known"
    loss.backward()
    case["outputs"] = significant(network.answers(batch))
    case["value"] = significant(loss)[0]
    case["gradients"] = float32s(network.ordered(lambda p: torch.zeros_like(p) if p.grad is None else p.grad))
    return case


def run_trajectory(case):
    network, batch = draw_problem(case)
    optimizer = CLASSES["adamw"](network.parameters(), lr=0.02, betas=(0.9, 0.98), weight_decay=0.05)
    scheduler = SCHEDULES["warmup_cosine"](optimizer)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = network.loss(batch)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1)
        losses.append(loss.item())
        optimizer.step()
        scheduler.step()
    case["losses"] = significant(torch.tensor(losses))
    case["parameters"] = float32s(network.ordered(lambda p: p.data))
    return case


def main():
    golden = {
        "torch": torch.__version__,
        "cases": [run_case(c) for c in cases()],
        "trajectories": [run_trajectory(c) for c in cases() if c["seed"] % 4 < 2],
    }
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "direct.json.gz")
    with open(path, "wb") as f:
        f.write(gzip.compress(json.dumps(golden, separators=(",", ":")).encode(), 9, mtime=0))
    print(f"{path}: {len(golden['cases'])} cases, {len(golden['trajectories'])} trajectories, {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
