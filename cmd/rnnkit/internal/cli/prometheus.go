package cli

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/prometheus"
)

// prometheusFlags say which query of a server is read in place of a table.
type prometheusFlags struct {
	config     prometheus.Config
	expression string
	span       time.Duration // how far back
	step       time.Duration
	until      string // a time, "" for now

	flags  *pflag.FlagSet
	client *prometheus.Client // nil unless a server is named
	end    time.Time          // zero for now
}

// The defaults of --range and --step.
const (
	defaultSpan = 14 * 24 * time.Hour
	defaultStep = time.Minute
)

// add adds the flags. The query and its step follow from a detector if there is one.
func (p *prometheusFlags) add(f *pflag.FlagSet, followDetector bool) {
	p.flags, p.span, p.step = f, defaultSpan, defaultStep
	c, query, step := &p.config, "what to ask the server for, in PromQL", "from one value to the next, such as 15s"
	if followDetector {
		p.step = 0
		query += " (default what the detector learned from)"
		step += " (default that of the detector)"
	}
	f.StringVar(&c.URL, "prometheus", "", "ask this server in place of a table, such as http://localhost:9090")
	f.StringVar(&p.expression, "query", "", query)
	f.Var(&duration{&p.span}, "range", "how far back to ask, such as 36h")
	f.Lookup("range").DefValue = "14d"
	f.Var(&duration{&p.step}, "step", step)
	f.StringVar(&p.until, "until", "", "the last time to ask for, such as 2026-01-31T12:00:00Z (default now)")
	f.StringVar(&c.BearerTokenFile, "bearer-token-file", "", "the file of a token for the server")
	f.StringVar(&c.User, "user", "", "a user of the server")
	f.StringVar(&c.PasswordFile, "password-file", "", "the file of the user's password")
	f.StringVar(&c.CAFile, "ca-file", "", "certificates to trust, in PEM (default those of the system)")
	f.StringVar(&c.CertFile, "cert-file", "", "your own certificate for the server, in PEM")
	f.StringVar(&c.KeyFile, "key-file", "", "and its key")
	f.BoolVar(&c.Insecure, "insecure", false, "trust any certificate of the server")
	f.DurationVar(&c.Timeout, "query-timeout", 2*time.Minute, "how long the server may take for an answer")
}

// configFlags has the flag of each field of a prometheus.Config.
var configFlags = map[string]string{
	"URL": "--prometheus", "BearerTokenFile": "--bearer-token-file", "User": "--user", "PasswordFile": "--password-file",
	"CAFile": "--ca-file", "CertFile": "--cert-file", "KeyFile": "--key-file", "Timeout": "--query-timeout",
}

// duration is a flag that is written as Prometheus writes durations.
type duration struct{ *time.Duration }

func (d *duration) Set(text string) error {
	v, err := model.ParseDuration(text)
	if err != nil || v <= 0 {
		return fmt.Errorf("it must be a time such as 15s, 1m or 14d")
	}
	*d.Duration = time.Duration(v)
	return nil
}

func (d *duration) String() string {
	if d.Duration == nil || *d.Duration == 0 {
		return ""
	}
	return model.Duration(*d.Duration).String()
}

func (d *duration) Type() string { return "duration" }

// given reports whether a server is named.
func (p *prometheusFlags) given() bool { return p.config.URL != "" }

// validate returns a usageError for flags that cannot be used.
func (p *prometheusFlags) validate() (err error) {
	if !p.given() {
		for _, name := range []string{"query", "range", "step", "until", "bearer-token-file", "user", "password-file", "ca-file", "cert-file", "key-file", "insecure", "query-timeout"} {
			if p.flags.Changed(name) {
				return usagef("--%s is for a server: name it by --prometheus", name)
			}
		}
		return nil
	}
	if p.client, err = prometheus.NewClient(p.config); err != nil {
		return usageError{withFieldFlag(err, func(field string) string { return configFlags[field] })}
	}
	if p.until != "" {
		p.end, err = parseUntil(p.until)
	}
	return err
}

// parseUntil reads a time in RFC 3339 or in seconds since 1970.
func parseUntil(text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < 1e11 {
		return time.UnixMilli(int64(math.Round(seconds * 1000))), nil
	}
	return time.Time{}, usagef("--until is %q: it must be a time such as 2026-01-31T12:00:00Z, or seconds since 1970", text)
}

// maxQuerySteps limits how many values are asked for of a series: about as many as four months
// have seconds.
const maxQuerySteps = 10_000_000

// query returns the query of the flags, which are validated.
func (p *prometheusFlags) query() (prometheus.Query, error) {
	q := prometheus.Query{Expression: p.expression, Step: p.step, End: p.end}
	switch {
	case p.expression == "":
		return q, usagef("say what to ask the server for: --query")
	case p.span < p.step:
		return q, usagef("--range is %v: it must be the --step or longer", &duration{&p.span})
	case p.span/p.step > maxQuerySteps:
		return q, usagef("--range has more than %d steps: make it shorter, or the --step longer", maxQuerySteps)
	}
	if q.End.IsZero() {
		q.End = prometheus.Align(time.Now(), p.step)
	}
	q.Start = q.End.Add(-p.span)
	return q, nil
}

// rows asks the server, and returns the answer as a table.
func (p *prometheusFlags) rows(ctx context.Context) (*prometheus.Rows, error) {
	q, err := p.query()
	if err != nil {
		return nil, err
	}
	matrix, err := p.client.QueryRange(ctx, q)
	if err != nil {
		return nil, err
	}
	return matrix.Rows(p.config.URL), nil
}
