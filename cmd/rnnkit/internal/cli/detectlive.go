package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/rnnkit/rnnkit"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/detectorstate"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/live"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/prometheus"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/internal/atomicfile"
	"github.com/rnnkit/rnnkit/models"
)

// followDetection takes the query and the step from a detector where no flag says them.
func (o *detectOptions) followDetection(d models.Detection) error {
	p := &o.server
	if len(d.Columns) != 1 {
		return usagef("%s watches %d columns together, and each series of a query has one: give it a table", o.model, len(d.Columns))
	}
	frequency, err := models.ParseFrequency(d.Frequency)
	if err != nil {
		return err
	}
	learned := time.Duration(math.Round(frequency.Seconds() * float64(time.Second)))
	switch {
	case learned > 0 && learned < time.Millisecond:
		return usagef("%s learned steps of %v, and those of a server are a millisecond or longer: give it a table", o.model, learned)
	case learned > 0 && p.step > 0 && p.step != learned:
		return usagef("--step is %v: %s learned steps of %v", &duration{&p.step}, o.model, &duration{&learned})
	}
	p.expression, p.step = cmp.Or(p.expression, d.Query), cmp.Or(p.step, learned, defaultStep)
	_, err = p.query()
	return err
}

// follow follows the query until a signal ends it, and serves metrics.
func (o *detectOptions) follow(ctx context.Context, d *infer.Detector) error {
	states, err := o.liveStates(d)
	if err != nil {
		return err
	}
	defer states.Close()
	info, err := os.Stat(o.model)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("cannot serve metrics: %w", err)
	}
	p := &o.server
	f := live.New(live.Config{
		Client: p.client, Expression: p.expression, Step: p.step, Range: p.span, Log: printableLines{o.Err},
		Retrain: o.retrain, Trained: info.ModTime(), Train: o.learnOn,
	}, d, states)
	fmt.Fprintf(o.Err, "watching %s at steps of %v; metrics on http://%s/metrics\n", printable(p.expression), &duration{&p.step}, listener.Addr())
	ctx, stop := context.WithCancelCause(ctx)
	server := &http.Server{Handler: f.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { stop(server.Serve(listener)) }()
	defer server.Close()
	return errors.Join(f.Run(ctx), notSignalled(context.Cause(ctx)))
}

// liveStates opens the states. Those of another model are given up, since the history of
// the series makes new ones.
func (o *detectOptions) liveStates(d *infer.Detector) (*detectorstate.States, error) {
	states, err := detectorstate.Open(o.state, d)
	if errors.Is(err, infer.ErrOtherModel) {
		fmt.Fprintf(o.Err, "note: %s is of another model: the states begin anew, from the last %v\n", o.state, &duration{&o.server.span})
		return detectorstate.Begin(o.state, d)
	}
	return states, err
}

// notSignalled returns err unless a signal ended the work.
func notSignalled(err error) error {
	if errors.As(err, new(signalled)) {
		return nil
	}
	return err
}

// printableLines writes lines that are safe to print.
type printableLines struct{ io.Writer }

func (p printableLines) Write(line []byte) (int, error) {
	_, err := fmt.Fprintln(p.Writer, printable(string(line[:len(line)-1])))
	return len(line), err
}

// learnOn trains the model on from what it is, with what it calls an anomaly as it is, and
// replaces its file.
func (o *detectOptions) learnOn(ctx context.Context, m *prometheus.Matrix) (*infer.Detector, error) {
	start, err := export.ReadFile(o.model)
	if err != nil {
		return nil, err
	}
	rows := m.Rows(o.server.config.URL)
	panel, err := datasets.ReadPanel(rows, rows.Roles(rolesOfDetection(*start.Detector)))
	if err != nil {
		return nil, err
	}
	options := optionsOfDetection(start.Detector)
	options.Start, options.DataName = start, o.server.expression
	options.Fit.Threads = max(1, runtime.GOMAXPROCS(0)/2)
	j, err := rnnkit.NewDetector(panel, options)
	if err != nil {
		return nil, err
	}
	j.Model.Detector.Query = o.server.expression
	r, err := j.Train(ctx)
	if err != nil {
		return nil, err
	}
	if err := atomicfile.Write(o.model, r.File); err != nil {
		return nil, err
	}
	return o.openDetector(ctx, o.model, io.Discard)
}

// optionsOfDetection returns the options that a detector was trained with.
func optionsOfDetection(d *models.Detection) rnnkit.DetectorOptions {
	return rnnkit.DetectorOptions{
		Season: max(1, d.Season), Direction: d.Direction, MinDeviation: d.MinDeviation, MinRelative: d.MinRelative,
		Consecutive: d.Consecutive, Refractory: d.Refractory, Rate: d.Rate,
	}
}
