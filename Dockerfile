# The gateway alone: `docker build -t onramp .`; its files are mounted, see compose.yaml.

FROM rust:1-bookworm AS build
# librdkafka is built from its source.
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake pkg-config libssl-dev libcurl4-openssl-dev zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /onramp
COPY . .
RUN cargo build --release --locked --bin onramp

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /onramp/target/release/onramp /usr/local/bin/onramp
# Nothing is written to disk: the file system may be read-only, and the account owns nothing.
USER 65532:65532
WORKDIR /etc/onramp
ENTRYPOINT ["onramp"]
CMD ["run", "--config", "/etc/onramp/onramp.yaml"]
