package infer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"github.com/rnnkit/rnnkit/infer/tensor"
	"github.com/rnnkit/rnnkit/internal/anomaly"
	"github.com/rnnkit/rnnkit/models"
)

// DetectorState is the state of a detector for one series, of a size that does not grow. It
// must not be copied, nor used by several goroutines at once.
type DetectorState struct {
	_ noCopy

	detector *Detector
	season   int // 0 without one

	last, time time.Time // of the last observation, and of its step
	phase      int       // of the next observation in the season
	streak     int       // observations in a row that reached the border
	quiet      int       // observations to come that belong to the last event, unless they reach
	bar        float64   // this score
	columns    []anomaly.Column
	forecast   []float64 // of the next observation, NaN while the series is new

	tensors []tensor.Tensor // the state of the network, for all columns

	// What follows is workspace.
	x, y                        tensor.Tensor
	next                        []tensor.Tensor
	inputs, outputs             []*tensor.Tensor
	shown, lower, upper, shares []float64
	missing                     []float64
}

// NewState returns the state of a series that has no observations yet.
func (d *Detector) NewState() *DetectorState {
	n, m := len(d.detection.Columns), d.model
	s := &DetectorState{
		detector: d, columns: make([]anomaly.Column, n), forecast: slices.Repeat([]float64{math.NaN()}, n),
		x: tensor.Zeros(tensor.Float32, n, 1, len(anomaly.Inputs)), missing: slices.Repeat([]float64{math.NaN()}, n),
		shown: make([]float64, n), lower: make([]float64, n), upper: make([]float64, n), shares: make([]float64, n),
		inputs: make([]*tensor.Tensor, len(m.Inputs())), outputs: make([]*tensor.Tensor, len(m.Outputs())),
	}
	if d.detection.Season > 1 {
		s.season = d.detection.Season
	}
	for i := range s.columns {
		s.columns[i] = anomaly.NewColumn(s.season)
	}
	for range m.places {
		s.tensors = append(s.tensors, tensor.Zeros(tensor.Float32, m.meta.Spec.Layers, n, m.meta.Spec.Hidden))
		s.next = append(s.next, s.tensors[0].Clone())
	}
	s.inputs[indexOf(m.Inputs(), inputName)] = &s.x
	s.outputs[indexOf(m.Outputs(), outputName)] = &s.y
	return s
}

// Last returns the time of the last observation, zero if there was none.
func (s *DetectorState) Last() time.Time { return s.last }

// An encoded state of a detector has this header, what stateFigures and encoded list, and
// the fingerprint of all of these. Numbers are little-endian.
const detectorHeader = "rnnkit detector state 2\n"

// stateFigures are the figures of a state that are not those of a column.
type stateFigures struct {
	Model                fingerprint // of the metadata, which say how the model was trained
	Seen                 bool        // there was an observation with a time
	Last, Time           [2]int64    // seconds from 1970 on, and nanoseconds
	Phase, Streak, Quiet int64
	Bar                  float64
}

// fingerprint tells texts apart: FNV-1a.
type fingerprint [16]byte

func fingerprintOf(data []byte) (sum fingerprint) {
	h := fnv.New128a()
	h.Write(data)
	h.Sum(sum[:0])
	return sum
}

func (d *Detector) fingerprint() fingerprint {
	return fingerprintOf([]byte(d.model.session.Metadata()[models.MetadataKey]))
}

func encodedTime(t time.Time) [2]int64 { return [2]int64{t.Unix(), int64(t.Nanosecond())} }

// encoded returns pointers to all that is encoded after the figures.
func (s *DetectorState) encoded() (list []any) {
	list = append(list, s.forecast)
	for i := range s.columns {
		list = append(list, &s.columns[i].Running, s.columns[i].Season)
	}
	for i := range s.tensors {
		list = append(list, s.tensors[i].Data)
	}
	return list
}

// MarshalBinary returns s as bytes that [DetectorState.UnmarshalBinary] reads, so that a
// detector goes on in another process. Equal states give equal bytes.
func (s *DetectorState) MarshalBinary() ([]byte, error) {
	figures := stateFigures{
		Model: s.detector.fingerprint(), Seen: !s.last.IsZero(),
		Phase: int64(s.phase), Streak: int64(s.streak), Quiet: int64(s.quiet), Bar: s.bar,
	}
	if figures.Seen {
		figures.Last, figures.Time = encodedTime(s.last), encodedTime(s.time)
	}
	data, err := binary.Append([]byte(detectorHeader), binary.LittleEndian, figures)
	for _, part := range s.encoded() {
		if err == nil {
			data, err = binary.Append(data, binary.LittleEndian, part)
		}
	}
	sum := fingerprintOf(data)
	return append(data, sum[:]...), err
}

// ErrOtherModel is what [DetectorState.UnmarshalBinary] returns for the state of another
// model.
var ErrOtherModel = errors.New("the state is that of another model: begin with NewState")

// UnmarshalBinary sets s, which [Detector.NewState] returned, to the state that
// [DetectorState.MarshalBinary] wrote. If data is anything else, or the state of another
// model (an [ErrOtherModel]), it returns an error and leaves s as it is.
func (s *DetectorState) UnmarshalBinary(data []byte) error {
	rest, ok := bytes.CutPrefix(data, []byte(detectorHeader))
	if !ok {
		return fmt.Errorf("not the state of a detector: it does not begin with %q: give what MarshalBinary returned", detectorHeader)
	}
	var sum fingerprint
	end := len(data) - len(sum)
	if len(rest) < len(sum) || fingerprintOf(data[:end]) != fingerprint(data[end:]) {
		return errors.New("the state is damaged: give all that MarshalBinary returned, and nothing else")
	}
	return s.decode(data[len(detectorHeader):end])
}

// decode sets s to the figures and what follows them.
func (s *DetectorState) decode(data []byte) error {
	var figures stateFigures
	n, err := binary.Decode(data, binary.LittleEndian, &figures)
	read := s.detector.NewState()
	for _, part := range read.encoded() {
		if err == nil {
			data = data[n:]
			n, err = binary.Decode(data, binary.LittleEndian, part)
		}
	}
	if err != nil || n != len(data) || figures.Model != s.detector.fingerprint() || figures.Phase < 0 || figures.Phase >= int64(max(1, s.season)) {
		return ErrOtherModel
	}
	s.columns, s.forecast, s.tensors = read.columns, read.forecast, read.tensors
	s.phase, s.streak, s.quiet, s.bar = int(figures.Phase), int(figures.Streak), int(figures.Quiet), figures.Bar
	s.last, s.time = time.Time{}, time.Time{}
	if figures.Seen {
		s.last, s.time = time.Unix(figures.Last[0], figures.Last[1]).UTC(), time.Unix(figures.Time[0], figures.Time[1]).UTC()
	}
	return nil
}
