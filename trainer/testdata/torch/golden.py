"""Writes golden.json.gz, what PyTorch computes for the models of rnnkit, in
float64 on one thread. The Go test trainer/golden_test.go reads it.

    make goldens

Parameters, inputs, states and targets are not in the file: both sides draw them
by splitmix64 from the seed of the case, see Draws. They are drawn in this order:

    parameters   in the order of models.Params.Data, see draw_parameters
    inputs       tokens [batch, time], or values [batch, time, features]
    state        h0, then for an LSTM c0, [layers*directions, batch, hidden],
                 if the case has one
    targets      [batch, values], with a readout of all [batch, time, values];
                 labels [batch] or [batch, time] for cross-entropy

Where a case has lengths, the steps after them are drawn too, and must not
change any result. Outputs are [batch, outputs], with a readout of all one row
for each valid step, example by example. Gradients are little-endian float32 in
base64, in the order of the parameters.

Initialisation is random on both sides, so it is no golden. The Go tests have to
check its properties:

    orthogonal   R Rᵀ = I for the R [hidden, hidden] of each gate and direction
    forget bias  LSTM: the forget gate's Wb is the bias, its Rb 0, since their
                 sum is what counts
    chrono       LSTM: the forget gate's Wb is log U(1, Tmax-1), the input gate's
                 Wb its negative; GRU: z's Wb is log U(1, Tmax-1); the Rb of these
                 gates is 0, so that all of it is in the half of W (Tallec and
                 Ollivier 2018)
"""

import base64
import gzip
import itertools
import json
import math
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.optim import lr_scheduler

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
torch.use_deterministic_algorithms(True)

IGNORE = -1
VOCABULARY, EMBEDDING = 11, 4


