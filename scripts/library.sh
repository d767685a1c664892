#!/usr/bin/env bash
# The library as many processes on this machine: PostgreSQL, Kafka and Redis, two replicas of each service, one gateway.
#
#   library.sh up       starts what does not run yet, and waits until all of it answers
#   library.sh down     stops all of it; what it has kept stays
#   library.sh status   says what runs where, and fails where something does not answer
#
# Its state, its logs and the ids of its processes are in RENTALBOOK_RUN (/var/tmp/rentalbook); remove that folder to
# begin anew. PROGRAM is the program that is run; without it, it is built. The engines listen on POSTGRES_PORT (5432),
# KAFKA_PORT (9092) and REDIS_PORT (6379), the services as in REPLICAS.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
run=${RENTALBOOK_RUN:-/var/tmp/rentalbook}
postgres_port=${POSTGRES_PORT:-5432}
kafka_port=${KAFKA_PORT:-9092}
redis_port=${REDIS_PORT:-6379}
replicas=${REPLICAS:-order:8081 order:8181 rent:8082 rent:8182 delivery:8083 delivery:8183 mypage:8084 mypage:8184 gateway:8088}
patience=${PATIENCE:-90}

# shellcheck source=engines/install.sh
. "$here/engines/install.sh"

usage() {
    sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

engine() { "$here/engines/$1.sh" "$2" "$run/$1" "$3" "${@:4}"; }

# The URLs of all replicas of a service, separated by commas.
urls_of() {
    local replica urls=()
    for replica in $replicas; do
        [ "${replica%:*}" != "$1" ] || urls+=("http://127.0.0.1:${replica#*:}")
    done
    (IFS=, && echo "${urls[*]}")
}

settings() {
    export RENTALBOOK_POSTGRES_PORT=$postgres_port
    export RENTALBOOK_KAFKA_BROKERS=127.0.0.1:$kafka_port
    export RENTALBOOK_REDIS_PORT=$redis_port
    export RENTALBOOK_TRUSTED_PROXIES=127.0.0.1
    local service
    for service in order rent delivery mypage; do
        export "RENTALBOOK_${service^^}_URL=$(urls_of "$service")"
    done
}

build() {
    [ -z "${PROGRAM:-}" ] || return 0
    say "building the program"
    (cd "$here/.." && "${CARGO:-cargo}" build --release --features distributed --target-dir target/distributed)
    PROGRAM=$here/../target/distributed/release/rentalbook
}

pid_file() { echo "$run/$1-$2.pid"; }

# The id of a replica that runs. The number alone may be anybody's after a restart of the machine.
pid_of() {
    local file pid
    file=$(pid_file "$1" "$2")
    [ -f "$file" ] || return 1
    pid=$(cat "$file")
    [ -r "/proc/$pid/cmdline" ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q "rentalbook[^ ]* $1 --port $2 " &&
        echo "$pid"
}

start_replica() {
    pid_of "$1" "$2" >/dev/null && return
    # In a session of its own: Ctrl-C in the terminal that has started it is not meant for it.
    setsid "$PROGRAM" "$1" --port "$2" --log json </dev/null >>"$run/$1-$2.log" 2>&1 &
    echo $! >"$(pid_file "$1" "$2")"
    disown
}

is_ready() { curl -fs -o /dev/null -m 2 "http://127.0.0.1:$1/actuator/health/readiness"; }

until_ready() {
    local end=$((SECONDS + patience))
    until is_ready "$2"; do
        # Not by its name: it may still be this script's, on the way to be the program.
        kill -0 "$(cat "$(pid_file "$1" "$2")")" 2>/dev/null || fail "$1 on port $2 has ended: $(tail -n 3 "$run/$1-$2.log")"
        [ $SECONDS -lt $end ] || fail "$1 on port $2 is not ready after $patience s: $(tail -n 3 "$run/$1-$2.log")"
        sleep 0.1
    done
}

# Until a replica has joined its group: what is said before that, it hears some seconds later. Where there are more
# replicas than partitions, some never get one.
until_joined() {
    local end=$((SECONDS + 20))
    until curl -fs -m 2 "http://127.0.0.1:$2/actuator/prometheus" | grep -q '^rentalbook_consumer_partitions{.*} [1-9]'; do
        [ $SECONDS -lt $end ] || { say "$1 on port $2 has no partition of the topic yet" && return; }
        sleep 0.1
    done
}

has_curl() { command -v curl >/dev/null; }

up() {
    # Before everything else: without it nobody could know whether a replica is ready.
    ensure_installed curl has_curl curl
    build
    mkdir -p "$run"
    engine postgres start "$postgres_port" max_connections=300
    engine postgres create "$postgres_port" rentalbook_order rentalbook_rent rentalbook_delivery
    engine kafka start "$kafka_port"
    engine redis start "$redis_port" --appendonly yes
    settings
    local replica
    for replica in $replicas; do start_replica "${replica%:*}" "${replica#*:}"; done
    for replica in $replicas; do until_ready "${replica%:*}" "${replica#*:}"; done
    for replica in $replicas; do
        [ "${replica%:*}" = gateway ] || until_joined "${replica%:*}" "${replica#*:}"
    done
    status
}

down() {
    local replica pid pids=()
    for replica in $replicas; do
        if pid=$(pid_of "${replica%:*}" "${replica#*:}"); then
            kill -TERM "$pid" 2>/dev/null || true
            pids+=("$pid")
        fi
    done
    for pid in "${pids[@]}"; do
        local end=$((SECONDS + 10))
        while kill -0 "$pid" 2>/dev/null; do
            if [ $SECONDS -ge $end ]; then
                say "process $pid does not stop, so it is killed; nothing that was answered is lost"
                kill -KILL "$pid" 2>/dev/null || true
                break
            fi
            sleep 0.1
        done
    done
    for replica in $replicas; do rm -f "$(pid_file "${replica%:*}" "${replica#*:}")"; done
    engine redis stop "$redis_port"
    engine kafka stop "$kafka_port"
    engine postgres stop "$postgres_port"
    say "all of it is stopped; its state is in $run"
}

status() {
    local replica name port pid failed=0 answer
    for name in postgres kafka redis; do
        port=${name}_port
        if engine "$name" status "${!port}" >/dev/null 2>&1; then answer=answers; else answer="does not answer" failed=1; fi
        printf '%-10s %-6s %-8s %s\n' "$name" "${!port}" "" "$answer"
    done
    for replica in $replicas; do
        name=${replica%:*} port=${replica#*:}
        if ! pid=$(pid_of "$name" "$port"); then
            pid=- answer="does not run" failed=1
        elif is_ready "$port"; then
            answer=ready
        else
            answer="not ready" failed=1
        fi
        printf '%-10s %-6s %-8s %s\n' "$name" "$port" "$pid" "$answer"
    done
    return $failed
}

case ${1:-} in
up) up ;;
down) down ;;
status) status ;;
*) usage ;;
esac
