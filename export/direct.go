package export

import (
	"fmt"
	"math"
	"slices"

	"github.com/rnnkit/rnnkit/internal/onnxgraph"
	"github.com/rnnkit/rnnkit/models"
)

// buildDirect returns the graph of a direct forecaster: the blocks of [models.Direct] in
// their order, for each ensemble of a mixture, then what [models.Forecasting] says of the
// answers. From the second block on every target of every example has a row of its own,
// batch*targets of them.
func buildDirect(m *models.Model) *direct {
	g := &direct{Direct: m.Spec.Direct, forecasting: m.Forecast}
	g.Name = "rnnkit"
	g.declare()
	var weights []float32
	var answers []string
	for i, group := range m.Groups() {
		weights, answers = append(weights, group.Weight), append(answers, g.ensemble(groupPrefix(i), group))
	}
	g.prefix, g.Direct = "", m.Spec.Direct
	byQuantile := g.node("Transpose", "quantiles_first", []string{g.mix(answers, weights)}, ints("perm", 2, 0, 1))
	g.writeOutputs(g.bound(g.widen(g.order("ordered", byQuantile))))
	return g
}

// groupPrefix returns what the names of ensemble i of a mixture begin with.
func groupPrefix(i int) string {
	if i == 0 {
		return ""
	}
	return fmt.Sprintf("mixture.%d.", i-1)
}

// memberPrefix returns what the names of member i of an ensemble begin with, after those
// of the ensemble.
func memberPrefix(i int) string {
	if i == 0 {
		return ""
	}
	return fmt.Sprintf("members.%d.", i)
}

// ensemble returns what the members of a group answer, [rows, horizon, quantiles], in raw
// units.
func (g *direct) ensemble(prefix string, group models.Group) string {
	g.prefix, g.spec, g.Direct = prefix, group.Spec, group.Spec.Direct
	g.joined = g.shape("joined_shape", 0, 0, g.spec.Width())
	w := g.normalize(g.targets())
	segments := g.segments(w)
	var answers []string
	for i, p := range group.Members {
		g.prefix, g.params = prefix+memberPrefix(i), p
		answers = append(answers, g.restore(g.answer(segments, w), w))
	}
	g.prefix = prefix
	return g.median(answers)
}

// mix returns the sum of what ensembles answer, times their weights.
func (g *direct) mix(answers []string, weights []float32) (y string) {
	if len(answers) == 1 {
		return answers[0]
	}
	for i, answer := range answers {
		name := fmt.Sprintf("mixture_%d", i)
		part := g.node("Mul", name+"_part", []string{answer, g.floats(name+"_weight", weights[i:i+1])})
		if i == 0 {
			y = part
		} else {
			y = g.node("Add", name, []string{y, part})
		}
	}
	return y
}

// direct is the graph of a direct forecaster under construction.
type direct struct {
	graph
	*models.Direct
	forecasting *models.Forecasting
}

// window names the values of the normalized windows.
type window struct {
	values, known     string // [rows, window]; known is 1 where there is a value, 0 where it is missing
	center, deviation string // [rows, 1]
}

func (g *direct) declare() {
	g.input("input", onnxgraph.Float32, batch, size(g.Window), size(g.Columns()))
	if g.Future > 0 {
		g.input("future", onnxgraph.Float32, batch, size(g.Horizon), size(g.Future))
	}
	if g.Static > 0 {
		g.input("static", onnxgraph.Float32, batch, size(g.Static))
	}
	if n := len(g.Categories); n > 0 {
		g.input("categories", onnxgraph.Int64, batch, size(n))
	}
	g.output("output", batch, size(g.Horizon), size(g.Targets))
	g.output("quantiles", batch, size(g.Horizon), size(g.Targets), size(len(g.Quantiles)))
}

// targets returns the windows of the targets, [rows, window], in raw units.
func (g *direct) targets() string {
	x := g.columns("targets", 0, g.Targets)
	return g.reshape("target_rows", g.node("Transpose", "targets_by_column", []string{x}, ints("perm", 0, 2, 1)), -1, g.Window)
}

// columns returns those columns of the input, [batch, window, columns].
func (g *direct) columns(name string, from, to int) string {
	if from == 0 && to == g.Columns() {
		return "input"
	}
	return g.slice(name, "input", 2, from, to)
}

