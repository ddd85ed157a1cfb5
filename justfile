# Short names for the commands of CONTRIBUTING.md. Nothing needs `just`; each recipe is one command.

# Lists the recipes.
default:
    @just --list

# Runs everything that a change must pass.
ci:
    bash .ci/run

# Runs the demo.
demo:
    cargo run -- demo

# Runs one test binary (`it`, `campaigns` or `docs`), or some of its tests: `just test it watch::`.
test binary filter="":
    cargo test --test {{binary}} {{filter}}

# Runs a campaign at its full size: simulation, kills, power-cuts, disk-faults, peers, load, month.
campaign name:
    @just campaign-{{name}}

campaign-simulation seeds="1000000":
    MAITRED_SEEDS={{seeds}} cargo test --release --test campaigns simulation::

campaign-kills kills="300":
    MAITRED_KILLS={{kills}} cargo test --test campaigns kills::

campaign-power-cuts images="1000":
    MAITRED_POWER_CUTS={{images}} cargo test --test campaigns power_cut::

campaign-disk-faults:
    MAITRED_DISK_FAULTS=all cargo test --test campaigns disk_faults::

campaign-peers:
    MAITRED_MUTATIONS=all cargo test --test campaigns hostile_peers::

campaign-load requests="10000":
    MAITRED_LOAD={{requests}} cargo test --test campaigns load::all_who

campaign-month days="30":
    MAITRED_SOAK_DAYS={{days}} cargo test --test campaigns load::a_month

# Writes the schemas of docs/formats again after a change of the types.
schemas:
    MAITRED_WRITE_DOCS=1 cargo test --test docs schemas

# Builds the package of Debian; needs cargo-deb and cargo-auditable.
package:
    packaging/deb.sh

# Writes the tree of the container and builds its image; needs buildah.
container:
    packaging/container-root.sh target/dist/maitred target/container
    buildah build --isolation=chroot --tag maitred .

# Writes the bill of materials; needs cargo-cyclonedx.
sbom:
    packaging/sbom.sh
