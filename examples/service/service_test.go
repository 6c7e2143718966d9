package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/export"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/internal/testenv"
	"github.com/rnnkit/rnnkit/models"
)

// newer returns the file of another forecaster, and what it answers after series.
func newer(t testing.TB, series []float64, steps int) (file []byte, answer []float64) {
	t.Helper()
	m, err := models.New(models.Forecaster("y", 20), 1)
	if err != nil {
		t.Fatal(err)
	}
	if file, err = export.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return file, answerOf(t, file, series, steps)
}

// wide returns the file of a forecaster of a window that memory does not hold.
func wide(t testing.TB) []byte {
	t.Helper()
	m, err := models.New(models.Forecaster("y", 1<<30), 1)
	if err != nil {
		t.Fatal(err)
	}
	file, err := export.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func answerOf(t testing.TB, file []byte, series []float64, steps int) []float64 {
	t.Helper()
	m, err := infer.OpenBytes(file)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	f, err := infer.NewForecaster(m)
	if err != nil {
		t.Fatal(err)
	}
	y, err := f.Forecast(t.Context(), series, steps)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// forecast asks the service at url.
func forecast(ctx context.Context, url string, series []float64, steps int) ([]float64, error) {
	body, err := json.Marshal(map[string]any{"series": series, "steps": steps})
	if err != nil {
		return nil, err
	}
	var answer struct{ Forecast []float64 }
	text, err := do(ctx, http.MethodPost, url+"/forecast", body, http.StatusOK)
	if err != nil {
		return nil, err
	}
	return answer.Forecast, json.Unmarshal([]byte(text), &answer)
}

// do returns the answer, which must have the given status.
func do(ctx context.Context, method, url string, body []byte, status int) (string, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != status {
		err = fmt.Errorf("%s %s: %s: %s", method, url, response.Status, text)
	}
	return string(text), err
}

func TestService(t *testing.T) {
	s, err := newService(t.Context(), embedded, time.Minute, 8)
	if err != nil {
		t.Fatal(err)
	}
	defer s.live.Close()
	server := httptest.NewServer(s.handler())
	defer server.Close()
	series := datasets.Sine(1000, 0.1, 0)[:60]
	want := answerOf(t, embedded, series, 3)
	for i, y := range want {
		if d := y - math.Sin(40*math.Pi*float64(60+i)/999); !(math.Abs(d) <= 0.1) {
			t.Errorf("value %d is off by %g", i, d)
		}
	}
	check := func(want []float64) {
		t.Helper()
		if got, err := forecast(t.Context(), server.URL, series, len(want)); err != nil || !slices.Equal(got, want) {
			t.Errorf("the forecast is %v (%v), not %v", got, err, want)
		}
	}
	check(want)
	for _, test := range []struct{ method, path, body, want string }{
		{"POST", "/forecast", `{"series": [1, 2], "steps": 1}`, "needs at least its window of 50"},
		{"POST", "/forecast", `{"series": [`, "no JSON of a series"},
		{"POST", "/forecast", `{"series": [1], "steps": 1} 2`, "no JSON of a series"},
		{"POST", "/forecast", `{"series": [1, null], "steps": 1}`, "value 2 of the series is null"},
		{"POST", "/forecast", `{"series": [], "steps": 1001}`, "steps is 1001: ask for 1 to 1000"},
		{"POST", "/forecast", `{"series": []}`, "steps is 0: ask for 1 to 1000"},
		{"POST", "/forecast", `{"series": [` + strings.Repeat("1, ", maxSeries), "too large"},
		{"PUT", "/model", "no model", "the model stays as it is"},
		{"PUT", "/model", string(embedded[:9000]), "truncated"},
		{"PUT", "/model", string(wide(t)), "its window is 1073741824 values, more than a request can hold"},
	} {
		if text, err := do(t.Context(), test.method, server.URL+test.path, []byte(test.body), http.StatusBadRequest); err != nil || !strings.Contains(text, test.want) {
			t.Errorf("%s %s: %q (%v), not %q", test.method, test.path, text, err, test.want)
		}
	}
	check(want)
	if text, err := do(t.Context(), "GET", server.URL+"/model", nil, http.StatusOK); err != nil || !strings.Contains(text, `"engine":"native"`) || !strings.Contains(text, `"window":50`) {
		t.Errorf("the model is %s (%v)", text, err)
	}
	file, other := newer(t, series, 3)
	if _, err := do(t.Context(), "PUT", server.URL+"/model", file, http.StatusNoContent); err != nil {
		t.Error(err)
	}
	check(other)
	s.live.Close()
	if _, err := do(t.Context(), "GET", server.URL+"/model", nil, http.StatusServiceUnavailable); err != nil {
		t.Error(err)
	}
}

// log is what a service has said so far.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// wait returns what follows the given text, up to the end of its line.
func (l *log) wait(t *testing.T, text string) string {
	t.Helper()
	var line string
	testenv.Eventually(t, fmt.Sprintf("the service says %q", text), func() (whole bool) {
		_, rest, _ := strings.Cut(l.String(), text)
		line, _, whole = strings.Cut(rest, "\n")
		return whole
	})
	if t.Failed() {
		t.Fatalf("it said %q", l)
	}
	return line
}

// TestRun starts a service, changes the file of its model, and ends it amid requests.
func TestRun(t *testing.T) {
	series := datasets.Sine(1000, 0.1, 0)[:60]
	path := filepath.Join(t.TempDir(), "model.onnx")
	write := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(embedded)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var said log
	hangup := make(chan os.Signal)
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, hangup, []string{"-addr", "127.0.0.1:0", "-model", path, "-grace", "0s"}, &said)
	}()
	url := said.wait(t, "listening on ")

	write([]byte("no model"))
	hangup <- os.Interrupt
	said.wait(t, "the model stays as it is: not an ONNX model")
	if y, err := forecast(t.Context(), url, series, 3); err != nil || !slices.Equal(y, answerOf(t, embedded, series, 3)) {
		t.Errorf("after a bad file the forecast is %v, %v", y, err)
	}
	file, want := newer(t, series, 3)
	write(file)
	hangup <- os.Interrupt
	hangup <- os.Interrupt // when this is taken, the first one is done
	if y, err := forecast(t.Context(), url, series, 3); err != nil || !slices.Equal(y, want) {
		t.Errorf("after a good file the forecast is %v, %v, not %v", y, err, want)
	}

	body, writer := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/forecast", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Expect", "100-continue") // so that the body goes out once the handler reads it
	answered := make(chan string)
	go func() {
		client := http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
		response, err := client.Do(request)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		answered <- fmt.Sprint(response.StatusCode, string(text), err)
	}()
	fmt.Fprint(writer, `{"series": [0`)
	stop()
	for { // until it takes no more requests
		if _, err := do(t.Context(), "GET", url+"/model", nil, http.StatusOK); err != nil {
			break
		}
	}
	fmt.Fprint(writer, strings.Repeat(", 0", 60), `], "steps": 1}`)
	writer.Close()
	if text := <-answered; !strings.HasPrefix(text, `200{"forecast":[`) {
		t.Errorf("the request under way at the end: %s", text)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestDrain ends a service under load, with connections that have asked nothing yet.
// All are answered, and whoever asks later is refused.
func TestDrain(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows resets the connections that a listener has not accepted when it is closed")
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var said log
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, nil, []string{"-addr", "127.0.0.1:0", "-grace", "300ms"}, &said) }()
	url := said.wait(t, "listening on ")
	series := datasets.Sine(1000, 0.1, 0)[:60]
	body, err := json.Marshal(map[string]any{"series": series, "steps": 3})
	if err != nil {
		t.Fatal(err)
	}
	var silent []net.Conn
	for range 40 {
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		silent = append(silent, c)
	}
	var load sync.WaitGroup
	var answered atomic.Int64
	for range 8 {
		load.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			for {
				response, err := client.Post(url+"/forecast", "application/json", bytes.NewReader(body))
				if errors.Is(err, syscall.ECONNREFUSED) {
					return
				}
				if err != nil || response.StatusCode != http.StatusOK {
					t.Errorf("a request has failed: %v, %v", response, err)
					return
				}
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
				answered.Add(1)
			}
		})
	}
	testenv.Eventually(t, "50 requests are answered", func() bool { return answered.Load() >= 50 })
	stop()
	testenv.Eventually(t, "the service is not ready", func() bool {
		_, err := do(t.Context(), "GET", url+"/readyz", nil, http.StatusServiceUnavailable)
		return err == nil
	})
	if _, err := do(t.Context(), "GET", url+"/livez", nil, http.StatusOK); err != nil {
		t.Error(err)
	}
	for i, c := range silent {
		fmt.Fprintf(c, "POST /forecast HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || response.StatusCode != http.StatusOK || !response.Close {
			t.Errorf("connection %d is answered %v, %v", i, response, err)
		}
	}
	load.Wait()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestLimits asks for too much at a time, and for what takes too long.
