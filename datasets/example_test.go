package datasets_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rnnkit/rnnkit/datasets"
)

// A noisy sine of 1,000 points in windows of 50, four fifths of them to train on.
func Example() {
	var series []float32
	for _, v := range datasets.Sine(1000, 0.1, 0) {
		series = append(series, float32(v))
	}
	windows, err := datasets.NewWindows(series, 50)
	if err != nil {
		fmt.Println(err)
		return
	}
	train, test, err := windows.Split(0.8)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(train.Len(), "train,", test.Len(), "test")
	fmt.Println("a scale is fitted on", len(train.Series()), "values")
	// Output:
	// 760 train, 190 test
	// a scale is fitted on 810 values
}

func ExampleReadColumn() {
	text := "month,passengers\n1949-01,112\n1949-02,118\n"
	column, err := datasets.ReadColumn(strings.NewReader(text), "air.csv", "")
	fmt.Println(column.Name, column.Values, err)

	text += "1949-03,n/a\n"
	_, err = datasets.ReadColumn(strings.NewReader(text), "air.csv", "passengers")
	fmt.Println(err)
	// Output:
	// passengers [112 118] <nil>
	// air.csv: line 4, column 2: "n/a" is a missing value; fill it in, for instance by interpolation
}

func ExampleWindows() {
	windows, err := datasets.NewWindows([]float32{10, 11, 12, 13, 14}, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	var b datasets.Batch
	if err := windows.Read(&b, []int{0, 1}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(b.Inputs, b.Targets)
	// Output: [10 11 12 11 12 13] [13 14]
}

// Two columns, of which the second is to be forecast two steps ahead.
func ExampleSeries_Windows() {
	series, err := datasets.NewSeries([]float32{1, 2, 3, 4, 5}, []float32{10, 20, 30, 40, 50})
	if err != nil {
		fmt.Println(err)
		return
	}
	series.Targets = []int{1}
	windows, err := series.Windows(3, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	var b datasets.Batch
	if err := windows.Read(&b, []int{0}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(b.Inputs, b.Targets)
	_, err = series.Windows(4, 2)
	fmt.Println(err, errors.Is(err, datasets.ErrTooShort))
	// Output:
	// [1 10 2 20 3 30] [40 50]
	// series of 5 values is too short: a window of 4 and a horizon of 2 need at least 6, so use a longer series or a shorter window true
}

// Two sequences of different lengths, of which the shorter one is padded with a zero.
func ExampleSequences() {
	sequences := &datasets.Sequences{
		Features: 1,
		Inputs:   [][]float32{{1, 2}, {3, 4, 5}},
		Labels:   []int64{0, 1},
	}
	var b datasets.Batch
	if err := sequences.Read(&b, []int{0, 1}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(b.Inputs, b.Lengths, b.Labels)
	// Output: [1 2 0 3 4 5] [2 3] [0 1]
}

// A table in long form has a row for each time of each series.
func ExampleReadPanel() {
	table := `date,store,units,promotion
2024-01-01,north,12,0
2024-01-02,north,15,1
2024-01-03,north,11,0
2024-01-04,north,,1
2024-01-01,south,7,0
2024-01-03,south,9,0
2024-01-04,south,,1
`
	rows, err := datasets.NewCSVRows(strings.NewReader(table), "sales.csv")
	if err != nil {
		fmt.Println(err)
		return
	}
	panel, err := datasets.ReadPanel(rows, datasets.Roles{Series: []string{"store"}, Targets: []string{"units"}, Future: []string{"promotion"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(panel.Describe())
	fmt.Println(panel.Notes)
	for _, s := range panel.Series {
		fmt.Println(s.Name, s.Start.Format(time.DateOnly), s.Targets[0], s.Future[0])
	}
	// Output:
	// 2 series, 3 days each, 2024-01-01 to 2024-01-03, no season, 1 of 6 values missing
	// forecasts "units" of each "store", "date" is the time, known ahead: "promotion"
	// [rows are missing between 2024-01-01 and 2024-01-03 in series "south" (line 7), 1 row in all: they are missing values]
	// north 2024-01-01 [12 15 11] [0 1 0 1]
	// south 2024-01-01 [7 NaN 9] [0 NaN 0 1]
}
