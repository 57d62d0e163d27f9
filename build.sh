#!/bin/sh
# Builds all of Vercel's functions with one call of cargo, in parallel.
#
# Vercel's Rust builder runs this file before it builds each function, one after another. The first
# run does the work, and the builder's own calls of cargo find it done. On another machine than
# Vercel's, the builder compiles for Vercel with cargo-zigbuild, and so does this file.
set -eu
cd "$(dirname "$0")"
# The builder installs Rust there if the machine has none.
PATH="$HOME/.cargo/bin:$PATH"
export PATH

# Each file is a function, unless its name begins with `_`. For deploy/vercel.app.json, the variable
# names other ones. `vercel deploy` takes it from that file, and `vercel build` from the environment.
functions=${FAREBOX_FUNCTIONS:-$(
  cd api && find . -name '*.rs' ! -name '_*' | sed 's|^\./||; s|\.rs$||; s|/|-|g'
)}
if [ -n "${VERCEL_BUILD_IMAGE:-}" ]; then
  set -- build
else
  set -- zigbuild --target x86_64-unknown-linux-gnu
fi
for function in $functions; do
  set -- "$@" --bin "vercel-$function"
done
cargo "$@" --release --locked
