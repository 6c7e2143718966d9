"""Trains a workload with PyTorch and prints what `bench fit` prints for rnnkit.

    bin/bench data chars | python bench/torch/fit.py THREADS

It starts with the same parameters and takes the same batches in the same order,
so the losses must be the same.
"""

import json
import math
import sys
import time

import torch
from torch import nn

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
LOSSES = {
    "mse": nn.MSELoss,
    "cross-entropy": nn.CrossEntropyLoss,
    "binary cross-entropy": nn.BCEWithLogitsLoss,
}

# The indices of ONNX's gates (LSTM i o f c, GRU z r h) in PyTorch's (i f g o, r z n).
GATES = {"rnn": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}


class Model(nn.Module):
    def __init__(self, spec):
        super().__init__()
        directions = 2 if spec.get("bidirectional") else 1
        self.all = spec["readout"] == "all"
        self.embedding = None
        if "vocabulary" in spec:
            self.embedding = nn.Embedding(spec["vocabulary"], spec["embedding"])
        self.cells = CELLS[spec["cell"]](
            spec.get("features") or spec["embedding"], spec["hidden"], spec["layers"],
            bidirectional=directions == 2, batch_first=True)
        self.head = nn.Linear(directions * spec["hidden"], spec["outputs"])

    def forward(self, x):
        if self.embedding is not None:
            x = self.embedding(x)
        y, _ = self.cells(x)
        return self.head(y if self.all else y[:, -1])

    @torch.no_grad()
    def load(self, values, spec):
        """Loads the parameters in the order of models.Params.Data."""
        order = GATES[spec["cell"]]

        def take(p):
            nonlocal values
            taken, values = values.split([p.numel(), values.numel() - p.numel()])
            return taken

        def take_gates(name):
            p = getattr(self.cells, name)
            p.view(len(order), -1)[order] = take(p).view(len(order), -1)

        if self.embedding is not None:
            self.embedding.weight.copy_(take(self.embedding.weight).view_as(self.embedding.weight))
        suffixes = ["", "_reverse"] if spec.get("bidirectional") else [""]
        for layer in range(spec["layers"]):
            for names in ["weight_ih"], ["weight_hh"], ["bias_ih", "bias_hh"]:
                for suffix in suffixes:
                    for name in names:
                        take_gates(f"{name}_l{layer}{suffix}")
        self.head.weight.copy_(take(self.head.weight).view(self.head.weight.T.shape).T)
        self.head.bias.copy_(take(self.head.bias))
        assert values.numel() == 0


