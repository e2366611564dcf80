package client

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	sluicev1 "sluice/api/sluice/v1"
)

// bulk is how many keys one stream asks for: within max_bulk of the server (100,000),
// and short of its max_body where keys are long.
const bulk = 20_000

// Stream reads as many entities as there are, in parts of up to max_entities rows of the
// server, in the order of the keys. Each part is of one snapshot; two may be of two
// generations. Timeout bounds the wait for each part, ctx the whole. A stream that breaks
// is taken up again behind the last part, within the limits of Retry. An error is the
// last thing that is yielded; the parts before it are good. Nothing is kept of a stream.
func (c *Client) Stream(ctx context.Context, request Request) iter.Seq2[*Rows, error] {
	return func(yield func(*Rows, error) bool) {
		q, err := request.question()
		if err != nil {
			yield(nil, err)
			return
		}
		for from := 0; from < len(request.Keys); from += bulk {
			asked, err := request.entities(q, from, min(from+bulk, len(request.Keys)))
			if err == nil {
				err = c.streamed(ctx, q, asked, yield)
			}
			if errors.Is(err, errLeft) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// errLeft reports that the caller wants no more parts.
var errLeft = errors.New("the reader left")

// streamed reads asked, over as many streams as it takes.
func (c *Client) streamed(ctx context.Context, q question, asked []entity, yield func(*Rows, error) bool) error {
	for len(asked) > 0 {
		done := 0
		err := c.try(ctx, 0, func(ctx context.Context) outcome {
			n, out := c.stream(ctx, q, asked, yield)
			if done = n; n > 0 && out.again {
				return outcome{} // it moved: the rest is a call of its own
			}
			return out
		})
		if err != nil {
			return err
		}
		asked = asked[done:]
	}
	return nil
}

// stream reads parts of asked until it ends, and returns how many rows were taken.
func (c *Client) stream(ctx context.Context, q question, asked []entity, yield func(*Rows, error) bool) (int, outcome) {
	const what = "stream features"
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := &lateError{c.config.Timeout}
	guard := time.AfterFunc(late.most, func() { cancel(late) })
	defer guard.Stop()
	judge := func(err error) outcome {
		if errors.Is(context.Cause(ctx), late) {
			return outcome{err: &Error{Code: "unavailable", Message: what + ": " + late.Error(), Hint: "give it a longer timeout", cause: context.DeadlineExceeded}}
		}
		return judgeGRPC(ctx, what, err, nil)
	}
	from, err := c.reads.StreamFeatures(ctx, q.message(asked))
	if err != nil {
		return 0, judge(err)
	}
	done := 0
	for {
		part, err := from.Recv()
		guard.Stop() // the caller's time is not the server's
		if errors.Is(err, io.EOF) {
			return done, complete(done, len(asked))
		}
		if err != nil {
			return done, judge(err)
		}
		rows, err := q.part(part, asked, done)
		if err != nil {
			return done, outcome{err: err}
		}
		done += len(rows)
		if !yield(gather(rows), nil) {
			return done, outcome{err: errLeft}
		}
		guard.Reset(late.most)
	}
}

// complete is the outcome of a stream that has ended.
func complete(done, want int) outcome {
	if done == want {
		return outcome{}
	}
	return outcome{err: &Error{Code: "internal", Message: "the stream ended before its last row"}}
}

// part reads a part, which begins at row done of asked.
func (q question) part(part *sluicev1.FeaturesPart, asked []entity, done int) ([]Row, error) {
	n := 0
	for _, view := range part.GetRows().GetViews() {
		n = max(n, len(view.GetEventTimes()))
	}
	if part.GetFirst() != uint64(done) || n == 0 || n > len(asked)-done {
		return nil, &Error{Code: "internal", Message: "the stream holds rows that were not asked for"}
	}
	return q.rows(part.GetRows(), asked[done:done+n])
}
