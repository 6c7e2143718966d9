"""Writes NAME_ts.onnx and NAME_dyn.onnx: models that can run step by step, and models that cannot.

    python torch_steps.py FOLDER ts[,dyn] [NAME...]

Written with torch 2.15 and onnx 1.23, by its older exporter (ts) and its newer one (dyn). The tests
need no answers of PyTorch: they compare the steps with the whole in ONNX Runtime.
"""

import torch, warnings, sys, os, io, contextlib
from torch import nn
warnings.filterwarnings('ignore')
torch.manual_seed(0)
out = sys.argv[1]
os.makedirs(out, exist_ok=True)
H = 3
F = 2

class Base(nn.Module):

    def __init__(s, cell=nn.LSTM, i=F, **k):
        super().__init__()
        s.rnn = cell(i, H, batch_first=k.pop('batch_first', True), **k)
        s.head = nn.Linear(H * (1 + s.rnn.bidirectional), 2)

class Last(Base):

    def forward(s, x):
        return s.head(s.rnn(x)[0][:, -1])

class LastSlice(Base):

    def forward(s, x):
        return s.head(s.rnn(x)[0][:, -1:, :])

class LastNum(Base):

    def forward(s, x):
        return s.head(s.rnn(x)[0][:, x.size(1) - 1])

class All(Base):

    def forward(s, x):
        return torch.softmax(s.head(torch.relu(s.rnn(x)[0])), -1)

class HN(Base):

    def forward(s, x):
        y, (h, c) = s.rnn(x)
        return s.head(h[-1])

class HNAll(Base):

    def forward(s, x):
        y, (h, c) = s.rnn(x)
        return (s.head(h.transpose(0, 1)), y)

class TimeFirst(Base):

    def forward(s, x):
        return s.head(s.rnn(x)[0])

class Folded(Base):

    def forward(s, x):
        b, t, _ = x.shape
        y = s.rnn(x)[0].reshape(b * t, H)
        return torch.tanh(s.head(y)).view(b, t, -1)

class Inner(nn.Module):

    def __init__(s):
        super().__init__()
        s.inner = nn.GRU(1, H, batch_first=True)
        s.outer = nn.GRU(H, H, batch_first=True)

    def forward(s, x):
        b, t, f = x.shape
        y = s.inner(x.reshape(b * t, f, 1))[0][:, -1]
        return s.outer(y.view(b, t, H))[0]

class InnerBi(nn.Module):

    def __init__(s):
        super().__init__()
        s.inner = nn.GRU(1, H, batch_first=True, bidirectional=True)
        s.outer = nn.GRU(2 * H, H, batch_first=True)

    def forward(s, x):
        b, t, f = x.shape
        y = s.inner(x.reshape(b * t, f, 1))[0].mean(1)
        return s.outer(y.view(b, t, 2 * H))[0]

class Learned(Base):

    def __init__(s):
        super().__init__(nn.GRU)
        s.h0 = nn.Parameter(torch.randn(1, 1, H))

    def forward(s, x):
        return s.head(s.rnn(x, s.h0.expand(-1, x.size(0), -1).contiguous())[0])

class Zeros(Base):

    def forward(s, x):
        z = torch.zeros(s.rnn.num_layers, x.size(0), H)
        return s.head(s.rnn(x, (z, z))[0][:, -1])

class Context(Base):

    def __init__(s):
        super().__init__(nn.GRU)
        s.c = nn.Linear(4, H)

    def forward(s, x, ctx):
        return s.head(s.rnn(x, torch.tanh(s.c(ctx))[None])[0])

class Speaker(Base):

    def __init__(s):
        super().__init__(nn.GRU, i=F + 4)

    def forward(s, x, ctx):
        return s.head(s.rnn(torch.cat([x, ctx[:, None, :].expand(-1, x.size(1), -1)], -1))[0])

class LayerNorm(Base):

    def __init__(s):
        super().__init__(nn.GRU)
        s.n = nn.LayerNorm(H)

    def forward(s, x):
        return s.head(s.n(s.rnn(x)[0]))

class BatchNorm(Base):

    def __init__(s):
        super().__init__(nn.GRU)
        s.n = nn.BatchNorm1d(H)
        s.n.running_mean.uniform_()
        s.n.eval()

    def forward(s, x):
        return s.head(s.n(s.rnn(x)[0].transpose(1, 2)).transpose(1, 2))

