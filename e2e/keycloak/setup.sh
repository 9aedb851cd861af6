#!/usr/bin/env bash
# Installs Keycloak into target/keycloak/<version> and prepares it for quick starts. Exit code 77: a tool is missing, nothing was done.
set -euo pipefail
cd "$(dirname "$0")"
version=26.7.3
sha256=27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f
home=$(cd ../.. && pwd)/target/keycloak/$version

needs() { printf '!!! not run: needs %s, install with: %s\n' "$1" "$2"; exit 77; }
command -v java >/dev/null || needs 'java >= 17' 'apt-get install openjdk-17-jre-headless'
major=$(java -XshowSettings:properties -version 2>&1 | sed -n 's/ *java.specification.version = //p')
[ "${major%%.*}" -ge 17 ] || needs 'java >= 17' 'apt-get install openjdk-17-jre-headless'
command -v mvn >/dev/null || needs 'mvn' 'apt-get install maven'
command -v unzip >/dev/null || needs 'unzip' 'apt-get install unzip'

# One at a time; whoever comes second finds all done.
mkdir -p "$(dirname "$home")"
if command -v flock >/dev/null; then exec 9>"$(dirname "$home").lock"; flock 9; fi

# The stamp is written last: what was interrupted is done again.
if [ ! -f "$home/.ready" ]; then
  started=$SECONDS
  download=$(mktemp -d)
  trap 'rm -rf "$download"' EXIT
  mvn --batch-mode --quiet -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
    -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory="$download" -Dmdep.useBaseVersion=true
  echo "$sha256  $download/keycloak-quarkus-dist-$version.zip" | sha256sum --check --quiet
  rm -rf "$home"
  unzip -q "$download/keycloak-quarkus-dist-$version.zip" -d "$download"
  mv "$download/keycloak-$version" "$home"
  "$home/bin/kc.sh" build --db=dev-mem --cache=local --features=spiffe --health-enabled=true >"$home/build.log" 2>&1 || { cat "$home/build.log"; exit 1; }
  touch "$home/.ready"
  printf 'Keycloak %s: installed in %s s\n' "$version" "$((SECONDS - started))"
fi
