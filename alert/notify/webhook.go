package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"outcry/post"
)

const (
	longestPause = time.Hour // the longest Retry-After that is honoured
	answerLimit  = 64 << 10  // of an answer, that much is read so that the connection can be used again
)

// NewWebhook returns a receiver that posts each change to a URL, signed as
// Standard Webhooks says: webhook-id is the id of the change, the same in every
// attempt; webhook-timestamp is the time of the attempt; webhook-signature is
// an HMAC-SHA256 over both and the body.
//
// The body is {"type": "alert.firing" or "alert.resolved", "timestamp", "data"}
// with the change as data. Redirects are refused. An answer of 2xx accepts the
// change; 408, 429 and 5xx ask for another attempt, any other is permanent.
func NewWebhook(cfg WebhookConfig, now func() time.Time) (Receiver, error) {
	key, err := decodeSecret(cfg.Secret)
	if err != nil {
		return Receiver{}, fmt.Errorf("webhook %s: secret %w", cfg.Name, err)
	}
	signer, err := standardwebhooks.NewWebhookRaw(key)
	if err != nil {
		return Receiver{}, fmt.Errorf("webhook %s: %w", cfg.Name, err)
	}
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return Receiver{}, fmt.Errorf("webhook %s: url is not valid", cfg.Name)
	}
	return Receiver{cfg.Name, &webhook{
		url:    cfg.URL,
		host:   u.Host,
		signer: signer,
		now:    now,
		client: &http.Client{
			Timeout:       cfg.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				MaxIdleConnsPerHost: 1,
				IdleConnTimeout:     time.Minute,
				ForceAttemptHTTP2:   true,
			},
		},
	}}, nil
}

// Webhooks returns the receivers of a configuration that was validated.
func Webhooks(cfg Config, now func() time.Time) ([]Receiver, error) {
	var out []Receiver
	for _, c := range cfg.Webhooks {
		r, err := NewWebhook(c, now)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

type webhook struct {
	url    string
	host   string // all of the address that may be shown
	signer *standardwebhooks.Webhook
	now    func() time.Time
	client *http.Client
}

type webhookBody struct {
	Type      string           `json:"type"`
	Timestamp time.Time        `json:"timestamp"`
	Data      post.AlertChange `json:"data"`
}

func (w *webhook) Notify(ctx context.Context, c post.AlertChange) error {
	req, err := w.request(ctx, c)
	if err != nil {
		return Permanent(fmt.Errorf("build the request: %w", err))
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return fmt.Errorf("post to %s: %w", w.host, withoutURL(err))
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, answerLimit)
	return w.judge(resp)
}

func (w *webhook) request(ctx context.Context, c post.AlertChange) (*http.Request, error) {
	body, err := json.Marshal(webhookBody{"alert." + string(c.State), c.At, c})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return nil, withoutURL(err)
	}
	id, at := c.ID.String(), w.now()
	signature, err := w.signer.Sign(id, at, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "outcry")
	req.Header.Set(standardwebhooks.HeaderWebhookID, id)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return req, nil
}

// judge tells from the answer whether the change was accepted.
func (w *webhook) judge(resp *http.Response) error {
	code := resp.StatusCode
	if code >= 200 && code < 300 {
		return nil
	}
	err := fmt.Errorf("%s answered %d %s", w.host, code, http.StatusText(code))
	switch {
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		if after, ok := retryAfter(resp.Header.Get("Retry-After"), w.now()); ok {
			return later{err, after}
		}
		return err
	case code >= 300 && code < 400:
		return Permanent(fmt.Errorf("%w: redirects are not followed; set the final address", err))
	}
	return Permanent(err)
}

// retryAfter reads the header in both of its forms: seconds or a date.
func retryAfter(v string, now time.Time) (time.Duration, bool) {
	var d time.Duration
	if s, err := strconv.ParseInt(v, 10, 32); err == nil {
		d = time.Duration(s) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(now)
	} else {
		return 0, false
	}
	return min(max(d, 0), longestPause), true
}

// withoutURL takes the address out of an error of net/http.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
