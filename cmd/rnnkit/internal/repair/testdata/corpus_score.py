"""Tells what repair makes of a corpus: corpus_score.py RNNKIT FOLDER... [-v].

A file counts as whole where its time became symbolic and ONNX Runtime gives the
framework's answers at every batch and time of the NPZ, as kept where the time
stays, as refused where nothing is written, and as WRONG where the time is
symbolic and an answer differs.
"""

import collections
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnxruntime

rnnkit, folders = sys.argv[1], [a for a in sys.argv[2:] if a != "-v"]
onnxruntime.set_default_logger_severity(4)


def sessions(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def wrong(fixed, arrays):
    """What is wrong, or None; cases of the example's own time are enough where it stays."""
    session = sessions(fixed)
    names = [i.name for i in session.get_inputs()]
    for k in range(5):
        if f"in{k}_0" not in arrays:
            continue
        given = {name: arrays[f"in{k}_{j}"] for j, name in enumerate(names) if f"in{k}_{j}" in arrays}
        try:
            got = session.run(None, given)
        except Exception as error:
            return f"case {k}: {str(error).splitlines()[0][-120:]}"
        for j, y in enumerate(got):
            want = arrays[f"out{k}_{j}"]
            if y.shape != want.shape or not numpy.allclose(y, want, rtol=1e-3, atol=1e-5):
                return f"case {k}, input {list(given.values())[0].shape}: {y.shape} {want.shape} differ"
    return None


def score(path):
    arrays = numpy.load(path.with_suffix(".npz"))
    with tempfile.TemporaryDirectory() as t:
        fixed = pathlib.Path(t) / "fixed.onnx"
        run = subprocess.run([rnnkit, "repair", str(path), "-o", str(fixed)], capture_output=True, text=True, timeout=120)
        if run.returncode:
            return "refused", run.stderr.strip().splitlines()[-1].split("cannot be repaired: ")[-1]
        kept = [line for line in run.stdout.splitlines() if line.startswith("the time ")]
        if kept:
            return "kept", kept[0]
        why = wrong(fixed, arrays)
        return ("WRONG", why) if why else ("whole", "")


count = collections.Counter()
for folder in folders:
    for path in sorted(pathlib.Path(folder).glob("*.onnx")):
        if not path.with_suffix(".npz").exists():
            continue
        try:
            verdict, why = score(path)
        except subprocess.TimeoutExpired:
            verdict, why = "HANGS", ""
        fixed = "fixed" if path.name.startswith("x_") else "open"
        count[fixed, verdict] += 1
        print(f"{verdict:8} {path.stem:32} {why[:230]}", flush=True)
for (fixed, verdict), n in sorted(count.items()):
    print(fixed, verdict, n)