class Forecaster(nn.Module):
    """A direct forecaster of one target, with covariates that are known ahead and
    several linear maps."""

    def __init__(self, spec):
        super().__init__()
        d = self.d = spec["direct"]
        self.ahead = -(-d["horizon"] // d["segment"]) if spec["readout"] == "all" else 0
        self.channels = 2 + d.get("future", 0)
        self.segment = nn.Linear(d["segment"] * self.channels, spec["embedding"])
        self.maps = d["linear"]
        self.path = nn.Parameter(torch.zeros(d["window"], self.maps * d["horizon"]))
        self.gate = nn.Linear(spec["hidden"], self.maps)
        self.cells = CELLS[spec["cell"]](spec["embedding"], spec["hidden"], spec["layers"], batch_first=True)
        self.head = nn.Linear(spec["hidden"], spec["outputs"])
        self.quantiles = torch.tensor(d["quantiles"])

    def forward(self, x, ahead):
        """Returns the answers in normalized units, [batch, horizon, quantiles], the
        centers and the deviations."""
        d, batch = self.d, len(x)
        values, covariates = x[:, :, 0], x[:, :, 1:]
        known = ~values.isnan()
        n = known.sum(1, keepdim=True).clamp(min=1)
        values = values.nan_to_num(0)
        center = values.sum(1, keepdim=True) / n
        z = torch.where(known, values - center, 0)
        dev = ((z * z).sum(1, keepdim=True) / n).sqrt()
        z = z / torch.maximum(dev, 1e-6 * center.abs() + 1e-20)
        channels = torch.stack([z, known.float()], 1)
        if self.ahead:
            channels = nn.functional.pad(channels, (0, d["horizon"]))
            channels = torch.cat([channels, torch.cat([covariates, ahead], 1).transpose(1, 2)], 1)
        segments = channels.unflatten(2, (-1, d["segment"])).transpose(1, 2).flatten(2)
        y, _ = self.cells(torch.relu(self.segment(segments)))
        shares = torch.softmax(self.gate(y[:, -self.ahead - 1]), 1)
        maps = torch.bmm(shares[:, None], (z @ self.path).view(batch, self.maps, -1))
        y = self.head(y[:, -self.ahead:] if self.ahead else y[:, -1])
        y = y.reshape(batch, d["horizon"], -1) + maps.transpose(1, 2)
        return y, center[:, :, None], dev[:, :, None]

    def loss(self, x, targets, ahead):
        y, center, dev = self(x, ahead)
        difference = targets[:, :, None] - center - y * dev
        return torch.maximum(self.quantiles * difference, (self.quantiles - 1) * difference).mean()

    @torch.no_grad()
    def load(self, values, spec):
        """Loads the parameters in the order of models.Params.Data."""
        order = GATES[spec["cell"]]
        cells = [(getattr(self.cells, f"{name}_l{layer}"), "gates")
                 for layer in range(spec["layers"]) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        for p, kind in [(self.segment.weight, "transposed"), (self.segment.bias, ""), (self.path, ""),
                        (self.gate.weight, "transposed"), (self.gate.bias, ""), *cells,
                        (self.head.weight, "transposed"), (self.head.bias, "")]:
            taken, values = values.split([p.numel(), values.numel() - p.numel()])
            if kind == "gates":
                p.view(len(order), -1)[order] = taken.view(len(order), -1)
            elif kind == "transposed":
                p.copy_(taken.view(p.T.shape).T)
            else:
                p.copy_(taken.view(p.shape))
        assert values.numel() == 0


def read(dtype, *shape):
    size = math.prod(shape) * dtype.itemsize
    if size == 0:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(bytearray(sys.stdin.buffer.read(size)), dtype=dtype).view(shape)


def peak_memory():
    """Returns the peak resident memory in bytes, or 0 if /proc does not report it."""
    try:
        with open("/proc/self/status") as status:
            return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except OSError:
        return 0


def main():
    torch.set_num_threads(int(sys.argv[1]))
    workload = json.loads(sys.stdin.buffer.readline())
    spec, n, batch = workload["spec"], workload["examples"], workload["batch"]
    parameters = read(torch.float32, workload["parameters"])
    if "vocabulary" in spec:
        inputs = read(torch.int64, n, workload["time"])
    else:
        inputs = read(torch.float32, n, workload["time"], spec["features"])
    direct = spec.get("direct")
    if direct:
        targets = read(torch.float32, n, direct["horizon"]).split(batch)
        ahead = read(torch.float32, n, direct["horizon"], direct.get("future", 0)).split(batch)
    elif workload["loss"] == "cross-entropy":
        targets = [y.flatten() for y in read(torch.int64, n, workload["time"]).split(batch)]
    else:
        targets = read(torch.float32, n, spec["outputs"]).split(batch)
    batches = list(zip(inputs.split(batch), targets, *([ahead] if direct else [])))
    bytes_before = peak_memory()

    model = Forecaster(spec) if direct else Model(spec)
    model.load(parameters, spec)
    if not direct:
        criterion = LOSSES[workload["loss"]]()
    # This is the fastest form of Adam here; foreach and the plain loop are slower.
    optimizer = torch.optim.Adam(model.parameters(), lr=workload["rate"], fused=True)

    seconds, losses = [], []
    for _ in range(workload["warmup"] + workload["epochs"]):
        start = time.perf_counter()
        total = 0.0
        for x, y, *rest in batches:
            optimizer.zero_grad(set_to_none=True)
            loss = model.loss(x, y, *rest) if direct else criterion(model(x).flatten(0, -2), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        seconds.append(time.perf_counter() - start)
        losses.append(total / n)
    json.dump({
        "seconds": seconds[workload["warmup"]:],
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "bytes_before": bytes_before,
        "bytes_peak": peak_memory(),
        "version": torch.__version__,
    }, sys.stdout)


if __name__ == "__main__":
    main()