class Conv1x1(Base):

    def __init__(s):
        super().__init__(nn.GRU, i=4)
        s.c = nn.Conv1d(F, 4, 1)

    def forward(s, x):
        return s.head(s.rnn(s.c(x.transpose(1, 2)).transpose(1, 2))[0])

class Residual(nn.Module):

    def __init__(s):
        super().__init__()
        s.a = nn.GRU(F, F, batch_first=True)
        s.b = nn.GRU(F, F, batch_first=True)

    def forward(s, x):
        y = x + s.a(x)[0]
        return y + s.b(y)[0]

class Gate(Base):

    def forward(s, x):
        y = s.rnn(x)[0]
        a, b = y.split([1, 2], -1)
        return (torch.sigmoid(a) * b, y.max(-1)[0], y.mean(-1, keepdim=True), y.argmax(-1))

class Where(Base):

    def forward(s, x):
        y = s.rnn(x)[0]
        return torch.where(y > 0, y, y * 0.1).clamp(-0.5, 0.5)

class Tokens(Base):

    def __init__(s):
        super().__init__(nn.GRU)
        s.e = nn.Embedding(5, F)

    def forward(s, x):
        y, h = s.rnn(s.e(x))
        return (s.head(y), h)

class Two(nn.Module):

    def __init__(s):
        super().__init__()
        s.a = nn.GRU(F, H, batch_first=True)
        s.b = nn.LSTM(F, H, 2, batch_first=True)
        s.h = nn.Linear(2 * H, 2)

    def forward(s, x):
        return s.h(torch.cat([s.a(x)[0], s.b(x)[0]], -1))

class TwoInputs(nn.Module):

    def __init__(s):
        super().__init__()
        s.a = nn.GRU(2 * F, H, batch_first=True)

    def forward(s, x, y):
        return s.a(torch.cat([x, y], -1))[0]

class Proj(nn.Module):

    def __init__(s):
        super().__init__()
        s.i = nn.Linear(F, 4)
        s.a = nn.LSTM(4, H, batch_first=True)

    def forward(s, x):
        return s.a(torch.nn.functional.gelu(s.i(x)))[0]

class Std(Base):

    def __init__(s):
        super().__init__()
        s.register_buffer('m', torch.randn(F))
        s.register_buffer('d', torch.rand(F) + 0.5)

    def forward(s, x):
        return s.head(s.rnn((x - s.m) / s.d)[0][:, -1]) * 3 + 1

class Channels(Base):

    def forward(s, x):
        return s.head(s.rnn(x.transpose(1, 2))[0]).transpose(1, 2)

class Heads4d(Base):

    def __init__(s):
        super().__init__(nn.GRU, i=2 * F)

    def forward(s, x):
        b, t, c, f = x.shape
        return s.head(s.rnn(x.reshape(b, t, c * f))[0])

class Conv2dFreq(Base):

    def __init__(s):
        super().__init__(nn.GRU, i=4)
        s.c = nn.Conv2d(1, 2, (1, 3), padding=(0, 1))

    def forward(s, x):
        y = s.c(x[:, None])
        b, c, t, f = y.shape
        return s.head(s.rnn(y.permute(0, 2, 1, 3).reshape(b, t, c * f))[0])

class Bi(Base):

    def forward(s, x):
        return s.head(s.rnn(x)[0])

class Mean(Base):

    def forward(s, x):
        return s.head(s.rnn(x)[0].mean(1))

class Max(Base):

    def forward(s, x):
        return s.head(s.rnn(x)[0].max(1)[0])

class Attention(Base):

    def forward(s, x):
        y, (h, _) = s.rnn(x)
        w = torch.softmax(torch.bmm(y, h[-1].unsqueeze(2)), 1)
        return s.head((w * y).sum(1))

class SelfAtt(Base):

    def forward(s, x):
        y, _ = s.rnn(x)
        return s.head(torch.softmax(y @ y.transpose(1, 2), -1) @ y)

class Flip(Base):

    def forward(s, x):
        return s.head(s.rnn(torch.flip(x, [1]))[0])

class FlipOut(Base):

    def forward(s, x):
        return s.head(torch.flip(s.rnn(x)[0], [1]))

class ConvPad(Base):

    def __init__(s):
        super().__init__(nn.GRU, i=4)
        s.c = nn.Conv1d(F, 4, 3, padding=1)

    def forward(s, x):
        return s.head(s.rnn(s.c(x.transpose(1, 2)).transpose(1, 2))[0])