class Draws:
    """splitmix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
    Generators" (2014)."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        mask = 2**64 - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    def uniform(self, *shape):
        """Values in [-1, 1) that are exact in float32."""
        x = [(self.next() >> 40) / 2**23 - 1 for _ in range(math.prod(shape))]
        return torch.tensor(x).reshape(shape)

    def integers(self, n, *shape):
        """Values from 0 to n-1."""
        x = [(self.next() >> 33) % n for _ in range(math.prod(shape))]
        return torch.tensor(x).reshape(shape)

    def choice(self, values):
        return values[(self.next() >> 33) % len(values)]

    def shuffle(self, values):
        for i in range(len(values) - 1, 0, -1):
            j = (self.next() >> 33) % (i + 1)
            values[i], values[j] = values[j], values[i]


# The place in PyTorch of each gate in the order of ONNX, LSTM i o f c and GRU
# z r h. PyTorch has i f g o and r z n.
GATES = {"rnn": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}


class Network(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.spec = spec
        if "vocabulary" in spec:
            self.embedding = nn.Embedding(spec["vocabulary"], spec["embedding"])
        kind = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[spec["cell"]]
        activation = {"nonlinearity": spec["activation"]} if "activation" in spec else {}
        self.directions = 2 if spec.get("bidirectional") else 1
        self.cells = kind(
            spec.get("features") or spec["embedding"], spec["hidden"], spec["layers"],
            bidirectional=self.directions == 2, batch_first=True, **activation)
        self.head = nn.Linear(self.directions * spec["hidden"], spec["outputs"])

    def tensors(self):
        """The parameters in the order of models.Params.Data, each with whether
        its first axis goes by gates, and whether it is transposed."""
        if "vocabulary" in self.spec:
            yield self.embedding.weight, False, False
        suffixes = ["", "_reverse"][: self.directions]
        for layer in range(self.spec["layers"]):
            for names in ["weight_ih"], ["weight_hh"], ["bias_ih", "bias_hh"]:
                for suffix in suffixes:
                    for name in names:
                        yield getattr(self.cells, f"{name}_l{layer}{suffix}"), True, False
        yield self.head.weight, False, True
        yield self.head.bias, False, False

    def ordered(self, of):
        """of(parameter) for all parameters, as they lie in models.Params.Data."""
        parts = []
        for p, gates, transposed in self.tensors():
            x = of(p)
            if gates:
                x = x.reshape(len(GATES[self.spec["cell"]]), -1)[GATES[self.spec["cell"]]]
            parts.append((x.T if transposed else x).reshape(-1))
        return torch.cat(parts)

    @torch.no_grad()
    def draw_parameters(self, draws, chrono=False):
        """Embeddings are in [-1, 1), everything else in [-0.5, 0.5). With chrono
        the Wb of an LSTM's input gate is -4 and of its forget gate 4, the Wb of
        a GRU's update gate z is 4."""
        hidden = self.spec["hidden"]
        for p, gates, transposed in self.tensors():
            scale = 1 if "vocabulary" in self.spec and p is self.embedding.weight else 0.5
            x = draws.uniform(*(p.shape[::-1] if transposed else p.shape)) * scale
            if gates:
                order = GATES[self.spec["cell"]]
                x = x.reshape(len(order), -1)[np.argsort(order)].reshape(p.shape)
            p.copy_(x.T if transposed else x)
        if chrono:
            biases = {"lstm": [-4, 4], "gru": [None, 4]}[self.spec["cell"]]
            for name, p in self.cells.named_parameters():
                if name.startswith("bias_ih"):
                    for gate, bias in enumerate(biases):
                        if bias is not None:
                            p[gate * hidden : (gate + 1) * hidden] = bias

    def forward(self, x, lengths, state):
        """Returns the outputs, with a readout of all only those of valid steps."""
        batch, time = x.shape[:2]
        if "vocabulary" in self.spec:
            x = self.embedding(x)
        if lengths is None:
            y, last = self.cells(x, state)
        else:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            y, last = self.cells(packed, state)
            y, _ = pad_packed_sequence(y, batch_first=True, total_length=time)
        h = last[0] if isinstance(last, tuple) else last
        ends = torch.tensor(lengths or [time] * batch)
        valid = torch.arange(time) < ends[:, None]
        readout = self.spec["readout"]
        if readout == "last":
            y = y[torch.arange(batch), ends - 1]
        elif readout == "final":
            y = torch.cat(list(h[-self.directions :]), 1)
        elif readout == "mean":
            y = (y * valid[:, :, None]).sum(1) / ends[:, None]
        elif readout == "max":
            y = y.masked_fill(~valid[:, :, None], -math.inf).max(1).values
        else:
            y = y[valid]
        return self.head(y)


LOSSES = {
    "mse": {"name": "mse"},
    "mae": {"name": "mae"},
    "huber": {"name": "huber", "delta": 0.7},
    "pinball": {"name": "pinball", "quantiles": [0.1, 0.5, 0.9]},
    "ce": {"name": "cross_entropy"},
    "ce_weights": {"name": "cross_entropy", "weights": [0.5, 2, 1.25, 0.75]},
    "ce_smoothing": {"name": "cross_entropy", "smoothing": 0.1},
    "ce_both": {"name": "cross_entropy", "weights": [0.5, 2, 1.25, 0.75], "smoothing": 0.1},
    "ce_ignore": {"name": "cross_entropy", "ignored": True},
    "bce": {"name": "binary_cross_entropy"},
}
OUTPUTS = {"pinball": 6, "cross_entropy": 4}  # 2 for the others


def draw_targets(draws, loss, rows):
    """Values are in [-2, 2), but in [0, 1) for binary cross-entropy; labels in
    0, 1, 2, 3, with ignored ones in -1, 0, 1, 2, 3, where row 0 then has 0 if it
    were ignored."""
    if loss["name"] == "cross_entropy":
        if not loss.get("ignored"):
            return draws.integers(4, *rows)
        labels = draws.integers(5, *rows) + IGNORE
        first = labels.view(-1)[:1]
        first[first == IGNORE] = 0
        return labels
    targets = draws.uniform(*rows, 2)
    if loss["name"] == "binary_cross_entropy":
        return (targets + 1) / 2
    return targets * 2


