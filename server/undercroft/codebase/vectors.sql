-- get_vectors --
-- Which model answers and which is wanted, how far that is, and who is at work on it.
SELECT v.answering, v.target, v.epoch, v.holder, v.waits_for,
       coalesce(v.lease_until > clock_timestamp(), false) AS leased,
       c.next_chunk - 1 AS last_chunk, a.identity AS answering_identity,
       t.identity AS target_identity, coalesce(t.filled_to, 0) AS filled_to,
       EXISTS (SELECT FROM codebase.models AS o
               WHERE o.id <> v.answering AND o.id <> v.target
                 AND o.cleared_to < c.next_chunk - 1) AS surplus
FROM codebase.vectors AS v
CROSS JOIN codebase.counters AS c
LEFT JOIN codebase.models AS a ON a.id = v.answering
LEFT JOIN codebase.models AS t ON t.id = v.target;

-- get_answering --
-- The model whose vectors answer.
SELECT m.id, m.identity FROM codebase.vectors AS v JOIN codebase.models AS m ON m.id = v.answering;

-- answer_first --
-- Where no vectors answer yet, those of this model do from the first one on.
UPDATE codebase.vectors SET answering = $1, target = coalesce(target, $1) WHERE answering IS NULL;

-- take_vectors --
-- Begin to work on the vectors, unless somebody is; `$3`: the epoch of a holder known to be dead.
UPDATE codebase.vectors
SET epoch = epoch + 1, lease_until = clock_timestamp() + make_interval(secs => $1), holder = $2
WHERE lease_until IS NULL OR lease_until < clock_timestamp() OR epoch = $3
RETURNING epoch;

-- renew_vectors --
-- The holder is alive. No row: it holds the lease no more.
UPDATE codebase.vectors SET lease_until = clock_timestamp() + make_interval(secs => $2)
WHERE epoch = $1 AND lease_until IS NOT NULL
RETURNING epoch;

-- end_vectors --
-- Give the lease back; why the work does not go on, if it does not.
UPDATE codebase.vectors SET lease_until = NULL, holder = '', waits_for = $2 WHERE epoch = $1;

-- note_wait --
-- Why the work does not begin.
UPDATE codebase.vectors SET waits_for = $1
WHERE waits_for <> $1 AND (lease_until IS NULL OR lease_until < clock_timestamp());

-- set_target --
-- The model that is to answer; at once, where none does.
UPDATE codebase.vectors SET target = $1, answering = coalesce(answering, $1), waits_for = '';

-- reopen_model --
-- A model is wanted again whose vectors are being removed.
UPDATE codebase.models SET filled_to = 0, cleared_to = 0 WHERE id = $1 AND cleared_to > 0;

-- read_unembedded --
-- The next chunks of a range that have no vector of a model.
SELECT k.id, k.symbol, k.scope, k.content AS text
FROM codebase.chunks AS k
WHERE k.id > $2 AND k.id <= $3
  AND NOT EXISTS (SELECT FROM codebase.embeddings AS e WHERE e.chunk_id = k.id AND e.model = $1)
ORDER BY k.id
LIMIT $4;

-- find_alive --
-- Which of these chunks are still there.
SELECT id FROM codebase.chunks WHERE id = ANY ($1::bigint[]);

-- set_filled --
-- Every chunk up to that number has a vector of this model.
UPDATE codebase.models SET filled_to = greatest(filled_to, $2) WHERE id = $1;

-- follow_up --
-- New chunks came with their vectors, behind the last one that had one.
UPDATE codebase.models SET filled_to = $3 WHERE id = $1 AND filled_to = $2;

-- let_target_answer --
-- From now on the wanted model's vectors are asked.
UPDATE codebase.vectors SET answering = target;

-- list_surplus --
-- Models that neither answer nor are wanted, with the range in which vectors of them may be.
SELECT m.id, m.cleared_to, c.next_chunk - 1 AS last_chunk
FROM codebase.models AS m CROSS JOIN codebase.vectors AS v CROSS JOIN codebase.counters AS c
WHERE m.id <> v.answering AND m.id <> v.target AND m.cleared_to < c.next_chunk - 1;

-- retire_model --
-- Nothing is complete of this model any more.
UPDATE codebase.models SET filled_to = 0, indexed_to = 0 WHERE id = $1;

-- delete_vectors --
-- Vectors of a model in a range of chunks.
DELETE FROM codebase.embeddings WHERE model = $1 AND chunk_id > $2 AND chunk_id <= $3;

-- set_cleared --
-- No chunk up to that number has a vector of this model.
UPDATE codebase.models SET cleared_to = $2 WHERE id = $1;
