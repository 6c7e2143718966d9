package live

import (
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	query "github.com/rnnkit/rnnkit/cmd/rnnkit/internal/prometheus"
)

// Handler serves /metrics, /-/healthy and /-/ready. A Follower is ready when a query was
// answered.
func (f *Follower) Handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{f})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("OK\n")) })
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.RLock()
		defer f.mu.RUnlock()
		if f.health.success.IsZero() {
			http.Error(w, "no query was answered yet", http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte("OK\n"))
	})
	return mux
}

// collector gives the metrics of a Follower, whose labels only its series know.
type collector struct{ *Follower }

// Describe describes nothing, so that the registry takes any labels.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends all metrics.
func (c collector) Collect(to chan<- prometheus.Metric) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	shown, last := 0, time.Time{}
	for _, w := range c.series {
		if w.time.After(last) {
			last = w.time
		}
		if c.now().Sub(w.time) <= c.late()+c.Step {
			shown++
			w.collect(to)
		}
	}
	h := &c.health
	send(to, nil, nil, []sample{
		{"rnnkit_series", "Series that are watched now.", prometheus.GaugeValue, float64(shown)},
		{"rnnkit_observations_total", "Observations that were scored.", prometheus.CounterValue, float64(h.observations)},
		{"rnnkit_queries_total", "Queries that were sent.", prometheus.CounterValue, float64(h.queries)},
		{"rnnkit_query_failures_total", "Queries that had no answer, or one that is an error.", prometheus.CounterValue, float64(h.failures)},
		{"rnnkit_last_success_timestamp_seconds", "When a query was answered last.", prometheus.GaugeValue, unix(h.success)},
		{"rnnkit_lag_seconds", "How long ago the last observation of any series was.", prometheus.GaugeValue, c.lag(last)},
		{"rnnkit_trainings_total", "Trainings that ended.", prometheus.CounterValue, float64(h.trainings)},
		{"rnnkit_training_failures_total", "Trainings that failed.", prometheus.CounterValue, float64(h.failedTrain)},
	})
}

// lag returns the seconds since a time, NaN if it is zero.
func (c collector) lag(last time.Time) float64 {
	if last.IsZero() {
		return math.NaN()
	}
	return c.now().Sub(last).Seconds()
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// collect sends the metrics of a series, with its labels. What is not known yet is left out.
func (w *watched) collect(to chan<- prometheus.Metric) {
	names, values := exportedLabels(w.labels)
	r := &w.reading
	send(to, names, values, slices.DeleteFunc([]sample{
		{"rnnkit_anomaly_score", "Anomaly score of the last observation: at 1 and above it is an anomaly.", prometheus.GaugeValue, r.Score},
		{"rnnkit_y", "The last observation.", prometheus.GaugeValue, w.value},
		{"rnnkit_yhat", "What was expected in place of the last observation.", prometheus.GaugeValue, r.Forecast[0]},
		{"rnnkit_yhat_lower", "An observation below is an anomaly.", prometheus.GaugeValue, r.Lower[0]},
		{"rnnkit_yhat_upper", "An observation above is an anomaly.", prometheus.GaugeValue, r.Upper[0]},
		{"rnnkit_anomalies_total", "Observations that were anomalies.", prometheus.CounterValue, float64(w.anomalies)},
	}, func(s sample) bool { return math.IsNaN(s.value) }))
}

// sample is the value of a metric.
type sample struct {
	name, help string
	kind       prometheus.ValueType
	value      float64
}

// send sends samples with the values of some labels.
func send(to chan<- prometheus.Metric, labels, values []string, samples []sample) {
	for _, s := range samples {
		desc := prometheus.NewDesc(s.name, s.help, labels, nil)
		m, err := prometheus.NewConstMetric(desc, s.kind, s.value, values...)
		if err != nil {
			m = prometheus.NewInvalidMetric(desc, err)
		}
		to <- m
	}
}

// exportedLabels returns the labels of a series as those of our metrics. The name of its
// metric becomes the label metric; a label that was called so is then called
// exported_metric, as Prometheus does it.
func exportedLabels(labels map[string]string) (names, values []string) {
	all := maps.Clone(labels)
	if name := all[query.NameLabel]; name != "" {
		delete(all, query.NameLabel)
		if other, taken := all["metric"]; taken {
			all["exported_metric"] = other
		}
		all["metric"] = name
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		names, values = append(names, name), append(values, all[name])
	}
	return names, values
}
