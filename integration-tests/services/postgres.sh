# shellcheck shell=bash
# PostgreSQL 15 and 18. Sourced by `services`.

postgres_parts() { echo "$1"; }
postgres_port() { port "$1"; }
postgres_bin() { # the folder of NAME's programs; empty when there is none
    local version=${1#postgres} own
    own=/usr/lib/postgresql/$version/bin
    if [ -e "$PROGRAMS/$1/.complete" ]; then
        echo "$PROGRAMS/$1/root$own"
    elif [ -x "$own/postgres" ]; then
        echo "$own"
    fi
}
postgres_install() {
    local suites=ONRAMP_SUITE_${1^^}
    [ -z "$(postgres_bin "$1")" ] || return 0
    case $1 in
        postgres15) unpack "$1" postgresql-15 ${!suites:-bookworm} ;;
        postgres18) unpack "$1" postgresql-18 ${!suites:-forky sid} ;;
    esac
}
postgres_account() { # whoever calls; a lesser account where root does, since PostgreSQL refuses root
    if [ "$(id -u)" != 0 ]; then id -un
    elif [ -d "$DATA/$1" ]; then stat -c %U "$DATA/$1"
    else lesser_account
    fi
}

# A certificate authority of this data folder's own and a certificate for localhost; keys are thrown
# away with the data, and nothing else trusts them.
certificates() {
    local tls=$DATA/tls
    [ ! -e "$tls/server.pem" ] || return 0
    rm -rf "$tls.new"; mkdir "$tls.new"
    cat >"$tls.new/openssl.cnf" <<'CONF'
[req]
distinguished_name = name
prompt = no
[name]
CN = onramp throwaway
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
CONF
    make_certificates() {
        cd "$tls.new" || exit
        umask 077
        openssl req -config openssl.cnf -x509 -extensions authority -subj '/CN=Onramp throwaway authority' \
            -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 3650
        openssl req -config openssl.cnf -new -subj '/CN=localhost' \
            -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout server.key -out server.csr
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 \
            -extfile openssl.cnf -extensions server -out server.pem
        chmod 644 ca.pem server.pem
    }
    quietly install make_certificates
    mv "$tls.new" "$tls"
}

postgres_init() { # postgres_init NAME FOLDER ACCOUNT
    local bin; bin=$(postgres_bin "$1")
    # Nothing is in the data yet that a crash of the machine could lose: the files need not be flushed.
    (as "$3" "$bin/initdb" -D "$2" -U postgres -E UTF8 --locale=C.UTF-8 --no-sync --auth-local=trust --auth-host=scram-sha-256)
    install -o "$3" -m 600 "$DATA/tls/server.key" "$DATA/tls/server.pem" "$2/"
    (as "$3" sh -c 'cat >>"$1/postgresql.conf"' sh "$2") <<'CONF'

# Onramp's throwaway servers
listen_addresses = '127.0.0.1'
wal_level = logical
max_connections = 300
max_replication_slots = 100
max_wal_senders = 100
max_prepared_transactions = 20
max_slot_wal_keep_size = 4GB
max_wal_size = 2GB
password_encryption = 'scram-sha-256'
ssl = on
ssl_cert_file = 'server.pem'
ssl_key_file = 'server.key'
timezone = 'UTC'
log_timezone = 'UTC'
CONF
    (as "$3" sh -c 'cat >"$1/pg_hba.conf"' sh "$2") <<'CONF'
# The superuser needs no password on the socket, whose folder is closed to other accounts.
local  all          postgres                trust
local  replication  postgres                trust
local  all          all                     scram-sha-256
local  replication  all                     scram-sha-256
host   all          all       127.0.0.1/32  scram-sha-256
host   replication  all       127.0.0.1/32  scram-sha-256
CONF
}

# A killed server stays a zombie until init takes notice, and PostgreSQL takes a zombie for a server
# that still runs ("lock file postmaster.pid already exists").
postgres_settle() {
    local pid stat
    read -r pid 2>/dev/null <"$DATA/$1/postmaster.pid" || return 0
    for _ in $(seq 100); do
        stat=$(cat "/proc/$pid/stat" 2>/dev/null) || return 0
        stat=${stat##*) }
        [ "${stat%% *}" = Z ] || return 0
        sleep 0.05
    done
    rm -f "$DATA/$1/postmaster.pid"
}

postgres_start() {
    local account socket
    ! running "$1" >/dev/null || return 0
    free "$1" "$(port "$1")"
    account=$(postgres_account "$1"); socket=$(sockets "$1")
    [ "$account" != root ] || die "$1: it does not run as root; name an account in ONRAMP_SERVICES_USER"
    (as "$account" test -x "$DATA") || die "$1: the account $account cannot reach $DATA; set ONRAMP_SERVICES, or ONRAMP_SERVICES_USER"
    [ ! -L "$socket" ] || die "$socket is a link"
    mkdir -p "$socket"; chown "$account" "$socket"; chmod 700 "$socket"
    if [ ! -d "$DATA/$1" ]; then
        certificates
        rm -rf "$DATA/$1.new"; mkdir -m 700 "$DATA/$1.new"; chown "$account" "$DATA/$1.new"
        quietly "$1" postgres_init "$1" "$DATA/$1.new" "$account"
        mv "$DATA/$1.new" "$DATA/$1"
    fi
    postgres_settle "$1"
    spawn "$1" "$account" "$(postgres_bin "$1")/postgres" -D "$DATA/$1" -p "$(port "$1")" -c unix_socket_directories="$socket"
}
postgres_query() { # postgres_query NAME: SQL from standard input, as superuser, by the socket
    "$(postgres_bin "$1")/psql" -X -q -v ON_ERROR_STOP=1 -h "$(sockets "$1")" -p "$(port "$1")" -U postgres -d postgres
}
postgres_answers() { echo 'SELECT 1' | postgres_query "$1"; }
postgres_await() {
    until_true "$1" 120 postgres_answers "$1"
    if [ ! -e "$DATA/$1/onramp-roles" ]; then
        postgres_query "$1" <<'SQL'
SET client_min_messages = warning;
ALTER ROLE postgres PASSWORD 'onramp';
SELECT 'CREATE ROLE onramp' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'onramp') \gexec
ALTER ROLE onramp LOGIN REPLICATION PASSWORD 'onramp';
SELECT 'CREATE DATABASE shop OWNER onramp' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'shop') \gexec
SQL
        : >"$DATA/$1/onramp-roles"
    fi
    say "$1: ready on 127.0.0.1:$(port "$1")"
}
postgres_env() {
    printf 'export ONRAMP_TEST_%s_URL=%q\n' "${1^^}" "postgres://postgres:onramp@127.0.0.1:$(port "$1")/postgres"
    printf 'export ONRAMP_TEST_%s_SOCKET_DIR=%q\n' "${1^^}" "$(sockets "$1")"
    [ -z "$(postgres_bin "$1")" ] || printf 'export ONRAMP_TEST_%s_BIN=%q\n' "${1^^}" "$(postgres_bin "$1")"
    printf 'export ONRAMP_TEST_CA=%q\n' "$DATA/tls/ca.pem"
}
