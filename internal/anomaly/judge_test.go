package anomaly_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/rnnkit/rnnkit/internal/anomaly"
	"github.com/rnnkit/rnnkit/models"
)

// verdict is what a column says of a value.
type verdict struct{ surprise, novelty float64 }

// judge has a column judge values by the forecast that the last one is repeated. NaN is
// missing.
func judge(values []float64, season int, d models.Direction) (list []verdict) {
	c, last := anomaly.NewColumn(season), math.NaN()
	for i, v := range values {
		var r verdict
		phase := i % max(1, season)
		if math.IsNaN(v) {
			c.Fill(last)
		} else {
			r.surprise, r.novelty = c.Judge(v, last, phase, d)
			c.Advance(v, phase)
			last = v
		}
		list = append(list, r)
	}
	return list
}

// The verdicts are those of testdata/judge.py.
func TestJudge(t *testing.T) {
	data, err := os.ReadFile("testdata/judge.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Season int
		Values []*float64
		Want   [][2]float64
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, test := range cases {
		values, surprised := make([]float64, len(test.Values)), 0
		for i, v := range test.Values {
			if values[i] = math.NaN(); v != nil {
				values[i] = *v
			}
		}
		for i, got := range judge(values, test.Season, "") {
			want := verdict{test.Want[i][0], test.Want[i][1]}
			if !(math.Abs(got.surprise-want.surprise) < 1e-9 && math.Abs(got.novelty-want.novelty) < 1e-9) {
				t.Fatalf("season %d, row %d: %v, not %v", test.Season, i, got, want)
			}
			if want.surprise > 4 {
				surprised++
			}
		}
		if surprised < 3 {
			t.Errorf("season %d: only %d rows are surprising", test.Season, surprised)
		}
	}
}

// noise returns values with spikes, a gap and a shift of the level.
func noise(n int) []float64 {
	values, r := make([]float64, n), rand.New(rand.NewPCG(5, 6))
	for i := range values {
		values[i] = math.Round(64*(r.NormFloat64()+math.Sin(float64(i)/3))) / 64
		if i > 2*n/3 {
			values[i] += 30
		}
	}
	for _, i := range []int{n / 3, n / 2} {
		values[i] += 50
	}
	values[n/4] = math.NaN()
	return values
}

// A column's unit makes no difference, and what lies above a mirrored one lies below it.
func TestJudgeUnits(t *testing.T) {
	values := noise(2000)
	scaled, mirrored, moved := make([]float64, len(values)), make([]float64, len(values)), make([]float64, len(values))
	for i, v := range values {
		scaled[i], mirrored[i], moved[i] = v/1024, -v, v+1<<20
	}
	for _, season := range []int{0, 19} {
		both, above := judge(values, season, models.Both), judge(values, season, models.Above)
		less, below := judge(scaled, season, ""), judge(mirrored, season, models.Below)
		further := judge(moved, season, models.Both)
		for i := range values {
			if both[i] != less[i] || above[i] != below[i] {
				t.Fatalf("season %d, row %d: %v scaled is %v, and %v mirrored is %v", season, i, both[i], less[i], above[i], below[i])
			}
			if !(math.Abs(both[i].surprise-further[i].surprise) < 1e-4 && math.Abs(both[i].novelty-further[i].novelty) < 1e-6) {
				t.Fatalf("season %d, row %d: %v moved is %v", season, i, both[i], further[i])
			}
		}
	}
}

// What lies in the other direction is no surprise.
func TestJudgeDirection(t *testing.T) {
	values := noise(1000)
	at := len(values) / 2
	if r := judge(values, 0, models.Below)[at]; r.surprise != 0 || r.novelty != 0 {
		t.Errorf("a spike above is below: %v", r)
	}
	if r := judge(values, 0, models.Above)[at]; !(r.surprise > 3) {
		t.Errorf("a spike above: %v", r)
	}
}

// Verdicts of any values are finite.
func TestJudgeOfAny(t *testing.T) {
	values := make([]float64, 0, 4000)
	for i := range 1000 {
		values = append(values, 0, 0, 5, math.MaxFloat64*float64(i%500/499))
	}
	for i, r := range judge(values, 24, "") {
		if !(r.surprise >= 0 && r.surprise <= 100 && r.novelty >= 0 && r.novelty <= 2) {
			t.Fatalf("row %d: %v", i, r)
		}
	}
}

// A series that stands still after it has moved is surprising, and one that always has
// stood still is not.
func TestJudgeStandstill(t *testing.T) {
	values, r := make([]float64, 1100), rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		values[i] = r.NormFloat64()
	}
	most := 0.0
	for _, v := range judge(values, 0, models.Both)[1000:] {
		most = max(most, v.surprise)
	}
	if !(most > 3) {
		t.Errorf("the largest surprise of a standstill is %g", most)
	}
	for i, v := range judge(make([]float64, 1000), 0, models.Both) {
		if v != (verdict{}) {
			t.Fatalf("row %d of zeros: %v", i, v)
		}
	}
}

// One value in 1000 of a known distribution has a surprise of 3 or more.
func TestTail(t *testing.T) {
	for name, draw := range map[string]func(*rand.Rand) float64{
		"exponential": (*rand.Rand).ExpFloat64,
		"normal":      func(r *rand.Rand) float64 { return math.Abs(r.NormFloat64()) },
	} {
		var tail anomaly.Tail
		r, beyond := rand.New(rand.NewPCG(7, 8)), 0
		const n = 300_000
		for range n {
			v := draw(r)
			if tail.Surprise(v) >= 3 {
				beyond++
			}
			tail.Learn(v)
		}
		if share := float64(beyond) / n; !(share > 0.5e-3 && share < 1.5e-3) {
			t.Errorf("%s: a share of %g has a surprise of 3", name, share)
		}
		if v := tail.Reach(4); !(math.Abs(tail.Surprise(v)-4) < 1e-9) {
			t.Errorf("%s: the surprise of what reaches 4 is %g", name, tail.Surprise(v))
		}
		if !(tail.Surprise(tail.Quantile/2) < tail.Surprise(tail.Quantile) && tail.Surprise(1e300) == 100) {
			t.Errorf("%s: the surprise does not grow with the value", name)
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	values := noise(4096)
	c := anomaly.NewColumn(288)
	b.ReportAllocs()
	for i := range b.N {
		v := values[i%len(values)]
		c.Judge(v, 0, i%288, models.Both)
		c.Advance(v, i%288)
	}
}
