// Package report renders the results of a lab as one HTML page that needs
// nothing beside it.
//
// The page is report.html, its pictures are chart.html, both filled in by the
// methods of this package: pictures.go says what is drawn of an experiment,
// chart.go where on the picture it lies.
package report

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/lab"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
)

//go:embed report.html chart.html report.css report.js
var files embed.FS

var page = template.Must(template.New("report.html").Funcs(template.FuncMap{
	"number": number,
	"words":  strings.Fields,
	"percent": func(part float64) string {
		return strconv.FormatFloat(100*part, 'f', 1, 64) + "%"
	},
}).ParseFS(files, "*"))

// Write renders r as HTML. Its links are relative, as the paths in r are: they
// hold in the folder that the lab wrote to.
func Write(w io.Writer, r *lab.Results) error {
	if err := page.Execute(w, results{r}); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}

// WriteFile renders r to the file at path, which is there whole or not at all.
func WriteFile(path string, r *lab.Results) error {
	var b bytes.Buffer
	if err := Write(&b, r); err != nil {
		return err
	}
	return atomicfile.Write(path, b.Bytes())
}

// results are what report.html is filled in with.
type results struct{ *lab.Results }

// Experiments returns those that were run.
func (r results) Experiments() (list []experiment) {
	for i := range r.Results.Experiments {
		e := &r.Results.Experiments[i]
		list = append(list, experiment{e, r.claims(e.Name)})
	}
	return list
}

// Claims returns those about no single experiment.
func (r results) Claims() claims { return r.claims("") }

// All returns the claims about anything.
func (r results) All() claims { return r.Results.Claims }

func (r results) claims(experiment string) (list claims) {
	for _, c := range r.Results.Claims {
		if c.Experiment == experiment {
			list = append(list, c)
		}
	}
	return list
}

type claims []lab.Claim

// Bounded returns how many of the claims can fail.
func (c claims) Bounded() (n int) {
	for _, claim := range c {
		if claim.Bound != "" {
			n++
		}
	}
	return n
}

// Held returns how many of these hold.
func (c claims) Held() (n int) {
	for _, claim := range c {
		if claim.Bound != "" && claim.Held {
			n++
		}
	}
	return n
}

// experiment is an experiment with the claims about it. Its pictures are in
// pictures.go.
type experiment struct {
	*lab.Experiment
	Claims claims
}

// Finished returns the arms that have a run.
func (e experiment) Finished() []lab.Arm {
	return slices.DeleteFunc(slices.Clone(e.Arms), func(a lab.Arm) bool { return len(a.Runs) == 0 })
}

// Empty reports whether nothing of the experiment was finished.
func (e experiment) Empty() bool { return len(e.Finished()) == 0 && len(e.Trajectories) == 0 }

// figure is a figure of all arms that have it.
type figure struct {
	Label string
	Arms  []figureOf
}

type figureOf struct {
	Arm string
	lab.Figure
}

// Figures returns what was measured, arm beside arm.
func (e experiment) Figures() (list []figure) {
	for _, a := range e.Arms {
		for _, f := range a.Figures {
			i := slices.IndexFunc(list, func(g figure) bool { return g.Label == f.Label })
			if i < 0 {
				i = len(list)
				list = append(list, figure{Label: f.Label})
			}
			list[i].Arms = append(list[i].Arms, figureOf{a.Name, f})
		}
	}
	return list
}

// shownTexts is how many texts of a model the report shows, the greedy one first.
const shownTexts = 4

// Texts returns the first texts of each arm's first model.
func (e experiment) Texts() (list []lab.Text) {
	seeds, shown := map[string]uint64{}, map[string]int{}
	for _, t := range e.Experiment.Texts {
		if shown[t.Arm] == 0 {
			seeds[t.Arm] = t.Seed
		}
		if t.Seed == seeds[t.Arm] && shown[t.Arm] < shownTexts {
			shown[t.Arm]++
			list = append(list, t)
		}
	}
	return list
}

// confusion is the confusion matrix of an arm, over all its runs.
type confusion struct {
	Arm  string
	Rows []confusionRow
}

type confusionRow struct {
	Label string
	Cells []confusionCell
}

// confusionCell counts sequences, and has their part of all with the row's
// label.
type confusionCell struct {
	Count int
	Part  float64
}

// Confusions returns a matrix for each arm of classifiers.
func (e experiment) Confusions() (list []confusion) {
	for _, a := range e.Finished() {
		first := a.Runs[0].Confusion
		if first == nil {
			continue
		}
		c := confusion{Arm: a.Name}
		for i, label := range first.Labels {
			row := confusionRow{Label: label, Cells: make([]confusionCell, len(first.Labels))}
			sum := 0
			for _, r := range a.Runs {
				for j, n := range r.Confusion.Counts[i] {
					row.Cells[j].Count += n
					sum += n
				}
			}
			for j := range row.Cells {
				row.Cells[j].Part = float64(row.Cells[j].Count) / float64(max(1, sum))
			}
			c.Rows = append(c.Rows, row)
		}
		list = append(list, c)
	}
	return list
}

// number shows v in four digits: 0.9365, 1e-7.
func number(v float64) string {
	return strings.Replace(strconv.FormatFloat(v, 'g', 4, 64), "e-0", "e-", 1)
}