def evaluate(loss, y, t):
    if loss["name"] == "mse":
        return F.mse_loss(y, t)
    if loss["name"] == "mae":
        return F.l1_loss(y, t)
    if loss["name"] == "huber":
        return F.huber_loss(y, t, delta=loss["delta"])
    if loss["name"] == "pinball":
        q = torch.tensor(loss["quantiles"])
        d = t[..., None] - y.view(*t.shape, len(q))
        return torch.maximum(q * d, (q - 1) * d).mean()
    if loss["name"] == "binary_cross_entropy":
        return F.binary_cross_entropy_with_logits(y, t)
    weights = torch.tensor(loss["weights"]) if "weights" in loss else None
    return F.cross_entropy(y, t, weights, ignore_index=IGNORE, label_smoothing=loss.get("smoothing", 0))


def significant(x):
    """x to 12 digits, so that the last bits of a processor do not reach the file."""
    return [float(f"{v:.12g}") for v in x.reshape(-1).tolist()]


def float32s(x):
    return base64.b64encode(x.detach().numpy().astype("<f4").tobytes()).decode()


def draw_problem(case):
    """The network of a case, and what it reads and ought to answer."""
    spec, batch, time = case["spec"], case["batch"], case["time"]
    draws = Draws(case["seed"])
    network = Network(spec)
    network.draw_parameters(draws, case.get("chrono", False))
    if "vocabulary" in spec:
        x = draws.integers(VOCABULARY, batch, time)
    else:
        x = draws.uniform(batch, time, spec["features"])
    state = None
    if case.get("state"):
        shape = spec["layers"] * network.directions, batch, spec["hidden"]
        state = draws.uniform(*shape)
        if spec["cell"] == "lstm":
            state = state, draws.uniform(*shape)
    rows = (batch, time) if spec["readout"] == "all" else (batch,)
    targets = draw_targets(draws, case["loss"], rows)
    if spec["readout"] == "all":
        ends = torch.tensor(case.get("lengths") or [time] * batch)
        targets = targets[torch.arange(time) < ends[:, None]]
    return network, lambda: network(x, case.get("lengths"), state), targets


def run_case(case):
    network, answer, targets = draw_problem(case)
    outputs = answer()
    loss = evaluate(case["loss"], outputs, targets)
    loss.backward()
    case["outputs"] = significant(outputs)
    case["value"] = significant(loss)[0]
    case["gradients"] = float32s(network.ordered(lambda p: p.grad))
    return case


def cases():
    """Every cell, number of layers, directions, loss and readout with each
    other; the other factors so that every pair of values of any two factors
    occurs, and every cell with every hidden size over one step, many, and many
    with lengths. The larger sizes occur only as often as that needs, to keep the
    file small."""
    factors = {
        "cell": ["rnn", "relu", "lstm", "gru"], "layers": [1, 2], "bidirectional": [False, True],
        "loss": list(LOSSES), "readout": ["last", "final", "mean", "max", "all"],
        "hidden": [5, 7, 17, 33], "batch": [1, 3, 8], "time": [1, 7], "ragged": [False, True],
        "state": [False, True], "inputs": ["1", "3", "tokens"],
    }
    primary, secondary = list(factors)[:5], list(factors)[5:]

    def covers(chosen):
        shape = chosen["time"], chosen["ragged"]
        pairs = itertools.combinations(sorted(chosen.items()), 2)
        return {(chosen["cell"], chosen["hidden"], *shape), *pairs}

    missing = set()
    for a, b in itertools.combinations(sorted(factors), 2):
        missing |= {((a, x), (b, y)) for x in factors[a] for y in factors[b]}
    missing.remove((("ragged", True), ("time", 1)))
    for shape in (1, False), (7, False), (7, True):
        missing |= {(c, h, *shape) for c in factors["cell"] for h in factors["hidden"]}

    draws = Draws(0)
    product = list(itertools.product(*(factors[f] for f in primary)))
    draws.shuffle(product)
    for seed, values in enumerate(product, 1):
        best = None
        for trial in range(30):
            chosen = dict(zip(primary, values))
            for f in secondary:
                chosen[f] = draws.choice(factors[f])
            if trial < 10:
                chosen["hidden"] = draws.choice([5, 5, 7])
                chosen["time"] = draws.choice([1, 7, 7, 7])
            if chosen["time"] == 1:
                chosen["ragged"] = False
            if best is None or len(covers(chosen) & missing) > len(covers(best) & missing):
                best = chosen
        missing -= covers(best)
        yield build(seed, best, draws)
    assert not missing, missing


