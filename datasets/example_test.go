package datasets_test

import (
	"fmt"
	"strings"

	"github.com/rnnkit/rnnkit/datasets"
)

// The notebook's data: 1,000 noisy points, windows of 50, four fifths of them
// to train on.
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
	fmt.Println("a scaler is fitted on", len(train.Series()), "values")
	// Output:
	// 760 train, 190 test
	// a scaler is fitted on 810 values
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
