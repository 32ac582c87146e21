"""What `undercroft demo` shows: a stage, real material, a script and its transcript."""
