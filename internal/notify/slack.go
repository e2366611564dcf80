package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/slack-go/slack"
)

// errGone reports a message that somebody deleted: it can only be sent anew.
var errGone = errors.New("message is gone")

// maxRetries is how often one call is tried again after 429 or a broken
// connection, waiting as long as Slack asks for.
const maxRetries = 3

// ref names a message that was sent.
type ref struct{ channel, timestamp string }

// slackChannel is one Slack channel.
type slackChannel struct {
	client  *slack.Client
	channel string
	token   Secret
}

func newSlackChannel(cfg Config) *slackChannel {
	retry := slack.DefaultRetryConfig()
	retry.MaxRetries = maxRetries
	retry.RetryAfterJitter = 0 // one sender a channel
	retry.Handlers = slack.AllBuiltinRetryHandlers(retry)
	options := []slack.Option{slack.OptionRetryConfig(retry)}
	if cfg.APIURL != "" {
		options = append(options, slack.OptionAPIURL(cfg.APIURL))
	}
	return &slackChannel{client: slack.New(string(cfg.Token), options...), channel: cfg.Channel, token: cfg.Token}
}

// post sends a new message.
func (s *slackChannel) post(ctx context.Context, m message) (ref, error) {
	channel, timestamp, err := s.client.PostMessageContext(ctx, s.channel, options(m)...)
	return ref{channel, timestamp}, s.wrap("post message", err)
}

// update replaces a message.
func (s *slackChannel) update(ctx context.Context, r ref, m message) error {
	_, _, _, err := s.client.UpdateMessageContext(ctx, r.channel, r.timestamp, options(m)...)
	return s.wrap("update message", err)
}

// reply sends a message into the thread of another.
func (s *slackChannel) reply(ctx context.Context, r ref, m message) error {
	_, _, err := s.client.PostMessageContext(ctx, r.channel, append(options(m), slack.MsgOptionTS(r.timestamp))...)
	return s.wrap("reply in thread", err)
}

func options(m message) []slack.MsgOption {
	return []slack.MsgOption{
		slack.MsgOptionText(m.text, true), slack.MsgOptionBlocks(m.blocks...),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
}

// wrap names the operation, and leaves the token out of whatever the error says.
func (s *slackChannel) wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	var answer slack.SlackErrorResponse
	if errors.As(err, &answer) && (answer.Err == "message_not_found" || answer.Err == "thread_not_found") {
		return fmt.Errorf("%s in %s: %w", operation, s.channel, errGone)
	}
	if strings.Contains(err.Error(), string(s.token)) {
		return fmt.Errorf("%s in %s: %s", operation, s.channel, strings.ReplaceAll(err.Error(), string(s.token), s.token.String()))
	}
	return fmt.Errorf("%s in %s: %w", operation, s.channel, err)
}
