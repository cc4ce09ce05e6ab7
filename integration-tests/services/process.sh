# shellcheck shell=bash
# Folders and processes of the services. Sourced by `services`.
#
# A process is known by its number and the kernel's start time, so that a number that has been
# used again is never taken for ours.

folders() { # sets SERVICES, PROGRAMS, DATA
    local top account
    top=$(cd "$HERE/../.." && pwd -P)
    SERVICES=${ONRAMP_SERVICES:-$top/.services}
    if [ -z "${ONRAMP_SERVICES:-}" ] && [ "$(id -u)" = 0 ]; then
        # PostgreSQL does not run as root, and another account does not get into /root.
        account=$(lesser_account)
        if ! (as "$account" test -x "$top"); then
            SERVICES=/var/tmp/onramp-services-$(printf '%s' "$top" | cksum | cut -d' ' -f1)
        fi
    fi
    mkdir -p "$SERVICES"
    SERVICES=$(cd "$SERVICES" && pwd -P)
    [ -O "$SERVICES" ] || die "$SERVICES belongs to another account; set ONRAMP_SERVICES to a folder of your own"
    PROGRAMS=$SERVICES/programs
    DATA=${ONRAMP_SERVICES_DATA:-$SERVICES/data}
    mkdir -p "$PROGRAMS" "$DATA/log" "$DATA/run"
    DATA=$(cd "$DATA" && pwd -P)
}
lock() { exec 9>"$1/.lock"; flock 9; }
log() { echo "$DATA/log/$1.log"; }
sockets() { # the folder of a server's socket, whose whole path has to fit in 107 bytes
    local dir="$DATA/run/$1"
    [ ${#dir} -le 85 ] || dir=/tmp/onramp-$(printf '%s' "$DATA" | cksum | cut -d' ' -f1)-$1
    echo "$dir"
}

lesser_account() {
    local account=${ONRAMP_SERVICES_USER:-postgres}
    id -u "$account" >/dev/null 2>&1 || account=nobody
    echo "$account"
}
as() { # as ACCOUNT COMMAND...: in a subshell, which it takes over
    local account=$1; shift
    cd /
    [ "$(id -un)" != "$account" ] || exec "$@"
    exec setpriv --reuid="$account" --regid="$(id -g "$account")" --init-groups env HOME=/ "$@"
}

started_at() { # the start time of a process that is no zombie
    local stat; stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    set -- $stat
    [ "$1" != Z ] && echo "${20}"
}
running() { # the pid of PART, if it is the process that was started for it
    local pid at
    read -r pid at 2>/dev/null <"$DATA/run/$1.pid" || return 1
    [ -n "$at" ] && [ "$(started_at "$pid")" = "$at" ] && echo "$pid"
}
spawn() { # spawn PART ACCOUNT COMMAND...: in a session of its own, its output in the log
    local part=$1 account=$2 pid; shift 2
    # No descriptor of the caller's stays open in a server: a pipe would keep its reader waiting.
    (
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            [ "$fd" -le 2 ] || eval "exec $fd>&-"
        done
        as "$account" setsid "$@"
    ) </dev/null >>"$(log "$part")" 2>&1 &
    pid=$!
    echo "$pid $(started_at "$pid" || echo gone)" >"$DATA/run/$part.pid"
    disown "$pid"
}
children() { # the children of PID; PostgreSQL's are sessions of their own, so a process group is not enough
    local stat
    for stat in /proc/[0-9]*/stat; do
        stat=$(cat "$stat" 2>/dev/null) || continue
        set -- "$1" ${stat%% *} ${stat##*) }
        [ "$4" != "$1" ] || echo "$2"
    done
}
tell() { # tell PART TERM|KILL
    local pid family
    pid=$(running "$1") || return 0
    case $2:$1 in
        # The parent is held while its children are listed, so that none is born unseen.
        KILL:*) kill -STOP "$pid"; family=$(children "$pid"); kill -KILL "$pid" $family 2>/dev/null || true
                echo "$family" >"$DATA/run/$1.family" ;;
        # A fast shutdown: at TERM PostgreSQL would wait for its clients to leave.
        TERM:postgres*) kill -INT "$pid" ;;
        TERM:*) kill -TERM "$pid" ;;
    esac
}
ended() { # wait until PART is gone; what takes longer than 30 s is killed
    local pid child
    for _ in $(seq 600); do
        pid=$(running "$1") || break
        sleep 0.05
    done
    if pid=$(running "$1"); then say "$1: pid $pid still there after 30 s: killed"; tell "$1" KILL; fi
    while pid=$(running "$1"); do sleep 0.05; done
    for child in $(cat "$DATA/run/$1.family" 2>/dev/null || true); do
        for _ in $(seq 200); do started_at "$child" >/dev/null || break; sleep 0.02; done
    done
    rm -f "$DATA/run/$1.pid" "$DATA/run/$1.family"
}
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
free() { # free PART PORT
    ! listening "$2" || die "$1: something else listens on port $2; ONRAMP_PORT_$(kind_upper "$1") sets another"
}
kind_upper() { local name=${1%%-*}; echo "${name^^}"; }
until_true() { # until_true PART SECONDS COMMAND...: or until the process ends
    local part=$1 deadline=$((SECONDS + $2)); shift 2
    while [ "$SECONDS" -lt "$deadline" ]; do
        running "$part" >/dev/null || { tail -n 20 "$(log "$part")" >&8; die "$part: ended while starting, see $(log "$part")"; }
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    tail -n 20 "$(log "$part")" >&8
    die "$part: no answer in time, see $(log "$part")"
}
quietly() { # quietly LOGNAME COMMAND...: output to a log, shown when the command fails
    local to rc; to=$(log "$1"); shift
    # Not under `||` or `if`, where bash would go on after a command in the middle that failed.
    set +e
    ( set -e; "$@" ) >>"$to" 2>&1 </dev/null
    rc=$?
    set -e
    [ "$rc" = 0 ] || { tail -n 20 "$to" >&8; die "failed ($rc): $*, see $to"; }
}
