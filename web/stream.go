package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"outcry/post"
)

const (
	heartbeat     = 15 * time.Second // proxies and viewers must hear that the stream lives
	writeTimeout  = 10 * time.Second // a viewer that reads nothing for so long is cut off
	resumePage    = 500
	resumePages   = 10 // how much of the store one returning viewer may ask for
	streamPattern = "/api/v1/stream"
)

// stream serves live events. A Last-Event-ID resumes where the viewer was.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	p := newParams(r.URL.Query(), s.names)
	f := filter{agency: p.agency(false), issue: p.issue()}
	if err := p.done(); err != nil {
		writeError(w, err)
		return
	}
	var last cursor
	id := r.Header.Get("Last-Event-ID")
	if id != "" {
		var err error
		if last, err = parseCursor(id); err != nil {
			writeError(w, badRequest("invalid_cursor", "%s", err))
			return
		}
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream")
		return
	}
	j, err := s.hub.join(f, last, s.now())
	if err != nil {
		w.Header().Set("Retry-After", "10")
		writeError(w, &apiError{http.StatusServiceUnavailable, "busy", "no more viewers: " + err.Error()})
		return
	}
	defer func() { s.hub.leave(j.viewer, s.now()) }()
	if err := s.serveStream(w, r, f, j, last); errors.Is(err, os.ErrDeadlineExceeded) {
		s.deps.Metrics.viewerCut(cutSlow)
	}
}

// serveStream brings a viewer up to date and keeps it so. It ends with an error
// when the viewer does not read, and with nil when it left or was sent away.
func (s *Server) serveStream(w http.ResponseWriter, r *http.Request, f filter, j joined, last cursor) error {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Accel-Buffering", "no")
	out := &eventWriter{w: w, control: http.NewResponseController(w)}
	hello := newEvent(eventSummary, s.overview.get(r.Context()))
	fresh := last == cursor{}
	if fresh {
		hello.id = j.at
	}
	if err := out.open(hello); err != nil {
		return err
	}
	sent := map[feedKey]bool{}
	if !fresh && !j.exact {
		j.backlog = s.missed(r.Context(), f, last.pos)
		for i := range j.backlog {
			sent[j.backlog[i].key] = j.backlog[i].name == eventMention
		}
	}
	if err := out.write(j.backlog...); err != nil {
		return err
	}
	return relay(r.Context(), j.viewer, out, sent)
}

// relay passes on events, without the mentions that were sent before, until
// the viewer leaves, is cut off, or does not read.
func relay(ctx context.Context, v *viewer, out *eventWriter, sent map[feedKey]bool) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-v.gone:
			return nil
		case <-beat.C:
			err = out.comment("alive")
		case batch := <-v.queue:
			kept := batch[:0:0]
			for i := range batch {
				if batch[i].name != eventMention || !sent[batch[i].key] {
					kept = append(kept, batch[i])
				}
			}
			err = out.write(kept...)
		}
		if err != nil {
			return err
		}
	}
}

// missed reads from the store what happened after pos. When that is more than
// one viewer may ask for, a gap takes the place of the rest.
func (s *Server) missed(ctx context.Context, f filter, pos position) []event {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var out []event
	add := func(e event) {
		e.id.epoch = storeEpoch
		pos = pos.after(e.id.pos)
		e.id.pos = pos
		if f.wants(&e) {
			out = append(out, e)
		}
	}
	if pos.alertAt > 0 {
		log, err := s.deps.Store.AlertLog(ctx, time.UnixMilli(pos.alertAt))
		if err != nil {
			s.readFailed(ctx, readAlerts, err)
			add(gapEvent(pos))
		}
		for _, c := range log {
			if c.At.UnixMilli() > pos.alertAt {
				add(s.alertEvent(c))
			}
		}
	}
	after := post.MentionCursor{StoredAt: time.UnixMilli(pos.stored), Key: pos.key}
	for range resumePages {
		if pos.stored == 0 {
			break // where the viewer was is not known
		}
		rows, err := s.deps.Store.Mentions(ctx, post.MentionQuery{Agency: f.agency, Issue: f.issue, After: &after, Limit: resumePage})
		if err != nil {
			s.readFailed(ctx, readMentions, err)
			break
		}
		if len(rows) == 0 {
			return out
		}
		for i := range rows {
			add(s.mentionEvent(&rows[i]))
			after = post.MentionCursor{StoredAt: rows[i].StoredAt, Key: rows[i].Key}
		}
	}
	add(gapEvent(pos))
	return out
}

// eventWriter writes server-sent events with a deadline for each write.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buf     bytes.Buffer
}

// open starts the stream and tells the browser how soon to reconnect.
func (o *eventWriter) open(hello event) error {
	o.buf.WriteString("retry: 2000\n\n")
	return o.write(hello)
}

func (o *eventWriter) write(events ...event) error {
	for i := range events {
		e := &events[i]
		if e.id.epoch != "" {
			fmt.Fprintf(&o.buf, "id: %s\n", e.id)
		}
		fmt.Fprintf(&o.buf, "event: %s\ndata: %s\n\n", e.name, e.data)
	}
	return o.flush()
}

func (o *eventWriter) comment(text string) error {
	fmt.Fprintf(&o.buf, ": %s\n\n", text)
	return o.flush()
}

func (o *eventWriter) flush() error {
	if o.buf.Len() == 0 {
		return nil
	}
	// Deadlines are of the network's clock, not of the clock that is injected.
	if err := o.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("set a write deadline: %w", err)
	}
	_, err := o.w.Write(o.buf.Bytes())
	o.buf.Reset()
	if err != nil {
		return fmt.Errorf("write to a viewer: %w", err)
	}
	return o.control.Flush()
}
