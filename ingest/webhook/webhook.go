// Package webhook is the source that others send posts to. A request is one
// document as in ingest.DecodeDocument, an array of them, or NDJSON, signed as
// Standard Webhooks has it (webhook-id, webhook-timestamp, webhook-signature,
// five minutes of tolerance).
//
// Promise: 200 is answered only after Kafka acknowledged every usable document
// of the request. 503 with Retry-After means send it again; sending again never
// counts a post twice, since its id stays the same. 400 means that sending again
// is of no use.
//
// Limits: no TLS of its own. Requests are held in memory, max_requests of
// max_body each.
package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"outcry/ingest"
)

// Deps are what a Webhook works with.
type Deps struct {
	Log     *slog.Logger
	Metrics *Metrics // nil counts nothing
	Name    string   // of the source, for logs and metrics
}

// Webhook is a source and the HTTP handler that feeds it.
type Webhook struct {
	cfg       Config
	log       *slog.Logger
	answered  func(code int)
	verifiers []*standardwebhooks.Webhook
	slots     chan struct{} // one for each request being worked on
	batches   chan ingest.Batch

	server *http.Server
	addr   net.Addr
	cancel context.CancelFunc
	failed chan error
}

// New makes the source; it listens when it is opened.
func New(cfg Config, deps Deps) (*Webhook, error) {
	secrets, err := parseSecrets(cfg.Secret.Reveal())
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", deps.Name, err)
	}
	w := &Webhook{
		cfg: cfg, log: deps.Log.With("component", "webhook", "source", deps.Name), answered: deps.Metrics.source(deps.Name),
		slots: make(chan struct{}, cfg.MaxRequests), batches: make(chan ingest.Batch),
	}
	for _, secret := range secrets {
		v, err := standardwebhooks.NewWebhookRaw(secret)
		if err != nil {
			return nil, fmt.Errorf("webhook %s: %w", deps.Name, err)
		}
		w.verifiers = append(w.verifiers, v)
	}
	return w, nil
}

// Open begins to listen. A webhook has no cursor: who sends keeps what was not
// accepted.
func (w *Webhook) Open(ctx context.Context, _ string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", w.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.addr, w.cancel, w.failed = listener.Addr(), cancel, make(chan error, 1)
	w.server = &http.Server{
		Handler:           w.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      w.cfg.Timeout + 30*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(w.log.Handler(), slog.LevelDebug),
	}
	w.log.Info("listening for posts", "address", w.addr.String(), "path", w.cfg.Path)
	go func(server *http.Server, failed chan<- error) { failed <- server.Serve(listener) }(w.server, w.failed)
	return nil
}

// Addr is where the webhook listens while it is open.
func (w *Webhook) Addr() net.Addr { return w.addr }

// Read waits for a request.
func (w *Webhook) Read(ctx context.Context) (ingest.Batch, error) {
	select {
	case <-ctx.Done():
		return ingest.Batch{}, ctx.Err()
	case err := <-w.failed:
		return ingest.Batch{}, fmt.Errorf("serve: %w", err)
	case b := <-w.batches:
		return b, nil
	}
}

// Close stops listening. Requests that still wait are answered with 503.
func (w *Webhook) Close() error {
	if w.server == nil {
		return nil
	}
	w.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := w.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = w.server.Close()
	}
	w.server = nil
	return err
}

// Handler is what answers requests.
func (w *Webhook) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(w.cfg.Path, w.receive)
	if w.cfg.Path == "/" {
		return mux
	}
	mux.HandleFunc("/", func(rw http.ResponseWriter, _ *http.Request) {
		w.fail(rw, http.StatusNotFound, "posts are received at "+w.cfg.Path)
	})
	return mux
}

// receive answers one request.
func (w *Webhook) receive(rw http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		rw.Header().Set("Allow", http.MethodPost)
		w.fail(rw, http.StatusMethodNotAllowed, "posts are sent with POST")
		return
	}
	if e := req.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		w.fail(rw, http.StatusUnsupportedMediaType, "the body must not be compressed")
		return
	}
	if charset := charset(req.Header.Get("Content-Type")); charset != "" && charset != "utf-8" && charset != "us-ascii" {
		w.fail(rw, http.StatusUnsupportedMediaType, "the body must be UTF-8")
		return
	}
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	default:
		w.busy(rw, "too many requests at once")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, req.Body, int64(w.cfg.MaxBody)))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		w.fail(rw, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", large.Limit))
		return
	case err != nil:
		w.fail(rw, http.StatusBadRequest, "the body cannot be read")
		return
	case !w.signed(body, req.Header):
		w.fail(rw, http.StatusUnauthorized, "the signature is missing, wrong or too old")
		return
	}
	w.accept(rw, req, body)
}

// signed tells whether one of the secrets signed the request.
func (w *Webhook) signed(body []byte, header http.Header) bool {
	for _, v := range w.verifiers {
		if v.Verify(body, header) == nil {
			return true
		}
	}
	return false
}

// accept takes the documents of an authentic request in.
func (w *Webhook) accept(rw http.ResponseWriter, req *http.Request, body []byte) {
	found, err := parse(body, w.cfg.Platform)
	switch {
	case errors.Is(err, errTooMany):
		w.fail(rw, http.StatusRequestEntityTooLarge, err.Error())
		return
	case err != nil:
		w.fail(rw, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(req.Context(), w.cfg.Timeout)
	defer cancel()
	if err := w.submit(ctx, found); err != nil {
		// The reason is ours and is in our log and metrics already.
		w.busy(rw, "the posts could not be stored in time")
		return
	}
	code := http.StatusOK
	if len(found.events) == 0 && len(found.bad) > 0 {
		code = http.StatusBadRequest
	}
	w.answer(rw, code, reply{Accepted: len(found.events), Refused: found.refused})
}

// submit hands documents to the reader of the source and waits until Kafka has
// them.
func (w *Webhook) submit(ctx context.Context, c content) error {
	done := make(chan error, 1)
	b := ingest.Batch{Events: c.events, Bad: c.bad, Ack: func(err error) { done <- err }}
	select {
	case w.batches <- b:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reply is the body of an answer.
type reply struct {
	Accepted int       `json:"accepted"`
	Refused  []refused `json:"refused,omitempty"`
	Error    string    `json:"error,omitempty"`
}

func (w *Webhook) busy(rw http.ResponseWriter, why string) {
	rw.Header().Set("Retry-After", "5")
	w.fail(rw, http.StatusServiceUnavailable, why)
}

func (w *Webhook) fail(rw http.ResponseWriter, code int, why string) {
	w.answer(rw, code, reply{Error: why})
}

func (w *Webhook) answer(rw http.ResponseWriter, code int, r reply) {
	w.answered(code)
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(code)
	// Who has gone away does not hear the answer; the posts are safe either way.
	_ = json.NewEncoder(rw).Encode(r)
}

// charset gives the lower-case charset of a content type, if it names one.
func charset(contentType string) string {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return strings.ToLower(params["charset"])
}
