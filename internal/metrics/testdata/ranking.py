"""Writes ranking.json: python ranking.py FOLDER, the folder of score.py of the shared benchmarks, needs numpy.

Anomalies lie from first to last row. Scores are whole numbers, so that some are equal: the first or the
second power of (row * factor) mod modulus, and a bonus in rows that follow on an anomaly's beginning."""
import json
import sys

sys.path.insert(0, sys.argv[1])
import numpy as np
import score

MACHINE_2_7 = [(664, 666), (2104, 2106), (3544, 3546), (4984, 4986), (6030, 6033), (7665, 7668), (7863, 7866),
               (12099, 12126), (13623, 13624), (16534, 16556), (18639, 18943), (22924, 22926)]
CASES = [
    dict(rows=1, spans=[(0, 0)], factor=1, modulus=2, bonus=0, window=3),
    dict(rows=31, spans=[(0, 2), (29, 30)], factor=7, modulus=11, bonus=3, window=6),
    dict(rows=300, spans=[(10, 14), (18, 20), (200, 259)], factor=37, modulus=101, bonus=40, window=25),
    dict(rows=300, spans=[(10, 14), (18, 20), (200, 259)], factor=1, modulus=1, bonus=0, window=0),
    dict(rows=1009, spans=[(500, 500)], factor=613, modulus=1009, bonus=300, window=125),
    dict(rows=23696, spans=MACHINE_2_7, factor=7919, modulus=10007, bonus=5000, window=104),
]
# The values are (row * factor) mod modulus + lift * (row mod every).
PERIODS = [
    dict(rows=2500, factor=7919, modulus=101, lift=3, every=58),
    dict(rows=900, factor=7919, modulus=1009, lift=0, every=1),
    dict(rows=900, factor=0, modulus=1, lift=0, every=1),
    dict(rows=900, factor=1, modulus=1000, lift=0, every=1),
    dict(rows=5, factor=3, modulus=7, lift=0, every=1),
    dict(rows=30000, factor=31, modulus=29, lift=5, every=144),
    dict(rows=2000, factor=1, modulus=7, lift=40, every=350),
]


def main():
    for case in CASES:
        row = np.arange(case["rows"])
        label, value = np.zeros(len(row), int), row * case["factor"] % case["modulus"]
        for first, last in case["spans"]:
            label[first : last + 1] = 1
            value[first + 1 : last + 3] += case["bonus"]
        case["VUSPR"] = score.vus_pr(label, value, case["window"])
    for p in PERIODS:
        row = np.arange(p["rows"])
        p["period"] = score.main_period(row * p["factor"] % p["modulus"] + p["lift"] * (row % p["every"]))
    with open("ranking.json", "w") as f:
        json.dump(dict(cases=CASES, periods=PERIODS), f, indent=1)


main()
