package prometheus

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/common/model"

	"github.com/rnnkit/rnnkit/internal/testenv"
)

// The documents of testdata are what Prometheus 2.42 answered, but sorted.json, which
// python3 -m json.tool --sort-keys made of up_before.json. promtool.json is what promtool
// query range --format=json printed.

func decodeFile(t *testing.T, names ...string) (*Matrix, error) {
	t.Helper()
	var all []io.Reader
	for _, name := range names {
		f, err := os.Open(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		all = append(all, f)
	}
	return Decode(io.MultiReader(all...))
}

// answerOf decodes an answer with the client library of Prometheus.
func answerOf(t *testing.T, text []byte) model.Matrix {
	t.Helper()
	var answer struct{ Data struct{ Result model.Matrix } }
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Data.Result
}

func compare(t *testing.T, have *Matrix, want model.Matrix) {
	t.Helper()
	if len(have.Series) != len(want) {
		t.Fatalf("%d series, want %d", len(have.Series), len(want))
	}
	for i, s := range want {
		got := have.Series[i]
		if len(got.Labels) != len(s.Metric) || len(got.Points) != len(s.Values) {
			t.Fatalf("%v with %d points, want %v with %d", got.Labels, len(got.Points), s.Metric, len(s.Values))
		}
		for label, value := range s.Metric {
			if got.Labels[string(label)] != string(value) {
				t.Errorf("label %s is %q, want %q", label, got.Labels[string(label)], value)
			}
		}
		for k, p := range s.Values {
			if !samePoint(got.Points[k], Point{int64(p.Timestamp), float64(p.Value)}) {
				t.Errorf("point %d is %v, want %v", k, got.Points[k], p)
			}
		}
	}
}

func TestDecode(t *testing.T) {
	for _, name := range []string{"odd.json", "up_before.json", "sorted.json"} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			m, err := decodeFile(t, name)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, m, answerOf(t, text))
		})
	}
	m, err := decodeFile(t, "promtool.json")
	if err != nil {
		t.Fatal(err)
	}
	before, _ := decodeFile(t, "up_before.json")
	if !reflect.DeepEqual(m.Series, before.Series) {
		t.Errorf("promtool.json holds %v, want %v", m.Series, before.Series)
	}
}

func TestDecodeShared(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testenv.Shared(t, "benchmarks", "prometheus"), "*.json.gz"))
	if err != nil || len(files) == 0 {
		t.Fatal("no documents: ", err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Decode(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, m, answerOf(t, text))
}

func TestDecodeInARow(t *testing.T) {
	for _, names := range [][]string{{"up_before.json", "up_after.json"}, {"up_after.json", "promtool.json"}} {
		m, err := decodeFile(t, names...)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []float64{1, 1, 0} {
			s := m.Series[i]
			for k, p := range s.Points {
				if p != (Point{s.Points[0].Time + 1000*int64(k), want}) {
					t.Errorf("point %d of series %d is %v, want a second after the one before, and %g", k, i, p, want)
				}
			}
			if len(m.Series) != 3 || len(s.Points) != 5 {
				t.Errorf("%d series, %d points, want 3 and 5: the one in both once", len(m.Series), len(s.Points))
			}
		}
	}
}

const (
	head = `{"status":"success","data":{"resultType":"matrix","result":[`
	tail = `]}}`
	up   = `{"metric":{"__name__":"up"},"values":[[1,"2"],[2,"3"]]}`
)

func TestDecodeRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"vector.json":     "an instant query",
		"scalar.json":     "a scalar, which has no series",
		"string.json":     "a string, which has no series",
		"histograms.json": `(in native_seconds{instance="127.0.0.1:19091",job="nat"}): a native histogram`,
		"bad_data.json":   "bad_data: 1:4: parse error: unexpected <on>",
		"execution.json":  "execution: found duplicate series",
		"empty.json":      "no series",
	} {
		if _, err := decodeFile(t, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v, want %q", name, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                                 "empty",
		"  ":                               "empty",
		head:                               "cut off",
		head + up:                          "cut off",
		head + up + "]}":                   "cut off",
		head + up + tail + "]":             "invalid character",
		head + up + tail + "null":          "no answer of Prometheus",
		"{}":                               "no answer of Prometheus",
		`{"status":"success","data":null}`: "no answer of Prometheus",
		`{"data":{"data":{"result":[` + up + tail + "}": "no answer of Prometheus",
		"<html>":                             "invalid character",
		head + `{"values":[[1,"2"]]}` + tail: "without its labels",
		head + `{"metric":{},"values":[[1,2]]}` + tail:                                                                "byte 87 (in {}): 2, where a number should be in quotes",
		head + `{"metric":{},"values":[[1,"x"]]}` + tail:                                                              `"x", where a number should be in quotes`,
		head + `{"metric":{},"values":[["1","2"]]}` + tail:                                                            "1, where a time",
		head + `{"metric":{},"values":[[1e300,"2"]]}` + tail:                                                          "where a time",
		head + `{"metric":{},"values":[[1,"2",3]]}` + tail:                                                            "3, where ] should be",
		head + `{"metric":{},"values":[1,"2"]}` + tail:                                                                "where a list of a time and a value",
		head + `{"metric":{},"values":[[1]]}` + tail:                                                                  "], where a number",
		head + `{"metric":{"a":1},"values":[]}` + tail:                                                                "1, where a text should be in quotes",
		head + `{"metric":{},"metric":{}}` + tail:                                                                     `the key "metric" comes twice`,
		head + up + "," + `{"metric":{"__name__":"up"},"values":[[2,"4"]]}` + tail:                                    "up has two values at 1970-01-01 00:00:02, 3 and 4",
		strings.Repeat(`{"data":`, 100_000) + "1" + strings.Repeat("}", 100_000):                                      "no answer of Prometheus",
		`{"status":"error","errorType":"timeout","error":"slow","data":{"resultType":"matrix","result":[` + up + tail: "timeout: slow",
	} {
		if m, err := Decode(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.200s: it is %v, the error %v, want %q", text, m, err, want)
		}
	}
	_, err := decodeFile(t, "execution.json")
	if failure, ok := errors.AsType[*Error](err); !ok || failure.Kind != "execution" {
		t.Errorf("the error is %#v, want an *Error", err)
	}
}

