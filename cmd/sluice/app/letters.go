package app

import (
	"context"
	"errors"

	"sluice/feature"
	"sluice/internal/control"
	"sluice/tap"
)

// letters shows the dead letters of the log as the control API does.
type letters struct{ log *tap.Log }

// List lists the letters that filter chooses.
func (l letters) List(ctx context.Context, filter control.LetterFilter, after string, limit int) ([]control.DeadLetter, string, error) {
	found, next, err := l.log.FindLetters(ctx, tap.LetterFilter(filter), after, limit)
	if err != nil {
		return nil, "", letterError(err)
	}
	items := make([]control.DeadLetter, len(found))
	for i := range found {
		items[i] = letterOf(&found[i])
	}
	return items, next, nil
}

// Find returns the letter of a record and where it was sent again.
func (l letters) Find(ctx context.Context, at control.LetterPlace) (control.DeadLetter, []control.LetterPlace, error) {
	found, sent, err := l.log.FindLetter(ctx, tap.Place(at))
	if err != nil {
		return control.DeadLetter{}, nil, letterError(err)
	}
	var replays []control.LetterPlace
	for _, p := range sent {
		replays = append(replays, control.LetterPlace(p))
	}
	return letterOf(&found), replays, nil
}

// Replay sends letters again.
func (l letters) Replay(ctx context.Context, r control.Replay) ([]control.ReplayedLetter, string, error) {
	q := tap.Resend{Filter: tap.LetterFilter(r.Select), After: r.After, Limit: r.Limit, Again: r.Again, DryRun: r.DryRun, By: r.By}
	for _, p := range r.Records {
		q.Places = append(q.Places, tap.Place(p))
	}
	if r.Before != nil {
		q.Before = func(ctx context.Context, letters []tap.ResentLetter) error {
			return r.Before(ctx, replayedLetters(letters))
		}
	}
	result, err := l.log.Resend(ctx, q)
	if err != nil {
		return nil, "", letterError(err)
	}
	return replayedLetters(result.Letters), result.Next, nil
}

func replayedLetters(letters []tap.ResentLetter) []control.ReplayedLetter {
	items := make([]control.ReplayedLetter, len(letters))
	for i, s := range letters {
		items[i] = control.ReplayedLetter{Record: s.Letter.Place().String(), View: s.Letter.View, Reason: s.Letter.Reason, Outcome: string(s.Outcome), Text: s.Text}
		if s.To.Topic != "" && s.To.Offset >= 0 {
			items[i].To = s.To.String()
		}
	}
	return items
}

func letterOf(l *tap.DeadLetter) control.DeadLetter {
	return control.DeadLetter{Topic: l.Topic, Partition: l.Partition, Offset: l.Offset, At: l.At, Received: l.Received, Kind: l.Kind, Reason: l.Reason,
		View: l.View, Feature: l.Feature, Text: l.Text, Bytes: l.Bytes, Size: l.Size, Masked: l.Masked}
}

// letterError turns what a caller can do something about into the contract's answer.
func letterError(err error) error {
	switch {
	case errors.Is(err, tap.ErrCursor):
		return &feature.Error{Code: feature.CodeInvalidArgument, Message: err.Error(), Hint: "pass the `next` of the former answer as after"}
	case errors.Is(err, tap.ErrResending):
		return &feature.Error{Code: feature.CodeConflict, Message: err.Error(), Hint: "wait until the other replay is done, then start yours anew: what was sent is not sent twice"}
	}
	return err
}
