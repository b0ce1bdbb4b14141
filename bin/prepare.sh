# shellcheck shell=bash
# What bin/quickstart and bin/test need before they can begin. Sourced; the caller has a function `fail <sentence>` that ends it.

check_node() {
  command -v node >/dev/null || fail 'Node is not installed: version 20.19 or newer is needed'
  node -e 'var v = process.versions.node.split(".").map(Number); process.exit(v[0] > 20 || (v[0] === 20 && v[1] >= 19) ? 0 : 1)' ||
    fail "Node 20.19 or newer is needed; this is $(node --version)"
}

install_packages() {
  local installed=node_modules/.package-lock.json
  if [[ -f $installed && ! package.json -nt $installed && ! package-lock.json -nt $installed ]]; then return 0; fi
  echo 'Installing npm packages'
  npm install --no-progress --no-audit --no-fund >/dev/null || fail 'npm install failed; run it to see why'
  touch "$installed"
}

# The command that installs haproxy here; nothing where we do not know how.
haproxy_installer() {
  if command -v apt-get >/dev/null; then echo 'apt-get install -y haproxy'
  elif command -v dnf >/dev/null; then echo 'dnf install -y haproxy'
  elif command -v apk >/dev/null; then echo 'apk add haproxy'
  fi
}

install_haproxy() {
  export PATH="$PATH:/usr/sbin:/usr/local/sbin"
  if command -v "${AMPHI_LOCAL_HAPROXY:-haproxy}" >/dev/null; then return 0; fi
  local installer as_root=()
  installer=$(haproxy_installer)
  [[ -n $installer ]] || fail 'haproxy is missing: install it with the package manager of this system, then run this again'
  if [[ $(id -u) -ne 0 ]]; then
    if ! sudo -n true 2>/dev/null; then fail "haproxy is missing. Install it, then run this again: sudo $installer"; fi
    as_root=(sudo -n)
  fi
  echo "haproxy is missing. Installing it: ${as_root[*]:+${as_root[*]} }$installer"
  local run=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive)
  # shellcheck disable=SC2086 -- a command and its words
  "${run[@]}" $installer >/dev/null 2>&1 ||
    { "${run[@]}" apt-get update -q >/dev/null 2>&1 && "${run[@]}" $installer >/dev/null 2>&1; } ||
    fail "haproxy could not be installed; run it to see why: ${as_root[*]:+${as_root[*]} }$installer"
}

# Only some tests want it: they are skipped where it cannot be had.
install_pgbouncer() {
  if command -v pgbouncer >/dev/null || ! command -v apt-get >/dev/null; then return 0; fi
  local as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    sudo -n true 2>/dev/null || return 0
    as_root=(sudo -n)
  fi
  echo 'pgbouncer is missing. Installing it for its tests'
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y pgbouncer >/dev/null 2>&1 || echo 'pgbouncer could not be installed'
}

# OpenStack's own clients, Keystone, Barbican and Octavia's acceptance tests, for tests: skipped where they cannot be had.
install_openstack_clients() {
  install_for_python "OpenStack's clients, Keystone or Barbican" 'openstackclient octaviaclient keystone barbican' \
    python3-openstackclient python3-octaviaclient python3-keystone python3-barbican
  install_for_python "Octavia's acceptance tests" octavia_tempest_plugin octavia-tempest-plugin
}

# What it is, the Python modules it brings, and Debian's packages with them.
install_for_python() {
  local what=$1 modules=$2 module missing=() as_root=()
  shift 2
  if ! command -v apt-get >/dev/null; then return 0; fi
  for module in $modules; do
    [[ -d /usr/lib/python3/dist-packages/$module ]] || missing+=("$module")
  done
  if ((${#missing[@]} == 0)); then return 0; fi
  if [[ $(id -u) -ne 0 ]]; then
    sudo -n true 2>/dev/null || return 0
    as_root=(sudo -n)
  fi
  echo "$what: missing. Installing for tests"
  local run=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive)
  local install=(apt-get install -y --no-install-recommends "$@")
  "${run[@]}" "${install[@]}" >/dev/null 2>&1 ||
    { "${run[@]}" apt-get update -q >/dev/null 2>&1 && "${run[@]}" "${install[@]}" >/dev/null 2>&1; } ||
    echo "$what: could not be installed"
}
