package embedded

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// phases tells people how far a long job is: a bar on a terminal, a line at the
// beginning and the end of each phase anywhere else.
type phases struct {
	w        io.Writer
	terminal bool
}

func newPhases(w io.Writer) *phases {
	f, ok := w.(*os.File)
	return &phases{w: w, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

func (p *phases) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

// phase is one step of the job. Its methods are called from one goroutine.
type phase struct {
	out     *phases
	title   string
	bar     *progressbar.ProgressBar // nil without a terminal
	written int64
	begun   time.Time
}

// start begins a phase of total bytes; 0 means that the total is unknown.
func (p *phases) start(title string, total int64) *phase {
	ph := &phase{out: p, title: title, begun: time.Now()}
	if !p.terminal {
		if total > 0 {
			p.line("%s (%d MB)", title, total>>20)
		} else {
			p.line("%s", title)
		}
		return ph
	}
	if total == 0 {
		total = -1 // a spinner
	}
	ph.bar = progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(p.w),
		progressbar.OptionSetDescription(title),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetWidth(24),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
	return ph
}

// Write counts bytes that went by.
func (ph *phase) Write(p []byte) (int, error) {
	ph.written += int64(len(p))
	ph.set(ph.written)
	return len(p), nil
}

// set shows that n bytes of the phase are done.
func (ph *phase) set(n int64) {
	if ph.bar != nil {
		// The end of the phase is told by done, whatever the sizes say.
		if total := ph.bar.GetMax64(); total > 0 {
			n = min(n, total-1)
		}
		_ = ph.bar.Set64(n)
	}
}

// watch shows the growing size until the returned function is called, which
// waits for the last look.
func (ph *phase) watch(size func() int64) (stop func()) {
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				ph.set(size())
			}
		}
	}()
	return func() { close(quit); <-gone }
}

func (ph *phase) done() {
	ph.clear()
	ph.out.line("%s: done in %.1f s", ph.title, time.Since(ph.begun).Seconds())
}

func (ph *phase) fail() {
	ph.clear()
	ph.out.line("%s: failed after %.1f s", ph.title, time.Since(ph.begun).Seconds())
}

func (ph *phase) clear() {
	if ph.bar != nil {
		_ = ph.bar.Clear()
	}
}
