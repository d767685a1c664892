#!/usr/bin/env bash
# A real Kafka on 127.0.0.1 without a container engine: fetched where it is missing, its data in DIR.
#
#   kafka.sh start  DIR PORT [OPTION…]   starts one broker, as often as wanted; OPTIONs are its properties, such as
#                                        num.partitions=3
#   kafka.sh stop   DIR PORT             stops it; its data stay
#   kafka.sh kill   DIR PORT             stops it as a crash does (SIGKILL); its data stay
#   kafka.sh status DIR PORT             says whether it answers, and fails where it does not
#   kafka.sh hold   DIR PORT [OPTION…]   starts it and says so; when its input ends, stops it and removes DIR
#
# It is its own controller, on a port between 10000 and 29999 that follows from PORT (9092: 19092). Java and Maven are
# installed where they are missing, the broker comes from Maven Central into RENTALBOOK_ENGINES (by default
# ~/.cache/rentalbook/engines), once. Whoever reaches the port may do anything: only this machine does.
set -euo pipefail

version=4.3.0
beside=$(cd "$(dirname "$0")" && pwd)/kafka
jars=${RENTALBOOK_ENGINES:-$HOME/.cache/rentalbook/engines}/kafka-$version

# shellcheck source=scripts/engines/install.sh
. "$(dirname "$0")/install.sh"

usage() {
    sed -n '2,14s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

is_installed() { command -v java >/dev/null && { [ -d "$jars" ] || command -v mvn >/dev/null; }; }

# Whole, or not there at all; by one of those that want it, while the others wait.
fetch_missing() {
    [ -d "$jars" ] && return
    mkdir -p "$(dirname "$jars")"
    (
        flock 9
        [ -d "$jars" ] && exit 0
        say "fetching Kafka $version"
        rm -rf "$jars.making"
        mvn -B -f "$beside/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
            -DoutputDirectory="$jars.making" >"$jars.log" 2>&1 || {
            grep '^\[ERROR\]' "$jars.log" | head -n 5 >&2
            fail "Maven could not fetch Kafka $version (above: its first errors, all of its words in $jars.log)"
        }
        mv "$jars.making" "$jars"
        rm -f "$jars.log"
    ) 9>"$jars.lock"
}

java_with() { java "-Dlog4j2.configurationFile=$beside/log4j2.properties" "$@"; }

# Ours, and not another process that has got its number meanwhile.
is_running() {
    [ -f "$dir/pid" ] || return 1
    tr '\0' '\n' 2>/dev/null <"/proc/$(cat "$dir/pid")/cmdline" | grep -qxF "$dir/server.properties"
}

port_is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# After a crash the broker is let in again when the session of its former self has ended: 9 s would be the default.
write_properties() {
    local data=$1
    shift
    cat <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
PROPERTIES
    [ $# = 0 ] || printf '%s\n' "$@"
}

make_data() {
    [ -d "$dir/data" ] && return
    rm -rf "$dir/making"
    write_properties "$dir/making" >"$dir/making.properties"
    local id
    id=k$(head -c 16 /dev/urandom | base64 | tr -dc 'A-Za-z0-9' | head -c 9)$(date +%s%N | tail -c 13)
    java_with -cp "$jars/*" kafka.tools.StorageTool format -t "$id" -c "$dir/making.properties" \
        >"$dir/format.log" 2>&1 || fail "the data folder could not be formatted: $(tail -n 3 "$dir/format.log")"
    rm -f "$dir/making.properties"
    # Whole, or not there at all.
    mv "$dir/making" "$dir/data"
}

# A process that is not the broker yet has not failed: it may still be this script's.
wait_until_started() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        kill -0 "$(cat "$dir/pid")" 2>/dev/null || break
        grep -qs 'Kafka Server started' "$dir/server.log" && port_is_open "$port" && return
        sleep 0.1
    done
    local words
    words=$(grep -v '^\s*at ' "$dir/server.log" | tail -n 5) || words="it said nothing"
    is_running && stop KILL
    fail "Kafka did not start: $words"
}

start() {
    ensure_installed "Java 17 or Maven" is_installed default-jdk-headless maven
    fetch_missing
    is_running && { port_is_open "$port" || fail "the broker of $dir runs, but not on port $port"; } && return
    port_is_open "$port" && fail "port $port is taken by somebody else"
    port_is_open "$controller" && fail "port $controller, for the controller of $port, is taken by somebody else"
    mkdir -p "$dir"
    make_data
    write_properties "$dir/data" "$@" >"$dir/server.properties"
    [ ! -f "$dir/server.log" ] || mv "$dir/server.log" "$dir/server.log.old"
    # A session of its own: Ctrl-C is not meant for it.
    (
        cd "$dir"
        exec setsid java -Xmx512m "-Dlog4j2.configurationFile=$beside/log4j2.properties" -cp "$jars/*" \
            kafka.Kafka "$dir/server.properties" </dev/null >"$dir/server.log" 2>&1
    ) &
    echo $! >"$dir/pid"
    # Its end is told by whoever waits for it.
    disown
    wait_until_started
}

stop() {
    is_running || return 0
    local tries
    kill "-$1" "$(cat "$dir/pid")"
    for ((tries = 0; tries < 600; tries++)); do
        # A killed process has lost its name before it has lost its port.
        is_running || port_is_open "$port" || { rm -f "$dir/pid" && return; }
        sleep 0.1
    done
    fail "Kafka of $dir did not stop"
}

hold() {
    # Ctrl-C is for whoever holds the input.
    trap '' INT
    trap 'stop KILL; rm -rf "$dir"' EXIT
    start "$@"
    echo ready
    cat >/dev/null
}

[ $# -ge 3 ] || usage
command=$1 dir=$2 port=$3
shift 3
[[ $dir = /* ]] || dir=$PWD/$dir
[[ $port =~ ^[0-9]+$ ]] || usage
controller=$((10000 + port % 20000))

case $command in
start) start "$@" ;;
stop) stop TERM ;;
kill) stop KILL ;;
status)
    is_running && port_is_open "$port" || fail "Kafka of $dir does not run on port $port"
    echo "Kafka answers on 127.0.0.1:$port, data in $dir"
    ;;
hold) hold "$@" ;;
*) usage ;;
esac
