package client

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	sluicev1 "sluice/api/sluice/v1"
)

// together is how many parts of one read are asked at the same time.
const together = 4

// Rows reads features of entities, over gRPC, and returns one row a key in their order.
// More keys than MaxEntities are read in parts, each from a snapshot of its own; an
// error of one part is the error of the read.
//
// The error is an *Error; of a context that was cancelled, it is that.
func (c *Client) Rows(ctx context.Context, request Request) (*Rows, error) {
	q, err := request.question()
	if err != nil {
		return nil, err
	}
	asked, err := request.entities(q, 0, len(request.Keys))
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.timed(ctx, c.config.Timeout)
	defer cancel()
	rows := make([]Row, len(asked))
	var missing []int
	for i, e := range asked {
		if kept, ok := c.kept.get(q, e, false); ok {
			rows[i] = kept
			rows[i].Key = e.key
		} else {
			missing = append(missing, i)
		}
	}
	if err := c.parts(ctx, q, asked, missing, rows); err != nil {
		return nil, err
	}
	return gather(rows), nil
}

// parts reads the missing ones of asked into rows, as many requests as it takes.
func (c *Client) parts(ctx context.Context, q question, asked []entity, missing []int, rows []Row) error {
	most := c.config.MaxEntities
	if len(missing) == 0 {
		return nil
	}
	if len(missing) <= most {
		return c.part(ctx, q, asked, missing, rows)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(together)
	for part := range slices.Chunk(missing, most) {
		group.Go(func() error { return c.part(ctx, q, asked, part, rows) })
	}
	return group.Wait()
}

// Row reads one entity: Rows of one key.
func (c *Client) Row(ctx context.Context, request Request) (Row, error) {
	if len(request.Keys) != 1 {
		return Row{}, invalid("Rows reads several", "Row takes one key, not %d", len(request.Keys))
	}
	rows, err := c.Rows(ctx, request)
	if err != nil {
		return Row{}, err
	}
	return rows.Rows[0], nil
}

// part reads some of asked into rows: from the server, or from what is kept if none
// answers.
func (c *Client) part(ctx context.Context, q question, asked []entity, part []int, rows []Row) error {
	of := make([]entity, len(part))
	for i, at := range part {
		of[i] = asked[at]
	}
	begun := time.Now()
	got, err := c.read(ctx, q, of)
	switch {
	case err == nil:
		c.kept.put(q, of, got, begun)
	case down(err):
		if got = c.kept.lastGood(q, of); got == nil {
			return err
		}
	default:
		return err
	}
	for i, at := range part {
		rows[at] = got[i]
		rows[at].Key = asked[at].key
	}
	return nil
}

// read asks the server, alone or together with other callers.
func (c *Client) read(ctx context.Context, q question, asked []entity) ([]Row, error) {
	if len(asked) == 1 && c.batcher.on() {
		row, err := c.batcher.read(ctx, q, asked[0])
		return []Row{row}, err
	}
	return c.ask(ctx, q, asked)
}

// ask sends one request, as often as it takes.
func (c *Client) ask(ctx context.Context, q question, asked []entity) ([]Row, error) {
	message, rows := q.message(asked), []Row(nil)
	err := c.try(ctx, c.config.Retry.TryTimeout, func(once context.Context) outcome {
		var trailer metadata.MD
		answer, err := c.reads.GetFeatures(once, message, grpc.Trailer(&trailer))
		if err != nil {
			return judgeGRPC(ctx, "read features", err, trailer)
		}
		rows, err = q.rows(answer, asked)
		return outcome{err: err}
	})
	return rows, err
}

func provenanceOf(p *sluicev1.Provenance) *Provenance {
	return &Provenance{
		Version: p.GetVersion(), Verdict: p.GetVerdict(), Generation: p.GetGeneration(),
		Age: time.Duration(p.GetAgeSeconds() * float64(time.Second)), Stale: p.GetStale(), Fallback: p.GetFallback(), CachedRows: p.GetCachedRows(),
	}
}
