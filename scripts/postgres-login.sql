-- The server's login: no superuser, as it is everywhere else. PostgreSQL's image runs this once.
\getenv password UNDERCROFT_DB_PASSWORD
CREATE ROLE undercroft LOGIN CREATEDB CREATEROLE PASSWORD :'password';

-- Every database made later has them, and no login needs the right to install extensions.
\connect template1
CREATE EXTENSION vector;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION btree_gin;
CREATE EXTENSION btree_gist;
CREATE EXTENSION citext;
CREATE EXTENSION unaccent;