class ConvCausal(Base):

    def __init__(s):
        super().__init__(nn.GRU, i=4)
        s.c = nn.Conv1d(F, 4, 3)

    def forward(s, x):
        return s.head(s.rnn(s.c(torch.nn.functional.pad(x.transpose(1, 2), (2, 0))).transpose(1, 2))[0])

class ConvNo(Base):

    def __init__(s):
        super().__init__(nn.GRU, i=4)
        s.c = nn.Conv1d(F, 4, 3)

    def forward(s, x):
        return s.head(s.rnn(s.c(x.transpose(1, 2)).transpose(1, 2))[0])

class CumSum(Base):

    def forward(s, x):
        return s.head(s.rnn(torch.cumsum(x, 1))[0])

class Norm(Base):

    def forward(s, x):
        return s.head(s.rnn((x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 0.001))[0])

class Position(Base):

    def forward(s, x):
        return s.head(s.rnn(x + torch.arange(x.size(1))[None, :, None] * 0.1)[0])

class First(Base):

    def forward(s, x):
        return s.head(s.rnn(x)[0][:, 0])

class Diff(Base):

    def forward(s, x):
        return s.head(s.rnn(x[:, 1:] - x[:, :-1])[0])

class SumLast(Base):

    def forward(s, x):
        y = s.rnn(x)[0]
        return s.head(y + y[:, -1:])

class DivT(Base):

    def forward(s, x):
        return s.head(s.rnn(x)[0][:, -1] / x.size(1))

class SoftT(Base):

    def forward(s, x):
        return torch.softmax(s.head(s.rnn(x)[0]), 1)

class Seq2Seq(nn.Module):

    def __init__(s):
        super().__init__()
        s.a = nn.GRU(F, H, batch_first=True)
        s.b = nn.GRU(F, H, batch_first=True)

    def forward(s, x):
        return s.b(x, s.a(x)[1])[0]

class Repeat(nn.Module):

    def __init__(s):
        super().__init__()
        s.a = nn.GRU(F, H, batch_first=True)
        s.b = nn.GRU(H, H, batch_first=True)

    def forward(s, x):
        return s.b(s.a(x)[1][-1][:, None, :].expand(-1, 4, -1))[0]

class Lens(Base):

    def forward(s, x, l):
        p = nn.utils.rnn.pack_padded_sequence(x, l, batch_first=True, enforce_sorted=False)
        y, _ = s.rnn(p)
        y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first=True)
        return s.head(y)

class Mask(Base):

    def forward(s, x, m):
        return s.head(s.rnn(x * m[:, :, None])[0])

class Stateful(Base):

    def forward(s, x, h, c):
        y, (h, c) = s.rnn(x, (h, c))
        return (s.head(y), h, c)

class StatefulMean(Base):

    def forward(s, x, h, c):
        y, (h, c) = s.rnn(x, (h, c))
        return (s.head(y.mean(1)), h, c)

class StatefulConv(Base):

    def __init__(s):
        super().__init__(nn.LSTM, i=4)
        s.c = nn.Conv1d(F, 4, 3, padding=1)

    def forward(s, x, h, c):
        y, (h, c) = s.rnn(s.c(x.transpose(1, 2)).transpose(1, 2), (h, c))
        return (s.head(y), h, c)

class StatefulCache(Base):

    def __init__(s):
        super().__init__(nn.LSTM, i=4)
        s.c = nn.Conv1d(F, 4, 3)

    def forward(s, x, h, c, cache):
        x = torch.cat([cache, x.transpose(1, 2)], 2)
        y, (h, c) = s.rnn(s.c(x).transpose(1, 2), (h, c))
        return (s.head(y), h, c, x[:, :, -2:])

class HalfStateful(nn.Module):

    def __init__(s):
        super().__init__()
        s.a = nn.GRU(F, H, batch_first=True)
        s.b = nn.GRU(H, H, batch_first=True)

    def forward(s, x, h):
        y, h = s.a(x, h)
        return (s.b(y)[0], h)

class InOnly(Base):

    def forward(s, x, h, c):
        return s.head(s.rnn(x, (h, c))[0])