def build(seed, f, draws):
    loss = LOSSES[f["loss"]]
    spec = {"cell": "rnn" if f["cell"] == "relu" else f["cell"]}
    if f["cell"] == "relu":
        spec["activation"] = "relu"
    if f["inputs"] == "tokens":
        spec |= {"vocabulary": VOCABULARY, "embedding": EMBEDDING}
    else:
        spec["features"] = int(f["inputs"])
    spec |= {"hidden": f["hidden"], "layers": f["layers"]}
    if f["bidirectional"]:
        spec["bidirectional"] = True
    spec |= {"readout": f["readout"], "outputs": OUTPUTS.get(loss["name"], 2)}
    name = [f["cell"], str(f["layers"]), "bi" if f["bidirectional"] else "uni", f["loss"], f["readout"]]
    case = {"name": "-".join(name), "seed": seed, "spec": spec, "loss": loss, "batch": f["batch"], "time": f["time"]}
    if f["ragged"]:
        # At least one sequence ends before the last step.
        case["lengths"] = [1 + draws.choice(range(f["time"])) for _ in range(f["batch"])]
        case["lengths"][draws.choice(range(f["batch"]))] = 1 + draws.choice(range(f["time"] - 1))
    if f["state"]:
        case["state"] = True
    if f["cell"] in ("lstm", "gru") and draws.choice(range(4)) == 0:
        case["chrono"] = True
    return case


STEPS = 20

# Each with its learning rate.
OPTIMIZERS = {
    "sgd": (0.2, {"method": "sgd"}),
    "sgd_momentum": (0.1, {"method": "sgd", "momentum": 0.9}),
    "sgd_nesterov": (0.1, {"method": "sgd", "momentum": 0.9, "nesterov": True}),
    "sgd_decay": (0.2, {"method": "sgd", "weight_decay": 0.1}),
    "rmsprop": (0.01, {"method": "rmsprop"}),
    "rmsprop_momentum": (0.003, {"method": "rmsprop", "momentum": 0.9}),
    "rmsprop_decay": (0.01, {"method": "rmsprop", "weight_decay": 0.1}),
    "adam": (0.02, {"method": "adam"}),
    "adam_decay": (0.02, {"method": "adam", "weight_decay": 0.1}),
    "adamw_0.01": (0.02, {"method": "adamw", "weight_decay": 0.01}),
    "adamw_0.1": (0.02, {"method": "adamw", "weight_decay": 0.1}),
}
CLASSES = {"sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}

# What a plateau is measured on: falls, plateaus, a gain too small to count (less
# than 1e-4 of the best), a rise, another fall.
METRICS = [1, 0.8, 0.7, 0.7, 0.69996, 0.75, 0.72, 0.6, 0.61, 0.62, 0.63, 0.64, 0.65, 0.66, 0.599, 0.5989, 0.6, 0.6, 0.6, 0.6]


def warmup_cosine(k):
    return (k + 1) / 4 if k < 4 else (1 + math.cos(math.pi * (k - 4) / 16)) / 2


# OneCycleLR without cycle_momentum, which would also change the momentum and,
# for Adam, beta1.
SCHEDULES = {
    "constant": lambda o: lr_scheduler.ConstantLR(o, factor=1),
    "step": lambda o: lr_scheduler.StepLR(o, step_size=5, gamma=0.5),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=STEPS),
    "warmup_cosine": lambda o: lr_scheduler.LambdaLR(o, warmup_cosine),
    "one_cycle": lambda o: lr_scheduler.OneCycleLR(o, o.defaults["lr"], total_steps=STEPS, cycle_momentum=False),
    "plateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=2),
}


