package trainer

import (
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// Predict returns the outputs of m for the examples of b, in raw units: [size, outputs],
// or [size, time, outputs] for the readout all, with zeros in the padding. A direct
// forecaster answers [size, horizon, quantiles], by m.Params alone and without what Forecast
// adds. Predict ignores the targets, labels and weights of b. A field of m or b that does
// not fit is a *models.FieldError, such as "b.Inputs".
func Predict(m *models.Model, b *datasets.Batch) ([]float32, error) {
	return predict(m, m.Params, b)
}

// PredictExact is Predict in float64, for parameters and inputs that are float32. The
// difference between the two is the rounding error of float32.
func PredictExact(m *models.Model, b *datasets.Batch) ([]float64, error) {
	if err := m.Validate(); err != nil {
		return nil, models.InField("m", err)
	}
	params := models.NewParams[float64](m.Spec)
	kernels.Convert(params.Data, m.Params.Data)
	return predict(m, params, b)
}

func predict[T models.Float](m *models.Model, params *models.Params[T], b *datasets.Batch) ([]T, error) {
	if err := m.Validate(); err != nil {
		return nil, models.InField("m", err)
	}
	r, err := newRunner(&m.Metadata, params, defaultLoss(m.Spec), 0, 1)
	if err != nil {
		return nil, err
	}
	defer r.close()
	r.batch = *b
	if err := checkInputs(&r.batch, m.Spec); err != nil {
		return nil, models.InField("b", err)
	}
	r.run(predicting, 0)
	out := make([]T, b.Size*r.rowsPerExample()*outputs(m.Spec))
	for _, s := range r.active() {
		s.copyOutputs(r, out)
	}
	return out, nil
}

// outputs returns the number of outputs in a row.
func outputs(s models.Spec) int {
	if d := s.Direct; d != nil {
		return d.Horizon * len(d.Quantiles)
	}
	return s.Outputs
}
