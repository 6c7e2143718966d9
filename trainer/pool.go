package trainer

import (
	"runtime"
	"sync/atomic"
)

// pool is a worker pool: the caller's goroutine and some others run tasks together.
// The next tasks often come sooner than a sleeping goroutine wakes up, which takes
// about 50 µs, so the workers spin for a while before they sleep.
type pool struct {
	task    func(i int)
	workers int          // goroutines besides the caller's
	next    atomic.Int64 // the tasks below it are not started yet
	left    atomic.Int64 // number of tasks that are not finished yet
	done    chan struct{}
	wake    chan struct{} // closed when the pool is
}

// newPool returns a pool of the given number of goroutines, including the caller's.
func newPool(threads int) *pool {
	p := &pool{workers: threads - 1, done: make(chan struct{}, 1), wake: make(chan struct{}, threads)}
	for range p.workers {
		go p.work()
	}
	return p
}

func (p *pool) close() { close(p.wake) }

// run calls task for 0 to n-1 and returns when all calls have returned.
func (p *pool) run(n int, task func(i int)) {
	p.task = task // workers read it only after they have taken a number below next
	p.left.Store(int64(n))
	p.next.Store(int64(n))
	for range min(n-1, p.workers) {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	p.runTasks()
	p.spin(10, func() bool { return p.left.Load() == 0 })
	<-p.done
}

// runTasks runs tasks until none is left to start.
func (p *pool) runTasks() {
	for {
		i := p.next.Add(-1)
		if i < 0 {
			return
		}
		p.task(int(i))
		if p.left.Add(-1) == 0 {
			p.done <- struct{}{}
		}
	}
}

// work is the loop of a worker.
func (p *pool) work() {
	for range p.wake {
		for again := true; again; again = p.spin(100, func() bool { return p.next.Load() > 0 }) {
			p.runTasks()
		}
	}
}

// spin reports whether the condition became true within about the given number of
// microseconds. It counts rounds, because the clock may stand still.
func (p *pool) spin(microseconds int, condition func() bool) bool {
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