def trajectories():
    """Every optimizer with every schedule on an LSTM and on a GRU, clipped so
    that each limit meets each optimizer, schedule and cell."""
    # With these seeds the gradient begins longer than either limit.
    for cell, seed in ("lstm", 1009), ("gru", 1000):
        for (o, optimizer), (s, schedule) in itertools.product(enumerate(OPTIMIZERS), enumerate(SCHEDULES)):
            rate, fields = OPTIMIZERS[optimizer]
            clip = [0, 0.1, 1.0][(o + s + seed) % 3]
            yield {
                "name": f"{cell}-{optimizer}-{schedule}-clip={clip:g}", "seed": seed,
                "spec": {"cell": cell, "features": 3, "hidden": 5, "layers": 1, "readout": "last", "outputs": 2},
                "loss": LOSSES["mse"], "batch": 3, "time": 7,
                "optimizer": fields, "rate": rate, "schedule": schedule, "clip": clip,
            }


def run_trajectory(case):
    network, answer, targets = draw_problem(case)
    fields = dict(case["optimizer"])
    optimizer = CLASSES[fields.pop("method")](network.parameters(), lr=case["rate"], **fields)
    scheduler = SCHEDULES[case["schedule"]](optimizer)
    losses, rates, clipped = [], [], 0
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = evaluate(case["loss"], answer(), targets)
        loss.backward()
        if case["clip"]:
            norm = nn.utils.clip_grad_norm_(network.parameters(), case["clip"])
            clipped += bool(norm > case["clip"])
        losses.append(loss.item())
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([METRICS[step]] if case["schedule"] == "plateau" else []))
    assert clipped or not case["clip"], f"{case['name']}: no step was clipped"
    case["losses"] = significant(torch.tensor(losses))
    case["rates"] = rates
    case["parameters"] = float32s(network.ordered(lambda p: p.data))
    return case


def summary(golden):
    def table(title, rows, of):
        counts = {}
        for r in rows:
            counts[of(r)] = counts.get(of(r), 0) + 1
        print(f"{title:>14}  " + "  ".join(f"{k} {counts[k]}" for k in sorted(counts)))

    rows = golden["cases"]
    print(f"{len(rows)} cases")
    for field in "cell", "layers", "bidirectional", "readout", "hidden", "outputs":
        table(field, rows, lambda r: r["spec"].get(field, False))
    table("activation", rows, lambda r: r["spec"].get("activation", "tanh"))
    table("inputs", rows, lambda r: str(r["spec"].get("features", "tokens")))
    table("loss", rows, lambda r: r["name"].split("-")[3])
    for field in "batch", "time", "state", "chrono":
        table(field, rows, lambda r: r.get(field, False))
    table("lengths", rows, lambda r: "lengths" in r)
    rows = golden["trajectories"]
    print(f"{len(rows)} trajectories of {STEPS} steps")
    table("optimizer", rows, lambda r: r["name"].split("-")[1])
    for field in "schedule", "clip":
        table(field, rows, lambda r: r[field])
    low = min(rows, key=lambda r: r["losses"][-1] / r["losses"][0])
    high = max(rows, key=lambda r: r["losses"][-1] / r["losses"][0])
    for r in low, high:
        print(f"  {r['name']}: loss {r['losses'][0]:.4g} to {r['losses'][-1]:.4g}")


def main():
    golden = {
        "torch": torch.__version__,
        "metrics": METRICS,
        "cases": [run_case(c) for c in cases()],
        "trajectories": [run_trajectory(c) for c in trajectories()],
    }
    summary(golden)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json.gz")
    with open(path, "wb") as f:
        f.write(gzip.compress(json.dumps(golden, separators=(",", ":")).encode(), 9, mtime=0))
    print(f"{path}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
