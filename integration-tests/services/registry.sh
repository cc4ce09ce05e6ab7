# shellcheck shell=bash
# The development schema registry: registry/Registry.java on Apache Avro's own library. Sourced by `services`.

AVRO_VERSION=1.12.1

registry_parts() { echo registry; }
registry_port() { port registry; }
registry_install() { maven registry $AVRO_VERSION org.apache.avro:avro:$AVRO_VERSION org.slf4j:slf4j-nop:2.0.17; }
registry_start() {
    ! running registry >/dev/null || return 0
    free registry "$(port registry)"
    mkdir -p "$DATA/registry"
    # shellcheck disable=SC2086
    spawn registry "$(id -un)" java -Xms16m -Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dsun.net.httpserver.nodelay=true \
        -cp "$PROGRAMS/registry-$AVRO_VERSION/*" "$HERE/registry/Registry.java" \
        --port "$(port registry)" --data "$DATA/registry/state" ${ONRAMP_REGISTRY_USER:+--user "$ONRAMP_REGISTRY_USER"}
}
registry_await() {
    until_true registry 60 listening "$(port registry)"
    say "registry: ready on http://127.0.0.1:$(port registry)"
}
registry_env() { printf 'export ONRAMP_TEST_REGISTRY=%q\n' "http://127.0.0.1:$(port registry)"; }
