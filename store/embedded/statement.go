package embedded

import (
	"strings"

	"github.com/ClickHouse/ch-go/proto"
)

// insertion is an INSERT whose data follows the statement.
type insertion struct {
	head   string // the statement up to FORMAT or VALUES
	format string
	data   int // where the data begins in the text
}

// splitInsert splits an INSERT from its data. It is false for every other
// statement, and for an INSERT that brings no data of its own (SELECT).
func splitInsert(sql string) (insertion, bool) {
	l := lexer{sql: sql}
	t, ok := l.next()
	if !ok || !t.is("INSERT") {
		return insertion{}, false
	}
	if t, ok = l.next(); ok && t.is("INTO") {
		t, ok = l.next()
	}
	if ok && t.is("TABLE") {
		t, ok = l.next()
	}
	if !ok || t.kind == tokenSign {
		return insertion{}, false
	}
	t, ok = skipName(&l)
	for depth := 0; ok; t, ok = l.next() {
		switch {
		case t.sign('('):
			depth++
		case t.sign(')'):
			depth--
		case depth > 0:
		case t.is("SELECT"), t.is("WITH"), t.is("WATCH"), t.is("INFILE"):
			return insertion{}, false
		case t.is("VALUES"):
			return insertion{head: sql[:t.start], format: "Values", data: t.end}, true
		case t.is("FORMAT"):
			name, ok := l.next()
			if !ok || name.kind != tokenWord {
				return insertion{}, false
			}
			return insertion{head: sql[:t.start], format: name.text, data: dataStart(sql, name.end)}, true
		}
	}
	return insertion{}, false
}

// skipName goes past the rest of a name such as db.table, whose first part was
// read, and returns the token after it. So a table may be called values.
func skipName(l *lexer) (token, bool) {
	t, ok := l.next()
	for ok && t.sign('.') {
		if _, ok = l.next(); ok {
			t, ok = l.next()
		}
	}
	return t, ok
}

// dataStart is where data begins after the name of its format: past blanks and
// one line end, as on a server.
func dataStart(sql string, pos int) int {
	for pos < len(sql) && (sql[pos] == ' ' || sql[pos] == '\t' || sql[pos] == '\f') {
		pos++
	}
	if pos < len(sql) && sql[pos] == ';' {
		pos++
	}
	if pos < len(sql) && sql[pos] == '\r' {
		pos++
	}
	if pos < len(sql) && sql[pos] == '\n' {
		pos++
	}
	return pos
}

// statement is what has to be known of a statement before it runs.
type statement struct {
	selects bool   // its result may be fetched piece by piece
	format  string // of its FORMAT clause, or empty
}

// inspect reads a statement, and refuses what reaches out of the engine.
func (g *guard) inspect(sql string) (statement, error) {
	var st statement
	var first, previous token
	depth := 0
	l := lexer{sql: sql}
	for n := 0; ; n++ {
		t, ok := l.next()
		if !ok {
			return st, nil
		}
		if n == 0 {
			first = t
		}
		if t.sign('(') && n == 0 || t.is("SELECT") && n == 0 || t.is("WITH") && n == 0 {
			st.selects = true
		}
		if err := g.check(first, previous, t); err != nil {
			return st, err
		}
		switch {
		case t.sign('('):
			depth++
		case t.sign(')'):
			depth--
		case depth == 0 && previous.is("FORMAT") && t.kind == tokenWord:
			st.format = t.text
		}
		// ENGINE = Name reads like ENGINE Name.
		if !(previous.is("ENGINE") && t.sign('=')) {
			previous = t
		}
	}
}

// guard knows the names in SQL that reach files, programs or other machines.
// It is a second lock behind the token: it reads tokens, not meaning, so a
// table that is called like a refused function has to be quoted differently or
// renamed.
type guard struct {
	functions map[string]bool // refused when called, in lower case
	engines   map[string]bool // refused after ENGINE, in lower case
}

// Table functions and engines that stay inside the engine. All others the
// engine has are refused, those of later releases too.
const (
	insideFunctions = "dictionary format fuzzJSON generateRandom generateSeries generate_series input loop merge mergeTreeIndex mergeTreeProjection mergeTreeTextIndex null numbers numbers_mt primes SQLStandardValues values view viewExplain viewIfPermitted zeros zeros_mt"
	insideEngines   = "AggregatingMergeTree Alias Atomic Buffer CoalescingMergeTree CollapsingMergeTree Dictionary GenerateRandom GraphiteMergeTree Join Log MaterializedView Memory Merge MergeTree Null ReplacingMergeTree Set StripeLog SummingMergeTree TinyLog VersionedCollapsingMergeTree View WindowView"
	// Not table functions, but they reach out as well: reading a file, a model,
	// another server's columns, a disk made up in a setting, a dictionary's source.
	outsideFunctions = "file catboostEvaluate hasColumnInTable disk source"
)

func newGuard(functions, engines []string) *guard {
	return &guard{
		functions: refusedNames(append(functions, strings.Fields(outsideFunctions)...), insideFunctions),
		engines:   refusedNames(engines, insideEngines),
	}
}

func refusedNames(all []string, inside string) map[string]bool {
	refused := make(map[string]bool, len(all))
	for _, name := range all {
		refused[strings.ToLower(name)] = true
	}
	for name := range strings.FieldsSeq(inside) {
		delete(refused, strings.ToLower(name))
	}
	return refused
}

// check refuses the token t after previous in a statement that begins with
// first.
func (g *guard) check(first, previous, t token) error {
	name := strings.ToLower(previous.text)
	switch {
	case t.sign('(') && previous.kind == tokenQuoted && strings.Contains(name, `\`):
		return refuse(proto.ErrAccessDenied, "the function %s is refused: its name is written with escapes", previous.text)
	case t.sign('(') && previous.kind != tokenString && g.functions[name]:
		// A backup goes to the one directory the engine allows.
		if name == "file" && (first.is("BACKUP") || first.is("RESTORE")) {
			return nil
		}
		return refuse(proto.ErrAccessDenied, "%s() reaches outside the embedded engine and is refused", previous.text)
	case previous.is("ENGINE") && t.kind != tokenSign && g.engines[strings.ToLower(t.text)]:
		return refuse(proto.ErrAccessDenied, "engine %s reaches outside the embedded engine and is refused", t.text)
	case previous.is("INTO") && t.is("OUTFILE"), previous.is("FROM") && t.is("INFILE"):
		return refuse(proto.ErrAccessDenied, "%s is refused by the embedded engine", t.text)
	case first.is("SYSTEM") && previous.is("SYSTEM") && (t.is("SHUTDOWN") || t.is("KILL")):
		return refuse(proto.ErrAccessDenied, "SYSTEM %s is refused by the embedded engine", t.text)
	}
	return nil
}
