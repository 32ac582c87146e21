-- The latest changes of a project, whichever record they touched, without reading the others.
-- Rows arrive in the order of this index: it costs a write next to nothing.
CREATE INDEX idx_entity_history_changed_at ON workflow.entity_history (changed_at);
