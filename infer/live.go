package infer

import (
	"errors"
	"sync/atomic"
)

// Runner is a [Model], or what runs one: a [Forecaster], [Classifier], [Generator] or a
// type of your own.
type Runner interface {
	comparable
	Model() *Model
}

// Model returns m, so that a Live can hold it.
func (m *Model) Model() *Model { return m }

// Live holds the runner that a service uses at the moment, and takes a newer one while
// requests go on. It is safe for concurrent use.
type Live[R Runner] struct{ current atomic.Pointer[R] }

// NewLive returns a Live that holds r, and closes its model when it is replaced.
func NewLive[R Runner](r R) *Live[R] {
	l := new(Live[R])
	l.current.Store(&r)
	return l
}

// Use calls f with the current runner, whose model is not closed before f has returned,
// and returns f's error. After Close it is [ErrClosed].
func (l *Live[R]) Use(f func(R) error) error {
	for r := l.current.Load(); r != nil; r = l.current.Load() {
		m := (*r).Model()
		if !m.closed.Load() && m.retain() == nil { // else r was swapped just now, and closed
			defer m.release()
			m.uses.Add(1)
			defer m.uses.Add(-1)
			return f(*r)
		}
		if l.current.Load() == r {
			return ErrClosed // by other means than Swap
		}
	}
	return ErrClosed
}

// Swap makes r the current runner, of every Use from now on. The model of the one before
// is closed when the last Use of it has returned; Swap does not wait for that. After Close
// it closes r's model and returns [ErrClosed]. The zero R, such as nil,
// is an error and changes nothing.
func (l *Live[R]) Swap(r R) error {
	var none R
	if r == none {
		return errors.New("there is no model to swap to: use Close to end")
	}
	m := r.Model()
	for before := l.current.Load(); before != nil; before = l.current.Load() {
		if l.current.CompareAndSwap(before, &r) {
			if old := (*before).Model(); old != m {
				return old.Close()
			}
			return nil
		}
	}
	m.Close()
	return ErrClosed
}

// Close closes the current runner's model when the last Use of it has returned. It may be
// called more than once.
func (l *Live[R]) Close() error {
	if r := l.current.Swap(nil); r != nil {
		return (*r).Model().Close()
	}
	return nil
}
