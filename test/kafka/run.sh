#!/usr/bin/env bash
# Runs a command against a real Apache Kafka.
#
#   test/kafka/run.sh go test ./bus/...      start a broker, run the command, stop it
#   test/kafka/run.sh start|stop|kill|restart DIR
#   test/kafka/run.sh address DIR            print host:port of the broker in DIR
#
# With OUTCRY_TEST_KAFKA set (host:port) the command runs against that broker and
# nothing is started. Otherwise one KRaft node is made on a free loopback port,
# from the jars that pom.xml names: it needs Maven and Java 17 or later. The
# command finds
#   OUTCRY_TEST_KAFKA          where the broker listens
#   OUTCRY_TEST_KAFKA_RESTART  a command that ends the broker with SIGKILL and
#                              starts it again on the same data
set -euo pipefail
shopt -s inherit_errexit # a failure inside $(…) is a failure

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
jars=${OUTCRY_TEST_KAFKA_JARS:-${XDG_CACHE_HOME:-$HOME/.cache}/outcry/kafka-jars}

fetch() {
	local stamp=$jars/pom.xml
	cmp -s "$here/pom.xml" "$stamp" && return
	rm -rf "$jars"
	mkdir -p "$jars"
	echo "fetching Apache Kafka" >&2
	mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$jars" >&2
	cp "$here/pom.xml" "$stamp"
}

# free_port prints a loopback port that nothing listens on now.
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
	done
}

configure() {
	local dir=$1 broker controller
	broker=$(free_port)
	controller=$(free_port)
	mkdir -p "$dir"
	echo "127.0.0.1:$broker" >"$dir/address"
	cat >"$dir/server.properties" <<-PROPERTIES
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:$controller
		controller.listener.names=CONTROLLER
		listeners=PLAINTEXT://127.0.0.1:$broker,CONTROLLER://127.0.0.1:$controller
		advertised.listeners=PLAINTEXT://127.0.0.1:$broker
		listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
		log.dirs=$dir/data
		offsets.topic.replication.factor=1
		offsets.topic.num.partitions=5
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		broker.session.timeout.ms=2000
		broker.heartbeat.interval.ms=500
		group.initial.rebalance.delay.ms=0
		group.min.session.timeout.ms=500
		auto.create.topics.enable=false
		log.retention.check.interval.ms=1000
		log.segment.delete.delay.ms=1000
	PROPERTIES
	cat >"$dir/log4j2.yaml" <<-LOG4J
		Configuration:
		  Appenders:
		    Console: {name: out, PatternLayout: {pattern: "%d %p %m (%c)%n"}}
		  Loggers:
		    Root: {level: WARN, AppenderRef: {ref: out}}
	LOG4J
	java -cp "$jars/*" -Dlog4j2.configurationFile="$dir/log4j2.yaml" kafka.tools.StorageTool \
		format -t "$(java -cp "$jars/*" -Dlog4j2.configurationFile="$dir/log4j2.yaml" kafka.tools.StorageTool random-uuid)" \
		-c "$dir/server.properties" >"$dir/format.log" 2>&1
}

running() { [[ -e $1/pid ]] && kill -0 "$(cat "$1/pid")" 2>/dev/null; }

start() {
	local dir=$1 address
	fetch
	[[ -e $dir/server.properties ]] || configure "$dir"
	running "$dir" && return
	nohup java -Xms256m -Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -cp "$jars/*" -Dlog4j2.configurationFile="$dir/log4j2.yaml" \
		kafka.Kafka "$dir/server.properties" >>"$dir/broker.log" 2>&1 </dev/null &
	echo $! >"$dir/pid"
	address=$(cat "$dir/address")
	for _ in $(seq 1 300); do
		if (exec 3<>"/dev/tcp/${address/://}") 2>/dev/null; then
			echo "$address"
			return
		fi
		running "$dir" || break
		sleep 0.2
	done
	echo "Apache Kafka did not start:" >&2
	tail -n 20 "$dir/broker.log" >&2
	return 1
}

# halt ends the broker with a signal and waits until it is gone.
halt() {
	local dir=$1 signal=$2
	running "$dir" || { rm -f "$dir/pid"; return 0; }
	kill "-$signal" "$(cat "$dir/pid")"
	for _ in $(seq 1 300); do
		running "$dir" || break
		sleep 0.1
	done
	running "$dir" && kill -KILL "$(cat "$dir/pid")"
	rm -f "$dir/pid"
}

case ${1:-} in
start) start "$2" ;;
stop) halt "$2" TERM ;;
kill) halt "$2" KILL ;;
restart) halt "$2" KILL && start "$2" ;;
address) cat "$2/address" ;;
"")
	sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
	exit 2
	;;
*)
	[[ -n ${OUTCRY_TEST_KAFKA:-} ]] && exec "$@"
	dir=$(mktemp -d)
	trap 'halt "$dir" KILL; rm -rf "$dir"' EXIT
	OUTCRY_TEST_KAFKA=$(start "$dir")
	export OUTCRY_TEST_KAFKA OUTCRY_TEST_KAFKA_RESTART="$here/run.sh restart $dir"
	echo "Apache Kafka listens on $OUTCRY_TEST_KAFKA" >&2
	"$@"
	;;
esac
