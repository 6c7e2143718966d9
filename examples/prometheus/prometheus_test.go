package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/internal/testenv"
)

// tool returns the path of a program of Prometheus' package, which scripts/prometheus.sh
// gets.
func tool(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if cache, err := os.UserCacheDir(); err == nil {
		if path, err := exec.LookPath(filepath.Join(cache, "rnnkit", "prometheus", "usr", "bin", name)); err == nil {
			return path
		}
	}
	testenv.Skip(t, testenv.Prometheus, "the test needs Prometheus: make prometheus")
	return ""
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
	return string(out)
}

func TestRules(t *testing.T) {
	promtool := tool(t, "promtool")
	command(t, promtool, "check", "config", "prometheus.yml")
	command(t, promtool, "check", "rules", "alerts.yml")
	command(t, promtool, "test", "rules", "alerts_test.yml")
}

// freePort returns the address of a port that is free now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts a program that ends with the test.
func start(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	var log strings.Builder
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = &log, &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		if t.Failed() {
			t.Logf("%s: %s", filepath.Base(name), &log)
		}
	})
	return c
}

// exporter runs an exporter until the test ends, and returns its address.
func exporter(t *testing.T, args ...string) (addr string) {
	t.Helper()
	addr = freePort(t)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, append(args, "-addr", addr), io.Discard) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return addr
}

// get returns what an address answers, "" if it does not.
func get(address string) string {
	response, err := http.Get(address)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}

// configure writes the configuration of the example for other addresses to a folder.
func configure(t *testing.T, folder, probe, detector string) {
	t.Helper()
	for _, name := range []string{"prometheus.yml", "alerts.yml"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.NewReplacer("127.0.0.1:9100", probe, "127.0.0.1:9101", detector).Replace(string(text))
		if err := os.WriteFile(filepath.Join(folder, name), []byte(changed), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// remember puts half an hour of seconds of the probe into the folder of Prometheus, as if it
// had scraped it.
func remember(t *testing.T, folder, probe string) {
	t.Helper()
	var text strings.Builder
	text.WriteString("# TYPE probe_latency_seconds gauge\n")
	end := time.Now().Truncate(time.Second)
	for i := 1800; i > 0; i-- {
		at := end.Add(-time.Duration(i) * time.Second)
		noise := float64(i*7919%1009) / 1009 * 0.004
		fmt.Fprintf(&text, "probe_latency_seconds{instance=%q,job=\"probe\"} %g %d\n", probe, latency(at).Seconds()+noise, at.Unix())
	}
	text.WriteString("# EOF\n")
	path := filepath.Join(folder, "history.txt")
	if err := os.WriteFile(path, []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	command(t, tool(t, "promtool"), "tsdb", "create-blocks-from", "openmetrics", path, filepath.Join(folder, "data"))
}

// TestWalk walks through README.md with a Prometheus that has scraped for half an hour.
func TestWalk(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs Prometheus for half a minute")
	}
	server := tool(t, "prometheus")
	rnnkit := filepath.Join(t.TempDir(), "rnnkit")
	command(t, "go", "build", "-o", rnnkit, "../../cmd/rnnkit")
	folder, probe, metrics, listen := t.TempDir(), exporter(t), freePort(t), freePort(t)
	configure(t, folder, probe, metrics)
	remember(t, folder, probe)
	start(t, server, "--config.file="+filepath.Join(folder, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+listen,
		"--web.console.libraries=x", "--web.console.templates=x")
	prometheus := "http://" + listen
	testenv.Eventually(t, "Prometheus is ready", func() bool { return get(prometheus+"/-/ready") != "" })

	model, state := filepath.Join(folder, "latency.onnx"), filepath.Join(folder, "latency.state")
	said := command(t, rnnkit, "train", "detect", "--prometheus", prometheus, "--query", "probe_latency_seconds", "--range", "30m", "--step", "1s", "-o", model)
	if !strings.Contains(said, "1 series") {
		t.Errorf("the training says %s", said)
	}
	detect := func() *exec.Cmd {
		return start(t, rnnkit, "detect", model, "--prometheus", prometheus, "--range", "30m", "--listen", metrics, "--state", state)
	}
	detector := detect()
	for _, name := range []string{"rnnkit_anomaly_score", "rnnkit_y", "rnnkit_yhat", "rnnkit_yhat_lower", "rnnkit_yhat_upper"} {
		query := prometheus + "/api/v1/query?query=" + url.QueryEscape(fmt.Sprintf(`%s{instance=%q,job="probe",metric="probe_latency_seconds"}`, name, probe))
		testenv.Eventually(t, "Prometheus has "+name, func() bool { return strings.Contains(get(query), `"value":[`) })
	}
	checkDashboard(t, prometheus)

	if _, err := http.Post("http://"+probe+"/slow?for=20s", "", nil); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the alert fires", func() bool {
		alerts := get(prometheus + "/api/v1/alerts")
		return strings.Contains(alerts, `"alertname":"Anomaly"`) && strings.Contains(alerts, `"state":"firing"`)
	})

	if err := detector.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := detector.Wait(); err != nil {
		t.Errorf("the detector ends with %v", err)
	}
	detect()
	observed := regexp.MustCompile(`(?m)^rnnkit_observations_total (\d+)$`)
	testenv.Eventually(t, "the detector goes on", func() bool { return observed.MatchString(get("http://" + metrics + "/metrics")) })
	if n := observed.FindStringSubmatch(get("http://" + metrics + "/metrics")); n == nil || len(n[1]) > 2 {
		t.Errorf("after a restart it observes %q, and should have known what was before", n)
	}

	scoring := exporter(t, "-model", model, "-target", "http://"+probe+"/work")
	testenv.Eventually(t, "the exporter scores by itself", func() bool {
		return strings.Contains(get("http://"+scoring+"/metrics"), "probe_anomaly_score")
	})
}

// checkDashboard has Prometheus answer all queries of the dashboard.
func checkDashboard(t *testing.T, prometheus string) {
	t.Helper()
	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	queries := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries++
			expression := strings.NewReplacer("$metric", ".*", "$instance", ".*").Replace(target.Expr)
			testenv.Eventually(t, expression+" has values", func() bool {
				return strings.Contains(get(prometheus+"/api/v1/query?query="+url.QueryEscape(expression)), `"metric":{`)
			})
		}
	}
	if queries < 7 {
		t.Errorf("the dashboard has %d queries", queries)
	}
}
