-- A search looks at files that are called like what it asks for; with many files, not at each of
-- them. What was added last is kept in a list that every search reads: it stays short.
CREATE INDEX idx_files_path_terms ON codebase.files USING gin (path_terms)
    WITH (gin_pending_list_limit = 256);
