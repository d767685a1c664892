# shellcheck shell=bash
# Read by the scripts beside it: what they say, and how they install what is missing.

say() { echo "$(basename "$0"): $*" >&2; }

fail() {
    say "$*"
    exit 1
}

# What a Debian asks whether a server may be started that was just installed.
policy_file=/usr/sbin/policy-rc.d

# ensure_installed WHAT IS_THERE PACKAGE…
# Installs the packages of WHAT unless the command IS_THERE succeeds: by one of those that want something at the same
# time, while the others wait and look again.
ensure_installed() {
    local what=$1 is_there=$2
    shift 2
    "$is_there" && return
    command -v apt-get >/dev/null ||
        fail "$what is not installed, and there is no apt-get to install it with: install it yourself"
    [ "$(id -u)" = 0 ] || fail "$what is not installed: run 'apt-get install $*' as root"
    (
        flock 8
        # Of this shell alone, so that it is gone however that ends: with Ctrl-C, too.
        policy=''
        trap '[ -z "$policy" ] || rm -f "$policy"' EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        "$is_there" || install_packages "$what" "$@"
    ) 8>"${TMPDIR:-/tmp}/rentalbook-engines.lock"
    "$is_there" || fail "$what was installed, and is still not found"
}

install_packages() {
    local what=$1 log installed=yes
    shift
    say "installing $what"
    log=$(mktemp)
    # Without a server of its own on the usual port. What is left behind would keep every server of this machine from
    # starting, for ever: the trap removes it.
    if [ ! -e "$policy_file" ]; then
        policy=$policy_file
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y "$@"; } \
        >"$log" 2>&1 || installed=
    if [ -z "$installed" ]; then
        tail -n 20 "$log" >&2
        fail "apt-get could not install $what (above: its last words, all of them in $log)"
    fi
    rm -f "$log"
}
