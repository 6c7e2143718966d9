"""Writes golden.json, what utilsforecast 0.2.17 computes for two series of seven
values, and score.py's MSIS formula in numpy: make goldens."""

import json
import pathlib

import numpy as np
import pandas as pd
from utilsforecast import losses

LEVELS = [0.025, 0.1, 0.5, 0.9, 0.975]
SEASON, STEPS = 3, 7
rng = np.random.default_rng(1)
train = {"a": rng.normal(20, 5, 17), "b": rng.poisson(1.5, 11).astype(float)}
actual = {"a": rng.normal(20, 5, STEPS), "b": np.array([0, 0, 2, 1, 0, 3, 1.0])}
quantiles = {k: np.sort(rng.normal(v[:, None], 0.5 * v.std(), (STEPS, len(LEVELS))), 1) for k, v in actual.items()}
quantiles["b"][0] = 0  # 0/0 in sMAPE

rows = [{"unique_id": k, "ds": i, "y": y} for k, v in train.items() for i, y in enumerate(v)]
train_df = pd.DataFrame(rows)
rows = [{"unique_id": k, "ds": len(train[k]) + i, "y": actual[k][i], **{f"q{j}": q for j, q in enumerate(quantiles[k][i])}}
        for k in actual for i in range(STEPS)]
df = pd.DataFrame(rows)


def mean(loss, **options):
    return float(loss(df, ["q2"], **options)["q2"].mean())


def pinball(j):
    return float(losses.quantile_loss(df, {f"q{j}": f"q{j}"}, q=LEVELS[j])[f"q{j}"].mean())


def interval(low, high):
    level = LEVELS[high] - LEVELS[low]
    names = dict(models=["m"], level=round(100 * level))
    d = df.rename(columns={f"q{low}": f"m-lo-{names['level']}", f"q{high}": f"m-hi-{names['level']}"})
    score = losses.winkler_score(d, **names)
    scale = np.array([np.abs(v[SEASON:] - v[:-SEASON]).mean() for v in train.values()])
    return {"level": level, "coverage": float(losses.coverage(d, **names)["m"].mean()),
            "score": float(score["m"].mean()), "msis": float((score["m"].to_numpy() / scale).mean())}


seasonal = {"seasonality": SEASON, "train_df": train_df}
one = df.assign(unique_id="both")  # GluonTS and GIFT-Eval sum over all series before they divide
golden = {
    "levels": LEVELS, "season": SEASON,
    "train": [list(v) for v in train.values()],
    "actual": [list(v) for v in actual.values()],
    "quantiles": [q.tolist() for q in quantiles.values()],
    "mae": mean(losses.mae), "mse": mean(losses.mse),
    "smape": 200 * mean(losses.smape),
    "mase": mean(losses.mase, **seasonal), "rmsse": mean(losses.rmsse, **seasonal),
    "pinball": [pinball(j) for j in range(len(LEVELS))],
    "wql": float(losses.scaled_crps(one, {"q": [f"q{j}" for j in range(len(LEVELS))]}, np.array(LEVELS))["q"][0]),
    "intervals": [interval(1, 3), interval(0, 4)],
}
pathlib.Path(__file__).with_name("golden.json").write_text(json.dumps(golden, indent=1) + "\n")
