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

// columnScore is what a column says of a value.
type columnScore struct{ surprisal, novelty float64 }

// scores has a column score values by the forecast that the last one is repeated. NaN is
// missing.
func scores(values []float64, season int, d models.Direction) (list []columnScore) {
	c, last := anomaly.NewColumn(season), math.NaN()
	for i, v := range values {
		var r columnScore
		phase := i % max(1, season)
		if math.IsNaN(v) {
			c.Fill(last)
		} else {
			r.surprisal, r.novelty = c.Score(v, last, phase, d)
			c.Advance(v, phase)
			last = v
		}
		list = append(list, r)
	}
	return list
}

// The columnScores are those of testdata/score.py.
func TestScore(t *testing.T) {
	data, err := os.ReadFile("testdata/score.json")
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
		values, large := make([]float64, len(test.Values)), 0
		for i, v := range test.Values {
			if values[i] = math.NaN(); v != nil {
				values[i] = *v
			}
		}
		for i, got := range scores(values, test.Season, "") {
			want := columnScore{test.Want[i][0], test.Want[i][1]}
			if !(math.Abs(got.surprisal-want.surprisal) < 1e-9 && math.Abs(got.novelty-want.novelty) < 1e-9) {
				t.Fatalf("season %d, row %d: %v, not %v", test.Season, i, got, want)
			}
			if want.surprisal > 4 {
				large++
			}
		}
		if large < 3 {
			t.Errorf("season %d: only %d surprisals are large", test.Season, large)
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
func TestScoreUnits(t *testing.T) {
	values := noise(2000)
	scaled, mirrored, moved := make([]float64, len(values)), make([]float64, len(values)), make([]float64, len(values))
	for i, v := range values {
		scaled[i], mirrored[i], moved[i] = v/1024, -v, v+1<<20
	}
	for _, season := range []int{0, 19} {
		both, above := scores(values, season, models.Both), scores(values, season, models.Above)
		less, below := scores(scaled, season, ""), scores(mirrored, season, models.Below)
		further := scores(moved, season, models.Both)
		for i := range values {
			if both[i] != less[i] || above[i] != below[i] {
				t.Fatalf("season %d, row %d: %v scaled is %v, and %v mirrored is %v", season, i, both[i], less[i], above[i], below[i])
			}
			if !(math.Abs(both[i].surprisal-further[i].surprisal) < 1e-4 && math.Abs(both[i].novelty-further[i].novelty) < 1e-6) {
				t.Fatalf("season %d, row %d: %v moved is %v", season, i, both[i], further[i])
			}
		}
	}
}

// What lies in the other direction has no surprisal.
func TestScoreDirection(t *testing.T) {
	values := noise(1000)
	at := len(values) / 2
	if r := scores(values, 0, models.Below)[at]; r.surprisal != 0 || r.novelty != 0 {
		t.Errorf("a spike above is below: %v", r)
	}
	if r := scores(values, 0, models.Above)[at]; !(r.surprisal > 3) {
		t.Errorf("a spike above: %v", r)
	}
}

// Scores of any values are finite.
func TestScoreOfAny(t *testing.T) {
	values := make([]float64, 0, 4000)
	for i := range 1000 {
		values = append(values, 0, 0, 5, math.MaxFloat64*float64(i%500/499))
	}
	for i, r := range scores(values, 24, "") {
		if !(r.surprisal >= 0 && r.surprisal <= 100 && r.novelty >= 0 && r.novelty <= 2) {
			t.Fatalf("row %d: %v", i, r)
		}
	}
}

// A standstill after movement has a large surprisal, and one that always has
// stood still is not.
func TestScoreStandstill(t *testing.T) {
	values, r := make([]float64, 1100), rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		values[i] = r.NormFloat64()
	}
	most := 0.0
	for _, v := range scores(values, 0, models.Both)[1000:] {
		most = max(most, v.surprisal)
	}
	if !(most > 3) {
		t.Errorf("the largest surprisal of a standstill is %g", most)
	}
	for i, v := range scores(make([]float64, 1000), 0, models.Both) {
		if v != (columnScore{}) {
			t.Fatalf("row %d of zeros: %v", i, v)
		}
	}
}

// One value in 1000 of a known distribution has a surprisal of 3 or more.
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
			if tail.Surprisal(v) >= 3 {
				beyond++
			}
			tail.Learn(v)
		}
		if share := float64(beyond) / n; !(share > 0.5e-3 && share < 1.5e-3) {
			t.Errorf("%s: a share of %g has a surprisal of 3", name, share)
		}
		if v := tail.Reach(4); !(math.Abs(tail.Surprisal(v)-4) < 1e-9) {
			t.Errorf("%s: the surprisal of what reaches 4 is %g", name, tail.Surprisal(v))
		}
		if !(tail.Surprisal(tail.Quantile/2) < tail.Surprisal(tail.Quantile) && tail.Surprisal(1e300) == 100) {
			t.Errorf("%s: the surprisal does not grow with the value", name)
		}
	}
}

// The first of a hundred values that is not 0 has the tail probability 1/100.
func TestTailOfZeros(t *testing.T) {
	var tail anomaly.Tail
	for range 99 {
		tail.Learn(0)
	}
	if got := tail.Surprisal(1); !(math.Abs(got-2) < 1e-9) {
		t.Errorf("the surprisal is %g", got)
	}
}

func BenchmarkScore(b *testing.B) {
	values := noise(4096)
	c := anomaly.NewColumn(288)
	b.ReportAllocs()
	for i := range b.N {
		v := values[i%len(values)]
		c.Score(v, 0, i%288, models.Both)
		c.Advance(v, i%288)
	}
}