// normalize normalizes each row of x by itself. What it adds up is less the last value of
// the row, so that small changes of large values are not rounded away.
func (g *direct) normalize(x string) window {
	x, known := g.fill(x)
	last := g.lastKnown(x, known)
	offsets := g.node("Mul", "offsets", []string{g.node("Sub", "from_last", []string{x, last}), known})
	count := g.node("Max", "count", []string{g.sum("known_sum", known), g.scalar("count_least", 1)})
	mean := g.node("Div", "offset_mean", []string{g.sum("offset_sum", offsets), count})
	centered := g.node("Mul", "centered", []string{g.node("Sub", "from_mean", []string{offsets, mean}), known})
	squares := g.sum("square_sum", g.node("Mul", "squares", []string{centered, centered}))
	w := window{known: known, center: last, deviation: g.node("Sqrt", "deviation", []string{g.node("Div", "variance", []string{squares, count})})}
	if g.Center == models.CenterMean {
		offsets, w.center = centered, g.node("Add", "center", []string{last, mean})
	}
	w.values = g.node("Div", "normalized", []string{offsets, g.divisor(w)})
	return w
}

// fill returns x with 0 in place of what is missing, its logarithm if the model reads
// that, and where it is known.
func (g *direct) fill(x string) (filled, known string) {
	missing := g.node("IsNaN", "missing", []string{x})
	zero := g.scalar("zero", 0)
	known = g.node("Where", "known", []string{missing, zero, g.scalar("one", 1)})
	if g.Log > 0 {
		x = g.node("Log", "log", []string{g.node("Max", "log_read", []string{x, g.scalar("log_least", g.Log)})})
	}
	return g.node("Where", "filled", []string{missing, zero, x}), known
}

// lastKnown returns the last known value of each row of x, [rows, 1], or 0 if there is
// none.
func (g *direct) lastKnown(x, known string) string {
	positions := make([]float32, g.Window)
	for i := range positions {
		positions[i] = float32(i + 1)
	}
	placed := g.node("Mul", "known_positions", []string{known, g.floats("positions", positions, g.Window)})
	at := g.node("ArgMax", "last_known_position", []string{placed}, axis(1))
	return g.node("GatherElements", "last_known", []string{x, at}, axis(1))
}

// divisor returns what rows are divided by: their deviation, or what keeps a constant row
// from a division by 0.
func (g *direct) divisor(w window) string {
	size := g.node("Abs", "center_size", []string{w.center})
	rounding := g.node("Mul", "center_rounding", []string{size, g.scalar("rounding", 1e-6)})
	least := g.node("Add", "deviation_least", []string{rounding, g.scalar("deviation_smallest", 1e-20)})
	return g.node("Max", "divisor", []string{w.deviation, least})
}

// segmentsRead returns how many segments the recurrent layers read.
func (g *direct) segmentsRead() int {
	if g.spec.Readout == models.ReadLast {
		return g.WindowSegments()
	}
	return g.WindowSegments() + g.HorizonSegments()
}

// segments returns the segments that the recurrent layers read, [rows, segments,
// features], without the embeddings of categories, which each member has of its own.
func (g *direct) segments(w window) string {
	window := []string{g.unsqueeze("normalized_channel", w.values, 1), g.unsqueeze("known_channel", w.known, 1)}
	if g.Past > 0 {
		past := g.columns("past", g.Targets, g.Targets+g.Past)
		window = append(window, g.covariates("past", past, g.forecasting.PastScale, g.Window, g.Past))
	}
	ahead := g.segmentsRead()*g.Segment - g.Window
	channels := []string{g.pad("window_channels_padded", g.concat("window_channels", 1, window), ahead)}
	if g.Future > 0 {
		known := g.concat("future_known", 1, []string{g.columns("future_past", g.Targets+g.Past, g.Columns()), "future"})
		future := g.covariates("future", known, g.forecasting.FutureScale, g.Window+g.Horizon, g.Future)
		channels = append(channels, g.pad("future_padded", future, ahead-g.Horizon))
	}
	x := g.cut(g.concat("channels", 1, channels))
	if g.Static > 0 {
		numbers := g.standardize("static", "static", g.forecasting.StaticScale, g.Static)
		x = g.concat("segments_static", 2, []string{x, g.everySegment("static", numbers, g.Static)})
	}
	return x
}

