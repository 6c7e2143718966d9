"""Writes keras_forecaster.onnx and keras_classifier.onnx, and keras.json with Keras's answers.

    pip install tensorflow-cpu==2.19.1 keras==3.15.1 tf2onnx==1.22.0 onnx==1.17.0
    python make_keras.py

The forecaster takes windows of 4 rows of 2 columns and predicts the next 3 rows. The
classifier takes sequences of any length, of 2 values a step, and has a softmax of 3
classes. Their weights are random, with fixed seeds.
"""
import json
import os
import pathlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import keras
import numpy as np
import tensorflow as tf
import tf2onnx
from keras import layers as L

HERE = pathlib.Path(__file__).parent
keras.utils.set_random_seed(7)
forecaster = keras.Sequential([L.Input((4, 2)), L.LSTM(5), L.Dense(6), L.Reshape((3, 2))])
classifier = keras.Sequential([L.Input((None, 2)), L.LSTM(5), L.Dense(3, activation="softmax", kernel_initializer="he_normal")])
rows = np.random.default_rng(8).normal(size=(7, 2)).round(3).astype("f")
for name, m in ("keras_forecaster", forecaster), ("keras_classifier", classifier):
    time = m.input_shape[1]
    f = tf.function(lambda x, m=m: m(x), input_signature=[tf.TensorSpec((None, time, 2), tf.float32, name="x")])
    tf2onnx.convert.from_function(f, input_signature=f.input_signature, opset=17, output_path=str(HERE / (name + ".onnx")))
(HERE / "keras.json").write_text(json.dumps({
    "rows": rows.tolist(),
    "forecast": forecaster(rows[None, -4:]).numpy()[0].tolist(),
    "probabilities": classifier(rows[None]).numpy()[0].tolist(),
}) + "\n")
