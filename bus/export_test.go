package bus

import "time"

// SetOwnerTimes shortens how long an owner is waited for.
func (c *Client) SetOwnerTimes(session, rebalance, heartbeat time.Duration) {
	c.owner.session, c.owner.rebalance, c.owner.heartbeat = session, rebalance, heartbeat
}