// covariates returns n covariates over some steps, [batch, steps, n], standardized, as
// [rows, n, steps].
func (g *direct) covariates(name, x string, scale *models.Scale, steps, n int) string {
	x = g.standardize(name, x, scale, n)
	return g.everyTarget(name, g.node("Transpose", name+"_by_column", []string{x}, ints("perm", 0, 2, 1)), n, steps)
}

// standardize applies the scale to the last dimension of x, of size n. A missing value
// counts as the mean, 0.
func (g *direct) standardize(name, x string, scale *models.Scale, n int) string {
	if scale != nil {
		shifted := g.node("Sub", name+"_shifted", []string{x, g.floats(name+"_mean", scale.Mean, n)})
		x = g.node("Div", name+"_scaled", []string{shifted, g.floats(name+"_std", scale.Std, n)})
	}
	missing := g.node("IsNaN", name+"_missing", []string{x})
	return g.node("Where", name+"_standardized", []string{missing, g.scalar(name+"_fill", 0), x})
}

// everyTarget repeats each example of x, [batch, dims], for every target: [rows, dims].
func (g *direct) everyTarget(name, x string, dims ...int) string {
	if g.Targets == 1 {
		return x
	}
	times := append([]int{1, g.Targets}, slices.Repeat([]int{1}, len(dims))...)
	repeated := g.expand(name+"_repeated", g.unsqueeze(name+"_once", x, 1), times...)
	return g.reshape(name+"_rows", repeated, append([]int{-1}, dims...)...)
}

// everySegment repeats x, [batch, n], for every target and segment: [rows, segments, n].
func (g *direct) everySegment(name, x string, n int) string {
	x = g.unsqueeze(name+"_segment", g.everyTarget(name, x, n), 1)
	return g.expand(name+"_segments", x, 1, g.segmentsRead(), 1)
}

// cut cuts channels, [rows, channels, steps], into segments, [rows, segments, features].
func (g *direct) cut(channels string) string {
	n, segments := 2+g.Past+g.Future, g.segmentsRead()
	parts := g.reshape("channel_segments", channels, 0, n, segments, g.Segment)
	bySegment := g.node("Transpose", "segment_channels", []string{parts}, ints("perm", 0, 2, 1, 3))
	return g.reshape("segments", bySegment, 0, segments, n*g.Segment)
}

// answer returns what a member answers, [rows, horizon, quantiles], in normalized units.
func (g *direct) answer(segments string, w window) string {
	y := g.recurrent(g.embed(g.categories(segments)))
	state := ""
	if g.spec.Readout == models.ReadLast || g.Linear > 1 {
		state = g.afterWindow(y)
	}
	if g.spec.Readout == models.ReadLast {
		y = g.head(state, g.Horizon)
	} else {
		y = g.head(g.ahead(y), g.HorizonSegments()*g.Segment)
	}
	if g.Linear == 0 {
		return y
	}
	return g.node("Add", "answer", []string{y, g.path(w, state)})
}

// path returns what the linear maps make of the windows, [rows, horizon, 1], with several
// maps mixed by the gate, which reads the state after the window.
func (g *direct) path(w window, state string) string {
	y := g.node("MatMul", "path_product", []string{w.values, g.weights("path", g.params.Path, g.Window, g.Linear*g.Horizon)})
	if g.Linear > 1 {
		logits := g.node("MatMul", "gate_product", []string{state, g.weights("gate.W", g.params.Gate.W, g.spec.Width(), g.Linear)})
		logits = g.node("Add", "gate", []string{logits, g.weights("gate.B", g.params.Gate.B, g.Linear)})
		shares := g.unsqueeze("gate_row", g.node("Softmax", "gate_shares", []string{logits}, axis(1)), 1)
		y = g.node("MatMul", "path_mixed", []string{shares, g.reshape("path_maps", y, 0, g.Linear, g.Horizon)})
	}
	return g.reshape("path_each", y, 0, g.Horizon, 1)
}

