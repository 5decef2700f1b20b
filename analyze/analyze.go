// Package analyze understands posts: it reads batches from the bus, recognises
// language, sentiment, complaint, issues and touch points, stores what it
// found, and only then lets the bus commit.
//
// A batch is done when the store has acknowledged every post of it and every
// message that could not be used has become a dead letter. Until then nothing
// is committed, so a crash repeats the batch; the store counts a post once
// however often it comes. Bad input never stops the stream; a store that is
// down does, until it is back.
package analyze

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"outcry/analyze/sentiment"
	"outcry/internal/config"
	"outcry/post"
)

// Message is one message from the bus.
type Message struct {
	Value     []byte
	Partition int
	Offset    int64
}

// Handler is called with batches of messages, in offset order per partition. A
// nil error means that they may be committed; after an error the same batch
// comes again.
type Handler func(ctx context.Context, batch []Message) error

// Sink stores what was understood. A call stores all of its argument or fails;
// storing the same twice must be the same as once.
type Sink interface {
	InsertMentions(ctx context.Context, mentions []post.Mention) error
	InsertDeletes(ctx context.Context, deletes []post.Post) error
}

// Config configures an Analyzer.
type Config struct {
	Scorer       string        `yaml:"scorer"`        // how sentiment is scored: vader or bayes
	Workers      int           `yaml:"workers"`       // posts understood in parallel; 0: one per processor
	RetryMin     time.Duration `yaml:"retry_min"`     // first pause after the store failed
	RetryMax     time.Duration `yaml:"retry_max"`     // longest pause between attempts
	StoreTimeout time.Duration `yaml:"store_timeout"` // how long one attempt to store a batch may take
}

// DefaultConfig gives the configuration used where none is set.
func DefaultConfig() Config {
	return Config{
		Scorer:       sentiment.Default,
		RetryMin:     200 * time.Millisecond,
		RetryMax:     15 * time.Second,
		StoreTimeout: time.Minute,
	}
}

// maxWorkers bounds the parallelism that may be configured.
const maxWorkers = 256

// Validate implements config.Validator.
func (c Config) Validate() config.Faults {
	var faults config.Faults
	if !slices.Contains(sentiment.Names(), c.Scorer) {
		faults.Add("scorer", "unknown scorer %q: choose one of %s", c.Scorer, strings.Join(sentiment.Names(), ", "))
	}
	if c.Workers < 0 || c.Workers > maxWorkers {
		faults.Add("workers", "must be between 0 (one per processor) and %d", maxWorkers)
	}
	if c.RetryMin <= 0 {
		faults.Add("retry_min", `must be positive, for example "200ms"`)
	}
	if c.RetryMax < c.RetryMin {
		faults.Add("retry_max", "must not be shorter than retry_min (%v)", c.RetryMin)
	}
	if c.StoreTimeout <= 0 {
		faults.Add("store_timeout", `must be positive, for example "1m"`)
	}
	return faults
}

// Deps is what an Analyzer works with.
type Deps struct {
	Log         *slog.Logger
	Metrics     *Metrics // may be nil
	Topic       string   // of the messages, named in dead letters
	Consume     func(ctx context.Context, handle Handler) error
	Sink        Sink
	DeadLetters func(ctx context.Context, letters []post.DeadLetter) error // returns nil only when all are safe
	Enricher    *Enricher
	Now         func() time.Time // nil: time.Now
}

// Analyzer runs the loop.
type Analyzer struct {
	cfg  Config
	deps Deps
	log  *slog.Logger
}

// New makes an Analyzer; it starts nothing.
func New(cfg Config, deps Deps) *Analyzer {
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	return &Analyzer{cfg: cfg, deps: deps, log: deps.Log.With("component", "analyze")}
}

// Run consumes until ctx ends or the consumer fails.
func (a *Analyzer) Run(ctx context.Context) error {
	err := a.deps.Consume(ctx, a.Handle)
	if err == nil || ctx.Err() != nil {
		return nil // what a consumer says while it is being stopped is no news
	}
	return fmt.Errorf("consume posts: %w", err)
}

// Handle understands and stores one batch. It returns nil when the batch may be
// committed, and otherwise only when ctx has ended.
func (a *Analyzer) Handle(ctx context.Context, batch []Message) error {
	start := a.deps.Now()
	b := a.understand(batch)
	a.deps.Metrics.understood(len(batch), a.deps.Now().Sub(start))
	if b.panics > 0 {
		a.log.Error("posts could not be understood: this is a bug, see the dead letters", "posts", b.panics)
	}
	if err := a.persist(ctx, whatLetters, len(b.letters), func(ctx context.Context) error {
		return a.deps.DeadLetters(ctx, b.letters)
	}); err != nil {
		return err
	}
	a.deps.Metrics.deadLettered(b.letters)
	if err := a.persistMentions(ctx, b.mentions); err != nil {
		return err
	}
	a.deps.Metrics.storedMentions(b.mentions, a.deps.Now())
	// Deletes go last: a post and its delete may be in the same batch.
	if err := a.persist(ctx, whatDeletes, len(b.deletes), func(ctx context.Context) error {
		return a.deps.Sink.InsertDeletes(ctx, b.deletes)
	}); err != nil {
		return err
	}
	a.deps.Metrics.storedDeletes(len(b.deletes))
	return nil
}

