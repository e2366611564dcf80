package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// connection is the flags of every command that asks a server.
type connection struct {
	Server string `help:"Server to ask." default:"http://127.0.0.1:6566" env:"SLUICE_SERVER" placeholder:"URL"`
	Token  string `help:"Token, where the server wants one." env:"SLUICE_TOKEN" placeholder:"TOKEN"`
	Format string `help:"table for people, json for one JSON document." enum:"table,json" default:"table"`
}

// answerError is an error that the server answered.
type answerError struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// Error returns the server's message.
func (e *answerError) Error() string { return e.Message }

// maxAnswer bounds an answer in bytes.
const maxAnswer = 256 << 20

// requestTime bounds a request, beyond what it waits at the server.
const requestTime = time.Minute

// do sends a request and decodes the answer into to, if it is not nil. A body
// that is no []byte is sent as JSON. wait is how long the server may take to find
// news.
func (c *connection) do(ctx context.Context, method, path string, wait time.Duration, body, to any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime+wait)
	defer cancel()
	req, err := c.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return unreachable(c.Server, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer of %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return refused(resp, answer)
	}
	if to == nil {
		return nil
	}
	if err := json.Unmarshal(answer, to); err != nil {
		return fmt.Errorf("answer of %s: %w: is %s a Sluice server?", path, err, c.Server)
	}
	return nil
}

func (c *connection) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	content, ok := body.([]byte)
	if !ok && body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.Server, "/")+path, bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%w: --server %q: %w", errUsage, c.Server, err)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

func unreachable(server string, err error) error {
	var cause *url.Error
	if errors.As(err, &cause) {
		err = cause.Err
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("ask %s: %w: is it running? `sluice run` starts one, --server names another, `sluice doctor` looks closer", server, err)
}

// refused turns an answer that is no success into an error.
func refused(resp *http.Response, answer []byte) error {
	var body struct {
		Error answerError `json:"error"`
	}
	if json.Unmarshal(answer, &body) != nil || body.Error.Message == "" {
		return &answerError{Status: resp.StatusCode, Message: "the server answered " + resp.Status, Hint: "is --server a Sluice server?"}
	}
	body.Error.Status = resp.StatusCode
	return &body.Error
}

func (c *connection) get(ctx context.Context, path string, to any) error {
	return c.do(ctx, http.MethodGet, path, 0, nil, to)
}

func (c *connection) post(ctx context.Context, path string, body, to any) error {
	return c.do(ctx, http.MethodPost, path, 0, body, to)
}

// pages reads a list from page to page until it has limit items; 0 is all of
// them. It returns the last page's object with the items of all.
func (c *connection) pages(ctx context.Context, path string, query url.Values, limit int) (map[string]json.RawMessage, error) {
	query = maps.Clone(query)
	if query == nil {
		query = url.Values{}
	}
	all := []json.RawMessage{}
	for {
		if left := limit - len(all); limit > 0 {
			query.Set("limit", fmt.Sprint(min(left, 1000)))
		}
		page := map[string]json.RawMessage{}
		if err := c.get(ctx, path+"?"+query.Encode(), &page); err != nil {
			return nil, err
		}
		var items []json.RawMessage
		var next string
		if err := errors.Join(json.Unmarshal(page["items"], &items), json.Unmarshal(page["next"], &next)); err != nil {
			return nil, fmt.Errorf("answer of %s: %w", path, err)
		}
		all = append(all, items...)
		if next != "" && (limit == 0 || len(all) < limit) {
			query.Set("after", next)
			continue
		}
		merged, err := json.Marshal(all)
		if err != nil {
			return nil, fmt.Errorf("answer of %s: %w", path, err)
		}
		page["items"] = merged
		return page, nil
	}
}

// viewPath returns the path of a view's endpoint.
func viewPath(view string, parts ...string) string {
	path := "/api/v1/views/" + url.PathEscape(view)
	for _, p := range parts {
		path += "/" + p
	}
	return path
}

// await asks a list to wait for news. That there was none is errNoNews.
func (c *connection) await(ctx context.Context, path string, query url.Values, wait time.Duration) error {
	query = maps.Clone(query)
	query.Set("wait", wait.String())
	err := c.do(ctx, http.MethodGet, path+"?"+query.Encode(), wait, nil, nil)
	var answer *answerError
	if errors.As(err, &answer) && answer.Status == http.StatusRequestTimeout {
		return fmt.Errorf("%s: %w", answer.Message, errNoNews)
	}
	return err
}

var errNoNews = errors.New("nothing to show yet")
