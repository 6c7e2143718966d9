package models_test

import (
	"fmt"

	"github.com/rnnkit/rnnkit/models"
)

func ExampleSpec_Validate() {
	spec := models.Spec{
		Cell:     models.GRU,
		Features: 3,
		Hidden:   0,
		Layers:   1,
		Readout:  models.ReadLast,
		Outputs:  1,
	}
	fmt.Println(spec.Validate())
	spec.Hidden = 16
	fmt.Println(spec.Validate(), len(models.NewParams[float32](spec).Data))
	// Output:
	// Hidden is 0: it must be 1 or more
	// <nil> 1025
}
