"""Trains the workloads of `bench list` with rnnkit and PyTorch in turn and prints
tables. docs/performance.md explains them.

    make bench-torch ARGS="--only sine,chars --rounds 3"
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import resource
import subprocess
import sys
import time
from statistics import geometric_mean, median

THREADS = 1, 2
FIT = pathlib.Path(__file__).with_name("fit.py")

# The share of a core that other processes may take during a measurement.
DISTURBANCE = 0.05


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default="bin/bench", help="the command built from ./bench (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="processes of each kind (%(default)s)")
    parser.add_argument("--only", type=lambda s: s.split(","), help="workloads, with commas between")
    parser.add_argument("--patience", type=float, default=300, metavar="SECONDS",
                        help="for measuring again, in all, where other processes disturbed (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON")
    parser.add_argument("-o", dest="output", type=pathlib.Path, help="also write it to this file")
    args = parser.parse_args()

    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
    workloads = json.loads(run([args.bench, "list"]))
    if args.only:
        if unknown := set(args.only) - {w["name"] for w in workloads}:
            parser.error(f"there is no workload {', '.join(unknown)}: bench list names them all")
        workloads = [w for w in workloads if w["name"] in args.only]
    results = compare(args.bench, workloads, args.rounds, Meter(args.patience))
    text = json.dumps(results, indent=1) if args.json else report(results)
    if args.output:
        args.output.write_text(text + "\n")
    print(text)


def compare(bench, workloads, rounds, meter):
    """Measures both sides in turn, each in its own process."""
    peaks = {t: [] for t in THREADS}
    rows = [{"workload": w, "ours": {t: [] for t in THREADS}, "torch": {t: [] for t in THREADS}} for w in workloads]
    for number in range(rounds):
        for t in THREADS:
            peaks[t].append(meter.measure([bench, f"-threads={t}", "peak"]))
        for row in rows:
            name = row["workload"]["name"]
            data = run([bench, "data", name])
            for t in THREADS:
                ours = meter.measure([bench, f"-threads={t}", "fit", name])
                theirs = meter.measure([sys.executable, FIT, str(t)], data)
                row["ours"][t].append(ours)
                row["torch"][t].append(theirs)
                print(f"round {number + 1}/{rounds} {name} threads {t}: "
                      f"rnnkit {epoch([ours]):.2f} ms, PyTorch {epoch([theirs]):.2f} ms", file=sys.stderr)
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "rounds": rounds,
        "peaks": peaks,
        "rows": rows,
    }


def run(command, stdin=None):
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True).stdout


class Meter:
    """Repeats disturbed measurements until the patience is used up."""

    def __init__(self, patience):
        self.patience = patience

    def measure(self, command, stdin=None):
        """Returns what the command prints, and as "disturbance" the share of a core
        that others took meanwhile. It repeats a disturbed command and returns the
        least disturbed run."""
        best = None
        while best is None or best["disturbance"] > DISTURBANCE and self.patience > 0:
            start, busy, own = time.monotonic(), busy_seconds(), child_seconds()
            result = json.loads(run(command, stdin))
            wall = time.monotonic() - start
            result["disturbance"] = max(0, busy_seconds() - busy - (child_seconds() - own)) / wall
            if best is None or result["disturbance"] < best["disturbance"]:
                best = result
            if result["disturbance"] > DISTURBANCE:
                self.patience -= wall
        return best


def busy_seconds():
    """Returns the time that all cores together were busy or taken by the host."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def child_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def machine():
    fields = {f["field"].rstrip(":"): f["data"] for f in json.loads(run(["lscpu", "--json"]))["lscpu"]}
    wanted = "Architecture", "Model name", "CPU family", "Model", "CPU(s)", "L1d cache", "L2 cache", "L3 cache", "Hypervisor vendor"
    return {k: fields[k] for k in wanted if k in fields} | {"Kernel": platform.release(), "Python": platform.python_version()}


