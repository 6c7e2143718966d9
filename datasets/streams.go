package datasets

import (
	"fmt"

	"github.com/rnnkit/rnnkit/models"
)

// Streams is the [Source] for a model that reads a [Series] step by step and forecasts
// the next values at every step. The series is cut into parallel streams of the same
// length, and each stream into consecutive examples. The inputs are [Size, time,
// columns]. The targets are the target columns one step later, [Size, time, targets],
// so the model needs the readout all.
//
// Example i continues example i-streams. In a stateful training with batches of that
// size (trainer.Options.Stateful), gradients end at the beginning of an example, but
// the state goes through the whole stream: Williams and Peng, "An Efficient
// Gradient-Based Algorithm for On-Line Training of Recurrent Network Trajectories"
// (1990).
type Streams struct {
	series  *Series
	streams int
	length  int // of a stream
	time    int
}

// NewStreams returns the streams over one column: see [Series.Streams]. It does not
// copy the column.
func NewStreams(column []float32, streams, time int) (*Streams, error) {
	return (&Series{Values: column, Columns: 1}).Streams(streams, time)
}

// Streams returns the given number of streams over s, cut into examples of time steps.
// The rest at the end of a stream is not used. The error is an [ErrTooShort] if the
// series is too short for one example in each stream.
func (s *Series) Streams(streams, time int) (*Streams, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	switch {
	case streams < 1:
		return nil, &models.FieldError{Field: "streams", Value: streams, Want: "1 or more"}
	case time < 1:
		return nil, &models.FieldError{Field: "time", Value: time, Want: "1 or more"}
	}
	length := max(s.Len()-1, 0) / streams
	if length < time {
		return nil, fmt.Errorf("series of %d values is %w: %d streams of at least %d steps need more, so use fewer or shorter ones", s.Len(), ErrTooShort, streams, time)
	}
	return &Streams{s, streams, length, time}, nil
}

// Streams returns the number of streams, which must also be the size of batches.
func (s *Streams) Streams() int { return s.streams }

// Len returns the number of examples.
func (s *Streams) Len() int { return s.length / s.time * s.streams }

// Read implements [Source].
func (s *Streams) Read(b *Batch, examples []int) error {
	*b = Batch{Size: len(examples), Time: s.time, Inputs: b.Inputs[:0], Targets: b.Targets[:0]}
	for _, i := range examples {
		if err := checkExample(i, s.Len()); err != nil {
			return err
		}
		from := i%s.streams*s.length + i/s.streams*s.time
		b.Inputs = append(b.Inputs, s.series.rows(from, from+s.time)...)
		b.Targets = s.series.appendTargets(b.Targets, from+1, from+1+s.time)
	}
	return nil
}
