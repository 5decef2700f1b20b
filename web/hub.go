package web

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"outcry/post"
)

// The names of the events of a live stream.
const (
	eventMention = "mention"
	eventAlert   = "alert"
	eventSummary = "summary"
	eventGap     = "gap" // posts were left out: they are in the store, not in the stream
)

const (
	ringSize  = 1024        // events kept for viewers that reconnect
	queueSize = 16          // batches a viewer may be behind before it is cut off
	lingering = time.Minute // how long the store is followed for viewers that may come back
)

// event is one event of the live stream, encoded once for all viewers.
type event struct {
	id       cursor
	name     string
	data     []byte
	agencies []string // for filters; none concerns everybody
	issues   []string
	key      feedKey // of a mention
}

// feedKey tells versions of stored posts apart.
type feedKey struct {
	key     post.Key
	version int64
}

// position is a place in what the store holds: how a viewer that comes back to
// another process, or late, is served. Zero is not known.
type position struct {
	stored  int64 // milliseconds since 1970
	key     post.Key
	alertAt int64 // milliseconds since 1970
}

// filter is what one viewer wants to see.
type filter struct{ agency, issue string }

func (f filter) wants(e *event) bool {
	if f.agency != "" && len(e.agencies) > 0 && !slices.Contains(e.agencies, f.agency) {
		return false
	}
	return f.issue == "" || e.name != eventMention || slices.Contains(e.issues, f.issue)
}

// viewer is one live stream.
type viewer struct {
	filter filter
	queue  chan []event
	gone   chan struct{} // closed when the viewer is cut off
}

// hub hands each event to every viewer, and waits for none.
type hub struct {
	most    int
	metrics *Metrics

	mu      sync.Mutex
	epoch   string // changes whenever the ring starts anew
	next    uint64
	ring    []event // the latest events, by seq
	pos     position
	viewers map[*viewer]struct{}
	left    time.Time // when the last viewer left
	closed  bool
}

var (
	errFull   = errors.New("too many viewers")
	errClosed = errors.New("the board is stopping")
)

func newHub(most int, metrics *Metrics) *hub {
	return &hub{most: most, metrics: metrics, viewers: make(map[*viewer]struct{}), epoch: newEpoch(), next: 1}
}

func newEpoch() string { return strings.ToLower(rand.Text()[:8]) }

// joined is a viewer at the moment it joined.
type joined struct {
	*viewer
	at      cursor  // where the stream is
	backlog []event // what the ring holds after the cursor that was asked for
	exact   bool    // the ring reaches back to it; otherwise ask the store
}

// join adds a viewer that has seen everything up to last. The first viewer
// after a while starts the ring anew: nobody followed the store meanwhile.
func (h *hub) join(f filter, last cursor, now time.Time) (joined, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return joined{}, errClosed
	}
	if len(h.viewers) >= h.most {
		h.metrics.viewerCut(cutFull)
		return joined{}, errFull
	}
	if !h.isWatched(now) {
		h.epoch, h.ring, h.pos = newEpoch(), nil, position{}
	}
	v := &viewer{filter: f, queue: make(chan []event, queueSize), gone: make(chan struct{})}
	h.viewers[v] = struct{}{}
	h.metrics.viewerCount(len(h.viewers))
	j := joined{viewer: v, at: h.here()}
	oldest := h.next - uint64(len(h.ring))
	if last.epoch == h.epoch && last.seq+1 >= oldest && last.seq < h.next {
		j.exact, j.backlog = true, v.pick(h.ring[last.seq+1-oldest:])
	}
	return j, nil
}

// here is the id of the latest event.
func (h *hub) here() cursor { return cursor{h.epoch, h.next - 1, h.pos} }

func (v *viewer) pick(events []event) []event {
	var out []event
	for i := range events {
		if v.filter.wants(&events[i]) {
			out = append(out, events[i])
		}
	}
	return out
}

// leave removes a viewer; one that was cut off already is gone.
func (h *hub) leave(v *viewer, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.viewers[v]; !ok {
		return
	}
	h.remove(v)
	h.left = now
}

func (h *hub) remove(v *viewer) {
	delete(h.viewers, v)
	close(v.gone)
	h.metrics.viewerCount(len(h.viewers))
}

// publish gives events, which happened at the places their ids name in the
// store, to every viewer that wants them, and keeps them for viewers that come
// back.
func (h *hub) publish(now time.Time, events ...event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range events {
		h.pos = h.pos.after(events[i].id.pos)
		events[i].id = cursor{h.epoch, h.next, h.pos}
		h.next++
		h.metrics.event(events[i].name)
	}
	h.ring = append(h.ring, events...)
	if extra := len(h.ring) - ringSize; extra > 0 {
		h.ring = append(h.ring[:0:0], h.ring[extra:]...)
	}
	h.send(now, events)
}

// announce gives an event that replaces all earlier ones of its name: it is not
// kept, and a viewer that comes back is given the latest anyway.
func (h *hub) announce(now time.Time, e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.id = h.here()
	h.metrics.event(e.name)
	h.send(now, []event{e})
}

// send queues events for every viewer. A viewer whose queue is full is cut off:
// it reconnects and resumes, and nobody waited for it.
func (h *hub) send(now time.Time, events []event) {
	for v := range h.viewers {
		batch := v.pick(events)
		if len(batch) == 0 {
			continue
		}
		select {
		case v.queue <- batch:
		default:
			h.metrics.viewerCut(cutSlow)
			h.remove(v)
			h.left = now
		}
	}
}

// place says where in the store the stream begins.
func (h *hub) place(pos position) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pos = h.pos.after(pos)
}

// after is the later of both places, each coordinate by itself.
func (p position) after(q position) position {
	if q.stored > p.stored || q.stored == p.stored && q.key > p.key {
		p.stored, p.key = q.stored, q.key
	}
	p.alertAt = max(p.alertAt, q.alertAt)
	return p
}

// watched tells whether somebody watches, or did within the last minute and
// may come back.
func (h *hub) watched(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.isWatched(now)
}

func (h *hub) isWatched(now time.Time) bool {
	return len(h.viewers) > 0 || !h.left.IsZero() && now.Sub(h.left) < lingering
}

// close sends every viewer away and takes no more.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for v := range h.viewers {
		h.remove(v)
	}
}

// cursor is the id of an event: where a viewer is. Within the ring the
// sequence number is exact; otherwise the position in the store counts.
type cursor struct {
	epoch string
	seq   uint64
	pos   position
}

// storeEpoch marks ids of events that were read from the store for one viewer.
const storeEpoch = "store"

func (c cursor) String() string {
	return fmt.Sprintf("%s.%d.%d.%d.%d", c.epoch, c.seq, c.pos.stored, uint64(c.pos.key), c.pos.alertAt)
}

// parseCursor reads a Last-Event-ID. What a browser sends back is ours; anything
// else is refused.
func parseCursor(s string) (cursor, error) {
	bad := fmt.Errorf("Last-Event-ID %.80q is not an id of this stream", s) //nolint:staticcheck // the name of a header
	parts := strings.Split(s, ".")
	if len(s) > 120 || len(parts) != 5 {
		return cursor{}, bad
	}
	var n [4]uint64
	for i, p := range parts[1:] {
		v, err := strconv.ParseUint(p, 10, 64)
		if err != nil {
			return cursor{}, bad
		}
		n[i] = v
	}
	const farFuture = 1 << 43 // milliseconds: the year 2248
	if n[1] > farFuture || n[3] > farFuture {
		return cursor{}, bad
	}
	return cursor{parts[0], n[0], position{int64(n[1]), post.Key(n[2]), int64(n[3])}}, nil
}
