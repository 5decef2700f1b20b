#!/usr/bin/env bash
# Checks the shipped files of Prometheus and Alertmanager with their own tools,
# tests the rules on invented series, and starts a real Alertmanager on
# loopback that must become ready and take an alert.
#
# Needs promtool, amtool and alertmanager (Debian: prometheus,
# prometheus-alertmanager). Exit code 1 when a check fails.
set -euo pipefail
shopt -s inherit_errexit # a failure inside $(…) is a failure

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
configs=$here/../../configs
dir=$(mktemp -d)
pid=
passed=0 failed=0

stop() {
	[[ -n $pid ]] || return 0
	kill "-$1" "$pid" 2>/dev/null || true
	local code=0
	wait "$pid" 2>/dev/null || code=$?
	pid=
	return "$code"
}
trap 'stop KILL || true; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM # by way of EXIT

# check NAME COMMAND…: one line, and what the command said if it failed.
check() {
	local name=$1
	shift
	if "$@" >"$dir/said" 2>&1; then
		passed=$((passed + 1))
		echo "ok   $name"
	else
		failed=$((failed + 1))
		echo "FAIL $name"
		sed 's/^/     /' "$dir/said"
	fi
}

# free_port prints a loopback port that nothing listens on now.
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
	done
}

# ready waits until the Alertmanager at an address says that it is.
ready() {
	for _ in $(seq 1 150); do
		curl -sf --max-time 5 "$1/-/ready" && return
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.2
	done
	echo "it did not become ready:"
	tail -n 20 "$dir/log"
	return 1
}

# routed: an alert that is sent comes to the receiver that the file names.
routed() {
	amtool --alertmanager.url "$1" alert add OutcryRoleDown role=ingest severity=critical || return 1
	for _ in $(seq 1 100); do
		amtool --alertmanager.url "$1" -o json alert query alertname=OutcryRoleDown >"$dir/alerts" || return 1
		grep -q '"receivers":\[{"name":"operators"}\]' "$dir/alerts" && return
		sleep 0.1
	done
	cat "$dir/alerts"
	return 1
}

stopped() { kill -0 "$pid" && stop TERM; }

for tool in promtool amtool curl; do
	command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 1; }
done
# Debian calls it by a longer name than its makers.
binary=$(command -v alertmanager || command -v prometheus-alertmanager) || { echo "alertmanager is not installed" >&2; exit 1; }

check "prometheus.yml" promtool check config --lint-fatal "$configs/prometheus/prometheus.yml"
check "rules.yml" promtool check rules --lint-fatal "$configs/prometheus/rules.yml"
check "the rules on invented series" promtool test rules "$here/rules_test.yml"
check "alertmanager.yml" amtool check-config "$configs/alertmanager/alertmanager.yml"

export no_proxy=127.0.0.1 NO_PROXY=127.0.0.1
address=127.0.0.1:$(free_port)
"$binary" --config.file="$configs/alertmanager/alertmanager.yml" --storage.path="$dir/data" \
	--web.listen-address="$address" --cluster.listen-address= >"$dir/log" 2>&1 &
pid=$!
check "Alertmanager starts with the file" ready "http://$address"
check "Alertmanager takes and routes an alert" routed "http://$address"
check "Alertmanager stops cleanly" stopped

echo "$passed passed, $failed failed"
((failed == 0))