// afterWindow returns the output of the last layer after the last segment of the window,
// [rows, hidden].
func (g *direct) afterWindow(y string) string {
	if g.spec.Readout == models.ReadLast {
		return g.last(y)
	}
	n := g.WindowSegments()
	return g.reshape("after_window_joined", g.slice("after_window", y, 0, n-1, n), -1, g.spec.Width())
}

// categories returns the segments with the embeddings of the categories.
func (g *direct) categories(segments string) string {
	parts, width := []string{}, 0
	for i, c := range g.Categories {
		name := fmt.Sprintf("categories.%d", i)
		table := g.weights(name, g.params.Categories[i], c.Size, c.Embedding)
		column := g.node("Gather", name+".number", []string{"categories", g.index(name+".index", i)}, axis(1))
		parts = append(parts, g.node("Gather", name+".embedded", []string{table, column}))
		width += c.Embedding
	}
	if width == 0 {
		return segments
	}
	embedded := g.everySegment("categories", g.concat("categories_embedded", 1, parts), width)
	return g.concat("segments_categories", 2, []string{segments, embedded})
}

// embed returns what the dense layer makes of the segments, [segments, rows, embedding].
func (g *direct) embed(segments string) string {
	features, n := g.Features(), g.spec.Embedding
	product := g.node("MatMul", "segment_product", []string{segments, g.weights("segment.W", g.params.Segment.W, features, n)})
	dense := g.node("Add", "segment_dense", []string{product, g.weights("segment.B", g.params.Segment.B, n)})
	embedded := g.node("Relu", "segment_embedded", []string{dense})
	return g.node("Transpose", "steps", []string{embedded}, ints("perm", 1, 0, 2))
}

// ahead returns the outputs of the last layer at the segments of the horizon, [rows,
// segments, hidden].
func (g *direct) ahead(y string) string {
	steps := g.slice("ahead", y, 0, g.WindowSegments(), g.segmentsRead())
	byRow := g.node("Transpose", "ahead_by_row", []string{steps}, ints("perm", 2, 0, 1, 3))
	return g.node("Reshape", "ahead_joined", []string{byRow, g.joined})
}

// head returns what the linear head makes of x, which are so many steps, of those of the
// horizon: [rows, horizon, quantiles].
func (g *direct) head(x string, steps int) string {
	product := g.node("MatMul", "head_product", []string{x, g.weights("head.W", g.params.Head.W, g.spec.Width(), g.spec.Outputs)})
	y := g.node("Add", "head", []string{product, g.weights("head.B", g.params.Head.B, g.spec.Outputs)})
	y = g.reshape("head_steps", y, 0, steps, len(g.Quantiles))
	if steps == g.Horizon {
		return y
	}
	return g.slice("head_horizon", y, 1, 0, g.Horizon)
}

// restore returns an answer in raw units.
func (g *direct) restore(y string, w window) string {
	spread := g.node("Mul", "answer_spread", []string{y, g.unsqueeze("answer_deviation", w.deviation, 2)})
	y = g.node("Add", "answer_raw", []string{spread, g.unsqueeze("answer_center", w.center, 2)})
	if g.Log > 0 {
		y = g.node("Exp", "answer_exp", []string{y})
	}
	return y
}

// median returns the median of the answers of the members: of an even number, the mean of
// the two in the middle. The larger half of them is sorted to the end.
func (g *direct) median(answers []string) string {
	n := len(answers)
	for pass := range n / 2 {
		for i := range n - 1 - pass {
			pair, name := []string{answers[i], answers[i+1]}, fmt.Sprintf("members_%d_%d", pass, i)
			answers[i], answers[i+1] = g.node("Min", name+"_min", pair), g.node("Max", name+"_max", pair)
		}
	}
	middle := g.node("Max", "members_middle", answers[:n-n/2])
	if n%2 == 1 {
		return middle
	}
	return g.node("Mean", "members_median", []string{middle, answers[n/2]})
}

