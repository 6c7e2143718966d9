"""Writes golden.json, the answers of scikit-learn: make goldens."""

import json
import pathlib
import warnings

import numpy as np
from sklearn.decomposition import PCA

warnings.filterwarnings("ignore")  # scikit-learn divides by the variance of what does not vary
rng = np.random.default_rng(5)
angle = np.linspace(0, 2 * np.pi, 50)
orbit = np.stack([np.cos(angle), 0.5 * np.sin(angle), 0.1 * np.cos(3 * angle)], 1)
constant = rng.normal(size=(9, 4))
constant[:, [0, 2]] = [7, 0]

CASES = {
    "orbit in 32 dimensions": (orbit @ rng.normal(size=(3, 32)) + 0.01 * rng.normal(size=(50, 32)), 2),
    "tall": (rng.normal(size=(101, 3)) * [5, 1, 0.1] + [100, -3, 0], 3),
    "wide": (rng.normal(size=(4, 17)), 3),
    "square": (rng.normal(size=(6, 6)), 2),
    "two rows": (rng.normal(size=(2, 5)), 1),
    "one column": (rng.normal(size=(7, 1)), 1),
    "constant columns": (constant, 2),
    "one direction": (np.outer(rng.normal(size=8), [1, 2, -3]), 1),
}

golden = {}
for name, (x, components) in CASES.items():
    pca = PCA(components, svd_solver="full")
    scores = pca.fit_transform(x)
    golden[name] = {
        "x": x.tolist(),
        "components": pca.components_.tolist(),
        "scores": scores.tolist(),
        "variance": pca.explained_variance_.tolist(),
        "ratio": pca.explained_variance_ratio_.tolist(),
    }
lines = [f"{json.dumps(name)}: {json.dumps(g)}" for name, g in golden.items()]
here = pathlib.Path(__file__).parent
(here / "golden.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
