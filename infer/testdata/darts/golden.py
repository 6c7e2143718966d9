"""Exports models of darts, and writes what darts forecasts with them.

    pip install darts==0.48.1 torch onnx onnxscript onnxruntime
    python golden.py

It writes a file .onnx for each model and golden.json.
"""

import json
import warnings

import numpy as np
import pandas as pd
from darts import TimeSeries
from darts.models import BlockRNNModel, RNNModel, TiDEModel
from darts.utils.likelihood_models.torch import QuantileRegression

warnings.filterwarnings("ignore")
rng = np.random.default_rng(1)
options = dict(random_state=1, n_epochs=1, batch_size=8,
               pl_trainer_kwargs={"accelerator": "cpu", "enable_progress_bar": False, "logger": False, "enable_checkpointing": False})


def series(columns, length, start="2026-01-01"):
    values = np.cumsum(rng.normal(size=(length, columns)), axis=0).astype(np.float32)
    return TimeSeries.from_times_and_values(pd.date_range(start, periods=length, freq="D"), values)


def case(name, model, n, targets, past=None, future=None, static=None):
    if static is not None:
        targets = targets.with_static_covariates(pd.DataFrame([static], columns=[f"s{i}" for i in range(len(static))]))
    covariates = {k: v for k, v in {"past_covariates": past, "future_covariates": future}.items() if v is not None}
    model.fit(targets, **covariates)
    model.to_onnx(f"{name}.onnx")
    likelihood = model.likelihood is not None
    answer = model.predict(n, series=targets, predict_likelihood_parameters=likelihood, **covariates)
    columns = lambda s, length: [] if s is None else s.values()[:length].T.tolist()
    return {
        "file": f"{name}.onnx",
        "steps": n,
        "targets": columns(targets, len(targets)),
        "past": columns(past, len(targets)),
        "future": columns(future, len(targets) + max(n, model.output_chunk_length)),
        "static": [] if static is None else [float(v) for v in static],
        "answer": answer.values().tolist(),  # [steps][targets * parameters]
    }


cases = [
    case("block", BlockRNNModel(6, 3, model="GRU", hidden_dim=4, **options), 8, series(2, 40)),
    case("cell", RNNModel(5, model="LSTM", hidden_dim=4, training_length=8, **options), 4, series(1, 40), future=series(2, 60)),
    case("quantiles", BlockRNNModel(6, 4, model="LSTM", hidden_dim=4, likelihood=QuantileRegression([0.1, 0.5, 0.9]), **options), 3,
         series(2, 40), past=series(1, 40)),
    case("tide", TiDEModel(6, 3, hidden_size=4, decoder_output_dim=2, temporal_decoder_hidden=4, use_reversible_instance_norm=True, **options), 7,
         series(1, 40), future=series(2, 60), static=[1.5, -0.5]),
]
with open("golden.json", "w") as f:
    json.dump(cases, f)
