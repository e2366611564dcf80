package notify

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
)

// Secret is a text that no log and no formatted text shows.
type Secret string

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[secret]"
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Config says where messages go.
type Config struct {
	Token   Secret // Slack bot token, from the environment; empty: events go to the log
	Channel string // id or name of the Slack channel
	BaseURL string // of Sluice as people reach it, for links; empty: no links
	APIURL  string // of Slack's API with a slash at its end; empty: Slack's own
}

// Validate returns every problem of c, joined, each with its key and value.
func (c Config) Validate() error {
	var errs []error
	if c.Token != "" && c.Channel == "" {
		errs = append(errs, errors.New("slack.channel: empty although a token is set"))
	}
	if u, err := url.Parse(c.BaseURL); c.BaseURL != "" && (err != nil || u.Host == "") {
		errs = append(errs, fmt.Errorf("base URL: %q is no URL with a host", c.BaseURL))
	}
	return errors.Join(errs...)
}
