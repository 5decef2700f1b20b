// Package notify tells people and programs of alert changes: one file a
// receiver, and the one place where deliveries are tried again.
//
// Promises: a change counts as told when its receiver accepted it and not
// before; the same change carries the same id in every attempt, so a receiver
// can drop what it has; neither secrets nor addresses, which may hold secrets,
// appear in errors or logs.
//
// Limits: delivery is at least once. What a receiver refuses for good, and what
// it does not accept within the time set, is given up and reported as failed.
package notify
