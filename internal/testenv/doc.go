// Package testenv gives tests the real things to run against: the embedded
// ClickHouse engine and the embedded broker, each in processes of their own
// that can be killed. Where a thing is not on the machine the test is skipped
// and says why; an environment variable makes that a failure instead.
package testenv
