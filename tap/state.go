package tap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
	"sluice/quality/sketch"
)

// State is what is saved of one source partition, as of one checkpoint: enough for a tap
// to go on from there.
type State struct {
	Topic     string         `json:"topic"`
	Partition int32          `json:"partition"`
	TopicID   string         `json:"topic_id"` // another one: the topic was made anew, and its offsets name other records
	Progress  []byte         `json:"progress"`
	Partials  [][]byte       `json:"partials"` // of the windows that are not judged yet
	IDs       map[int][]byte `json:"ids"`      // segments of accepted event ids by slot
}

// Read returns how far the partition was read, and what it has of each window that is
// not judged yet. The error is ErrCorrupt for what States did not make.
func (s *State) Read() (feature.Progress, []sketch.Partial, error) {
	progress, err := decodeProgress(s.Progress)
	if err != nil {
		return progress.Progress, nil, err
	}
	partials := make([]sketch.Partial, len(s.Partials))
	for i, body := range s.Partials {
		if partials[i], err = decodePartial(body); err != nil {
			return progress.Progress, nil, err
		}
	}
	return progress.Progress, partials, nil
}

// FirstState returns the state of a partition of which nothing was read.
func FirstState(topic string, partition int32, topicID string) State {
	progress, _ := json.Marshal(progressRecord{Progress: feature.Progress{Topic: topic, Partition: partition}, TopicID: topicID}) // always encodes
	return State{Topic: topic, Partition: partition, TopicID: topicID, Progress: progress}
}

// States returns what is saved of every source partition, each as of its newest
// checkpoint at the time of the call.
func (l *Log) States(ctx context.Context) ([]State, error) {
	topic := l.cfg.Topics.Profiles
	counts, err := l.partitions(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("read states: %w", err)
	}
	var all []State
	for p := range counts[topic] {
		found, err := l.statesOf(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("read states of %s/%d: %w", topic, p, err)
		}
		all = append(all, found...)
	}
	ids, err := l.TopicIDs(ctx, topicsOf(all)...)
	if err != nil {
		return nil, fmt.Errorf("read states: %w", err)
	}
	for i := range all {
		all[i].TopicID = ids[all[i].Topic]
	}
	return all, nil
}

