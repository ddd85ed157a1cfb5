# The container of maitred. packaging/container-root.sh writes the tree that is copied here, because the
# program needs the C library of the machine on which it was built. docs/releasing.md has the commands.
FROM scratch
COPY target/container/root/ /
# The ledger. Without a volume it would be lost with the container.
COPY --chown=10001:10001 target/container/state/ /var/lib/
VOLUME /var/lib/maitred
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/maitred"]
CMD ["run"]
