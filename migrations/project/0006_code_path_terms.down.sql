DROP INDEX codebase.idx_files_path_terms;
