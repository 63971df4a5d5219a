#!/bin/sh
# Runs once, in an empty PostgreSQL container: two roles, one database per tier.
# The worker may connect; everything else is for `jukinet db upgrade` to grant.
set -eu

run() {
    psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres "$@"
}

run --set owner="$JUKINET_OWNER_PASSWORD" --set worker="$JUKINET_WORKER_PASSWORD" <<'SQL'
CREATE ROLE jukinet_owner LOGIN PASSWORD :'owner';
CREATE ROLE jukinet_worker LOGIN PASSWORD :'worker';
SQL

for tier in municipality prefecture national; do
    run --set database="jukinet_$tier" <<'SQL'
CREATE DATABASE :"database" OWNER jukinet_owner;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO jukinet_worker;
SQL
done