func TestDecodeWarnings(t *testing.T) {
	text := `{"status":"success","isPartial":false,"data":{"stats":{"a":[1,{"b":null}]},"resultType":"matrix","result":[` + up + `]},"warnings":["slow","slow"],"infos":["name"]}`
	m, err := Decode(strings.NewReader(text + text))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"Prometheus warns: slow", "Prometheus warns: name"}; !reflect.DeepEqual(m.Notes, want) {
		t.Errorf("the notes are %q, want %q", m.Notes, want)
	}
}

func TestName(t *testing.T) {
	for _, labels := range []map[string]string{
		{}, {NameLabel: "up"}, {NameLabel: "a:b_c"}, {"b": "1", "a": "2"}, {NameLabel: "up", "b": "x\"\\\n", "a": "é"},
	} {
		metric := model.Metric{}
		for label, value := range labels {
			metric[model.LabelName(label)] = model.LabelValue(value)
		}
		want := strings.ReplaceAll(metric.String(), `", `, `",`)
		if have := Name(labels); have != want {
			t.Errorf("%v is called %s, want %s", labels, have, want)
		}
	}
	// As a query of Prometheus 3 has names with other characters.
	have := Name(map[string]string{NameLabel: "a.b", "c-d": "e", "f": "g"})
	if want := `{"a.b","c-d"="e",f="g"}`; have != want {
		t.Errorf("the name is %s, want %s", have, want)
	}
}

func TestIsAnswer(t *testing.T) {
	for _, name := range []string{"odd.json", "sorted.json", "promtool.json", "vector.json", "scalar.json", "execution.json", "empty.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if !IsAnswer(text) || !IsAnswer(text[:61]) {
			t.Errorf("%s is not taken for an answer", name)
		}
	}
	for _, text := range []string{
		"", "{", "{}", "[1]", "status,data\n", `{"status":"up","data":1}`, `{"status":"up","error":1}`, `{"resultType":"a","y":1}`,
		`{"errorType":"a","status":"b"}`, `[{"metric":1}]`, `{"t":1,"result":2}`, `{"data":{"x":1}}`, `{"data":`,
	} {
		if IsAnswer([]byte(text)) {
			t.Errorf("%q is taken for an answer", text)
		}
	}
}

func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("testdata", "*.json"))
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		IsAnswer(text)
		m, err := Decode(strings.NewReader(string(text)))
		if err != nil {
			return
		}
		points := 0
		for _, s := range m.Series {
			points += len(s.Points)
			for i, p := range s.Points {
				if i > 0 && p.Time <= s.Points[i-1].Time {
					t.Errorf("%v comes after %v", p, s.Points[i-1])
				}
			}
		}
		rows := m.Rows("fuzz")
		for n := 0; ; n++ {
			fields, row, err := rows.Next()
			if err == io.EOF {
				if n != points {
					t.Errorf("%d rows of %d points", n, points)
				}
				return
			}
			if v := fields[len(fields)-1].Number; row != n+1 || err != nil || math.IsInf(v, 0) {
				t.Fatalf("row %d, want %d: %v, %v", row, n+1, fields, err)
			}
			rows.At(row, len(fields), io.EOF)
		}
	})
}
