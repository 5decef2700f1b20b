package embedded

import (
	"net/http"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// helloQuery is the first query on each connection of clickhouse-go. The driver
// reads its answer in the newest revision of the Native format it knows, and
// everything after it in the revision that the answer announces.
const helloQuery = "SELECT displayName(), version(), revision(), timezone()"

func (f *front) isHello(q *query) bool {
	return q.revision && strings.EqualFold(q.format, "Native") && strings.TrimSpace(q.sql) == helloQuery
}

// hello announces revision 0, which is what the engine writes: from then on
// nothing has to be transcoded.
func (f *front) hello(w http.ResponseWriter, q *query) error {
	var b proto.Buffer
	b.PutUVarInt(1) // block info: not an overflow row, no bucket
	b.PutBool(false)
	b.PutUVarInt(2)
	b.PutInt32(-1)
	b.PutUVarInt(0)
	b.PutUVarInt(4) // columns
	b.PutUVarInt(1) // rows
	column := func(name, kind string) {
		b.PutString(name)
		b.PutString(kind)
		b.PutBool(false) // no custom serialization
	}
	column("displayName()", "String")
	b.PutString(f.about.name)
	column("version()", "String")
	b.PutString(f.about.version)
	column("revision()", "UInt32")
	b.PutUInt32(0)
	column("timezone()", "String")
	b.PutString(f.about.timezone)
	return q.send(w, "Native", summary{resultRows: 1, resultBytes: uint64(len(b.Buf))}, time.Duration(0), b.Buf)
}
