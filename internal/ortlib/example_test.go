package ortlib_test

import (
	"fmt"

	"github.com/rnnkit/rnnkit/internal/ortlib"
)

func ExampleAPI() {
	for _, version := range []string{"1.20.1", "1.28.2"} {
		fmt.Println(version, ortlib.API(version) >= ortlib.NeedAPI)
	}
	// Output:
	// 1.20.1 false
	// 1.28.2 true
}
