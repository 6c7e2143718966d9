package lab

import (
	"context"
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/mat"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/pca"
	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/presets"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/models"
	"github.com/rnnkit/rnnkit/trainer"
)

// The figures of runs.
const (
	trainLoss        = "train_loss"
	greedyRight      = "greedy_right"
	samplesDiffer    = "samples_differ"
	testMSE          = "test_mse"
	cleanMSE         = "clean_mse"
	noiseRatio       = "noise_ratio"
	phaseShift       = "phase_shift"
	accuracy         = "accuracy"
	epochsNeeded     = "epochs_needed"
	explained        = "explained"
	turnRatio        = "turn_ratio"
	exportDifference = "export_difference"
)

// labels has the figures in words, in the order that they are shown in.
var labels = []struct{ name, words string }{
	{trainLoss, "training loss of the last epoch, in nats a character"},
	{greedyRight, "characters right before the first wrong one, of 104"},
	{samplesDiffer, fmt.Sprintf("different texts from %d seeds, if the same seed gives the same", sampleSeeds)},
	{testMSE, "test MSE"},
	{cleanMSE, "MSE against the wave without noise"},
	{noiseRatio, "test MSE, as a multiple of the noise's own variance"},
	{phaseShift, "largest shift of a zero crossing in 200 steps fed back, in samples"},
	{accuracy, "test accuracy"},
	{epochsNeeded, "epochs until the test accuracy was 0.99"},
	{explained, "variance that two components explain"},
	{turnRatio, "turns of the orbit to one turn of the wave"},
	{exportDifference, "largest difference of the exported file from the trainer"},
}

// measure adds to t what the arm's experiment asks for.
func (a *arm) measure(ctx context.Context, t *trained) error {
	switch a.experiment() {
	case presets.Chars.Name:
		return a.measureChars(ctx, t)
	case presets.Sine.Name:
		return a.measureSine(ctx, t)
	case presets.Echo.Name:
		if err := a.measureGradients(t); err != nil {
			return err
		}
	}
	return a.measureClasses(t)
}

// prompt is how the rhyme begins, and rest how it goes on.
const prompt = "Twinkle, "

var rest = strings.TrimPrefix(datasets.Rhyme(), prompt)

func (a *arm) measureChars(ctx context.Context, t *trained) error {
	t.Figures[trainLoss] = t.Epochs[len(t.Epochs)-1].TrainLoss
	g, err := infer.NewGenerator(t.model)
	if err != nil {
		return err
	}
	generate := func(temperature float64, seed uint64) (string, error) {
		var b strings.Builder
		opts := infer.GenerateOptions{Length: len(rest), Temperature: temperature, Seed: seed}
		for r, err := range g.Generate(ctx, prompt, opts) {
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		}
		text := b.String()
		t.texts = append(t.texts, Text{
			Arm: a.name(), Seed: t.Seed, Prompt: prompt, Greedy: temperature == 0, Temperature: temperature, SampleSeed: seed,
			Text: text, Exact: text == rest,
		})
		return text, nil
	}
	greedy, err := generate(0, 0)
	if err != nil {
		return err
	}
	t.Figures[greedyRight] = float64(commonPrefix(greedy, rest))

	different := map[string]bool{}
	for seed := range uint64(sampleSeeds) {
		text, err := generate(1, seed)
		if err != nil {
			return err
		}
		different[text] = true
	}
	again, err := generate(1, 0)
	if err != nil {
		return err
	}
	t.Figures[samplesDiffer] = 0
	if again == t.texts[1].Text {
		t.Figures[samplesDiffer] = float64(len(different))
	}
	t.texts = t.texts[:4] // the greedy one and three samples
	return nil
}

// sampleSeeds is how many texts are sampled of a model.
const sampleSeeds = 20

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// fedBack is how many values a sine is continued by.
const fedBack = 200

func (a *arm) measureSine(ctx context.Context, t *trained) error {
	o := a.options
	noisy, clean := datasets.Sine(o.Samples, o.Noise, t.Seed), datasets.Sine(o.Samples, 0, 0)
	first := o.Samples - t.job.TestData.Len() // row of the first that is tested
	f := &Forecast{Arm: a.name(), Seed: t.Seed, Noisy: noisy[first:], True: clean[first:]}
	err := t.job.Predict(t.job.TestData, func(_ *datasets.Batch, answers []float32) {
		for _, y := range answers {
			f.X = append(f.X, first+len(f.X))
			f.Predicted = append(f.Predicted, float64(y))
		}
	})
	if err != nil {
		return err
	}
	t.Figures[testMSE] = meanSquare(f.Predicted, f.Noisy)
	t.Figures[cleanMSE] = meanSquare(f.Predicted, f.True)
	t.Figures[noiseRatio] = t.Figures[testMSE] / meanSquare(f.Noisy, f.True)

	forecaster, err := infer.NewForecaster(t.model)
	if err != nil {
		return err
	}
	if f.FedBack.Predicted, err = forecaster.Forecast(ctx, noisy, fedBack); err != nil {
		return err
	}
	wave := func(row float64) float64 { return math.Sin(row * wavePerStep(o)) }
	for i := range fedBack {
		f.FedBack.X = append(f.FedBack.X, o.Samples+i)
		f.FedBack.True = append(f.FedBack.True, wave(float64(o.Samples+i)))
	}
	t.Figures[phaseShift] = shift(f.FedBack.Predicted, math.Pi/wavePerStep(o), float64(o.Samples))
	t.forecast = f
	if a.recipe == presets.Best {
		return a.measureHidden(ctx, t, noisy, first)
	}
	return nil
}

