package detectorstate_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/detectorstate"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
)

// newDetector returns a detector that has learned nothing.
func newDetector(seed uint64) *infer.Detector {
	spec := models.Spec{Cell: models.GRU, Features: 5, Hidden: 3, Layers: 1, Readout: models.ReadLast, Outputs: 1}
	watched := &models.Detection{Columns: []string{"load"}, Frequency: "1min", Border: float64(seed), Rate: 1e-4}
	model, err := models.New(models.Metadata{Task: models.Detect, Spec: spec, Horizon: 1, State: spec.State(), Detector: watched}, seed)
	if err != nil {
		log.Fatal(err)
	}
	file, err := export.Marshal(model)
	if err != nil {
		log.Fatal(err)
	}
	m, err := infer.OpenBytes(file)
	if err != nil {
		log.Fatal(err)
	}
	d, err := infer.NewDetector(m)
	if err != nil {
		log.Fatal(err)
	}
	return d
}

func Example() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	detector, path := newDetector(1), filepath.Join(folder, "load.state")
	for range 2 {
		states, err := detectorstate.Open(path, detector)
		if err != nil {
			log.Fatal(err)
		}
		host := states.Of("host a")
		fmt.Println(host.Last())
		if _, err := detector.Observe(host, time.Unix(60, 0), []float64{0.5}); err != nil {
			fmt.Println(err)
		}
		if err := states.Save(); err != nil {
			log.Fatal(err)
		}
		states.Close()
	}
	// Output:
	// 0001-01-01 00:00:00 +0000 UTC
	// 1970-01-01 00:01:00 +0000 UTC
	// the observation is not later than the last one
}

func TestRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.state")
	other, err := detectorstate.Open(path, newDetector(2))
	if err != nil {
		t.Fatal(err)
	}
	other.Of("a")
	if _, err := detectorstate.Open(path, newDetector(2)); err == nil {
		t.Error("a file in use is opened")
	}
	if err := other.Save(); err != nil {
		t.Fatal(err)
	}
	other.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ contents, want string }{
		{string(data), `series "a": the state is that of another model`},
		{strings.Replace(string(data), "cm5ua2l0", "cm5ua2l*", 1), "not the states of a detector"}, // no base64
		{`{"format":2}`, "not the states of a detector"},
		{"", "not the states of a detector"},
	} {
		if err := os.WriteFile(path, []byte(test.contents), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := detectorstate.Open(path, newDetector(1)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.40q: %v", test.contents, err)
		}
	}
}

// Without a path nothing is written.
func TestMemory(t *testing.T) {
	s, err := detectorstate.Open("", newDetector(1))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if a := s.Of("a"); s.Of("a") != a || s.Len() != 1 || s.Save() != nil {
		t.Errorf("%d states", s.Len())
	}
	if s.ForgetBefore(time.Unix(0, 0)); s.Len() != 0 {
		t.Errorf("%d states", s.Len())
	}
}