func topicsOf(states []State) (names []string) {
	for _, s := range states {
		names = append(names, s.Topic)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TopicIDs returns the ids of topics, by name. One that does not exist is left out, and
// one of a broker that knows no ids has an empty one.
func (l *Log) TopicIDs(ctx context.Context, topics ...string) (map[string]string, error) {
	ids := map[string]string{}
	if len(topics) == 0 {
		return ids, nil
	}
	details, err := l.admin.ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list topics %v: %w", topics, err)
	}
	for name, d := range details {
		switch {
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
		case d.Err != nil:
			return nil, fmt.Errorf("list topic %s: %w", name, d.Err)
		case d.ID == [16]byte{}:
			ids[name] = ""
		default:
			ids[name] = d.ID.String()
		}
	}
	return ids, nil
}

// statesOf reads one partition of the profiles topic.
func (l *Log) statesOf(ctx context.Context, partition int32) ([]State, error) {
	start, end, err := l.bounds(ctx, l.cfg.Topics.Profiles, partition)
	if err != nil {
		return nil, err
	}
	found := map[source]*saved{}
	a := newAssembler()
	err = l.readRange(ctx, l.cfg.Topics.Profiles, partition, start, end, func(r *kgo.Record) error {
		k, err := parseKey(r.Key)
		if err != nil {
			l.foreign.note(r, err)
			return nil
		}
		s := found[k.at]
		if s == nil {
			s = &saved{partials: map[WindowKey]sketch.Partial{}, segments: map[int]piece{}}
			found[k.at] = s
		}
		done, gone, err := a.add(r.Key, r.Value)
		if err != nil {
			return fmt.Errorf("offset %d: %w", r.Offset, err)
		}
		s.apply(done, gone)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var states []State
	for at, s := range found {
		if s.progress == nil {
			continue
		}
		state, err := s.state(at)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		states = append(states, state)
	}
	slices.SortFunc(states, func(a, b State) int {
		return compareSources(source{a.Topic, a.Partition}, source{b.Topic, b.Partition})
	})
	return states, nil
}

// apply takes one step of the assembler in.
func (s *saved) apply(done *covered, gone *WindowKey) {
	if gone != nil {
		delete(s.partials, *gone)
	}
	if done == nil {
		return
	}
	s.progress = &done.progress
	for _, partial := range done.partials {
		s.partials[KeyOf(&partial)] = partial
	}
	maps.Copy(s.segments, done.segments)
}

func compareSources(a, b source) int {
	if a.topic != b.topic {
		if a.topic < b.topic {
			return -1
		}
		return 1
	}
	return int(a.partition) - int(b.partition)
}

func (s *saved) state(at source) (State, error) {
	out := State{Topic: at.topic, Partition: at.partition, IDs: map[int][]byte{}}
	var err error
	if out.Progress, err = json.Marshal(s.progress); err != nil {
		return out, fmt.Errorf("encode progress: %w", err)
	}
	for slot, segment := range s.segments {
		out.IDs[slot] = segment.body
	}
	partials := slices.SortedFunc(maps.Values(s.partials), comparePartials)
	for i := range partials {
		body, err := encodePartial(&partials[i])
		if err != nil {
			return out, err
		}
		out.Partials = append(out.Partials, body)
	}
	return out, nil
}

// PutState makes the taps go on from a state: what is saved of its source partition now
// is replaced, in one transaction, and a tap that owns the partition is fenced. It reads
// again what it had read since, so rows of windows that were judged since must not be
// known to the registry.
func (l *Log) PutState(ctx context.Context, state State) error {
	at := source{state.Topic, state.Partition}
	if err := l.putState(ctx, at, state); err != nil {
		return fmt.Errorf("put state of %s: %w", at, err)
	}
	return nil
}

func (l *Log) putState(ctx context.Context, at source, state State) error {
	progress, err := decodeProgress(state.Progress)
	if err != nil {
		return err
	}
	w, err := newWriter(l.cfg.Brokers, at)
	if err != nil {
		return err
	}
	defer w.close()
	end, err := w.claim(ctx, l.cfg.Topics.Profiles, at)
	if err != nil {
		return err
	}
	before, now, err := l.partialKeys(ctx, at, end)
	if err != nil {
		return err
	}
	if now == nil {
		now = &progressRecord{Base: lostBase()}
	}
	progress.Base = max(progress.Base, now.Base)
	epoch := progress.Base + uint64(end)
	progress.Epoch, progress.Seq, progress.Epochs = epoch, 1, []epochEnd{{epoch, 1}}
	last, err := json.Marshal(progress)
	if err != nil {
		return fmt.Errorf("encode progress: %w", err)
	}
	if err := w.begin(); err != nil {
		return err
	}
	put := func(k stateKey, value []byte) {
		w.put(ctx, &kgo.Record{Topic: l.cfg.Topics.Profiles, Partition: at.partition, Key: k.append(nil), Value: value})
	}
	for _, k := range before {
		put(k, nil)
	}
	if err := putPieces(at, stamp{epoch, 1}, state, put); err != nil {
		return err
	}
	put(stateKey{kind: kindProgress, at: at}, last)
	return w.commit(ctx)
}

// partialKeys returns the keys of all pieces of partials of a source partition, and its
// progress; nil if there is none.
func (l *Log) partialKeys(ctx context.Context, at source, end int64) (keys []stateKey, now *progressRecord, err error) {
	there := map[stateKey]bool{}
	start, _, err := l.bounds(ctx, l.cfg.Topics.Profiles, at.partition)
	if err != nil {
		return nil, nil, err
	}
	err = l.readRange(ctx, l.cfg.Topics.Profiles, at.partition, start, end, func(r *kgo.Record) error {
		k, err := parseKey(r.Key)
		switch {
		case err != nil || k.at != at:
		case k.kind == kindPartial:
			there[k] = r.Value != nil
		case k.kind == kindProgress && r.Value != nil:
			if p, err := decodeProgress(r.Value); err == nil {
				now = &p
			}
		}
		return nil
	})
	maps.DeleteFunc(there, func(_ stateKey, whole bool) bool { return !whole })
	return slices.Collect(maps.Keys(there)), now, err
}

// putPieces writes the partials and the segments of event ids of a state.
func putPieces(at source, when stamp, state State, put func(stateKey, []byte)) error {
	for _, body := range state.Partials {
		partial, err := decodePartial(body)
		if err != nil {
			return err
		}
		k := stateKey{kind: kindPartial, at: at, view: partial.View, start: partial.Window.Start.UnixNano()}
		chunks := slices.Collect(slices.Chunk(body, chunkBytes))
		for i, chunk := range chunks {
			k.part = i
			put(k, piece{when, len(chunks), chunk}.append(nil))
		}
	}
	for slot, body := range state.IDs {
		put(stateKey{kind: kindIDs, at: at, part: slot}, piece{when, 1, body}.append(nil))
	}
	return nil
}
