// Package embedded runs the ClickHouse engine on a machine that has no
// ClickHouse server: libchdb, loaded without a C compiler, in a child process
// behind the ClickHouse HTTP interface. The unmodified driver, curl and any
// other HTTP client of ClickHouse use it as they would use a server.
//
// It promises
//   - that a row is stored when its insert was answered with 200: a crash of the
//     child or of the parent (SIGKILL) loses none. Loss of power may, unless the
//     table sets fsync_after_insert and fsync_part_directory;
//   - that an insert whose body breaks off stores nothing (up to a million rows
//     or 256 MB, which the engine takes as one block);
//   - that a crash of the engine never takes the parent with it: the child is
//     started again on the same address, and clients wait meanwhile;
//   - that only holders of the token on this machine reach it, and that SQL
//     with a table function, engine or clause that reaches files, programs or
//     other machines is refused.
//
// It is one node: no replication, no ON CLUSTER, no users, no sessions, no
// external tables in a request, no dictionaries. query_id is told back but the
// engine runs queries under ids of its own.
package embedded
