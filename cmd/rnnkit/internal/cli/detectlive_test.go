//go:build unix

package cli

import (
	"bufio"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

var metricsAddress = regexp.MustCompile(`http://127\.0\.0\.1:\d+/metrics`)

// runLive runs the detector until it has served metrics, which it returns with the log. A
// SIGTERM then ends it.
func runLive(t *testing.T, args ...string) (metrics, log string) {
	t.Helper()
	from, to := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- Main(append([]string{"detect"}, args...), strings.NewReader(""), io.Discard, to)
		to.Close()
	}()
	for lines := bufio.NewScanner(from); lines.Scan(); {
		log += lines.Text() + "\n"
		address := metricsAddress.FindString(lines.Text())
		if address == "" {
			continue
		}
		metrics = waitForMetrics(t, address)
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	if status := <-ended; status != 0 {
		t.Fatalf("the status is %d: %s", status, log)
	}
	return metrics, log
}

// waitForMetrics asks for metrics until a query was answered.
func waitForMetrics(t *testing.T, address string) string {
	t.Helper()
	for {
		response, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "rnnkit_last_success_timestamp_seconds 0\n") {
			return string(text)
		}
	}
}

func TestDetectLive(t *testing.T) {
	url, _ := fakePrometheus(t)
	model, state := trainedOnServer(t, url), filepath.Join(t.TempDir(), "state")
	args := []string{model, "--prometheus", url, "--listen", "127.0.0.1:0", "--state", state, "--range", "5h"}
	metrics, log := runLive(t, args...)
	for _, want := range []string{
		`rnnkit_anomaly_score{job="a",metric="up"} `, `rnnkit_y{job="a",metric="up"} `, `rnnkit_yhat{job="a",metric="up"} `,
		`rnnkit_yhat_lower{job="a",metric="up"} `, `rnnkit_yhat_upper{job="a",metric="up"} `, "rnnkit_observations_total 301\n",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("%s is not among\n%s", want, metrics)
		}
	}
	if !strings.Contains(log, `watching up{job="a"} at steps of 1m; metrics on http://`) {
		t.Errorf("the log has %s", log)
	}
	if metrics, _ = runLive(t, append(args, "--range", "1d")...); strings.Contains(metrics, "rnnkit_observations_total 1441\n") {
		t.Error("it has forgotten what it knew")
	}

	other := trainedOnServer(t, url)
	if status, _, errOut := runMain("", "train", "detect", "--prometheus", url, "--query", `up{job="a"}`, "--range", "3h", "--epochs", "1", "-o", other); status != 0 {
		t.Fatal(errOut)
	}
	args[0] = other
	if _, log = runLive(t, args...); !strings.Contains(log, state+" is of another model: the states begin anew, from the last 5h") {
		t.Errorf("the log has %s", log)
	}
	if _, log = runLive(t, args...); strings.Contains(log, "another model") {
		t.Errorf("the log has %s", log)
	}
	args[6] = model
	if status, _, errOut := runMain("", append([]string{"detect"}, args...)...); status != 1 || !strings.Contains(errOut, "not the states of a detector") {
		t.Errorf("status %d, %s", status, errOut)
	}
}
