-- Takes the index away; indexing the repositories again brings it back.
DROP SCHEMA codebase CASCADE;
