# Outcry as a container: one static binary on a distroless base, not root. The
# image has no embedded ClickHouse engine; it is for production, where the
# servers of configs/production.yaml do the work.
#
#   docker build --build-arg VERSION=$(git describe --tags --always) -t outcry .

FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -tags noengine -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/outcry ./cmd/outcry \
 && mkdir -p /out/data

FROM gcr.io/distroless/static-debian12:nonroot@sha256:afa5c872c891853ca7fcf1f12c3edb23f7eeef36189728842dd51042ff57f7ab
COPY --from=build /out/outcry /usr/local/bin/outcry
COPY --from=build --chown=65532:65532 /out/data /var/lib/outcry
COPY configs/agencies.yaml configs/issues.yaml configs/rules.yaml configs/production.yaml /etc/outcry/
USER 65532:65532
WORKDIR /var/lib/outcry
VOLUME /var/lib/outcry
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/outcry", "check", "--ready", "--config", "/etc/outcry/production.yaml"]
ENTRYPOINT ["/usr/local/bin/outcry"]
CMD ["--help"]
