package infer

import (
	"errors"
	"sync/atomic"
)

// Live holds the model that a service runs at the moment, and takes a newer one
// while requests go on. It is safe for concurrent use.
type Live struct{ current atomic.Pointer[Model] }

// NewLive returns a Live that holds m and closes it in time.
func NewLive(m *Model) *Live {
	l := new(Live)
	l.current.Store(m)
	return l
}

// Use calls f with the current model, which is not closed before f has returned,
// and returns f's error. After Close it is [ErrClosed].
func (l *Live) Use(f func(*Model) error) error {
	for m := l.current.Load(); m != nil; m = l.current.Load() {
		if !m.closed.Load() && m.retain() == nil { // else m was swapped just now, and closed
			defer m.release()
			m.uses.Add(1)
			defer m.uses.Add(-1)
			return f(m)
		}
		if l.current.Load() == m {
			return ErrClosed // by other means than Swap
		}
	}
	return ErrClosed
}

// Swap makes m the current model, of every Use from now on. The one before is
// closed when the last Use of it has returned; Swap does not wait for that. After
// Close it closes m and returns [ErrClosed]. A nil m is an error and changes nothing.
func (l *Live) Swap(m *Model) error {
	if m == nil {
		return errors.New("there is no model to swap to: use Close to end")
	}
	for before := l.current.Load(); before != nil; before = l.current.Load() {
		if l.current.CompareAndSwap(before, m) {
			if before == m {
				return nil
			}
			return before.Close()
		}
	}
	m.Close()
	return ErrClosed
}

// Close closes the current model when the last Use of it has returned. It may be
// called more than once.
func (l *Live) Close() error {
	if m := l.current.Swap(nil); m != nil {
		return m.Close()
	}
	return nil
}
