# shellcheck shell=bash
# Apache Kafka in KRaft mode: one broker, or a cluster of three small ones. Sourced by `services`.

KAFKA_VERSION=4.3.1

# How many brokers: what the data was made with, since a cluster's size stands in its quorum.
kafka_brokers() { cat "$DATA/kafka/brokers" 2>/dev/null || echo "${ONRAMP_KAFKA_BROKERS:-1}"; }
kafka_parts() {
    local brokers; brokers=$(kafka_brokers)
    case $1:$brokers in
        kafka:1)   echo kafka ;;
        kafka:*)   seq -f 'kafka-%g' "$brokers" ;;
        kafka-*:1) die "$1: there is one broker only; ONRAMP_KAFKA_BROKERS=3 with data of its own makes three" ;;
        *)         echo "$1" ;;
    esac
}
kafka_id() { case $1 in kafka) echo 1 ;; *) echo "${1#kafka-}" ;; esac; }
kafka_port() { echo $(($(port kafka) + $(kafka_id "$1") - 1)); }
kafka_controller() { # kafka_controller ID
    echo $((${ONRAMP_PORT_KAFKA_CONTROLLER:-$(($(port kafka) + $(kafka_brokers)))} + $1 - 1))
}

maven() { # maven NAME VERSION-TAG DEPENDENCY...: "group:artifact:version", their jars into PROGRAMS/NAME-VERSION
    local name=$1 into=$PROGRAMS/$1-$2 item group artifact version; shift 2
    [ ! -d "$into" ] || return 0
    command -v java >/dev/null && command -v mvn >/dev/null || die "$name: needs Java 17 and Maven (apt-get install openjdk-17-jre-headless maven)"
    say "$name: getting ${into##*/} from Maven Central"
    mkdir -p "$into.part"
    {
        echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        echo '<groupId>onramp</groupId><artifactId>services</artifactId><version>1</version><dependencies>'
        for item in "$@"; do
            IFS=: read -r group artifact version <<<"$item"
            echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
        done
        echo '</dependencies></project>'
    } >"$into.pom"
    quietly install mvn -q -B ${HOME:+-Duser.home="$HOME"} -f "$into.pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$into.part"
    mv "$into.part" "$into"; rm -f "$into.pom"
}
kafka_install() {
    maven kafka $KAFKA_VERSION org.apache.kafka:kafka_2.13:$KAFKA_VERSION org.apache.kafka:kafka-tools:$KAFKA_VERSION org.slf4j:slf4j-simple:1.7.36
}

kafka_properties() { # kafka_properties PART BROKERS
    local id replicas=1 insync=1 voters='' n
    id=$(kafka_id "$1")
    [ "$2" = 1 ] || { replicas=3; insync=2; }
    for n in $(seq "$2"); do voters+=${voters:+,}$n@127.0.0.1:$(kafka_controller "$n"); done
    cat <<CONF
process.roles=broker,controller
node.id=$id
controller.quorum.voters=$voters
listeners=PLAINTEXT://127.0.0.1:$(kafka_port "$1"),CONTROLLER://127.0.0.1:$(kafka_controller "$id")
advertised.listeners=PLAINTEXT://127.0.0.1:$(kafka_port "$1")
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$DATA/kafka/$id
auto.create.topics.enable=false
default.replication.factor=$replicas
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$insync
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$insync
group.initial.rebalance.delay.ms=0
# A killed broker is let in again when its old session has run out (9 s by default).
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
# The default of 128 MB would be most of a small broker's heap.
log.cleaner.dedupe.buffer.size=16777216
${ONRAMP_KAFKA_PROPERTIES:-}
CONF
}
kafka_start() {
    local brokers part heap='-Xms256m -Xmx1g' id
    brokers=$(kafka_brokers)
    case $brokers in 1) ;; 3) heap='-Xms96m -Xmx320m' ;; *) die "kafka: ONRAMP_KAFKA_BROKERS is 1 or 3, not $brokers" ;; esac
    [ "$brokers" = "${ONRAMP_KAFKA_BROKERS:-$brokers}" ] ||
        die "kafka: its data is that of $brokers broker(s); wipe it, or set ONRAMP_SERVICES_DATA to another folder"
    mkdir -p "$DATA/kafka"
    echo "$brokers" >"$DATA/kafka/brokers"
    for part in $(kafka_parts "$1"); do
        ! running "$part" >/dev/null || continue
        id=$(kafka_id "$part")
        free "$part" "$(kafka_port "$part")"
        kafka_properties "$part" "$brokers" >"$DATA/kafka/$id.properties"
        if [ ! -f "$DATA/kafka/$id/meta.properties" ]; then
            [ -s "$DATA/kafka/cluster-id" ] ||
                head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c1-22 | sed 's/^-/A/' >"$DATA/kafka/cluster-id"
            quietly "$part" java -cp "$PROGRAMS/kafka-$KAFKA_VERSION/*" kafka.tools.StorageTool format \
                -t "$(cat "$DATA/kafka/cluster-id")" -c "$DATA/kafka/$id.properties"
        fi
        # Only the log of this run tells whether this run has come up.
        [ ! -e "$(log "$part")" ] || mv "$(log "$part")" "$(log "$part").old"
        # shellcheck disable=SC2086
        spawn "$part" "$(id -un)" java $heap -Dorg.slf4j.simpleLogger.showDateTime=true \
            -cp "$PROGRAMS/kafka-$KAFKA_VERSION/*" kafka.Kafka "$DATA/kafka/$id.properties"
    done
}
kafka_await() {
    local part
    for part in $(kafka_parts "$1"); do
        until_true "$part" 120 grep -q 'Kafka Server started' "$(log "$part")"
        say "$part: ready on 127.0.0.1:$(kafka_port "$part")"
    done
}
kafka_env() {
    local part all=''
    for part in $(kafka_parts "$1"); do all+=${all:+,}127.0.0.1:$(kafka_port "$part"); done
    printf 'export ONRAMP_TEST_KAFKA=%s\n' "$all"
}
