package cli

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
)

// fakePrometheus answers range queries, at steps of a minute, with a wave that has a spike.
func fakePrometheus(t *testing.T) (url string, answer func(from, to int) string) {
	t.Helper()
	answer = func(from, to int) string {
		var points []string
		for at := from; at <= to; at += 60 {
			v := 10 + 3*math.Sin(2*math.Pi*float64(at)/3600) + float64(at/60*7919%1009)/1009
			if at == 1_700_006_040 {
				v += 40
			}
			points = append(points, fmt.Sprintf(`[%d,"%g"]`, at, v))
		}
		return fmt.Sprintf(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a"},"values":[%s]}]}}`, strings.Join(points, ","))
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		second := func(key string) int {
			v, err := strconv.Atoi(r.FormValue(key))
			if err != nil {
				t.Error(err)
			}
			return v
		}
		switch query := r.FormValue("query"); {
		case query != `up{job="a"}`:
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"status":"error","errorType":"bad_data","error":"parse error"}`)
		case second("step") != 60:
			t.Errorf("the step is %s", r.FormValue("step"))
		default:
			io.WriteString(w, answer(second("start"), second("end")))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, answer
}

// trainedOnServer is a detector of the wave before the spike.
func trainedOnServer(t *testing.T, url string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "up.onnx")
	status, _, errOut := runMain("", "train", "detect", "--prometheus", url, "--query", `up{job="a"}`, "--until", "2023-11-14T22:13:00Z", "--range", "20h", "--epochs", "5", "-o", path)
	if status != 0 || !strings.Contains(errOut, "1 series, 1201 minutes") {
		t.Fatal(status, errOut)
	}
	return path
}

func TestDetectOnServer(t *testing.T) {
	url, answer := fakePrometheus(t)
	path := trainedOnServer(t, url)
	m, err := infer.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if query := m.Metadata().Detector.Query; query != `up{job="a"}` {
		t.Errorf("the detector is of the query %q", query)
	}
	status, out, errOut := runMain("", "detect", path, "--engine", "native", "--prometheus", url+"/", "--until", "1700007180", "--range", "2h")
	if status != 0 {
		t.Fatal(errOut)
	}
	status, want, errOut := runMain(answer(1_699_999_980, 1_700_007_180), "detect", path, "--engine", "native")
	if status != 0 || out != want {
		t.Errorf("%s: of the server it is\n%.400s\nand of the same as a file\n%.400s", errOut, out, want)
	}
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) != 122 {
		t.Fatal(err, len(rows))
	}
	spike := rows[102]
	score, err := strconv.ParseFloat(spike[6], 64)
	if err != nil || !(score >= 1) || spike[0] != `up{job="a"}` || spike[1] != "1700006040" {
		t.Errorf("the spike is %q", spike)
	}
}

func TestServerRefused(t *testing.T) {
	url, _ := fakePrometheus(t)
	path := trainedOnServer(t, url)
	table := filepath.Join(t.TempDir(), "table.csv")
	if err := os.WriteFile(table, []byte("time,a,b\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args   string
		status int
		want   string
	}{
		{"train detect -o x.onnx --query up --data " + table, 2, "--query is for a server: name it by --prometheus"},
		{"train detect -o x.onnx --query up --prometheus localhost:9090", 2, `--prometheus is "localhost:9090": it must be the address of Prometheus, such as http://localhost:9090`},
		{"train detect -o x.onnx --prometheus " + url, 2, "say what to ask the server for: --query"},
		{"train detect -o x.onnx --query up --data " + table + " --prometheus " + url, 2, "--data and --prometheus are both given"},
		{"train detect -o x.onnx --query up --range 1w1x --prometheus " + url, 2, "it must be a time such as 15s, 1m or 14d"},
		{"train detect -o x.onnx --query up --range 1m --step 1h --prometheus " + url, 2, "--range is 1m: it must be the --step or longer"},
		{"train detect -o x.onnx --query up --range 10y --step 1s --prometheus " + url, 2, "--range has more than 10000000 steps"},
		{"train detect -o x.onnx --query up --until yesterday --prometheus " + url, 2, "--until is \"yesterday\": it must be a time such as 2026-01-31T12:00:00Z"},
		{"train detect -o x.onnx --query up --user u --prometheus " + url, 2, `--password-file is "": it must be given together with a user`},
		{"train detect -o x.onnx --query up --ca-file " + table + " --prometheus " + url, 2, "--ca-file is"},
		{"train detect -o x.onnx --query up --prometheus " + url, 1, url + ": 400 Bad Request: Prometheus answered with an error: bad_data: parse error"},
		{"detect " + path + " --listen :0", 2, "--listen follows a query: name the server by --prometheus"},
		{"detect " + path + " --retrain 1h --prometheus " + url, 2, "--retrain is for a detector that goes on"},
		{"detect " + path + " --json --listen :0 --prometheus " + url, 2, "--listen serves metrics, and prints no rows"},
		{"detect " + path + " --until 1 --listen :0 --prometheus " + url, 2, "leave out --until"},
		{"detect " + path + " --step 30s --prometheus " + url, 2, "--step is 30s: " + path + " learned steps of 1m"},
		{"detect " + path + " --query up --prometheus " + url, 1, "400 Bad Request"},
		{"detect " + path + " --listen nowhere --prometheus " + url, 1, "cannot serve metrics"},
		{"detect " + path + " --query up --listen 127.0.0.1:0 --prometheus " + url, 1, "400 Bad Request"},
	} {
		status, out, errOut := runMain("", strings.Fields(test.args)...)
		if status != test.status || !strings.Contains(errOut, test.want) || out != "" {
			t.Errorf("%s: status %d, %s, want %d, %q", test.args, status, errOut, test.status, test.want)
		}
	}
}

// A server is refused for detectors of two columns, and of steps that it cannot have.
func TestDetectorUnfitForServer(t *testing.T) {
	url, _ := fakePrometheus(t)
	for _, test := range []struct{ header, row, want string }{
		{"a,b", "%d,%d", "watches 2 columns together, and each series of a query has one"},
		{"time,b", "1700000000.%04d,%d", "learned steps of 100µs, and those of a server are a millisecond or longer"},
	} {
		var rows strings.Builder
		rows.WriteString(test.header + "\n")
		for i := range 200 {
			fmt.Fprintf(&rows, test.row+"\n", i, i%5)
		}
		path := filepath.Join(t.TempDir(), "m.onnx")
		if status, _, errOut := runMain(rows.String(), "train", "detect", "--data", "-", "--epochs", "1", "-o", path); status != 0 {
			t.Fatal(errOut)
		}
		status, _, errOut := runMain("", "detect", path, "--prometheus", url, "--query", "up")
		if status != 2 || !strings.Contains(errOut, test.want) {
			t.Errorf("%s: status %d, %s", test.header, status, errOut)
		}
	}
}

// The step of a query is that of the detector to the nanosecond.
func TestLearnedStep(t *testing.T) {
	o := &detectOptions{server: prometheusFlags{expression: "up", span: time.Hour}}
	if err := o.followDetection(models.Detection{Columns: []string{"value"}, Frequency: "1025ms"}); err != nil || o.server.step != 1025*time.Millisecond {
		t.Errorf("the step is %v: %v", o.server.step, err)
	}
}
