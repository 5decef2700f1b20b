#!/usr/bin/env bash
# Uses the embedded engine as people do who have never heard of Outcry: with the
# ordinary Python client and with curl, against the real binary.
#
#   test/clients/run.sh [ARGUMENT OF unittest…]
#
# Needs the engine (outcry setup), curl and Python 3.10 or later with its venv
# module; pip fetches the client that requirements.txt pins.
#   OUTCRY_TEST_BINARY  the outcry to use (default bin/outcry)
#
# Exit code 1 when a check fails, or when the program does not start or does not
# stop cleanly.
set -euo pipefail
shopt -s inherit_errexit # a failure inside $(…) is a failure

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
outcry=${OUTCRY_TEST_BINARY:-$here/../../bin/outcry}
dir=$(mktemp -d)
pid=
trap 'stop KILL || true; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM # by way of EXIT

# stop SIGNAL ends the program, waits until it is gone and gives its exit code.
stop() {
	[[ -n $pid ]] || return 0
	local code=0
	kill "-$1" "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || code=$?
	pid=
	return "$code"
}

# die REASON: with the end of the program's log.
die() {
	echo "$1" >&2
	tail -n 20 "$dir/log" >&2
	exit 1
}

start() {
	cat >"$dir/outcry.yaml" <<-CONFIG
		data_dir: $dir/data
		agencies: agencies.yaml
	CONFIG
	cat >"$dir/agencies.yaml" <<-AGENCIES
		agencies:
		  - {id: example-office, name: Example Office, query: "@exampleoffice"}
	AGENCIES
	"$outcry" run --config "$dir/outcry.yaml" --listen 127.0.0.1:0 >"$dir/out" 2>"$dir/log" &
	pid=$!
	for _ in $(seq 1 300); do
		ready && return
		kill -0 "$pid" 2>/dev/null || die "outcry run ended:"
		sleep 0.2
	done
	die "outcry run is not ready after a minute:"
}

# ready: the board answers, and says that all parts are well.
ready() {
	local board
	board=$(sed -n 's,^The board: \(.*[^/]\)/*$,\1,p' "$dir/out")
	[[ -n $board ]] && curl -sf -o "$dir/ready" --max-time 5 "$board/readyz"
}

children() { ps -A -o ppid=,pid= | awk -v parent="$pid" '$1 == parent { print $2 }'; }

# gone waits until no process of a list is left; false if one stays.
gone() {
	for _ in $(seq 1 100); do
		kill -0 "$@" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: -r "$here/requirements.txt"

export no_proxy=127.0.0.1 NO_PROXY=127.0.0.1
start
read -ra engine < <(children | tr '\n' ' ') || true
((${#engine[@]} > 0)) || die "outcry run has no child that could be the engine:"

result=0
OUTCRY_TEST_BINARY=$outcry OUTCRY_TEST_CONFIG=$dir/outcry.yaml OUTCRY_TEST_DATA=$dir/data PYTHONDONTWRITEBYTECODE=1 \
	"$dir/venv/bin/python" "$here/test_clients.py" "$@" || result=1

stop TERM || die "SIGTERM ended outcry run with exit code $?:"
gone "${engine[@]}" || die "the engine's process outlived outcry run:"
[[ ! -e $dir/data/run/kafka.sock ]] || die "the broker left its socket:"
exit "$result"
