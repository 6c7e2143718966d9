package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// signalled is the error of work that a signal ended.
type signalled struct{ os.Signal }

func (s signalled) Error() string { return fmt.Sprintf("interrupted by a signal (%v)", s.Signal) }

// status is the exit status of a process that the signal ends, as a shell has it.
func (s signalled) status() int {
	if n, ok := s.Signal.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return 1
}

// untilSignal returns a context that Ctrl-C, SIGTERM and the end of the terminal end,
// with a signalled for its cause. A second signal ends the process at once.
func untilSignal(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(signalled{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}
