package prometheus_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/prometheus"
	"github.com/rnnkit/rnnkit/datasets"
)

func Example() {
	m, err := prometheus.Decode(strings.NewReader(`{"status":"success","data":{"resultType":"matrix","result":[
		{"metric":{"__name__":"up","instance":"a"},"values":[[1565799000.825,"1"],[1565799060.825,"0"],[1565799180.825,"1"]]}]}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	rows := m.Rows("up.json")
	panel, err := datasets.ReadPanel(rows, rows.Roles(datasets.Roles{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	s := panel.Series[0]
	fmt.Println(s.Name, panel.Frequency, panel.FormatTime(s.Start), s.Targets[0])
	// Output: up{instance="a"} 1min 1565799000.825 [1 0 NaN 1]
}

const several = `[{"metric":{"__name__":"y","time":"t","zone":"a"},"values":[[0,"1"],[60,"+Inf"],[120,"NaN"]]},
	{"metric":{"__name__":"y"},"values":[[60,"-Inf"],[120,"2.5"],[180,"4"]]}]`

func TestRows(t *testing.T) {
	m, err := prometheus.Decode(strings.NewReader(several))
	if err != nil {
		t.Fatal(err)
	}
	rows := m.Rows("y.json")
	if want := []string{"series", "__name__", "exported_time", "zone", "time", "value"}; !slices.Equal(rows.Columns(), want) {
		t.Errorf("the columns are %q, want %q", rows.Columns(), want)
	}
	number := func(v float64) datasets.Field { return datasets.Field{Kind: datasets.NumberField, Number: v} }
	text := func(v string) datasets.Field { return datasets.Field{Text: v} }
	missing := datasets.Field{Kind: datasets.MissingField}
	labelled, plain := text(`y{time="t",zone="a"}`), text("y")
	for i, want := range [][]datasets.Field{
		{labelled, plain, text("t"), text("a"), number(0), number(1)},
		{labelled, plain, text("t"), text("a"), number(60), missing},
		{labelled, plain, text("t"), text("a"), number(120), missing},
		{plain, plain, missing, missing, number(60), missing},
		{plain, plain, missing, missing, number(120), number(2.5)},
		{plain, plain, missing, missing, number(180), number(4)},
	} {
		have, row, err := rows.Next()
		if err != nil || row != i+1 || !slices.Equal(have, want) {
			t.Errorf("row %d is %v, number %d, %v, want %v", i+1, have, row, err, want)
		}
	}
	if _, _, err := rows.Next(); err != io.EOF {
		t.Errorf("after the last row it is %v", err)
	}
	if notes := rows.Notes(); len(notes) != 1 || notes[0] != `infinite values are missing ones: 2, the first is +Inf of y{time="t",zone="a"} at 1970-01-01 00:01:00` {
		t.Errorf("the notes are %q", notes)
	}
	err = rows.At(5, 6, errors.New("bad"))
	if want := `y.json: y at 1970-01-01 00:02:00, "value": bad`; err.Error() != want {
		t.Errorf("the error is %q, want %q", err, want)
	}
	if err := rows.At(0, 0, io.ErrNoProgress); !errors.Is(err, io.ErrNoProgress) || !strings.HasPrefix(err.Error(), "y.json: ") {
		t.Errorf("the error is %q", err)
	}
}

func TestRoles(t *testing.T) {
	m, _ := prometheus.Decode(strings.NewReader(several))
	rows := m.Rows("y.json")
	for _, test := range []struct{ given, want datasets.Roles }{
		{datasets.Roles{}, datasets.Roles{Time: "time", TimeFormat: "unix", Series: []string{"series"}, Targets: []string{"value"}}},
		{datasets.Roles{Time: "ts", Series: []string{"zone"}, Targets: []string{"latency"}, Frequency: "1min"},
			datasets.Roles{Time: "time", TimeFormat: "unix", Series: []string{"zone"}, Targets: []string{"value"}, Frequency: "1min"}},
		{datasets.Roles{Targets: []string{"a", "b"}, TimeFormat: "unix-ms"}, datasets.Roles{Time: "time", TimeFormat: "unix-ms", Series: []string{"series"}, Targets: []string{"a", "b"}}},
	} {
		if have := rows.Roles(test.given); fmt.Sprint(have) != fmt.Sprint(test.want) {
			t.Errorf("the roles are %v, want %v", have, test.want)
		}
	}
}

func TestPanel(t *testing.T) {
	m, err := prometheus.Decode(strings.NewReader(several))
	if err != nil {
		t.Fatal(err)
	}
	rows := m.Rows("y.json")
	panel, err := datasets.ReadPanel(rows, rows.Roles(datasets.Roles{}))
	if err != nil {
		t.Fatal(err)
	}
	if len(panel.Series) != 2 || panel.Series[0].Key[0] != `y{time="t",zone="a"}` || panel.Series[1].Len() != 3 {
		t.Errorf("the panel is %+v", panel)
	}
	if v := panel.Series[1].Targets[0]; !math.IsNaN(v[0]) || v[1] != 2.5 || v[2] != 4 {
		t.Errorf("the values are %v", v)
	}
}
