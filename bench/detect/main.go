// Command detect trains detectors with their default rules on the benchmarks of the
// project's shared data, and has their own score.py say how good they are.
//
//	go run ./bench/detect -data ../shared/benchmarks -python python3 nab prometheus smd
//
// A detector of nab and smd learns from the first rows of a file, which are free there,
// and scores all rows. That of prometheus learns from all series. The Python needs numpy.
package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
)

// benchmark says what is known of a benchmark's data.
type benchmark struct {
	name  string // of score.py
	files string // that prepare.py writes
	split bool   // each series has a detector of its own
	free  func(series string, rows int) int
}

// freeRows of smd are those of its protocol.
var freeRows = map[string]int{"machine-1-6": 500, "machine-2-1": 5923, "machine-2-7": 564, "machine-3-4": 2634}

var benchmarks = []benchmark{
	{name: "nab", files: "series.csv", split: true, free: func(_ string, rows int) int { return min(rows*15/100, 750) }},
	{name: "smd", files: "machine-?-?.csv", split: true, free: func(machine string, _ int) int { return freeRows[machine] }},
	{name: "prometheus", files: "series.csv", free: func(_ string, rows int) int { return rows }},
}

func main() {
	log.SetFlags(0)
	data := flag.String("data", "../shared/benchmarks", "the folder with score.py")
	python := flag.String("python", "python3", "a Python with numpy")
	seed := flag.Uint64("seed", 0, "seed of the trainings")
	verbose := flag.Bool("v", false, "print what each training says")
	flag.Parse()
	for _, name := range flag.Args() {
		i := slices.IndexFunc(benchmarks, func(b benchmark) bool { return b.name == name })
		if i < 0 {
			log.Fatalf("there is no benchmark %q", name)
		}
		r := run{benchmark: benchmarks[i], folder: *data, python: *python, seed: *seed, verbose: *verbose}
		if err := r.do(); err != nil {
			log.Fatalf("%s: %v", name, err)
		}
	}
}

// run is one run over a benchmark.
type run struct {
	benchmark
	folder, python string
	seed           uint64
	verbose        bool

	training, scoring time.Duration
	rows              int
	lines             [][]string // for score.py
}

func (r *run) do() error {
	dir, err := os.MkdirTemp("", "detect")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command(r.python, filepath.Join(r.folder, "prepare.py"), dir, r.name).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	paths, err := filepath.Glob(filepath.Join(dir, r.name, r.files))
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := r.file(path); err != nil {
			return err
		}
	}
	scores := filepath.Join(dir, "scores.csv")
	if err := r.write(scores); err != nil {
		return err
	}
	out, err := exec.Command(r.python, filepath.Join(r.folder, "score.py"), r.name, scores, "--json").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return r.print(out)
}

// table is a CSV file whose rows may be of several series.
type table struct {
	header []string
	rows   [][]string
}

// file runs over all series of a file.
func (r *run) file(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return err
	}
	t := table{records[0], records[1:]}
	switch {
	case !r.split:
		return r.detect("", t, len(t.rows))
	case t.header[0] != "series":
		name := filepath.Base(path[:len(path)-len(".csv")])
		return r.detect(name, t, r.free(name, len(t.rows)))
	}
	return r.detectEach(t)
}

// detectEach runs over the series of a table.
func (r *run) detectEach(t table) error {
	for from := 0; from < len(t.rows); {
		to := from
		for to < len(t.rows) && t.rows[to][0] == t.rows[from][0] {
			to++
		}
		name := t.rows[from][0]
		if err := r.detect(name, table{t.header, t.rows[from:to]}, r.free(name, to-from)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		from = to
	}
	return nil
}

// open reads the table.
func (t table) open() (*datasets.CSVRows, error) {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	w.Write(t.header)
	w.WriteAll(t.rows)
	return datasets.NewCSVRows(&text, "series.csv")
}

// roles are those of the columns of a table.
func (t table) roles() datasets.Roles {
	roles := datasets.Roles{Time: "time", All: true, Infinite: true, Nearest: true}
	if slices.Contains(t.header, "series") {
		roles.Series = []string{"series"}
	}
	return roles
}

// detect trains a detector on the first rows of a table, and scores all.
func (r *run) detect(name string, t table, free int) error {
	start := time.Now()
	m, err := r.train(name, table{t.header, t.rows[:free]})
	if err != nil {
		return err
	}
	defer m.Close()
	r.training += time.Since(start)
	start = time.Now()
	defer func() { r.scoring += time.Since(start) }()
	d, err := infer.NewDetector(m)
	if err != nil {
		return err
	}
	observations, err := t.observations(d.Detection().Columns)
	if err != nil {
		return err
	}
	return r.score(name, d, observations)
}

// observations reads the table row by row.
func (t table) observations(targets []string) (*datasets.Observations, error) {
	rows, err := t.open()
	if err != nil {
		return nil, err
	}
	roles := t.roles()
	roles.Targets = targets
	return datasets.NewObservations(rows, roles)
}

// score scores all rows.
func (r *run) score(name string, d *infer.Detector, observations *datasets.Observations) error {
	states := map[string]*infer.DetectorState{}
	for {
		o, err := observations.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if states[o.Series] == nil {
			states[o.Series] = d.NewState()
		}
		reading, err := d.Observe(states[o.Series], o.Time, o.Values)
		if err != nil && !errors.Is(err, infer.ErrNotAfter) {
			return err
		}
		r.add(name, o, reading)
	}
}

// train trains with the default rules.
func (r *run) train(name string, t table) (*infer.Model, error) {
	rows, err := t.open()
	if err != nil {
		return nil, err
	}
	panel, err := datasets.ReadPanel(rows, t.roles())
	if err != nil {
		return nil, err
	}
	var o rnnkit.DetectorOptions
	o.Fit.Seed = r.seed
	job, err := rnnkit.NewDetector(panel, o)
	if err != nil {
		return nil, err
	}
	result, err := job.Train(context.Background())
	if err != nil {
		return nil, err
	}
	if r.verbose {
		fmt.Println(name, result.Model.Detector.Rules, result.Summary)
	}
	return result.Open()
}

// add adds a line for score.py, which takes no missing numbers: where nothing is expected,
// the value itself is.
func (r *run) add(name string, o *datasets.Observation, reading infer.Reading) {
	r.rows++
	line := []string{name, o.Stamp, decimal(reading.Score)}
	if r.name == "prometheus" {
		line[0] = o.Series
		for _, list := range [][]float64{reading.Forecast, reading.Lower, reading.Upper} {
			v := o.Values[0]
			if len(list) > 0 && !math.IsNaN(list[0]) {
				v = list[0]
			}
			line = append(line, decimal(v))
		}
	}
	r.lines = append(r.lines, line)
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// write writes the scores in the form that score.py reads.
func (r *run) write(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := csv.NewWriter(f)
	w.Write([]string{"series", "time", "anomaly_score", "yhat", "yhat_lower", "yhat_upper"}[:len(r.lines[0])])
	return w.WriteAll(r.lines)
}

// print prints a row of results.
func (r *run) print(score []byte) error {
	var s struct{ Metrics map[string]float64 }
	if err := json.Unmarshal(score, &s); err != nil {
		return fmt.Errorf("%w: %s", err, score)
	}
	fmt.Printf("%s seed %d", r.name, r.seed)
	for _, name := range slices.Sorted(maps.Keys(s.Metrics)) {
		fmt.Printf("  %s %.4g", name, s.Metrics[name])
	}
	fmt.Printf("  trained in %.1f s, %d rows scored in %.1f s\n", r.training.Seconds(), r.rows, r.scoring.Seconds())
	return nil
}
