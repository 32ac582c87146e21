"""Work: a tree of what is to be done, claims that survive crashes, texts that two agree on."""
