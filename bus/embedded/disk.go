package embedded

import (
	"fmt"
	"time"
)

// watchInterval is how often the disk and the readers are looked at. What can be
// published meanwhile, 200 MB at the very most, fits into the default min_free_disk.
const watchInterval = time.Second

// diskWatch refuses publishing while the disk is nearly full. A disk that is
// full in earnest would fail ClickHouse and the commit of offsets too.
type diskWatch struct {
	broker *Broker
	refuse func() (allow func()) // makes the broker refuse, and what ends that
	allow  func()                // set while refusing
}

func (w *diskWatch) check() {
	b := w.broker
	free, err := b.free(b.cfg.Dir)
	if err != nil {
		b.log.Error("cannot tell the free space on the disk", "dir", b.cfg.Dir, "error", err)
		return
	}
	b.metrics.freeBytes.Set(float64(free))
	low := free < uint64(b.cfg.MinFreeDisk)
	switch {
	case low && w.allow == nil:
		err := fmt.Errorf("publishing is refused: %d MiB free on the disk of %s, less than min_free_disk (%s)", free>>20, b.cfg.Dir, b.cfg.MinFreeDisk)
		b.fault.Store(&err)
		b.metrics.refusing.Set(1)
		b.log.Error("disk nearly full, publishing is refused", "free_bytes", free, "min_free_disk", b.cfg.MinFreeDisk.String())
		w.allow = w.refuse()
	case !low && w.allow != nil:
		w.allow()
		w.allow = nil
		b.fault.Store(nil)
		b.metrics.refusing.Set(0)
		b.log.Info("disk has space again, publishing is accepted", "free_bytes", free)
	}
}
