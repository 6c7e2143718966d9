package lab

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/rnnkit/rnnkit/internal/testenv"
)

// published are the figures of docs/notebook.md: the text around each, and what the
// lab must have measured for it. Medians may differ by what another variant of the
// kernels changes.
var published = []struct {
	text  string
	holds func(c *claims, figure float64) bool
}{
	{`\| chars \| .* for (\d+) of 10 seeds`, func(c *claims, n float64) bool {
		return n == float64(count(c.values("chars LSTM, best", greedyRight), func(v float64) bool { return v == float64(len(rest)) }))
	}},
	{`test MSE ([\d.]+) times the variance of the noise`, func(c *claims, ratio float64) bool {
		return math.Abs(median(c.values("sine LSTM, best", noiseRatio))-ratio) <= 0.01
	}},
	{`200 values fed back stay in phase within (half) a sample`, func(c *claims, samples float64) bool {
		return slices.Max(c.values("sine LSTM, best", phaseShift)) <= samples
	}},
	{`remembers the first of 50 bits for (\d+) of 10 seeds`, remembered("T=50")},
	{`the first of 200 for (\d+) of 10`, remembered("T=200")},
	{`accuracy ([\d.]+) bidirectional`, medianAccuracy("bidirectional")},
	{`bidirectional, ([\d.]+) unidirectional \(medians\)`, medianAccuracy("unidirectional")},
}

func remembered(length string) func(*claims, float64) bool {
	return func(c *claims, n float64) bool {
		return n == float64(count(c.values("echo LSTM, "+length+", best", accuracy), func(v float64) bool { return v >= 0.99 }))
	}
}

func medianAccuracy(arm string) func(*claims, float64) bool {
	return func(c *claims, figure float64) bool {
		return math.Abs(median(c.values("palindrome "+arm+", best", accuracy))-figure) <= 0.005
	}
}

// TestPublished finds the figures of docs/notebook.md and holds them to the results of
// ten seeds in the folder that RNNKIT_LAB names, as make lab does.
func TestPublished(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", "notebook.md"))
	if err != nil {
		t.Fatal(err)
	}
	var c *claims
	if folder := os.Getenv("RNNKIT_LAB"); folder != "" {
		c = readClaims(t, filepath.Join(folder, "results.json"))
	}
	for _, p := range published {
		found := regexp.MustCompile(p.text).FindSubmatch(page)
		if found == nil {
			t.Errorf("docs/notebook.md has nothing like %q", p.text)
			continue
		}
		figure, err := strconv.ParseFloat(string(found[1]), 64)
		if err != nil {
			figure = 0.5 // half
		}
		if c != nil && !p.holds(c, figure) {
			t.Errorf("docs/notebook.md says %q, which is not what the lab has measured", found[0])
		}
	}
}

// readClaims returns the figures of a complete lab of ten seeds.
func readClaims(t *testing.T, path string) *claims {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r Results
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if !r.Complete || len(r.Seeds) != 10 {
		t.Fatalf("%s has %d seeds, complete %t", path, len(r.Seeds), r.Complete)
	}
	return armsOf(&Options{Seeds: 10}, r.Experiments)
}
