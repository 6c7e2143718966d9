"""Writes golden.json, what statsforecast 2.1.1 forecasts for a few series: make goldens."""

import json
import pathlib

import numpy as np
from statsforecast import models
from statsforecast.ets import ets_f, forecast_ets

LEVEL, HORIZON = 80, 17
rng = np.random.default_rng(3)


def made(n, season, level, trend, amplitude, noise):
    t = np.arange(n)
    y = level + trend * t + amplitude * np.sin(2 * np.pi * t / season) + noise * rng.standard_normal(n).cumsum()
    return [float(f"{v:.4g}") for v in y]


series = [
    {"season": 12, "values": made(61, 12, 100, 0.8, 20, 2)},
    {"season": 7, "values": made(45, 7, 1, 0, 6, 0.5)},
    {"season": 4, "values": made(9, 4, 10, -1, 2, 1)},
]
methods = {
    "naive": lambda m: models.Naive(),
    "seasonal naive": lambda m: models.SeasonalNaive(season_length=m),
    "drift": lambda m: models.RandomWalkWithDrift(),
    "mean": lambda m: models.HistoricAverage(),
    "theta": lambda m: models.Theta(season_length=m),
}
for s in series:
    y = np.array(s["values"])
    s["forecasts"] = {}
    for name, make in methods.items():
        f = make(s["season"]).forecast(y=y, h=HORIZON, level=[LEVEL])
        s["forecasts"][name] = {"mean": f["mean"].tolist(), "low": f["lo-80"].tolist(), "high": f["hi-80"].tolist()}


def ets(y, season, name):
    """A model with the parameters that statsforecast found, which are not always the best."""
    damped = "d" in name
    f = ets_f(y, season, name.replace("d", ""), damped=damped)
    alpha, beta, gamma, phi, *states = [float(v) for v in f["par"]]
    trend, season_states = ("A" in name[1:-1]), states[1 + ("A" in name[1:-1]) :]
    return {
        "model": name, "alpha": alpha, "beta": beta if trend else 0, "gamma": gamma if name[-1] != "N" else 0,
        "phi": phi if damped else 1, "level": states[0], "trend": states[1] if trend else 0,
        "season": season_states[::-1],  # the first value's phase first
        "loss": -2 * float(f["loglik"]), "aicc": float(f["aicc"]),
        # It damps the trend of the second step as that of the first, and so on.
        "mean": forecast_ets(f, 1 if damped else HORIZON)["mean"].tolist(),
    }


s = series[0]
names = [e + t + c for e in "AM" for t in ("N", "A", "Ad") for c in "NAM" if e + c != "AM"]
s["ets"] = [ets(np.array(s["values"]), s["season"], name) for name in names]
pathlib.Path(__file__).with_name("golden.json").write_text(json.dumps({"level": LEVEL / 100, "series": series}, indent=1) + "\n")
