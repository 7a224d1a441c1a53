#!/bin/sh
# Run once by the image of PostgreSQL, as its superuser, when the folder of the data is new: makes the role HAECHI_ROLE with
# HAECHI_PASSWORD, and a database of the same name that it owns. The role may do nothing else, and enters no other database.
# The password is read from the environment: an argument would show it to everybody who lists processes.
set -eu
: "${POSTGRES_USER:?}" "${HAECHI_ROLE:?}" "${HAECHI_PASSWORD:?}"

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'END'
\getenv role HAECHI_ROLE
\getenv password HAECHI_PASSWORD
-- a statement that fails would be logged with the password in it
SET log_min_error_statement = panic;
CREATE ROLE :"role" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';
CREATE DATABASE :"role" OWNER :"role";
REVOKE ALL ON DATABASE :"role", postgres, template1 FROM PUBLIC;
END
