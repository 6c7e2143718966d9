"""Writes keras_NAME.onnx, converted from Keras by tf2onnx: models that can run step by step,
and models that cannot. Written with Keras 3.15 and tf2onnx 1.17.

    python keras_steps.py FOLDER
"""

import os, sys
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
os.environ['CUDA_VISIBLE_DEVICES'] = '-1'
import tensorflow as tf, keras, tf2onnx, numpy as np
from keras import layers as L
out = sys.argv[1]
os.makedirs(out, exist_ok=True)
keras.utils.set_random_seed(0)

def save(name, ins, y):
    m = keras.Model(ins, y)
    spec = [tf.TensorSpec([None] + list(i.shape[1:]), i.dtype, name=f'in{k}') for k, i in enumerate(m.inputs)]
    f = tf.function(lambda *a: m(list(a) if len(a) > 1 else a[0]), input_signature=spec)
    try:
        tf2onnx.convert.from_function(f, input_signature=spec, opset=17, output_path=f'{out}/keras_{name}.onnx')
    except Exception as e:
        print(name, 'FAIL', str(e)[:200])

def X():
    return L.Input((None, 3))
x = X()
save('lstm_last', x, L.Dense(2)(L.LSTM(4)(x)))
x = X()
save('lstm_all', x, L.Dense(2, activation='softmax')(L.LSTM(4, return_sequences=True)(x)))
x = X()
save('gru_last', x, L.Dense(2)(L.GRU(4)(x)))
x = X()
save('gru_all', x, L.Dense(2)(L.GRU(4, return_sequences=True)(x)))
x = X()
save('gru_noreset', x, L.GRU(4, reset_after=False)(x))
x = X()
save('rnn_all', x, L.SimpleRNN(4, return_sequences=True)(x))
x = X()
save('stack', x, L.Dense(1)(L.LSTM(4)(L.LSTM(3, return_sequences=True)(x))))
x = X()
save('timedist', x, L.TimeDistributed(L.Dense(2))(L.LSTM(4, return_sequences=True)(x)))
x = X()
save('norm', x, L.Dense(2)(L.LayerNormalization()(L.LSTM(4, return_sequences=True)(x))))
x = X()
save('bn', x, L.Dense(2)(L.BatchNormalization()(L.LSTM(4, return_sequences=True)(x))))
x = L.Input((None,), dtype='int32')
save('tokens', x, L.Dense(7)(L.LSTM(4, return_sequences=True)(L.Embedding(5, 3)(x))))
x = X()
save('states', x, L.LSTM(4, return_sequences=True, return_state=True)(x))
x = X()
save('mask', x, L.LSTM(4)(L.Masking(0.0)(x)))
x = X()
save('bi', x, L.Bidirectional(L.LSTM(4))(x))
x = X()
save('back', x, L.LSTM(4, go_backwards=True)(x))
x = X()
save('mean', x, L.GlobalAveragePooling1D()(L.LSTM(4, return_sequences=True)(x)))
x = X()
save('causal', x, L.LSTM(4)(L.Conv1D(4, 3, padding='causal')(x)))
x = X()
save('repeat', x, L.Dense(1)(L.LSTM(4, return_sequences=True)(L.RepeatVector(3)(L.LSTM(4)(x)))))
x = X()
save('attend', x, (lambda y: L.Dense(2)(L.Attention()([y, y])))(L.LSTM(4, return_sequences=True)(x)))
x = X()
save('relu', x, L.LSTM(4, activation='relu')(x))
x = X()
h = L.Input((4,))
c = L.Input((4,))
save('given', [x, h, c], L.LSTM(4, return_sequences=True, return_state=True)(x, initial_state=[h, c]))
print('done')
