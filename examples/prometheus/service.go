package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"
)

// service is a service to try the exporter on: its load goes up and down every minute.
type service struct{ slowUntil atomic.Int64 } // nanoseconds since 1970

// latency returns how long an answer takes at a time, without noise.
func latency(at time.Time) time.Duration {
	minutes := float64(at.UnixMilli()) / 60_000
	return time.Duration((20 + 10*math.Sin(2*math.Pi*minutes)) * float64(time.Millisecond))
}

// work answers after a while.
func (s *service) work(w http.ResponseWriter, _ *http.Request) {
	now := time.Now()
	wait := latency(now) + rand.N(4*time.Millisecond)
	if now.UnixNano() < s.slowUntil.Load() {
		wait += 150 * time.Millisecond
	}
	time.Sleep(wait)
	fmt.Fprintln(w, "done")
}

// slow makes the service slow for a while.
func (s *service) slow(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.FormValue("for"))
	if err != nil || d <= 0 {
		http.Error(w, "say how long: /slow?for=30s", http.StatusBadRequest)
		return
	}
	s.slowUntil.Store(time.Now().Add(d).UnixNano())
	fmt.Fprintf(w, "slow for %v\n", d)
}
