"""Work of other trackers as lines of ours: beads, Task-master, GitHub."""
