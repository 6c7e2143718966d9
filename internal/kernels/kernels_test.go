package kernels

import "testing"

func BenchmarkMul(b *testing.B) {
	const batch, hidden, time = 16, 32, 50
	x := make([]float32, batch*time*4*hidden)
	for i := range x {
		x[i] = float32(i%13) - 6
	}
	y := make([]float32, len(x))
	flops := func(b *testing.B, n float64) {
		b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	}
	b.Run("NT", func(b *testing.B) {
		for b.Loop() {
			MulNT(Dense(batch, 4*hidden, y), Dense(batch, hidden, x), Dense(4*hidden, hidden, x))
		}
		flops(b, 2*batch*4*hidden*hidden)
	})
	b.Run("NN", func(b *testing.B) {
		for b.Loop() {
			MulNN(Dense(batch, hidden, y), Dense(batch, 4*hidden, x), Dense(4*hidden, hidden, x))
		}
		flops(b, 2*batch*4*hidden*hidden)
	})
	b.Run("TN", func(b *testing.B) {
		for b.Loop() {
			MulTN(Dense(4*hidden, hidden, y), Dense(batch*time, 4*hidden, x), Dense(batch*time, hidden, x))
		}
		flops(b, 2*batch*time*4*hidden*hidden)
	})
	b.Run("LSTMForward", func(b *testing.B) {
		c := Dense(batch, hidden, y)
		for b.Loop() {
			copy(x, y)
			LSTMForward(Dense(batch, 4*hidden, x), c, c, c, c)
		}
	})
}