func TestLimits(t *testing.T) {
	s, err := newService(t.Context(), embedded, -time.Nanosecond, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.live.Close()
	server := httptest.NewServer(s.handler())
	defer server.Close()
	series := make([]float64, 60)
	body, err := json.Marshal(map[string]any{"series": series, "steps": 3})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := do(t.Context(), "POST", server.URL+"/forecast", body, http.StatusServiceUnavailable); err != nil || !strings.Contains(text, "the computing takes too long") {
		t.Errorf("without time it answers %s, %v", text, err)
	}
	s.slots <- struct{}{}
	response, err := http.Post(server.URL+"/forecast", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "1" {
		t.Errorf("a request too many is answered %v", response)
	}
	<-s.slots
	text, err := do(t.Context(), "GET", server.URL+"/metrics", nil, http.StatusOK)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"service_requests 0", `service_requests_total{request="forecast",code="503"} 2`,
		"# TYPE service_request_seconds_total counter",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the metrics have no line %q: %s", line, text)
		}
	}
	if _, err := do(t.Context(), "GET", server.URL+"/readyz", nil, http.StatusOK); err != nil {
		t.Error(err)
	}
}

func TestRunErrors(t *testing.T) {
	for want, args := range map[string][]string{
		syscall.ENOENT.Error():  {"-model", filepath.Join(t.TempDir(), "nowhere")},
		"-such":                 {"-such"},
		"listen tcp: address":   {"-addr", "127.0.0.1:99999999"},
		"not an ONNX model":     {"-model", "main.go"},
		"is a directory":        {"-model", "."},
		"missing port in addre": {"-addr", "127.0.0.1"},
	} {
		if err := run(t.Context(), nil, args, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: the error is %v, not %q", args, err, want)
		}
	}
	s := &service{}
	if err := s.reload(t.Context(), ""); err == nil {
		t.Error("a service without a file was reloaded")
	}
}
