#!/bin/bash
# Puts Debian's Prometheus where the tests find it, unless it is installed: into the user's
# cache, so that nothing is changed in the system.
set -euo pipefail

command -v prometheus promtool >/dev/null && exit
cache=${XDG_CACHE_HOME:-$HOME/.cache}/rnnkit/prometheus
[[ -x $cache/usr/bin/prometheus && -x $cache/usr/bin/promtool ]] && exit

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
if ! apt-get download prometheus; then
	as_root=()
	(( EUID == 0 )) || as_root=(sudo)
	"${as_root[@]}" apt-get update -q
	apt-get download prometheus
fi
dpkg -x prometheus_*.deb root
mkdir -p "$(dirname "$cache")"
rm -rf "$cache"
mv root "$cache"
rm -rf "$cache"/usr/share "$cache"/etc "$cache"/lib
