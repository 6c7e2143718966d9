"""Writes nab.json: NAB's scores of random scores, by score.py of the project's shared data,
whose scores are those of NAB 1.1 to all digits.

    RNNKIT_SHARED=... python3 nab.py > nab.json     # Python 3.11, numpy 2.3
"""
import json, os, sys
import numpy as np
sys.path.insert(0, os.path.join(os.environ["RNNKIT_SHARED"], "benchmarks"))
import score

rng = np.random.default_rng(5)
cases = []
for lengths in [(137,), (400, 251, 5201), (90, 333)]:
    series, files, scores = [], {}, {}
    for k, n in enumerate(lengths):
        starts = sorted(rng.choice(np.arange(5, n - 30, 31), size=min(3, (n - 40) // 31), replace=False).tolist())
        if k == 1:
            starts = []
        windows = [[int(a), int(a + rng.integers(1, 30))] for a in starts]
        values = np.round(rng.random(n), 2)
        times = [f"2026-01-{1 + i // 1440:02d} {i // 60 % 24:02d}:{i % 60:02d}:00" for i in range(n)]
        files[str(k)] = (times, [(times[a], times[b]) for a, b in windows])
        scores[str(k)] = values
        series.append({"scores": values.tolist(), "windows": windows})
    best, at = score.nab_score(files, scores), score.nab_score(files, scores, 0.9)
    cases.append({"series": series, "best": [best[p] for p in score.PROFILES], "border": [best[f"threshold_{p}"] for p in score.PROFILES],
                  "at": [at[p] for p in score.PROFILES]})
json.dump(cases, sys.stdout)