def epoch(measurements):
    """Returns the median over the measurements of the median epoch, in ms."""
    return 1e3 * median(median(m["seconds"]) for m in measurements)


def report(results):
    peaks = {t: median(p["flops"] for p in results["peaks"][t]) for t in THREADS}
    rows = [figures(row, peaks) for row in results["rows"]]
    first, every = results["rows"][0], everything(results)
    lines = [
        f"# rnnkit and PyTorch, {results['date']}",
        "",
        *(f"- {k}: {v}" for k, v in results["machine"].items()),
        f"- rnnkit: {first['ours'][1][0]['version']}; PyTorch: {first['torch'][1][0]['version']}",
        f"- Peak ({results['peaks'][1][0]['instructions']}): "
        + ", ".join(f"{peaks[t] / 1e9:.0f} GFLOP/s on {t}" for t in THREADS),
        f"- {results['rounds']} processes of each kind; other processes took up to "
        f"{max(m['disturbance'] for m in every):.0%} of a core",
        "",
        "Milliseconds an epoch, on 1 and 2 threads:",
        "",
        *table(
            ["workload", "rnnkit 1", "rnnkit 2", "PyTorch 1", "PyTorch 2", "times as fast"],
            [[r["name"], *(f"{ms:.2f}" for ms in [*r["ours"], *r["torch"]]), f"{r['ratio']:.2f}"] for r in rows]),
        "",
    ]
    notebook = [r["ratio"] for r in rows if r["notebook"]]
    if notebook:
        lines += [f"Geometric mean of the notebook's {len(notebook)}: {geometric_mean(notebook):.2f}, the least {min(notebook):.2f}.", ""]
    lines += [
        "What rnnkit makes of the machine:",
        "",
        *table(
            ["workload", "GFLOP/s 1", "GFLOP/s 2", "of the peak 1", "of the peak 2", "second core", "allocations a step"],
            [[r["name"], *(f"{f / 1e9:.1f}" for f in r["flops"]), *(f"{s:.1%}" for s in r["share"]),
              f"{r['second']:.2f}", f"{r['allocations']:.2f}"] for r in rows]),
        "",
        "Peak resident memory in MB (before training), and the loss of the first and the last epoch:",
        "",
        *table(
            ["workload", "rnnkit", "PyTorch", "rnnkit's losses", "PyTorch's losses"],
            [[r["name"], *r["memory"], *r["losses"]] for r in rows]),
    ]
    return "\n".join(lines)


def everything(results):
    """Returns all measurements of all kinds."""
    kinds = [results["peaks"]] + [row[side] for row in results["rows"] for side in ("ours", "torch")]
    return [m for kind in kinds for t in THREADS for m in kind[t]]


def figures(row, peaks):
    """Returns the figures of a workload, each as a list over the numbers of threads."""
    ours, torch = ([epoch(row[side][t]) for t in THREADS] for side in ("ours", "torch"))
    flops = [row["workload"]["operations"] / ms * 1e3 for ms in ours]
    sides = [[m for t in THREADS for m in row[side][t]] for side in ("ours", "torch")]
    return {
        "name": row["workload"]["name"],
        "notebook": row["workload"]["notebook"],
        "ours": ours,
        "torch": torch,
        "ratio": min(torch) / min(ours),
        "flops": flops,
        "share": [f / peaks[t] for f, t in zip(flops, THREADS)],
        "second": ours[0] / ours[1],
        "allocations": max(m["allocations"] for m in sides[0]),
        "memory": [f"{max(m['bytes_peak'] for m in side) / 1e6:.0f} ({side[0]['bytes_before'] / 1e6:.0f})" for side in sides],
        "losses": [f"{side[0]['first_loss']:.5f} {side[0]['last_loss']:.5f}" for side in sides],
    }


def table(header, rows):
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


if __name__ == "__main__":
    main()
