package serving

import (
	"context"
	"sync"
)

// fetchAll reads the chains of all answers. The reads of several views go out at
// once, so that the store sends them together: one after the other, three views of
// an entity cost three round trips (docs/nested.md). All have ended when it returns;
// the error is that of the first read that has one. Views of a group are one read. Of rows
// that are in memory nothing is asked.
func (s *Server) fetchAll(ctx context.Context, answers []*partAnswer) error {
	answers = s.recall(answers)
	switch len(answers) {
	case 0:
		return nil
	case 1:
		return s.fetch(ctx, answers[0])
	}
	reads := s.divide(answers)
	if len(reads) == 1 {
		return s.fetchRead(ctx, reads[0])
	}
	errs := make([]error, len(reads))
	var group sync.WaitGroup
	var panicked any
	var once sync.Once
	for i, read := range reads[1:] {
		group.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					once.Do(func() { panicked = p })
				}
			}()
			errs[i+1] = s.fetchRead(ctx, read)
		})
	}
	func() {
		defer group.Wait()
		errs[0] = s.fetchRead(ctx, reads[0])
	}()
	if panicked != nil {
		panic(panicked) // where the caller's own would be dealt with
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
