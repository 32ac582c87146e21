-- A search looks at files that are called like what it asks for; with many files, not at each of them.
CREATE INDEX idx_files_path_terms ON codebase.files USING gin (path_terms);