// order makes the quantiles of y, [quantiles, rows, horizon], monotone, outwards from the
// one in the middle.
func (g *direct) order(name, y string) string {
	n := len(g.Quantiles)
	if n == 1 {
		return y
	}
	split := onnxgraph.Node{Name: name + "_split", OpType: "Split", Inputs: []string{y}, Attributes: []onnxgraph.Attribute{axis(0)}}
	for i := range n {
		split.Outputs = append(split.Outputs, fmt.Sprintf("%s_%d", name, i))
	}
	g.Nodes = append(g.Nodes, split)
	parts := slices.Clone(split.Outputs)
	for i := range n / 2 {
		low, high := n/2-1-i, n/2+1+i
		parts[low] = g.node("Min", fmt.Sprintf("%s_%d_least", name, low), []string{parts[low], parts[low+1]})
		parts[high] = g.node("Max", fmt.Sprintf("%s_%d_most", name, high), []string{parts[high], parts[high-1]})
	}
	return g.concat(name, 0, parts)
}

// widen multiplies the distances of the quantiles from the median by the Widths, after
// which they may cross again.
func (g *direct) widen(y string) string {
	n := len(g.Quantiles)
	widths := make([]float32, len(g.forecasting.Widths))
	if len(widths) == 0 {
		return y
	}
	for i, w := range g.forecasting.Widths {
		widths[i%n*g.Horizon+i/n] = w
	}
	median := g.slice("answer_median", y, 0, n/2, n/2+1)
	distance := g.node("Sub", "distance", []string{y, median})
	wide := g.node("Mul", "distance_wide", []string{distance, g.floats("widths", widths, n, 1, g.Horizon)})
	return g.order("widened", g.node("Add", "wide", []string{median, wide}))
}

// bound rounds y to whole numbers and keeps it between the bounds, where these are set.
func (g *direct) bound(y string) string {
	f := g.forecasting
	if f.Integer {
		y = g.node("Round", "rounded", []string{y})
	}
	if f.Min == nil && f.Max == nil {
		return y
	}
	clip := []string{y, "", ""}
	if f.Min != nil {
		clip[1] = g.scalar("min", whole(*f.Min, f.Integer, math.Ceil))
	}
	if f.Max != nil {
		clip[2] = g.scalar("max", whole(*f.Max, f.Integer, math.Floor))
	}
	return g.node("Clip", "bounded", clip)
}

// whole returns a bound, of whole numbers the whole number that round makes of it.
func whole(bound float64, integer bool, round func(float64) float64) float64 {
	if integer {
		return round(bound)
	}
	return bound
}

// writeOutputs adds the outputs, for y of [quantiles, rows, horizon].
func (g *direct) writeOutputs(y string) {
	n := len(g.Quantiles)
	y = g.reshape("quantiles_by_target", y, n, -1, g.Targets, g.Horizon)
	y = g.node("Transpose", "quantiles_by_step", []string{y}, ints("perm", 1, 3, 2, 0))
	g.node("Identity", "quantiles", []string{y})
	g.node("Gather", "output", []string{y, g.index("median_index", n/2)}, axis(3))
}

func (g *graph) scalar(name string, v float64) string { return g.floats(name, []float32{float32(v)}) }

// sum returns the sums of the rows of x, [rows, 1].
func (g *graph) sum(name, x string) string {
	return g.node("ReduceSum", name, []string{x, g.shape(name+"_axes", 1)})
}

func (g *graph) unsqueeze(name, x string, axis int) string {
	return g.node("Unsqueeze", name, []string{x, g.shape(name+"_axes", axis)})
}

func (g *graph) reshape(name, x string, shape ...int) string {
	return g.node("Reshape", name, []string{x, g.shape(name+"_shape", shape...)})
}

// expand repeats dimensions of size 1.
func (g *graph) expand(name, x string, shape ...int) string {
	return g.node("Expand", name, []string{x, g.shape(name+"_shape", shape...)})
}

// slice returns x from one index to another along an axis.
func (g *graph) slice(name, x string, axis, from, to int) string {
	return g.node("Slice", name, []string{x, g.shape(name+"_start", from), g.shape(name+"_end", to), g.shape(name+"_axis", axis)})
}

// concat joins values, of which one is returned as it is.
func (g *graph) concat(name string, along int64, values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	return g.node("Concat", name, values, axis(along))
}

// pad returns x, of three dimensions, with so many zeros behind the last.
func (g *graph) pad(name, x string, n int) string {
	if n == 0 {
		return x
	}
	return g.node("Pad", name, []string{x, g.shape(name+"_pads", 0, 0, 0, 0, 0, n)})
}
