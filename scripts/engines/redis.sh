#!/usr/bin/env bash
# A real Redis on 127.0.0.1 without a container engine: installed where it is missing, its data in DIR.
#
#   redis.sh start  DIR PORT [OPTION…]   starts it, as often as wanted; OPTIONs are the server's, such as
#                                        --appendonly yes
#   redis.sh stop   DIR PORT             stops it; its data stay
#   redis.sh kill   DIR PORT             stops it as a crash does (SIGKILL)
#   redis.sh status DIR PORT             says whether it answers, and fails where it does not
#   redis.sh hold   DIR PORT [OPTION…]   starts it and says so; when its input ends, stops it and removes DIR
#
# Without an option it keeps nothing beyond its end. With REDIS_PASSWORD_FILE it demands user and password: the user is
# REDIS_USER (`rentalbook`), and this script reads the password from that file.
set -euo pipefail

# shellcheck source=scripts/engines/install.sh
. "$(dirname "$0")/install.sh"

usage() {
    sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

is_installed() { command -v redis-server >/dev/null && command -v redis-cli >/dev/null; }

# Its answer, whether or not it lets us in.
answers() { redis-cli -p "$port" ping 2>&1 | grep -Eq 'PONG|NOAUTH'; }

pid() { cat "$dir/redis.pid" 2>/dev/null; }

# The number alone may be anybody's.
is_running() {
    local id
    id=$(pid) && [ -r "/proc/$id/cmdline" ] && tr '\0' ' ' <"/proc/$id/cmdline" | grep -q "redis-server.*:$port"
}

users() {
    [ -n "${REDIS_PASSWORD_FILE:-}" ] || return 0
    local hash
    hash=$(printf %s "$(cat "$REDIS_PASSWORD_FILE")" | sha256sum | cut -d ' ' -f 1)
    (umask 077 && printf 'user default off\nuser %s on #%s ~* &* +@all\n' "${REDIS_USER:-rentalbook}" "$hash" \
        >"$dir/users.acl")
}

start() {
    ensure_installed Redis is_installed redis-server
    is_running && answers && return
    answers && fail "port $port is taken by another Redis"
    mkdir -p "$dir"
    users
    local settings=(--port "$port" --bind 127.0.0.1 --dir "$dir" --save '' --daemonize yes
        --pidfile "$dir/redis.pid" --logfile "$dir/server.log")
    [ ! -f "$dir/users.acl" ] || settings+=(--aclfile "$dir/users.acl")
    redis-server "${settings[@]}" "$@" >/dev/null || fail "Redis did not start: $(tail -n 3 "$dir/server.log")"
    local end=$((SECONDS + 30))
    until answers; do
        [ $SECONDS -lt $end ] || fail "Redis does not answer: $(tail -n 3 "$dir/server.log")"
        sleep 0.05
    done
}

stop() {
    is_running || return 0
    local id
    id=$(pid)
    kill "-$1" "$id"
    local end=$((SECONDS + 30))
    while kill -0 "$id" 2>/dev/null; do
        [ $SECONDS -lt $end ] || fail "Redis of $dir did not stop"
        sleep 0.05
    done
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

case $command in
start) start "$@" ;;
stop) stop TERM ;;
kill) stop KILL ;;
status)
    is_running && answers || fail "Redis of $dir does not run on port $port"
    echo "Redis answers on 127.0.0.1:$port, data in $dir"
    ;;
hold) hold "$@" ;;
*) usage ;;
esac
