# The image of the program: `docker build -t counterfoil .` compiles it, which takes half an hour on two cores.
# `--build-arg PROGRAM=built` takes bin/counterfoil instead, as `make dist` leaves it on Debian 12. That needs BuildKit,
# which leaves out stages that nothing is taken from.

ARG PROGRAM=compiled

FROM rust:1.95-bookworm AS compiled
WORKDIR /src
COPY . .
RUN make dist

# A builder that leaves out no stage runs this one where there is no bin/, too: Cargo.toml is always there to be copied.
FROM scratch AS built
COPY Cargo.toml bin/counterfoi[l] /src/bin/

FROM ${PROGRAM} AS program

FROM debian:bookworm-slim
# libssl3 and zlib1g are for the client of Kafka, libstdc++6 for RocksDB. ca-certificates, to know public servers by, brings
# openssl, with which counterfoil-init makes certificates.
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends ca-certificates libssl3 libstdc++6 zlib1g \
    && rm -rf /var/lib/apt/lists/*
# New volumes take the owner of the folder that they are mounted on.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin counterfoil \
    && install -d -o counterfoil -g counterfoil -m 700 /var/lib/counterfoil /var/lib/counterfoil-anchor \
        /secrets /secrets/ingest /secrets/query /secrets/ask \
    && install -d -o counterfoil -g counterfoil -m 755 /messages
COPY --from=program /src/bin/counterfoil /usr/local/bin/counterfoil
COPY deploy/compose/init.sh /usr/local/bin/counterfoil-init
USER counterfoil
STOPSIGNAL SIGTERM
# Asks http://127.0.0.1:7401, or what COUNTERFOIL_SERVER and COUNTERFOIL_CA name.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["counterfoil", "health"]
ENTRYPOINT ["counterfoil"]
CMD ["--help"]
