package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// metrics counts responses and writes the counts in the Prometheus text format.
type metrics struct {
	mu      sync.Mutex
	answers map[string]int // by labels
	seconds map[string]float64
}

// recorder records the status code of a response.
type recorder struct {
	http.ResponseWriter
	code int
}

func (r *recorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}

// Unwrap lets [http.ResponseController] reach the ResponseWriter.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// count records the response to a request that began at the given time.
func (m *metrics) count(name string, answer *recorder, begin time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answers == nil {
		m.answers, m.seconds = map[string]int{}, map[string]float64{}
	}
	m.answers[fmt.Sprintf(`{request="%s",code="%d"}`, name, answer.code)]++
	m.seconds[fmt.Sprintf(`{request="%s"}`, name)] += time.Since(begin).Seconds()
}

// write writes all metrics. now is the number of requests under way.
func (m *metrics) write(w io.Writer, now int) {
	fmt.Fprintf(w, "# HELP service_requests Requests that are answered now.\n# TYPE service_requests gauge\nservice_requests %d\n", now)
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprint(w, "# HELP service_requests_total Requests by answer.\n# TYPE service_requests_total counter\n")
	for _, labels := range slices.Sorted(maps.Keys(m.answers)) {
		fmt.Fprintf(w, "service_requests_total%s %d\n", labels, m.answers[labels])
	}
	fmt.Fprint(w, "# HELP service_request_seconds_total Time that requests took.\n# TYPE service_request_seconds_total counter\n")
	for _, labels := range slices.Sorted(maps.Keys(m.seconds)) {
		fmt.Fprintf(w, "service_request_seconds_total%s %g\n", labels, m.seconds[labels])
	}
}