// leastPart is how many mentions are worth an insert of their own.
const leastPart = 2500

// persistMentions stores mentions in parts at once, as many as there are workers:
// ClickHouse gives an insert one processor. What is stored in which order does
// not matter, since a row carries its version.
func (a *Analyzer) persistMentions(ctx context.Context, mentions []post.Mention) error {
	parts := max(1, min(a.cfg.Workers, len(mentions)/leastPart))
	if parts == 1 {
		return a.persistPart(ctx, mentions)
	}
	var all errgroup.Group
	for part := range slices.Chunk(mentions, (len(mentions)+parts-1)/parts) {
		all.Go(func() error { return a.persistPart(ctx, part) })
	}
	return all.Wait()
}

func (a *Analyzer) persistPart(ctx context.Context, part []post.Mention) error {
	return a.persist(ctx, whatMentions, len(part), func(ctx context.Context) error {
		return a.deps.Sink.InsertMentions(ctx, part)
	})
}

// persist retries what must not be lost until it succeeds or ctx ends.
func (a *Analyzer) persist(ctx context.Context, what string, n int, attempt func(ctx context.Context) error) error {
	if n == 0 {
		return nil
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = a.cfg.RetryMin, a.cfg.RetryMax
	failures := 0
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		ctx, cancel := context.WithTimeout(ctx, a.cfg.StoreTimeout)
		defer cancel()
		return struct{}{}, attempt(ctx)
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, next time.Duration) {
		failures++
		a.deps.Metrics.storeFailed(what)
		a.log.Warn("cannot store, will retry", "what", what, "rows", n, "failures", failures, "retry_in", next, "error", err)
	}))
	if err != nil {
		return fmt.Errorf("store %d %s: %w", n, what, err)
	}
	if failures > 0 {
		a.log.Info("stored after retries", "what", what, "rows", n, "failures", failures)
	}
	return nil
}

// understoodBatch is what became of the messages of a batch, in their order.
type understoodBatch struct {
	mentions []post.Mention
	deletes  []post.Post
	letters  []post.DeadLetter
	panics   int
}

// chunk is how many messages a worker takes at a time: enough to make taking
// them cheap, few enough to share a batch evenly.
const chunk = 64

// understand decodes and enriches a batch in parallel.
func (a *Analyzer) understand(batch []Message) understoodBatch {
	mentions := make([]post.Mention, len(batch))
	letters := make([]*post.DeadLetter, len(batch)) // nil where the mention is good
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(a.cfg.Workers, (len(batch)+chunk-1)/chunk) {
		workers.Go(func() {
			for {
				end := int(next.Add(chunk))
				if end-chunk >= len(batch) {
					return
				}
				for i := end - chunk; i < min(end, len(batch)); i++ {
					letters[i] = a.one(&batch[i], &mentions[i])
				}
			}
		})
	}
	workers.Wait()
	return sortOut(mentions, letters)
}

// sortOut separates posts, deletes and dead letters. It reuses mentions.
func sortOut(mentions []post.Mention, letters []*post.DeadLetter) understoodBatch {
	b := understoodBatch{mentions: mentions[:0]}
	for i := range mentions {
		switch m := &mentions[i]; {
		case letters[i] != nil:
			b.letters = append(b.letters, *letters[i])
			if letters[i].Reason == reasonPanic {
				b.panics++
			}
		case m.Kind == post.KindDelete:
			b.deletes = append(b.deletes, m.Post)
		default:
			b.mentions = append(b.mentions, *m)
		}
	}
	return b
}

// one understands one message, or makes a dead letter of it. A panic, which
// would be a fault of ours that one post has found, costs that post and not the
// stream.
func (a *Analyzer) one(m *Message, mention *post.Mention) (letter *post.DeadLetter) {
	defer func() {
		if r := recover(); r != nil {
			letter = a.letter(m, reasonPanic, fmt.Sprintf("%v\n%s", r, debug.Stack()))
		}
	}()
	if poison := decode(m.Value, &mention.Post); poison != nil {
		return a.letter(m, poison.reason, poison.detail)
	}
	if mention.Kind != post.KindDelete {
		a.deps.Enricher.Enrich(mention)
	}
	return nil
}
