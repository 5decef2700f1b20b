//go:build !noengine

package embedded

import (
	"fmt"

	"github.com/ebitengine/purego"
)

// built tells whether this binary can load the engine. Loading needs the
// system's dynamic linker, so a binary that can is not static; the build tag
// noengine makes one that is, for machines with a ClickHouse server.
const built = true

// loadChdb loads the library and takes its signal handlers away: with them a
// recoverable panic of Go hangs the process and SIGTERM does not arrive.
func loadChdb(path string) (*chdb, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load the ClickHouse engine: %w", err)
	}
	var lib chdb
	symbols := []struct {
		name string
		fn   any
	}{
		{"chdb_set_signal_handlers_enabled", &lib.setSignals},
		{"chdb_connect", &lib.connect},
		{"chdb_close_conn", &lib.closeConn},
		{"chdb_query_with_params_n", &lib.query},
		{"chdb_stream_query_with_params_n", &lib.streamQuery},
		{"chdb_stream_fetch_result", &lib.streamFetch},
		{"chdb_stream_cancel_query", &lib.streamCancel},
		{"chdb_stream_insert_with_params_n", &lib.insert},
		{"chdb_stream_append", &lib.insertAppend},
		{"chdb_stream_done", &lib.insertDone},
		{"chdb_stream_cancel_insert", &lib.insertCancel},
		{"chdb_stream_insert_error", &lib.insertError},
		{"chdb_destroy_insert_stream", &lib.insertDestroy},
		{"chdb_classify_query_n", &lib.classify},
		{"chdb_result_buffer", &lib.resultBuffer},
		{"chdb_result_length", &lib.resultLength},
		{"chdb_result_error", &lib.resultError},
		{"chdb_destroy_query_result", &lib.resultDestroy},
		{"chdb_result_rows_read", &lib.resultRowsRead},
		{"chdb_result_bytes_read", &lib.resultBytesRead},
		{"chdb_result_storage_rows_read", &lib.storageRows},
		{"chdb_result_storage_bytes_read", &lib.storageBytes},
		{"chdb_result_rows_written", &lib.rowsWritten},
		{"chdb_result_bytes_written", &lib.bytesWritten},
	}
	for _, s := range symbols {
		address, err := purego.Dlsym(handle, s.name)
		if err != nil {
			return nil, fmt.Errorf("%s lacks the function %s: it is not release %s, which `outcry setup` fetches", path, s.name, Version)
		}
		purego.RegisterFunc(s.fn, address)
	}
	lib.setSignals(0)
	return &lib, nil
}