B, T = (2, 5)
x = torch.randn(B, T, F)
xt = torch.randn(T, B, F)
tok = torch.randint(0, 5, (B, T))
h = torch.randn(1, B, H)
M = [(n, c, a) for n, c, a in [('last', Last(num_layers=2), (x,)), ('last_gru', Last(nn.GRU), (x,)), ('last_rnn', Last(nn.RNN), (x,)), ('lastslice', LastSlice(), (x,)), ('lastnum', LastNum(), (x,)), ('all', All(nn.GRU, num_layers=2), (x,)), ('hn', HN(num_layers=2), (x,)), ('hnall', HNAll(num_layers=2), (x,)), ('timefirst', TimeFirst(batch_first=False), (xt,)), ('folded', Folded(), (x,)), ('inner', Inner(), (x,)), ('innerbi', InnerBi(), (x,)), ('learned', Learned(), (x,)), ('zeros', Zeros(num_layers=2), (x,)), ('context', Context(), (x, torch.randn(B, 4))), ('speaker', Speaker(), (x, torch.randn(B, 4))), ('layernorm', LayerNorm(), (x,)), ('batchnorm', BatchNorm().eval(), (x,)), ('conv1x1', Conv1x1(), (x,)), ('residual', Residual(), (x,)), ('gate', Gate(), (x,)), ('where', Where(), (x,)), ('tokens', Tokens(), (tok,)), ('two', Two(), (x,)), ('twoinputs', TwoInputs(), (x, torch.randn(B, T, F))), ('proj', Proj(), (x,)), ('std', Std(), (x,)), ('channels', Channels(), (x.transpose(1, 2).contiguous(),)), ('heads4d', Heads4d(), (torch.randn(B, T, 2, F),)), ('conv2dfreq', Conv2dFreq(), (x,)), ('bi', Bi(bidirectional=True), (x,)), ('mean', Mean(), (x,)), ('max', Max(), (x,)), ('attention', Attention(), (x,)), ('selfatt', SelfAtt(), (x,)), ('flip', Flip(), (x,)), ('flipout', FlipOut(), (x,)), ('convpad', ConvPad(), (x,)), ('convcausal', ConvCausal(), (x,)), ('convno', ConvNo(), (x,)), ('cumsum', CumSum(), (x,)), ('norm', Norm(), (x,)), ('position', Position(), (x,)), ('first', First(), (x,)), ('diff', Diff(), (x,)), ('sumlast', SumLast(), (x,)), ('divt', DivT(), (x,)), ('softt', SoftT(), (x,)), ('seq2seq', Seq2Seq(), (x,)), ('repeat', Repeat(), (x,)), ('lens', Lens(), (x, torch.tensor([5, 3]))), ('mask', Mask(), (x, torch.ones(B, T))), ('stateful', Stateful(), (x, h, h)), ('statefulmean', StatefulMean(), (x, h, h)), ('statefulconv', StatefulConv(), (x, h, h)), ('statefulcache', StatefulCache(), (x, h, h, torch.randn(B, F, 2))), ('halfstateful', HalfStateful(), (x, h)), ('inonly', InOnly(), (x, h, h))]]
only = set(sys.argv[3:])
for n, m, a in M:
    if only and n not in only:
        continue
    m.eval()
    for kind in sys.argv[2].split(','):
        p = f'{out}/{n}_{kind}.onnx'
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                names = [f'in{i}' for i in range(len(a))]
                if kind == 'ts':
                    dyn = {}
                    for i, v in enumerate(a):
                        d = {}
                        for k, s in enumerate(v.shape):
                            if n.startswith('stateful') or n in ('halfstateful', 'inonly'):
                                if i > 0:
                                    if k == 1 and i < 3 or (k == 0 and i == 3):
                                        d[k] = 'batch'
                                    continue
                            if s == B and k == (1 if n == 'timefirst' else 0):
                                d[k] = 'batch'
                            elif s == T and k < 3:
                                d[k] = 'time'
                        dyn[names[i]] = d
                    torch.onnx.export(m, a, p, dynamo=False, opset_version=17, input_names=names, dynamic_axes=dyn)
                else:
                    b = torch.export.Dim('batch', min=1, max=64)
                    t = torch.export.Dim('time', min=1, max=4096)
                    ds = []
                    for i, v in enumerate(a):
                        d = {}
                        for k, s in enumerate(v.shape):
                            if (n.startswith('stateful') or n in ('halfstateful', 'inonly')) and i > 0:
                                if k == 1 and i < 3 or (k == 0 and i == 3):
                                    d[k] = b
                                continue
                            if s == B and k == (1 if n == 'timefirst' else 0):
                                d[k] = b
                            elif s == T and k < 3:
                                d[k] = t
                        ds.append(d)
                    torch.onnx.export(m, a, p, dynamo=True, dynamic_shapes=tuple(ds), input_names=names, external_data=False, verbose=False)
        except Exception as e:
            print(n, kind, 'FAIL', str(e).splitlines()[0][:150])
print('done')
