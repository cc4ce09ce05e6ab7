# What the demos have in common: servers, data and ports of their own, a consumer, the gateway, and an end
# that leaves no process behind. Where a port is taken, ONRAMP_PORT_POSTGRES15, _KAFKA, _KAFKA_CONTROLLER,
# _REGISTRY or _HEALTH sets another. Sourced, with `name` set.
set -euo pipefail

top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
services=$top/integration-tests/services/services
folder=$("$services" folder)
export ONRAMP_SERVICES=$folder ONRAMP_SERVICES_DATA=$folder/demo
postgres=${ONRAMP_PORT_POSTGRES15:-54415} kafka=${ONRAMP_PORT_KAFKA:-59192} registry=${ONRAMP_PORT_REGISTRY:-58181}
health=${ONRAMP_PORT_HEALTH:-58180}
export ONRAMP_PORT_POSTGRES15=$postgres ONRAMP_PORT_KAFKA=$kafka ONRAMP_PORT_REGISTRY=$registry
export ONRAMP_PORT_KAFKA_CONTROLLER=${ONRAMP_PORT_KAFKA_CONTROLLER:-$((kafka + 1))}
unset ONRAMP_KAFKA_BROKERS ONRAMP_REGISTRY_USER
gateway='' log=$ONRAMP_SERVICES_DATA/log/$name.log python=$folder/programs/python-consumer

step() { printf '\n== %s\n' "$*"; }
fail() { printf '%s: %s\n' "$name" "$*" >&2; exit 1; }
finish() {
    local rc=$?
    if [ -n "$gateway" ]; then kill "$gateway" 2>/dev/null && wait "$gateway" || true; fi
    "$services" stop postgres15 kafka registry || true
    if [ "$rc" != 0 ] && [ -s "$log" ]; then printf '%s: failed; the end of %s:\n' "$name" "$log" >&2; tail -n 20 "$log" >&2; fi
}
# One demo at a time: a second one would take the first one's servers away.
mkdir -p "$ONRAMP_SERVICES_DATA"
exec 8>"$ONRAMP_SERVICES_DATA/demo.lock"
flock -n 8 || fail 'another demo is running'
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

sql() { # sql USER DATABASE ...
    local user=$1 database=$2; shift 2
    PGPASSWORD=onramp PGSSLMODE=prefer "$ONRAMP_TEST_POSTGRES15_BIN/psql" -X -q -v ON_ERROR_STOP=1 \
        -h 127.0.0.1 -p "$ONRAMP_PORT_POSTGRES15" -U "$user" -d "$database" "$@"
}
ask() { # ask PATH: the health server's answer
    exec 3<>"/dev/tcp/127.0.0.1/$health" || return 1
    printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&3
    cat <&3
    exec 3<&-
}
ready() { [[ $(ask /ready) == *' 200 '*streaming* ]]; }
published() { # rows that were there already are published, of every product
    local runs; runs=$(ask /metrics | grep '^onramp_history_running{') && [ -n "$runs" ] && ! grep -qv ' 0\s*$' <<<"$runs"
}
await() { # await WHAT CONDITION
    local deadline=$((SECONDS + 120))
    until "$2" 2>/dev/null; do
        kill -0 "$gateway" 2>/dev/null || fail 'the gateway ended'
        [ "$SECONDS" -lt "$deadline" ] || fail "$1 took more than two minutes"
        sleep 0.1
    done
}
consume() { # consume ARGUMENTS TOPIC...: what consumers read
    "$python/bin/python" "$top/examples/shop/consume.py" --brokers "$ONRAMP_TEST_KAFKA" --registry "$ONRAMP_TEST_REGISTRY" "$@"
}
changes() { # changes FILE: the statements that the application runs, a line each
    grep -E '^(INSERT|UPDATE|DELETE|BEGIN|COMMIT|ROLLBACK)' "$1" | cut -c1-80
}

begin() { # servers, the consumer, and the program
    step 'Servers: PostgreSQL 15, Apache Kafka, a schema registry (downloaded once)'
    "$services" wipe postgres15 kafka registry
    "$services" start postgres15 kafka registry
    eval "$("$services" env postgres15 kafka registry)"

    step 'A consumer in Python (installed once), and the gateway'
    if [ ! -e "$python/.complete" ]; then
        rm -rf "$python"
        python3 -m venv "$python"
        "$python/bin/pip" install -q --disable-pip-version-check 'confluent-kafka[avro,schemaregistry]>=2.8,<3'
        : >"$python/.complete"
    fi
    cargo build -q --manifest-path "$top/Cargo.toml" --bin onramp
    program=${CARGO_TARGET_DIR:-$top/target}/debug/onramp
    # Files of the examples name the usual ports; another one comes in as any setting does.
    settings=(SHOP_DB_PASSWORD=onramp SHOP_PII_KEY="$(openssl rand -hex 32)" COLUMNS=80)
    [ "$postgres" = 54415 ] || settings+=("ONRAMP_SOURCE__URL=postgres://onramp@127.0.0.1:$postgres/shop")
    [ "$kafka" = 59192 ] || settings+=("ONRAMP_KAFKA__BROKERS=127.0.0.1:$kafka")
    [ "$registry" = 58181 ] || settings+=("ONRAMP_REGISTRY__URL=http://127.0.0.1:$registry")
    [ "$health" = 58180 ] || settings+=("ONRAMP_HEALTH__LISTEN=127.0.0.1:$health")
    echo 'ready'
}
run_example() { # run_example CONFIG: the gateway, until it streams
    (cd "$top" && exec env "${settings[@]}" "$program" run --config "$1") >"$log" 2>&1 8>&- &
    gateway=$!
    await 'the start' ready
    echo 'ready: streaming'
}
end_gateway() {
    step 'The gateway is told to end (SIGTERM)'
    kill "$gateway"
    wait "$gateway" || fail "the gateway ended with $?"
    gateway=''
    echo 'it has committed what it held, and ended'
}
