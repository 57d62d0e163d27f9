# Shortcuts for the commands that CONTRIBUTING.md lists. `just` is optional.
# `npm install -g rust-just` or `pip install rust-just` installs it.

# List the recipes
default:
    @just --list

# Run Farebox on this machine, with dev services for Postgres, Redis, Stripe and mail
dev *ARGS:
    cargo run -- {{ ARGS }}

# Check format, lints, the OpenAPI document and the TypeScript declarations
check: && check-api
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Check docs/openapi.json, docs/farebox.d.ts and migrations/
check-api:
    npm --prefix web/checks ci --ignore-scripts --no-audit --no-fund
    npm --prefix web/checks run check

# Run every test
test:
    cargo test --workspace

# Run the integration tests whose path contains FILTER, such as `mood` or `credits::races`
test-one FILTER *ARGS:
    cargo test --workspace --test it -- {{ FILTER }} {{ ARGS }}

# Run them with Postgres from npm and the in-process Redis engine
test-bundled FILTER *ARGS:
    FAREBOX_DEV_POSTGRES=npm FAREBOX_DEV_REDIS=engine cargo test --workspace --test it -- {{ FILTER }} {{ ARGS }}

# Write the files that are generated from the endpoint table
render:
    cargo run -q -- render

# Run a benchmark, such as start, webhooks or ledger
bench MEASURE *ARGS:
    cargo run --release -p bench -- {{ MEASURE }} {{ ARGS }}

# Fuzz a target, which is event or signature_header; needs a nightly Rust and cargo-fuzz
fuzz TARGET SECONDS="60":
    mkdir -p fuzz/corpus/{{ TARGET }}
    cargo +nightly fuzz run {{ TARGET }} fuzz/corpus/{{ TARGET }} fuzz/seeds/{{ TARGET }} -- -max_total_time={{ SECONDS }}

# Build every function with the platforms' own tools, and play a story through them, without an account
deploy-check:
    cargo build --workspace --bin deploy-check
    target/debug/deploy-check vercel
    target/debug/deploy-check vercel-app
    target/debug/deploy-check lambda
    target/debug/deploy-check lambda --processor arm64

# Run every check that a change must pass
ci:
    .ci/run
