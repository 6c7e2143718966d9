package export

import (
	"fmt"
	"slices"
	"testing"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// TestOutputs checks what the package comment promises of the file.
func TestOutputs(t *testing.T) {
	for _, test := range []struct {
		change func(*models.Spec)
		want   []string
	}{
		{func(*models.Spec) {}, []string{"output batch 1", "hidden batch time 32", "hn 1 batch 32", "cn 1 batch 32"}},
		{func(s *models.Spec) {
			s.Cell, s.Readout, s.Layers, s.Bidirectional = models.GRU, models.ReadAll, 2, true
		},
			[]string{"output batch time 1", "hidden batch time 64", "hn 4 batch 32"}},
	} {
		meta := models.Forecaster("y", 50)
		test.change(&meta.Spec)
		m, err := models.New(meta, 0)
		if err != nil {
			t.Fatal(err)
		}
		data, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		file, err := onnxgraph.Unmarshal(data)
		if err != nil {
			t.Fatal(err)
		}
		if file.Producer != "rnnkit" || file.IRVersion != 8 || fmt.Sprint(file.Opsets) != "[{ 17}]" {
			t.Errorf("producer %q, IR %d, opsets %v", file.Producer, file.IRVersion, file.Opsets)
		}
		var got []string
		for _, v := range file.Graph.Outputs {
			line := v.Name
			for _, d := range v.Shape {
				if d.Symbol != "" {
					line += " " + d.Symbol
				} else {
					line += fmt.Sprint(" ", d.Size)
				}
			}
			got = append(got, line)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("the outputs are %q, not %q", got, test.want)
		}
	}
}
