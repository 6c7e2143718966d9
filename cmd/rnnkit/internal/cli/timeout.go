package cli

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// waitFor returns what f returns. It is an error if ctx is done first, or was what ended
// f. In the first case f goes on and nobody waits for it: a call into ONNX Runtime, which
// no context ends, does not keep the command from ending.
func waitFor[T any](ctx context.Context, what string, f func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		value, err := f()
		answered <- answer{value, err}
	}()
	select {
	case a := <-answered:
		if ctx.Err() == nil || !errors.Is(a.err, ctx.Err()) {
			return a.value, a.err
		}
	case <-ctx.Done():
	}
	var none T
	return none, fmt.Errorf("%s is broken off: %w", what, context.Cause(ctx))
}

// withTimeout returns a context whose cause says that the time is up.
func withTimeout(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it takes longer than %v", timeout))
}
