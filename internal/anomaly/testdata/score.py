#!/usr/bin/env python3
"""Writes score.json: the scores of Column.Score for two series, as docs/detect.md tells it.

Python 3.11 and numpy 2; the seed is fixed. python3 score.py > score.json
"""
import json
import math
import sys

import numpy as np


class Tail:
    def __init__(self):
        self.seen, self.quantile, self.excess = 0, 0.0, 0.0

    def score(self, v, known=True):
        s = 0.0
        if known and self.seen >= 50:
            base = math.log10(50)
            if v > self.quantile:
                s = math.log10(self.seen + 1) if self.excess == 0 else min(100.0, base + (v - self.quantile) / self.excess / math.log(10))
            elif self.quantile > 0:
                s = base * v / self.quantile
        self.seen += 1
        if self.seen <= 50:
            self.quantile = max(self.quantile, v)
            self.excess += (v / 2 - self.excess) / self.seen
            return s
        n = min(self.seen, 2000)
        if v > self.quantile:
            over = v - self.quantile
            if self.excess > 0:
                over = min(over, 10 * self.excess)
            self.quantile += 30 * self.excess / n * 0.98
            self.excess += (over - self.excess) / max(5, n / 50)
        else:
            self.quantile = max(0, self.quantile - 30 * self.excess / n / 50)
        return s


class Range:
    def __init__(self):
        self.values = []

    def beyond(self, v):
        low, high = min(self.values, default=v), max(self.values, default=v)
        self.values.append(v)
        out = max(v - high, low - v)
        return 0 if out <= 0 else out / (high - low) if high > low else math.inf


def mean(old, new, n, most):
    return old + (new - old) / min(n, most)


def score(values, season):
    residual, seasonal, shift, level, calm = Tail(), Tail(), Tail(), Tail(), Tail()
    raw, offs = Range(), Range()
    profile, offset = [None] * season, 0.0
    distance = distances = near_season = of_season = near = far = recent = usual = changes = 0.0
    count, age, missing, last, out = 0, 0, 0, None, []
    for i, x in enumerate(values):
        age += 1
        if x is None:
            missing += 1
            out.append([0, 0])
            continue
        known = count >= 200 and age - 1 >= 1.5 * season
        surprisals = [0.0]
        if count and missing <= 64:
            surprisals.append(residual.score(abs(x - last) / math.sqrt(1 + missing)))
        off = None
        if season and profile[i % season] is not None:
            off = x - profile[i % season] - offset
            distances += 1
            if distances > 16:
                surprisals.append(seasonal.score(min(1e3, abs(off) / distance)))
            distance = mean(distance, abs(off), distances, 2000)
            rest = x - profile[i % season]
            near_season, of_season = mean(near_season, rest, distances, 8), mean(of_season, rest, distances, 2000)
            surprisals.append(shift.score(abs(near_season - of_season), known))
        near, far = mean(near, x, count + 1, 32), mean(far, x, count + 1, 2000)
        surprisals.append(level.score(abs(near - far), known))
        if count and not missing:
            changes += 1
            recent, usual = mean(recent, abs(x - last), changes, 50), mean(usual, abs(x - last), changes, 2000)
            if changes >= 50 and usual > 0:
                surprisals.append(calm.score(max(0, -math.log(recent / usual + 1e-3)), known))
        beyond = raw.beyond(x)
        new = off is None or offs.beyond(off) > 0
        out.append([max(surprisals), 1 + min(beyond, 1) if known and new and beyond > 0.02 else 0])
        if season:
            if off is None:
                profile[i % season] = x - offset
            else:
                offset += off / season
                profile[i % season] += 0.2 * (x - offset - profile[i % season])
        count, missing, last = count + 1, 0, x
    return out


rng = np.random.default_rng(15)
cases = []
for season in (0, 7):
    x = 20 + 0.3 * rng.standard_normal(900).cumsum() + 3 * np.sin(np.arange(900) * 2 * np.pi / 7) + rng.standard_normal(900)
    x[[250, 611]] += [40, -60]
    x[400:480] = x[400] + 0.01 * rng.standard_normal(80)
    x[700:] += 25
    x = [float(np.round(v, 3)) for v in x]
    for k in (*range(300, 305), 500, *range(520, 600)):
        x[k] = None
    cases.append({"season": season, "values": x, "want": score(x, season)})
json.dump(cases, sys.stdout)