// wavePerStep is how far the sine goes in a step, in radians.
func wavePerStep(o presets.Options) float64 { return 40 * math.Pi / float64(o.Samples-1) }

func meanSquare(a, b []float64) (sum float64) {
	for i := range a {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return sum / float64(len(a))
}

// shift returns how far, in steps, the zero crossings of y lie at most from those
// of a sine that rises through zero at even multiples of half and falls at odd
// ones, where y begins at the given step. Where crossings are missing or too many
// it is at least half.
func shift(y []float64, half, begin float64) (largest float64) {
	crossings := 0
	for i := 1; i < len(y); i++ {
		if (y[i-1] < 0) == (y[i] < 0) {
			continue
		}
		crossings++
		x := begin + float64(i-1) + y[i-1]/(y[i-1]-y[i])
		if y[i] < 0 {
			x -= half
		}
		largest = max(largest, math.Abs(math.Remainder(x, 2*half)))
	}
	if extra := float64(crossings) - float64(len(y))/half; math.Abs(extra) >= 1.5 {
		largest = max(largest, half)
	}
	return largest
}

// period is how many steps of the sine a trajectory has.
const period = 50

// measureHidden follows the state over the first steps of the test region, which
// the model comes to by reading all that is before.
func (a *arm) measureHidden(ctx context.Context, t *trained, series []float64, first int) error {
	last := min(first+period, len(series))
	x := make([]float32, last)
	for i := range x {
		x[i] = float32(series[i])
	}
	out, err := t.model.Run(ctx, map[string]tensor.Tensor{"input": tensor.Of(x, 1, len(x), 1)}, "hidden")
	if err != nil {
		return err
	}
	hidden, err := tensor.Values[float32](out["hidden"])
	if err != nil {
		return err
	}
	steps, width := series[first:last], t.job.Model.Spec.Width()
	states := mat.NewDense(len(steps), width, nil)
	for i := range steps {
		for k, v := range hidden[(first+i)*width:][:width] {
			states.Set(i, k, float64(v))
		}
	}
	p, err := pca.Fit(states, 2)
	if err != nil {
		return err
	}
	tr := &Trajectory{Arm: a.name(), Seed: t.Seed, Wave: steps, Explained: [2]float64{p.Ratio[0], p.Ratio[1]}}
	for i := range steps {
		tr.Points = append(tr.Points, [2]float64{p.Scores.At(i, 0), p.Scores.At(i, 1)})
	}
	tr.Turns = turns(tr.Points)
	tr.WaveTurns = float64(len(steps)-1) * wavePerStep(a.options) / (2 * math.Pi)
	t.Figures[explained] = p.Ratio[0] + p.Ratio[1]
	t.Figures[turnRatio] = tr.Turns / tr.WaveTurns
	t.trajectory = tr
	return nil
}

// turns returns how often points go around their centre, in either direction.
func turns(points [][2]float64) float64 {
	var centre [2]float64
	for _, p := range points {
		centre[0] += p[0] / float64(len(points))
		centre[1] += p[1] / float64(len(points))
	}
	var angle float64
	for i := 1; i < len(points); i++ {
		from, to := points[i-1], points[i]
		a := math.Atan2(to[1]-centre[1], to[0]-centre[0]) - math.Atan2(from[1]-centre[1], from[0]-centre[0])
		angle += math.Remainder(a, 2*math.Pi)
	}
	return math.Abs(angle) / (2 * math.Pi)
}

func (a *arm) measureClasses(t *trained) error {
	last := t.Epochs[len(t.Epochs)-1]
	t.Figures[accuracy] = last.TestAccuracy
	for _, e := range t.Epochs {
		if e.TestAccuracy >= 0.99 {
			t.Figures[epochsNeeded] = float64(e.Epoch)
			break
		}
	}
	t.Confusion = &Confusion{Labels: t.job.Model.Labels, Counts: [][]int{{0, 0}, {0, 0}}}
	return t.job.Predict(t.job.TestData, func(b *datasets.Batch, answers []float32) {
		for i, logit := range answers {
			taken := 0
			if logit > 0 {
				taken = 1
			}
			t.Confusion.Counts[int(b.Targets[i])][taken]++
		}
	})
}

// measureGradients takes the norm at every step before and after the training,
// of the first seed.
func (a *arm) measureGradients(t *trained) error {
	if t.Seed > 0 {
		return nil
	}
	var b datasets.Batch
	examples := make([]int, min(100, t.job.TestData.Len()))
	for i := range examples {
		examples[i] = i
	}
	if err := t.job.TestData.Read(&b, examples); err != nil {
		return err
	}
	for i, m := range []*models.Model{t.first, t.job.Model} {
		gradients, err := trainer.InputGradients(m, &b, t.job.Fit.Loss)
		if err != nil {
			return err
		}
		g := Gradient{Arm: a.name(), Seed: t.Seed, Trained: i == 1, Norms: make([]float64, b.Time)}
		for at, v := range gradients {
			g.Norms[at%b.Time] += math.Abs(v) / float64(b.Size)
		}
		t.gradients = append(t.gradients, g)
	}
	return nil
}
