package trainer

import (
	"runtime"
	"sync/atomic"
)

// team does jobs on the caller's goroutine and some others. The next jobs often
// come sooner than a sleeping goroutine wakes up, which takes some 50 µs, so that
// they wait for a while before they sleep.
type team struct {
	job    func(i int) // those at hand
	others int
	next   atomic.Int64 // the jobs below it are not yet begun
	left   atomic.Int64 // not yet finished
	done   chan struct{}
	wake   chan struct{} // closed at the end
}

// newTeam returns a team of the given number of goroutines, the caller's among
// them.
func newTeam(threads int) *team {
	t := &team{others: threads - 1, done: make(chan struct{}, 1), wake: make(chan struct{}, threads)}
	for range t.others {
		go t.help()
	}
	return t
}

func (t *team) close() { close(t.wake) }

// run calls job for 0 to n-1.
func (t *team) run(n int, job func(i int)) {
	t.job = job // which others read only once they have begun one
	t.left.Store(int64(n))
	t.next.Store(int64(n))
	for range min(n-1, t.others) {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
	t.work()
	t.await(10, func() bool { return t.left.Load() == 0 })
	<-t.done
}

// work does jobs as long as there are any.
func (t *team) work() {
	for {
		i := t.next.Add(-1)
		if i < 0 {
			return
		}
		t.job(int(i))
		if t.left.Add(-1) == 0 {
			t.done <- struct{}{}
		}
	}
}

func (t *team) help() {
	for range t.wake {
		for again := true; again; again = t.await(100, func() bool { return t.next.Load() > 0 }) {
			t.work()
		}
	}
}

// await tells whether the condition has come true within so many microseconds,
// more or less: the clock may be one that stands still.
func (t *team) await(microseconds int, condition func() bool) bool {
	for range microseconds {
		for range 500 {
			if condition() {
				return true
			}
		}
		runtime.Gosched()
	}
	return false
}
