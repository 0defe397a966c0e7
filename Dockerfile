# The operator's image: one static binary and nothing else.
#
#   docker build --tag linkspan:dev .
#   docker buildx build --platform linux/amd64,linux/arm64 --tag REGISTRY/linkspan:0.1.0 --push .
#
# Without BuildKit, say for which machine: --build-arg TARGETARCH=arm64. `scripts/image` makes the same
# image without any container engine.
ARG RUST=1.95
FROM --platform=$BUILDPLATFORM docker.io/library/rust:${RUST}-bookworm AS build
ARG TARGETARCH
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY benches benches
COPY examples examples
# Static glibc: no library is missing in an empty image, and its allocator is quicker than musl's. With
# --target, so that what runs while building is built as usual.
RUN set -eu; \
    case "${TARGETARCH:-$(dpkg --print-architecture)}" in \
      amd64) target=x86_64-unknown-linux-gnu; packages=gcc-x86-64-linux-gnu; cc=x86_64-linux-gnu-gcc; libc=libc6-dev-amd64-cross ;; \
      arm64) target=aarch64-unknown-linux-gnu; packages=gcc-aarch64-linux-gnu; cc=aarch64-linux-gnu-gcc; libc=libc6-dev-arm64-cross ;; \
      *) echo "TARGETARCH is ${TARGETARCH}: amd64 and arm64 are known" >&2; exit 1 ;; \
    esac; \
    if [ "$(rustc -vV | sed -n 's/^host: //p')" != "$target" ]; then \
      apt-get update -q && apt-get install -q -y --no-install-recommends "$packages" "$libc"; \
      rustup target add "$target"; \
      name=$(echo "$target" | tr a-z- A-Z_); \
      export "CARGO_TARGET_${name}_LINKER=$cc" "CC_$(echo "$target" | tr - _)=$cc"; \
    fi; \
    RUSTFLAGS="-C target-feature=+crt-static" \
      cargo build --locked --release --no-default-features --features controller --bin linkspan --target "$target"; \
    install -D "target/$target/release/linkspan" /image/linkspan

FROM scratch
COPY --from=build /image/linkspan /linkspan
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/linkspan"]
LABEL org.opencontainers.image.title=linkspan \
      org.opencontainers.image.licenses=Apache-2.0
