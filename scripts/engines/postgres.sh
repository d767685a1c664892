#!/usr/bin/env bash
# A real PostgreSQL on 127.0.0.1 without a container engine: installed where it is missing, its data in DIR.
#
#   postgres.sh start  DIR PORT [OPTION…]   starts it, as often as wanted; OPTIONs are settings such as fsync=off
#   postgres.sh stop   DIR PORT             stops it; its data stay
#   postgres.sh kill   DIR PORT             stops it as a crash does
#   postgres.sh status DIR PORT             says whether it answers, and fails where it does not
#   postgres.sh create DIR PORT DATABASE…   makes the databases that are not there yet
#   postgres.sh hold   DIR PORT [OPTION…]   starts it and says so; when its input ends, stops it and removes DIR
#
# The user `postgres` is the administrator. With POSTGRES_PASSWORD_FILE a new DIR demands user and password
# (scram-sha-256), and this script reads the password from that file; without it whoever reaches the port may do
# anything, which is meant for a port that only this machine reaches.
set -euo pipefail

# shellcheck source=scripts/engines/install.sh
. "$(dirname "$0")/install.sh"

usage() {
    sed -n '2,14s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

# The newest installed version.
find_programs() {
    local found
    found=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1 || true)
    if [ -z "$found" ] && command -v initdb >/dev/null && command -v pg_ctl >/dev/null; then
        found=$(command -v initdb)
    fi
    [ -n "$found" ] && bin=$(dirname "$found")
}

# The server refuses to run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --init-groups --reset-env "$@"
    else
        "$@"
    fi
}

control() { (cd / && as_postgres "$bin/pg_ctl" -D "$dir/data" -s "$@"); }

is_running() { [ -d "$dir/data" ] && control status >/dev/null 2>&1; }

answers() { "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; }

make_data() {
    [ -f "$dir/data/PG_VERSION" ] && return
    mkdir -p "$dir"
    [ "$(id -u)" != 0 ] || chown postgres "$dir"
    local how=(-A trust)
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        # The user postgres may not be able to read the file: it gets a copy for as long as this takes.
        install -m 600 "$POSTGRES_PASSWORD_FILE" "$dir/password"
        [ "$(id -u)" != 0 ] || chown postgres "$dir/password"
        how=(-A scram-sha-256 --pwfile "$dir/password")
    fi
    rm -rf "$dir/making"
    (cd / && as_postgres "$bin/initdb" -D "$dir/making" -U postgres -E UTF8 --no-locale "${how[@]}") \
        >"$dir/initdb.log" 2>&1 || fail "initdb failed: $(tail -n 3 "$dir/initdb.log")"
    rm -f "$dir/password"
    # Whole, or not there at all.
    mv "$dir/making" "$dir/data"
}

start() {
    ensure_installed PostgreSQL find_programs postgresql
    is_running && { answers || fail "the server of $dir runs, but not on port $port"; } && return
    answers && fail "port $port is taken by another PostgreSQL"
    make_data
    local options="-p $port -k $dir -c listen_addresses=127.0.0.1"
    local option
    for option in "$@"; do options+=" -c $option"; done
    control -l "$dir/server.log" -o "$options" -t 60 -w start ||
        fail "PostgreSQL did not start: $(tail -n 5 "$dir/server.log" 2>/dev/null)"
}

stop() {
    find_programs || return 0
    is_running || return 0
    control -m "$1" -t 60 -w stop || fail "PostgreSQL of $dir did not stop"
}

create() {
    find_programs || fail "PostgreSQL is not installed"
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
        export PGPASSWORD
    fi
    local psql=("$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port" -U postgres -d postgres)
    local name
    for name in "$@"; do
        [[ $name =~ ^[a-z_][a-z0-9_]*$ ]] || fail "'$name' is no name of a database"
        [ "$("${psql[@]}" -c "SELECT 1 FROM pg_database WHERE datname = '$name'")" = 1 ] ||
            "${psql[@]}" -c "CREATE DATABASE $name"
    done
}

hold() {
    # Ctrl-C is for whoever holds the input.
    trap '' INT
    trap 'stop immediate; rm -rf "$dir"' EXIT
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
stop) stop fast ;;
kill) stop immediate ;;
status)
    find_programs || fail "PostgreSQL is not installed"
    is_running && answers || fail "PostgreSQL of $dir does not run on port $port"
    echo "PostgreSQL answers on 127.0.0.1:$port, data in $dir"
    ;;
create) create "$@" ;;
hold) hold "$@" ;;
*) usage ;;
esac
