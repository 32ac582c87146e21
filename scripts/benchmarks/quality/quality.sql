-- get_lines --
-- The first and the last line of these chunks.
SELECT id, start_line, end_line FROM codebase.chunks WHERE id = ANY ($1::bigint[]);
