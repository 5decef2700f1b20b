// Package embedded runs the ClickHouse engine on a machine that has no
// ClickHouse server: libchdb, loaded without a C compiler, in a child process
// behind the ClickHouse HTTP interface. The unmodified driver, curl and any
// other HTTP client of ClickHouse use it as they would use a server.
//
// It promises
//   - that a row is on disk's way when an insert was answered with 200: a crash
//     of the child or of the parent (SIGKILL) loses none of them. Loss of power
//     is another matter: see Config.Fsync;
//   - that an insert whose body ends early, or whose client goes away, inserts
//     nothing (for inserts that the engine takes as one block, see insert.go);
//   - that a crash of the engine never takes the parent with it: the child is
//     started again on the same address, and clients wait meanwhile;
//   - that only holders of the token on this machine reach it, and that their
//     SQL reaches no file, network or program outside the data directory.
//
// It is one node: no replication, no ON CLUSTER, no sessions, no users.
package embedded
