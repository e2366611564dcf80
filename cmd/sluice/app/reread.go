package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/feature"
	"sluice/tap"
)

// RereadOptions say which source partitions are read from the start of the log.
type RereadOptions struct {
	Sources []string // topic/partition
	Force   bool     // also those whose progress is there
	By      string
	Reason  string
	Log     *slog.Logger
}

// ErrSource reports a text that names no source partition.
var ErrSource = errors.New("want TOPIC/PARTITION of a topic of writes")

// ErrHasProgress reports a source partition that taps go on reading where they were.
var ErrHasProgress = errors.New("the progress of the partition is there")

// Reread has source partitions read from the start of the log, as if they never had been:
// what was counted of them is counted again, and what belongs to windows that are judged
// comes late. The platform may run; the taps take it up within seconds. Nothing is changed
// with an error of the first two kinds.
func Reread(ctx context.Context, cfg Config, opts RereadOptions) (err error) {
	p, err := openLedger(ctx, cfg, discard(opts.Log), true)
	defer func() { err = errors.Join(err, p.Close()) }()
	if err != nil {
		return err
	}
	first, err := p.firstStates(ctx, cfg, opts)
	if err != nil {
		return err
	}
	return reread(ctx, p.registry, p.log, first, opts)
}

// reread puts states, and notes before who asked for that: a partition of which only some
// are put is read again without a word otherwise.
func reread(ctx context.Context, log auditLog, taps states, first []tap.State, opts RereadOptions) error {
	asked, err := json.Marshal(map[string]any{"partitions": opts.Sources})
	if err != nil {
		return fmt.Errorf("encode audit row: %w", err)
	}
	row := feature.Audit{At: time.Now().UTC(), By: opts.By, Action: "reread", Reason: opts.Reason, After: asked}
	if err := log.WriteAudit(ctx, row); err != nil {
		return fmt.Errorf("nothing is read again: %w", err)
	}
	for i, state := range first {
		if err := taps.PutState(ctx, state); err != nil {
			return fmt.Errorf("not read again yet: %s; ask for those alone, and leave out what answers that its progress is there; audit row written: %w", strings.Join(opts.Sources[i:], " "), err)
		}
	}
	return nil
}

// auditLog is where people's acts are noted that are no commits.
type auditLog interface {
	WriteAudit(ctx context.Context, row feature.Audit) error
}

// states are where taps go on from.
type states interface {
	PutState(ctx context.Context, state tap.State) error
}

// firstStates returns the states to put, one of each source.
func (p *parts) firstStates(ctx context.Context, cfg Config, opts RereadOptions) (all []tap.State, err error) {
	defs, _, err := p.registry.Definitions(ctx)
	if err != nil {
		return nil, err
	}
	topics := sourceTopics(cfg, &defs)
	counts, err := p.log.Partitions(ctx, topics...)
	if err != nil {
		return nil, err
	}
	ids, err := p.log.TopicIDs(ctx, topics...)
	if err != nil {
		return nil, err
	}
	now, err := p.log.States(ctx)
	if err == nil {
		err = p.own(ctx, now)
	}
	if err != nil {
		return nil, err
	}
	for _, name := range opts.Sources {
		topic, n, _ := strings.Cut(name, "/")
		partition, err := strconv.ParseInt(n, 10, 32)
		if err != nil || partition < 0 || int32(partition) >= counts[topic] {
			return nil, fmt.Errorf("%.64q: %w", name, ErrSource)
		}
		if !opts.Force && slices.ContainsFunc(now, func(s tap.State) bool { return s.Topic == topic && s.Partition == int32(partition) }) {
			return nil, fmt.Errorf("%s: %w", name, ErrHasProgress)
		}
		all = append(all, tap.FirstState(topic, int32(partition), ids[topic]))
	}
	return all, nil
}
