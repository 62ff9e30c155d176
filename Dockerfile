# A machine with all the tools, for macOS, other distributions, and CI:
#   docker build -t ptolemy . && docker run --rm -it -v "$PWD:/work" ptolemy make run
FROM debian:bookworm-slim

COPY tools/packages/debian.txt /tmp/
RUN apt-get update && \
	{ grep -v '^#' /tmp/debian.txt; echo libclang-rt-14-dev; } | DEBIAN_FRONTEND=noninteractive \
		xargs apt-get install -y --no-install-recommends && \
	rm -rf /var/lib/apt/lists/* /tmp/debian.txt && \
	git config --system --add safe.directory '*'

# (clang's run-time libraries have its version in their name; elsewhere tools/setup.sh finds out.)
# Nothing is to be installed at run time; Chromium runs as root in here.
ENV SETUP=no
WORKDIR /work
CMD ["make", "help"]
